/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * drbg.h: the random stream that obfs4 and ScrambleSuit make of a 24-byte seed
 * with SipHash-2-4.  Both ends that know the seed draw the same.
 *
 * It hides lengths; it is no source of keys.
 */
#ifndef PTAH_COMMON_DRBG_H
#define PTAH_COMMON_DRBG_H

#include <stdint.h>

#define PTAH_DRBG_SEED_LEN 24 /* SipHash key, initial block */

/** Embed it; only the functions look inside. */
struct ptah_drbg {
	uint64_t v[4];
	uint64_t last; /* the block before, little-endian */
	uint64_t eaten;
};

void ptah_drbg_init(struct ptah_drbg *drbg, const uint8_t seed[PTAH_DRBG_SEED_LEN]);
void ptah_drbg_clear(struct ptah_drbg *drbg);

/** Draw the next block as a big-endian number; all below are made of it. */
uint64_t ptah_drbg_block(struct ptah_drbg *drbg);
/** The first two bytes of the next block, big-endian: hides a length. */
uint16_t ptah_drbg_mask(struct ptah_drbg *drbg);
uint64_t ptah_drbg_int63(struct ptah_drbg *drbg);
/** Uniform in 0 .. n-1; n is 1 .. 2^31-1. */
uint32_t ptah_drbg_below(struct ptah_drbg *drbg, uint32_t n);
/** Uniform in [0, 1). */
double ptah_drbg_float(struct ptah_drbg *drbg);

#endif
