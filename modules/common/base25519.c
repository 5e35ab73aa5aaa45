/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The base point is multiplied by a signed comb: the scalar s is written as
 * the sum of e[i] * 2^i for i = 0 .. 259, each e[i] +1 or -1.  The positions are
 * cut in 4 combs of 5 teeth, 13 positions apart; a table has each comb's 16
 * points up to sign.  52 additions and 12 doublings; no digit is ever zero,
 * so all scalars take the same way.
 */
#include <string.h>

#include "base25519.h"

#define COMBS 4
#define TEETH 5
#define GAP 13
#define COMB_POINTS (1 << (TEETH - 1))
#define DIGITS (COMBS * TEETH * GAP)

/* A point with z = 1, ready to be added. */
struct ptah_ge_fixed {
	struct ptah_fe plus, minus, t2d;
	uint64_t unused; /* so that it is eight pairs */
};

/* The compiler makes of it what the CPU has. */
typedef uint64_t pair __attribute__((vector_size(16)));

_Static_assert(sizeof(struct ptah_ge_fixed) == 8 * sizeof(pair), "eight pairs");

#include "base25519table.h"

/* A sum before its four last products: x = X/Z, y = Y/T. */
struct sum {
	struct ptah_fe x, y, z, t;
};

static const struct ptah_fe twice_d = { {
    0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977, 0x2406d9dc56dff } };

static inline void
finish(struct ptah_ge *out, const struct sum *sum)
{
	out->x = ptah_fe_mul(sum->x, sum->t);
	out->y = ptah_fe_mul(sum->y, sum->z);
	out->z = ptah_fe_mul(sum->z, sum->t);
	out->t = ptah_fe_mul(sum->x, sum->y);
}

static inline void
add_prepared(struct ptah_ge *out, const struct ptah_ge *a, struct ptah_fe twice_z,
    const struct ptah_fe *plus, const struct ptah_fe *minus, const struct ptah_fe *t2d)
{
	struct ptah_fe p = ptah_fe_mul(ptah_fe_add(a->y, a->x), *plus);
	struct ptah_fe m = ptah_fe_mul(ptah_fe_sub(a->y, a->x), *minus);
	struct ptah_fe t = ptah_fe_mul(a->t, *t2d);
	struct sum sum = {
		.x = ptah_fe_sub(p, m),
		.y = ptah_fe_add(p, m),
		.z = ptah_fe_add(twice_z, t),
		.t = ptah_fe_sub(twice_z, t),
	};

	finish(out, &sum);
}

static inline void
add_fixed(struct ptah_ge *out, const struct ptah_ge *a, const struct ptah_ge_fixed *b)
{
	add_prepared(out, a, ptah_fe_add(a->z, a->z), &b->plus, &b->minus, &b->t2d);
}

static void
twice(struct ptah_ge *out, const struct ptah_ge *a)
{
	struct ptah_fe xx = ptah_fe_square(a->x);
	struct ptah_fe yy = ptah_fe_square(a->y);
	struct ptah_fe zz = ptah_fe_square(a->z);
	struct ptah_fe both = ptah_fe_square(ptah_fe_add(a->x, a->y));
	struct sum sum;

	sum.y = ptah_fe_add(yy, xx);
	sum.z = ptah_fe_carry(ptah_fe_sub(yy, xx));
	sum.x = ptah_fe_sub(both, sum.y);
	sum.t = ptah_fe_sub(ptah_fe_add(zz, zz), sum.z);
	finish(out, &sum);
}

/* Change the sign of a point where 'yes' is all ones. */
static inline void
negate_if(uint64_t yes, struct ptah_fe *plus, struct ptah_fe *minus, struct ptah_fe *t2d)
{
	struct ptah_fe old = *plus;

	*plus = ptah_fe_choose(yes, *minus, *plus);
	*minus = ptah_fe_choose(yes, old, *minus);
	*t2d = ptah_fe_choose(yes, ptah_fe_negate(*t2d), *t2d);
}

