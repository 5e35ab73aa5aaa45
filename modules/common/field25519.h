/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * field25519.h: numbers modulo p = 2^255 - 19, in five limbs of 51 bits.
 *
 * Nothing branches or looks up memory by a value.  What a product, a square,
 * ptah_fe_carry() or ptah_fe_get() leaves is "tight": limbs below 2^51 + 2^14.
 * ptah_fe_sub() wants a second operand of at most the sum of two tight ones.
 * Products take limbs up to 2^54: a sum of a few tight ones, or a difference
 * whose first operand is at most the sum of two.
 *
 * Limbs are written out, not looped over, and the small functions are forced
 * inline, so that limbs live in registers at -O2 too: it makes a factor of two.
 */
#ifndef PTAH_COMMON_FIELD25519_H
#define PTAH_COMMON_FIELD25519_H

#include <stdint.h>

#include "bytes.h"
#include "wide.h"

#define PTAH_FE_INLINE static inline __attribute__((always_inline))
#define PTAH_FE_MASK ((UINT64_C(1) << 51) - 1)

struct ptah_fe {
	uint64_t v[5];
};

static const struct ptah_fe ptah_fe_zero = { { 0 } };
static const struct ptah_fe ptah_fe_one = { { 1 } };
static const struct ptah_fe ptah_fe_root_of_minus_one = { {
    0x61b274a0ea0b0, 0x0d5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e, 0x2b8324804fc1d } };

PTAH_FE_INLINE struct ptah_fe
ptah_fe_add(struct ptah_fe a, struct ptah_fe b)
{
	return (struct ptah_fe){ { a.v[0] + b.v[0], a.v[1] + b.v[1], a.v[2] + b.v[2], a.v[3] + b.v[3],
	    a.v[4] + b.v[4] } };
}

/* 4p is added, so that no limb falls below 0. */
PTAH_FE_INLINE struct ptah_fe
ptah_fe_sub(struct ptah_fe a, struct ptah_fe b)
{
	const uint64_t first = UINT64_C(0x1fffffffffffb4), other = UINT64_C(0x1ffffffffffffc);

	return (struct ptah_fe){ { a.v[0] + first - b.v[0], a.v[1] + other - b.v[1],
	    a.v[2] + other - b.v[2], a.v[3] + other - b.v[3], a.v[4] + other - b.v[4] } };
}

PTAH_FE_INLINE struct ptah_fe
ptah_fe_carry(struct ptah_fe a)
{
	return (struct ptah_fe){ {
	    (a.v[0] & PTAH_FE_MASK) + 19 * (a.v[4] >> 51),
	    (a.v[1] & PTAH_FE_MASK) + (a.v[0] >> 51),
	    (a.v[2] & PTAH_FE_MASK) + (a.v[1] >> 51),
	    (a.v[3] & PTAH_FE_MASK) + (a.v[2] >> 51),
	    (a.v[4] & PTAH_FE_MASK) + (a.v[3] >> 51) } };
}

PTAH_FE_INLINE struct ptah_fe
ptah_fe_fold(struct ptah_wide r0, struct ptah_wide r1, struct ptah_wide r2, struct ptah_wide r3,
    struct ptah_wide r4)
{
	uint64_t low;

	ptah_wide_add(&r1, ptah_wide_shift51(&r0));
	ptah_wide_add(&r2, ptah_wide_shift51(&r1));
	ptah_wide_add(&r3, ptah_wide_shift51(&r2));
	ptah_wide_add(&r4, ptah_wide_shift51(&r3));
	low = (ptah_wide_low(&r0) & PTAH_FE_MASK) + 19 * ptah_wide_shift51(&r4);
	return (struct ptah_fe){ {
	    low & PTAH_FE_MASK,
	    (ptah_wide_low(&r1) & PTAH_FE_MASK) + (low >> 51),
	    ptah_wide_low(&r2) & PTAH_FE_MASK,
	    ptah_wide_low(&r3) & PTAH_FE_MASK,
	    ptah_wide_low(&r4) & PTAH_FE_MASK } };
}

