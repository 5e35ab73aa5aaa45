/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * hmac.h: HMAC-SHA256 piece by piece, and HKDF made of it.
 *
 * A struct ptah_hmac is a tool, not a key: it computes one MAC after the
 * other, under any keys.
 *
 * Threads: one tool per worker.
 */
#ifndef PTAH_COMMON_HMAC_H
#define PTAH_COMMON_HMAC_H

#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

#define PTAH_HMAC_LEN 32
#define PTAH_HMAC128_LEN 16 /* obfs4 and ScrambleSuit send the first half */

struct ptah_hmac;

/**
 * Gives: a tool; free it with ptah_hmac_free().
 * Fails: NULL and errno (ENOMEM).
 */
struct ptah_hmac *ptah_hmac_new(void);
/** Wipe and free.  NULL is fine. */
void ptah_hmac_free(struct ptah_hmac *hmac);

/** Begin a MAC; what was begun before is forgotten.  -ENOMEM, as all below. */
int ptah_hmac_start(struct ptah_hmac *hmac, struct ptah_span key);
/** Go on with these bytes. */
int ptah_hmac_add(struct ptah_hmac *hmac, struct ptah_span bytes);
/** Tell the MAC of all that was added and then 'tail', and stay where we are. */
int ptah_hmac_peek(struct ptah_hmac *hmac, struct ptah_span tail, uint8_t mac[PTAH_HMAC_LEN]);
/** Tell the MAC of all that was added, and wipe the key. */
int ptah_hmac_end(struct ptah_hmac *hmac, uint8_t mac[PTAH_HMAC_LEN]);

/** The whole of it in one call. */
int ptah_hmac_once(struct ptah_hmac *hmac, struct ptah_span key, struct ptah_span bytes,
    uint8_t mac[PTAH_HMAC_LEN]);

/**
 * HKDF-SHA256 (RFC 5869): extract, then expand to the length of 'out'.
 * Fails: -EINVAL if that is more than 255 * 32, -ENOMEM.
 */
int ptah_hkdf(struct ptah_hmac *hmac, struct ptah_span salt, struct ptah_span ikm,
    struct ptah_span info, struct ptah_room out);
/** The second half of it, from a key that is uniform already. */
int ptah_hkdf_expand(struct ptah_hmac *hmac, const uint8_t key[PTAH_HMAC_LEN],
    struct ptah_span info, struct ptah_room out);

#endif
