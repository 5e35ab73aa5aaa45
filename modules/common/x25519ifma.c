/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Montgomery's ladder, twice, in eight lanes of 64 bits: four for each product.
 * A step of the ladder is three rounds of four products of numbers modulo p, which
 * need one another's results between the rounds only.
 *
 * Lanes 0 .. 3 are X2, Z2, X3, Z3 of the first ladder, 4 .. 7 of the second.
 * A number has five limbs of 51 bits; "tight" means below 2^51 + 2^16.  The
 * multiplier reads 52 bits, so everything is made tight before a product.
 *
 * Nothing branches or looks up memory by a value.  Only
 * ptah_x25519_has_ifma() may be called on any CPU.
 */
#include <string.h>

#include "field25519.h"
#include "x25519two.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512ifma")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#define LIMBS 5
/* Unrolled, so that limbs live in registers at -O2 too. */
#define EACH(i, from, to) _Pragma("GCC unroll 10") for (int i = (from); i < (to); i++)
#define EACH_LIMB(i) EACH(i, 0, LIMBS)
#define TOP_BIT 254

/* Lanes of each ladder that take the difference and not the sum of their pair. */
#define ODD_LANES 0xaa
/* (A - 2) / 4 of the curve. */
#define A24 121665

struct lanes {
	__m512i v[LIMBS];
};

/* 19 * x, of up to 59 bits. */
INLINE __m512i
times19(__m512i x)
{
	return _mm512_add_epi64(_mm512_add_epi64(x, _mm512_slli_epi64(x, 1)), _mm512_slli_epi64(x, 4));
}

/* Tight again, from limbs of up to 61 bits. */
INLINE struct lanes
carry(struct lanes a)
{
	const __m512i mask = _mm512_set1_epi64((long long)PTAH_FE_MASK);
	struct lanes over, out;

	EACH_LIMB(i)
		over.v[i] = _mm512_srli_epi64(a.v[i], 51);
	out.v[0] = _mm512_add_epi64(_mm512_and_si512(a.v[0], mask), times19(over.v[4]));
	EACH(i, 1, LIMBS)
		out.v[i] = _mm512_add_epi64(_mm512_and_si512(a.v[i], mask), over.v[i - 1]);
	return out;
}

/*
 * a * b + more, of tight numbers.  The low 52 bits of a product of limbs belong to
 * its place, the others, twice, to the next one: they begin at bit 52, not 51.
 */
INLINE struct lanes
multiply(struct lanes a, struct lanes b, struct lanes more)
{
	const __m512i zero = _mm512_setzero_si512();
	__m512i low[2 * LIMBS], high[2 * LIMBS];
	struct lanes out;

	EACH(i, 0, 2 * LIMBS) {
		low[i] = i < LIMBS ? more.v[i] : zero;
		high[i] = zero;
	}
	EACH_LIMB(i)
		EACH_LIMB(j) {
			low[i + j] = _mm512_madd52lo_epu64(low[i + j], a.v[i], b.v[j]);
			high[i + j + 1] = _mm512_madd52hi_epu64(high[i + j + 1], a.v[i], b.v[j]);
		}
	EACH(i, 1, 2 * LIMBS)
		low[i] = _mm512_add_epi64(low[i], _mm512_slli_epi64(high[i], 1));
	EACH_LIMB(i)
		out.v[i] = _mm512_add_epi64(low[i], times19(low[LIMBS + i]));
	return carry(out);
}

/* From pairs (a, b) to (a + b, a - b). */
INLINE struct lanes
sums_and_differences(struct lanes a, struct lanes swapped)
{
	/* 2p, so that no limb falls below 0. */
	const __m512i first = _mm512_set1_epi64(0xfffffffffffda), other = _mm512_set1_epi64(0xffffffffffffe);
	struct lanes out;

	EACH_LIMB(i) {
		__m512i term = _mm512_mask_sub_epi64(a.v[i], ODD_LANES, i == 0 ? first : other, a.v[i]);

		out.v[i] = _mm512_add_epi64(swapped.v[i], term);
	}
	return carry(out);
}

INLINE struct lanes
swap_pairs(struct lanes a)
{
	struct lanes out;

	EACH_LIMB(i)
		out.v[i] = _mm512_permutex_epi64(a.v[i], 0xb1); /* 1 0 3 2 */
	return out;
}

/* Where a lane of 'yes' is all ones, exchange X2, Z2 with X3, Z3. */
INLINE struct lanes
swap_points(struct lanes a, __m512i yes)
{
	struct lanes out;

	EACH_LIMB(i) {
		__m512i other = _mm512_permutex_epi64(a.v[i], 0x4e); /* 2 3 0 1 */
		__m512i change = _mm512_and_si512(_mm512_xor_si512(a.v[i], other), yes);

		out.v[i] = _mm512_xor_si512(a.v[i], change);
	}
	return out;
}

