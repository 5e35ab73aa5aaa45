/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * uniformdh.h: UniformDH, a Diffie-Hellman exchange whose public values look
 * like random bytes: the group of RFC 3526 with 1536 bits, private numbers
 * that are even, and a coin that says whether X or p - X is sent.
 *
 * How long private numbers are, and why:
 * core/decisions/2026-11-21-uniformdh-exponents.md
 *
 * Threads: a struct ptah_udh belongs to one worker; pairs are plain data.
 */
#ifndef PTAH_COMMON_UNIFORMDH_H
#define PTAH_COMMON_UNIFORMDH_H

#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

#define PTAH_UDH_LEN 192
#define PTAH_UDH_PRIVATE_LEN 32 /* as many random bytes are enough for a pair */

/** The group and scratch for it. */
struct ptah_udh;

struct ptah_udh_pair {
	uint8_t private[PTAH_UDH_LEN]; /* the last private_len of them */
	uint8_t public[PTAH_UDH_LEN];  /* as sent */
	size_t private_len;
};

/**
 * Gives: a group; free it with ptah_udh_free().
 * Fails: NULL and errno (ENOMEM).
 */
struct ptah_udh *ptah_udh_new(void);
/** NULL is fine. */
void ptah_udh_free(struct ptah_udh *udh);

/**
 * Make a pair of 'random', at most PTAH_UDH_LEN bytes, big-endian; its last
 * bit is the coin.  Wipe the pair after use.
 * Fails: -ENOMEM, -EINVAL.
 */
int ptah_udh_pair(struct ptah_udh *udh, struct ptah_span random, struct ptah_udh_pair *pair);
/**
 * What both sides know now.
 * Fails: -ENOMEM; -EBADMSG if 'peer' is 0, 1 or -1 modulo p, so that anybody
 * knows it: 'secret' is set even then.
 */
int ptah_udh_secret(struct ptah_udh *udh, const struct ptah_udh_pair *pair, const uint8_t peer[PTAH_UDH_LEN],
    uint8_t secret[PTAH_UDH_LEN]);
void ptah_udh_pair_clear(struct ptah_udh_pair *pair);

#endif
