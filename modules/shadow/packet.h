/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * packet.h: one packet of Shadowsocks over UDP, sealed and opened where it
 * lies.
 *
 *     AEAD    salt | [ address | body ]
 *     2022    {session | number} | identity ... | [ head | address | body ]
 *
 * [x] is sealed, as long as x and a tag.  A salt makes a key of its own for
 * each packet, so the nonce is zeros.  {x} is one block of AES; a session has
 * one key for each direction, and the nonce is the last 12 bytes of that block
 * before it was encrypted.  Identities (keys.h) go to the server only.
 *
 * Threads: one set belongs to one worker.
 */
#ifndef PTAH_SHADOW_PACKET_H
#define PTAH_SHADOW_PACKET_H

#include <ptah/module.h>

#include "cipher.h"
#include "keys.h"

#define SHADOW_SESSION 8 /* bytes of a session's name */
#define SHADOW_BLOCK 16

/** Keys of what one end sends and hears, set up once.  Embed it; {0} is dead. */
struct shadow_packets {
	const struct shadow_cipher *cipher;
	uint32_t role;
	uint8_t key[SHADOW_KEY_MAX]; /* that session keys are made of */
	EVP_CIPHER_CTX *sealer, *opener; /* AEAD: keyed anew for each packet */
	EVP_CIPHER_CTX *block_out, *block_in;
	/* Of each hop. */
	EVP_CIPHER_CTX *hop[SHADOW_HOPS_MAX];
	uint8_t next[SHADOW_HOPS_MAX][SHADOW_IDENTITY]; /* hash of the key behind it */
	unsigned n_hops;
};

/** -ENOMEM. */
int shadow_packets_init(struct shadow_packets *packets, const struct shadow_cipher *cipher, const struct shadow_keys *keys,
    uint32_t role);
void shadow_packets_clear(struct shadow_packets *packets);

/* ---- AEAD ----------------------------------------------------------------- */

/** At 'at' lie a salt and 'len' bytes; seal them, with a tag behind.  -ENOMEM. */
int shadow_salted_seal(struct shadow_packets *packets, uint8_t *at, size_t len);
/** A packet of 'len' bytes lies at 'at': open what is behind its salt.  How much that is, or -EBADMSG, -ENOMEM. */
long shadow_salted_open(struct shadow_packets *packets, uint8_t *at, size_t len);

/* ---- 2022 ------------------------------------------------------------------- */

/** One direction of a session.  Embed it; {0} is dead. */
struct shadow_session {
	uint8_t name[SHADOW_SESSION];
	EVP_CIPHER_CTX *ctx;
};

int shadow_session_init(struct shadow_session *session, const struct shadow_packets *packets, const uint8_t name[SHADOW_SESSION],
    bool sealing);
void shadow_session_clear(struct shadow_session *session);

/** Bytes before the sealed part of what 'role' sends. */
static inline size_t
shadow_blocks_len(const struct shadow_packets *packets, uint32_t role)
{
	return SHADOW_BLOCK + (role == PTAH_CLIENT ? packets->n_hops * (size_t)SHADOW_IDENTITY : 0);
}

/** Write block and identities of what we send.  -ENOMEM. */
int shadow_blocks_seal(const struct shadow_packets *packets, const uint8_t plain[SHADOW_BLOCK], uint8_t *out);
/** Read the block of what we hear.  -ENOMEM. */
int shadow_block_open(const struct shadow_packets *packets, const uint8_t *in, uint8_t plain[SHADOW_BLOCK]);
/** Server: are these the identities of our keys, behind that block?  0 or -EBADMSG, -ENOMEM. */
int shadow_identities_check(const struct shadow_packets *packets, const uint8_t *in, const uint8_t plain[SHADOW_BLOCK]);

/** Seal 'len' bytes at 'at', with a tag behind.  -ENOMEM. */
int shadow_session_seal(struct shadow_session *session, const uint8_t plain[SHADOW_BLOCK], uint8_t *at, size_t len);
/** Open 'len' bytes at 'at', the tag among them.  How much there is, or -EBADMSG, -ENOMEM. */
long shadow_session_open(struct shadow_session *session, const uint8_t plain[SHADOW_BLOCK], uint8_t *at, size_t len);

#endif