PTAH_FE_INLINE struct ptah_fe
ptah_fe_mul(struct ptah_fe a, struct ptah_fe b)
{
	uint64_t b1 = 19 * b.v[1], b2 = 19 * b.v[2], b3 = 19 * b.v[3], b4 = 19 * b.v[4];
	struct ptah_wide r0, r1, r2, r3, r4;

	r0 = ptah_wide_mul(a.v[0], b.v[0]);
	ptah_wide_muladd(&r0, a.v[1], b4);
	ptah_wide_muladd(&r0, a.v[2], b3);
	ptah_wide_muladd(&r0, a.v[3], b2);
	ptah_wide_muladd(&r0, a.v[4], b1);
	r1 = ptah_wide_mul(a.v[0], b.v[1]);
	ptah_wide_muladd(&r1, a.v[1], b.v[0]);
	ptah_wide_muladd(&r1, a.v[2], b4);
	ptah_wide_muladd(&r1, a.v[3], b3);
	ptah_wide_muladd(&r1, a.v[4], b2);
	r2 = ptah_wide_mul(a.v[0], b.v[2]);
	ptah_wide_muladd(&r2, a.v[1], b.v[1]);
	ptah_wide_muladd(&r2, a.v[2], b.v[0]);
	ptah_wide_muladd(&r2, a.v[3], b4);
	ptah_wide_muladd(&r2, a.v[4], b3);
	r3 = ptah_wide_mul(a.v[0], b.v[3]);
	ptah_wide_muladd(&r3, a.v[1], b.v[2]);
	ptah_wide_muladd(&r3, a.v[2], b.v[1]);
	ptah_wide_muladd(&r3, a.v[3], b.v[0]);
	ptah_wide_muladd(&r3, a.v[4], b4);
	r4 = ptah_wide_mul(a.v[0], b.v[4]);
	ptah_wide_muladd(&r4, a.v[1], b.v[3]);
	ptah_wide_muladd(&r4, a.v[2], b.v[2]);
	ptah_wide_muladd(&r4, a.v[3], b.v[1]);
	ptah_wide_muladd(&r4, a.v[4], b.v[0]);
	return ptah_fe_fold(r0, r1, r2, r3, r4);
}

PTAH_FE_INLINE struct ptah_fe
ptah_fe_square(struct ptah_fe a)
{
	uint64_t d0 = 2 * a.v[0], d1 = 2 * a.v[1];
	uint64_t d2 = 2 * 19 * a.v[2], d4 = 19 * a.v[4], d4twice = 2 * d4;
	struct ptah_wide r0, r1, r2, r3, r4;

	r0 = ptah_wide_mul(a.v[0], a.v[0]);
	ptah_wide_muladd(&r0, d4twice, a.v[1]);
	ptah_wide_muladd(&r0, d2, a.v[3]);
	r1 = ptah_wide_mul(d0, a.v[1]);
	ptah_wide_muladd(&r1, d4twice, a.v[2]);
	ptah_wide_muladd(&r1, 19 * a.v[3], a.v[3]);
	r2 = ptah_wide_mul(d0, a.v[2]);
	ptah_wide_muladd(&r2, a.v[1], a.v[1]);
	ptah_wide_muladd(&r2, d4twice, a.v[3]);
	r3 = ptah_wide_mul(d0, a.v[3]);
	ptah_wide_muladd(&r3, d1, a.v[2]);
	ptah_wide_muladd(&r3, d4, a.v[4]);
	r4 = ptah_wide_mul(d0, a.v[4]);
	ptah_wide_muladd(&r4, d1, a.v[3]);
	ptah_wide_muladd(&r4, a.v[2], a.v[2]);
	return ptah_fe_fold(r0, r1, r2, r3, r4);
}

PTAH_FE_INLINE struct ptah_fe
ptah_fe_mul_small(struct ptah_fe a, uint32_t b)
{
	struct ptah_wide r0, r1, r2, r3, r4;

	r0 = ptah_wide_mul(a.v[0], b);
	r1 = ptah_wide_mul(a.v[1], b);
	r2 = ptah_wide_mul(a.v[2], b);
	r3 = ptah_wide_mul(a.v[3], b);
	r4 = ptah_wide_mul(a.v[4], b);
	return ptah_fe_fold(r0, r1, r2, r3, r4);
}

static inline struct ptah_fe
ptah_fe_square_often(struct ptah_fe a, int n)
{
	while (n-- > 0)
		a = ptah_fe_square(a);
	return a;
}