/* 'x1' has the point in lane 3 of each ladder, and 1 in lanes 0 and 2. */
INLINE struct lanes
step(struct lanes state, struct lanes x1)
{
	const __m512i a24 = _mm512_set1_epi64(A24), zero = _mm512_setzero_si512();
	struct lanes abcd, right, left, squares, swapped, mixed, first;

	/* A = X2 + Z2, B = X2 - Z2, C = X3 + Z3, D = X3 - Z3 */
	abcd = sums_and_differences(state, swap_pairs(state));
	EACH_LIMB(i) {
		right.v[i] = _mm512_permutex_epi64(abcd.v[i], 0x14); /* A B B A */
		first.v[i] = zero;
	}
	squares = multiply(abcd, right, first); /* AA BB CB DA */
	swapped = swap_pairs(squares);          /* BB AA DA CB */
	mixed = sums_and_differences(squares, swapped); /* - E = AA - BB, CB + DA, CB - DA */
	EACH_LIMB(i) {
		left.v[i] = _mm512_mask_mov_epi64(mixed.v[i], 0x11, squares.v[i]);
		right.v[i] = _mm512_mask_mov_epi64(mixed.v[i], 0x11, swapped.v[i]);
		right.v[i] = _mm512_mask_mov_epi64(right.v[i], 0x22, i == 0 ? a24 : zero);
		first.v[i] = _mm512_maskz_mov_epi64(0x22, swapped.v[i]);
	}
	squares = multiply(left, right, first); /* X2 = AA * BB, AA + a24 * E, X3 = (CB + DA)^2, (CB - DA)^2 */
	EACH_LIMB(i) {
		left.v[i] = _mm512_mask_mov_epi64(squares.v[i], 0x22, mixed.v[i]);
		right.v[i] = _mm512_mask_mov_epi64(x1.v[i], 0x22, squares.v[i]);
		first.v[i] = zero;
	}
	return multiply(left, right, first); /* X2, Z2 = E * (AA + a24 * E), X3, Z3 = x1 * (CB - DA)^2 */
}

INLINE struct lanes
lanes_of(const struct ptah_fe numbers[8])
{
	struct lanes out;

	EACH_LIMB(i) {
		long long limbs[8];

		for (int lane = 0; lane < 8; lane++)
			limbs[lane] = (long long)numbers[lane].v[i];
		out.v[i] = _mm512_loadu_si512(limbs);
	}
	return out;
}

static inline uint64_t
bit_at(const uint8_t scalar[PTAH_X25519_LEN], int i)
{
	/* The bits that clamping clears and sets. */
	if (i == TOP_BIT)
		return 1;
	return i < 3 ? 0 : scalar[i / 8] >> i % 8 & 1;
}

static TARGET void
climb(struct ptah_fe numbers[8], const struct ptah_x25519_job jobs[2])
{
	struct ptah_fe start[8], times[8];
	uint64_t before[2] = { 0, 0 };
	uint64_t limbs[LIMBS][8];

	for (int ladder = 0; ladder < 2; ladder++) {
		struct ptah_fe point = ptah_fe_get(jobs[ladder].point);
		int at = 4 * ladder;

		start[at] = start[at + 3] = ptah_fe_one;
		start[at + 1] = ptah_fe_zero;
		start[at + 2] = point;
		times[at] = times[at + 1] = times[at + 2] = ptah_fe_one;
		times[at + 3] = point;
	}
	struct lanes state = lanes_of(start), x1 = lanes_of(times);
	for (int i = TOP_BIT; i >= -1; i--) {
		uint64_t swap[2];

		/* The last turn undoes the swap of the one before it. */
		for (int ladder = 0; ladder < 2; ladder++) {
			uint64_t bit = i >= 0 ? bit_at(jobs[ladder].scalar, i) : 0;

			swap[ladder] = ptah_fe_mask_of(bit ^ before[ladder]);
			before[ladder] = bit;
		}
		__m512i yes = _mm512_mask_mov_epi64(_mm512_set1_epi64((long long)swap[0]), 0xf0,
		    _mm512_set1_epi64((long long)swap[1]));
		state = swap_points(state, yes);
		if (i >= 0)
			state = step(state, x1);
	}
	EACH_LIMB(i) {
		_mm512_storeu_si512(limbs[i], state.v[i]);
		for (int lane = 0; lane < 8; lane++)
			numbers[lane].v[i] = limbs[i][lane];
	}
	explicit_bzero(limbs, sizeof(limbs));
	explicit_bzero(start, sizeof(start));
	explicit_bzero(times, sizeof(times));
	explicit_bzero(before, sizeof(before));
}

/* a^(p - 2) = (a^((p - 5) / 8))^8 * a^3; of 0 it is 0. */
static struct ptah_fe
inverse(struct ptah_fe a)
{
	struct ptah_fe power = ptah_fe_square_often(ptah_fe_power_p58(a), 3);

	return ptah_fe_mul(power, ptah_fe_mul(ptah_fe_square(a), a));
}

void
ptah_x25519_ifma(uint8_t out[2][PTAH_X25519_LEN], const struct ptah_x25519_job jobs[2])
{
	struct ptah_fe numbers[8];

	climb(numbers, jobs);

	/* One power gives both inverses. */
	struct ptah_fe both = inverse(ptah_fe_mul(numbers[1], numbers[5]));
	ptah_fe_put(out[0], ptah_fe_mul(numbers[0], ptah_fe_mul(both, numbers[5])));
	ptah_fe_put(out[1], ptah_fe_mul(numbers[4], ptah_fe_mul(both, numbers[1])));
	explicit_bzero(numbers, sizeof(numbers));
	explicit_bzero(&both, sizeof(both));
}

int
ptah_x25519_has_ifma(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma");
}

#else

int
ptah_x25519_has_ifma(void)
{
	return 0;
}

#endif
