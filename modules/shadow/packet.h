/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * packet.h: one packet of Shadowsocks over UDP, sealed and opened where it
 * lies.
 *
 *     AEAD            salt | [ address | body ]
 *     2022, AES       {session | number} | identity ... | [ head | address | body ]
 *     2022, ChaCha    nonce | [ session | number | head | address | body ]
 *
 * [x] is sealed, as long as x and a tag.  A salt makes a key of its own for
 * each packet, so the nonce is zeros.  {x} is one block of AES; a session has
 * one key for each direction, and the nonce is the last 12 bytes of that block
 * before it was encrypted.  Identities (keys.h) go to the server only.  ChaCha
 * is XChaCha20 there, whose nonce is so long that one key and random ones do
 * for all sessions.
 *
 * Threads: one set belongs to one worker.
 */
#ifndef PTAH_SHADOW_PACKET_H
#define PTAH_SHADOW_PACKET_H

#include <ptah/module.h>

#include "cipher.h"
#include "keys.h"

#define SHADOW_SESSION 8 /* bytes of a session's name */
#define SHADOW_BLOCK 16  /* session and number */

/** Keys of what one end sends and hears, set up once.  Embed it; {0} is dead. */
struct shadow_packets {
	const struct shadow_cipher *cipher;
	uint32_t role;
	uint8_t key[SHADOW_KEY_MAX]; /* that session keys are made of, or the one of all packets */
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
	bool live;
	EVP_CIPHER_CTX *ctx; /* NULL: it has no key of its own */
};

int shadow_session_init(struct shadow_session *session, const struct shadow_packets *packets, const uint8_t name[SHADOW_SESSION],
    bool sealing);
void shadow_session_clear(struct shadow_session *session);

/** Bytes before the head in what 'role' sends: they say whose packet it is, and which one. */
size_t shadow_front_len(const struct shadow_packets *packets, uint32_t role);
/** So many of them, the first ones, are random; who seals has put them there. */
size_t shadow_front_random(const struct shadow_packets *packets);

/** Whose is this packet, and which one?  Not authentic yet.  0 or -EBADMSG, -ENOMEM. */
int shadow_block_read(const struct shadow_packets *packets, struct ptah_span packet, uint8_t block[SHADOW_BLOCK]);
/** Server: are the identities in this whole front those of our keys, behind that block?  0 or -EBADMSG, -ENOMEM. */
int shadow_identities_check(const struct shadow_packets *packets, const uint8_t *front, const uint8_t block[SHADOW_BLOCK]);

/** At 'at' lies room for a front, and behind it 'len' bytes; write the one and seal the other, with a tag behind.  -ENOMEM. */
int shadow_numbered_seal(const struct shadow_packets *packets, struct shadow_session *session,
    const uint8_t block[SHADOW_BLOCK], uint8_t *at, size_t len);
/** A packet of 'len' bytes lies at 'at': open it.  How much is behind its front, or -EBADMSG, -ENOMEM. */
long shadow_numbered_open(const struct shadow_packets *packets, struct shadow_session *session,
    const uint8_t block[SHADOW_BLOCK], uint8_t *at, size_t len);

#endif
