/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * obfs3/keys.h: what both sides make of the secret of UniformDH, and the
 * search for the word that ends the padding.
 */
#ifndef PTAH_OBFS3_KEYS_H
#define PTAH_OBFS3_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

#include "aesctr.h"
#include "hmac.h"
#include "uniformdh.h"

#define OBFS3_PAD_MAX 4097u /* of each of a side's two paddings */
#define OBFS3_MAGIC_LEN 32u
#define OBFS3_MAGIC_AT_MAX (2 * OBFS3_PAD_MAX) /* where it begins, at the latest, behind the public value */

struct obfs3_side {
	uint8_t key[PTAH_AESCTR_KEY128_LEN];
	uint8_t counter[PTAH_AESCTR_COUNTER_LEN];
	uint8_t magic[OBFS3_MAGIC_LEN];
};

struct obfs3_keys {
	struct obfs3_side initiator, responder; /* who sends under them */
};

/** -ENOMEM.  Wipe the keys after use. */
int obfs3_keys_make(struct obfs3_keys *keys, struct ptah_hmac *hmac, const uint8_t secret[PTAH_UDH_LEN]);

/** A search that goes on from read to read. */
struct obfs3_search {
	uint8_t magic[OBFS3_MAGIC_LEN];
	uint32_t gone; /* bytes eaten so far */
};

/**
 * Look for the magic in 'in', whose first 'eaten' bytes are done with
 * afterwards, found or not; the others shall stand before what comes next.
 * Gives: 1 behind the magic, 0 if more is needed, -EPROTO if it can come no more.
 */
int obfs3_search_step(struct obfs3_search *search, struct ptah_span in, size_t *eaten);

#endif