/* Look at all 'n', keep that of the index. */
static inline void
pick(struct ptah_ge_fixed *out, const struct ptah_ge_fixed *from, unsigned n, uint64_t index)
{
	pair sum[8] = { { 0 } }, here[8];

	for (uint64_t i = 0; i < n; i++) {
		uint64_t mask = ptah_fe_mask_of(((i ^ index) - 1) >> 63);
		pair yes = { mask, mask };

		memcpy(here, &from[i], sizeof(here));
		sum[0] |= here[0] & yes;
		sum[1] |= here[1] & yes;
		sum[2] |= here[2] & yes;
		sum[3] |= here[3] & yes;
		sum[4] |= here[4] & yes;
		sum[5] |= here[5] & yes;
		sum[6] |= here[6] & yes;
		sum[7] |= here[7] & yes;
	}
	memcpy(out, sum, sizeof(sum));
}

static inline uint64_t
bit_at(const uint64_t bits[5], unsigned i)
{
	return bits[i / 64] >> i % 64 & 1;
}

/* The top tooth gives the sign; the table has it positive. */
static inline void
pick_signed(struct ptah_ge_fixed *out, unsigned comb, const uint64_t bits[5], unsigned position)
{
	unsigned first = GAP * TEETH * comb + position;
	uint64_t index = 0;
	uint64_t negative = bit_at(bits, first + GAP * (TEETH - 1)) - 1;

	for (unsigned tooth = 0; tooth < TEETH - 1; tooth++)
		index |= bit_at(bits, first + GAP * tooth) << tooth;
	index = (index ^ negative) & (COMB_POINTS - 1);
	pick(out, comb_points[comb], COMB_POINTS, index);
	negate_if(negative, &out->plus, &out->minus, &out->t2d);
}

/*
 * With b[i] = (e[i] + 1) / 2 the scalar is 2b - (2^260 - 1), so b is half of
 * s + 2^260 - 1 + L: s is even, the order L is odd and changes no point.
 */
static void
recode(uint64_t bits[5], const uint8_t scalar[32])
{
	/* 2^260 - 1 + L, 64 bits a word. */
	static const uint64_t shift[5] = { 0x5812631a5cf5d3ec, 0x14def9dea2f79cd6, 0, 0x1000000000000000, 0x10 };
	uint64_t carry = 0;

	for (int i = 0; i < 5; i++) {
		uint64_t word = i < 4 ? ptah_bytes_get64le(scalar + 8 * i) : 0;
		uint64_t part = word + carry;

		carry = part < carry;
		bits[i] = part + shift[i];
		carry += bits[i] < part;
	}
	for (int i = 0; i < 4; i++)
		bits[i] = bits[i] >> 1 | bits[i + 1] << 63;
	bits[4] >>= 1;
}

void
ptah_ge_base(struct ptah_ge *out, const uint8_t scalar[32])
{
	uint64_t bits[5];
	struct ptah_ge_fixed point;

	recode(bits, scalar);
	*out = (struct ptah_ge){ .y = ptah_fe_one, .z = ptah_fe_one };
	for (unsigned position = GAP; position-- > 0;) {
		if (position != GAP - 1)
			twice(out, out);
		for (unsigned comb = 0; comb < COMBS; comb++) {
			pick_signed(&point, comb, bits, position);
			add_fixed(out, out, &point);
		}
	}
	explicit_bzero(bits, sizeof(bits));
	explicit_bzero(&point, sizeof(point));
}

void
ptah_ge_add_low_order(struct ptah_ge *out, const struct ptah_ge *a, uint8_t index)
{
	struct ptah_ge_fixed point;

	pick(&point, low_order_points, 8, index);
	add_fixed(out, a, &point);
	explicit_bzero(&point, sizeof(point));
}

void
ptah_ge_prepare(struct ptah_ge_addend *out, const struct ptah_ge *a)
{
	out->plus = ptah_fe_carry(ptah_fe_add(a->y, a->x));
	out->minus = ptah_fe_carry(ptah_fe_sub(a->y, a->x));
	out->z = a->z;
	out->t2d = ptah_fe_mul(a->t, twice_d);
}

void
ptah_ge_add(struct ptah_ge *out, const struct ptah_ge *a, const struct ptah_ge_addend *b,
    uint64_t negative)
{
	struct ptah_ge_addend mine = *b;
	struct ptah_fe z = ptah_fe_mul(a->z, b->z);

	negate_if(negative, &mine.plus, &mine.minus, &mine.t2d);
	add_prepared(out, a, ptah_fe_add(z, z), &mine.plus, &mine.minus, &mine.t2d);
	explicit_bzero(&mine, sizeof(mine));
}
