/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * obfs2/keys.h: the keys of obfs2, and the head of its messages.
 *
 * With a shared secret a key is the end of a chain of 100,000 hashes, some
 * tens of milliseconds: so a derivation can be done in pieces.
 */
#ifndef PTAH_OBFS2_KEYS_H
#define PTAH_OBFS2_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

#include "aesctr.h"

#define OBFS2_SEED_LEN 16u
#define OBFS2_HEAD_LEN 8u /* magic, length of the padding */
#define OBFS2_PAD_MAX 8192u
#define OBFS2_CHAIN 100000u

/** Computes SHA-256, one after the other. */
struct obfs2_hasher;

/** NULL and errno (ENOMEM). */
struct obfs2_hasher *obfs2_hasher_new(void);
/** NULL is fine. */
void obfs2_hasher_free(struct obfs2_hasher *hasher);

/** A key and the counter that it begins with; while it is derived, the last hash. */
struct obfs2_key {
	uint8_t bytes[PTAH_AESCTR_KEY128_LEN + PTAH_AESCTR_COUNTER_LEN];
	uint32_t left; /* hashes to go */
};

/** H(secret).  -ENOMEM. */
int obfs2_secret_hash(struct obfs2_hasher *hasher, struct ptah_span secret, uint8_t out[32]);
/**
 * Begin MAC(words, seeds); 'secret' is the hash of the shared one, or NULL.
 * The key is done once its 'left' is 0.  -ENOMEM.
 */
int obfs2_key_begin(struct obfs2_key *key, struct obfs2_hasher *hasher, const char *words, struct ptah_span seeds,
    const uint8_t secret[32]);
/** Go on, by at most so many hashes.  -ENOMEM. */
int obfs2_key_go_on(struct obfs2_key *key, struct obfs2_hasher *hasher, uint32_t most);
/** -ENOMEM. */
int obfs2_key_open(const struct obfs2_key *key, const struct ptah_aes *aes, struct ptah_aesctr *ctr);

void obfs2_head_write(uint8_t head[OBFS2_HEAD_LEN], uint32_t pad_len);
/** -EPROTO if this is no head or the padding is too long. */
int obfs2_head_read(const uint8_t head[OBFS2_HEAD_LEN], uint32_t *pad_len);

#endif