/** a to the (p - 5) / 8 = 2^252 - 3; the names tell how many ones the exponent has. */
static inline struct ptah_fe
ptah_fe_power_p58(struct ptah_fe a)
{
	struct ptah_fe a2 = ptah_fe_square(a);
	struct ptah_fe a9 = ptah_fe_mul(ptah_fe_square_often(a2, 2), a);
	struct ptah_fe a11 = ptah_fe_mul(a9, a2);
	struct ptah_fe ones5 = ptah_fe_mul(ptah_fe_square(a11), a9);
	struct ptah_fe ones10 = ptah_fe_mul(ptah_fe_square_often(ones5, 5), ones5);
	struct ptah_fe ones20 = ptah_fe_mul(ptah_fe_square_often(ones10, 10), ones10);
	struct ptah_fe ones40 = ptah_fe_mul(ptah_fe_square_often(ones20, 20), ones20);
	struct ptah_fe ones50 = ptah_fe_mul(ptah_fe_square_often(ones40, 10), ones10);
	struct ptah_fe ones100 = ptah_fe_mul(ptah_fe_square_often(ones50, 50), ones50);
	struct ptah_fe ones200 = ptah_fe_mul(ptah_fe_square_often(ones100, 100), ones100);
	struct ptah_fe ones250 = ptah_fe_mul(ptah_fe_square_often(ones200, 50), ones50);

	return ptah_fe_mul(ptah_fe_square_often(ones250, 2), a);
}

/** 'yes' is all ones or zero. */
PTAH_FE_INLINE struct ptah_fe
ptah_fe_choose(uint64_t yes, struct ptah_fe a, struct ptah_fe b)
{
	return (struct ptah_fe){ { (a.v[0] & yes) | (b.v[0] & ~yes), (a.v[1] & yes) | (b.v[1] & ~yes),
	    (a.v[2] & yes) | (b.v[2] & ~yes), (a.v[3] & yes) | (b.v[3] & ~yes),
	    (a.v[4] & yes) | (b.v[4] & ~yes) } };
}

static inline struct ptah_fe
ptah_fe_negate(struct ptah_fe a)
{
	return ptah_fe_carry(ptah_fe_sub(ptah_fe_zero, a));
}

/** Read 255 bits; the top one is passed over. */
static inline struct ptah_fe
ptah_fe_get(const uint8_t at[32])
{
	struct ptah_fe a;

	a.v[0] = ptah_bytes_get64le(at) & PTAH_FE_MASK;
	a.v[1] = ptah_bytes_get64le(at + 6) >> 3 & PTAH_FE_MASK;
	a.v[2] = ptah_bytes_get64le(at + 12) >> 6 & PTAH_FE_MASK;
	a.v[3] = ptah_bytes_get64le(at + 19) >> 1 & PTAH_FE_MASK;
	a.v[4] = ptah_bytes_get64le(at + 24) >> 12 & PTAH_FE_MASK;
	return a;
}

/** The one representation below p; limbs of 'a' up to 2^54. */
static inline struct ptah_fe
ptah_fe_reduce(struct ptah_fe a)
{
	uint64_t over;

	a = ptah_fe_carry(ptah_fe_carry(a));
	/* Now a < 2p; it is p or more exactly if a + 19 reaches 2^255. */
	over = (a.v[0] + 19) >> 51;
	for (int i = 1; i < 5; i++)
		over = (a.v[i] + over) >> 51;
	a.v[0] += 19 * over;
	for (int i = 0; i < 4; i++) {
		a.v[i + 1] += a.v[i] >> 51;
		a.v[i] &= PTAH_FE_MASK;
	}
	a.v[4] &= PTAH_FE_MASK;
	return a;
}

static inline void
ptah_fe_put(uint8_t at[32], struct ptah_fe a)
{
	a = ptah_fe_reduce(a);
	ptah_bytes_put64le(at, a.v[0] | a.v[1] << 51);
	ptah_bytes_put64le(at + 8, a.v[1] >> 13 | a.v[2] << 38);
	ptah_bytes_put64le(at + 16, a.v[2] >> 26 | a.v[3] << 25);
	ptah_bytes_put64le(at + 24, a.v[3] >> 39 | a.v[4] << 12);
}

/** All ones if the bit is 1, zero if it is 0. */
static inline uint64_t
ptah_fe_mask_of(uint64_t bit)
{
	return -(bit & 1);
}

/** All ones if equal. */
static inline uint64_t
ptah_fe_equal(struct ptah_fe a, struct ptah_fe b)
{
	uint64_t different = 0;

	a = ptah_fe_reduce(a);
	b = ptah_fe_reduce(b);
	for (int i = 0; i < 5; i++)
		different |= a.v[i] ^ b.v[i];
	/* Limbs have 51 bits: only 0 - 1 has the top bit. */
	return ptah_fe_mask_of((different - 1) >> 63);
}

/** All ones if the canonical form is odd. */
static inline uint64_t
ptah_fe_is_odd(struct ptah_fe a)
{
	return ptah_fe_mask_of(ptah_fe_reduce(a).v[0]);
}

#endif
