/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * wide.h: products of 64 by 64 bits, and sums of them.
 *
 * A compiler without 128-bit numbers makes them of 32-bit halves.  Both ways
 * take the same time for all values.
 */
#ifndef PTAH_COMMON_WIDE_H
#define PTAH_COMMON_WIDE_H

#include <stdint.h>

#if defined(__SIZEOF_INT128__) && !defined(PTAH_WIDE_PORTABLE)

__extension__ struct ptah_wide {
	unsigned __int128 x;
};

static inline struct ptah_wide
ptah_wide_mul(uint64_t a, uint64_t b)
{
	__extension__ typedef unsigned __int128 uint128;

	return (struct ptah_wide){ (uint128)a * b };
}

static inline void
ptah_wide_muladd(struct ptah_wide *sum, uint64_t a, uint64_t b)
{
	__extension__ typedef unsigned __int128 uint128;

	sum->x += (uint128)a * b;
}

static inline void
ptah_wide_add(struct ptah_wide *sum, uint64_t a)
{
	sum->x += a;
}

static inline uint64_t
ptah_wide_low(const struct ptah_wide *sum)
{
	return (uint64_t)sum->x;
}

static inline uint64_t
ptah_wide_shift51(const struct ptah_wide *sum)
{
	return (uint64_t)(sum->x >> 51);
}

#else

struct ptah_wide {
	uint64_t low, high;
};

static inline struct ptah_wide
ptah_wide_mul(uint64_t a, uint64_t b)
{
	uint64_t a0 = (uint32_t)a, a1 = a >> 32;
	uint64_t b0 = (uint32_t)b, b1 = b >> 32;
	uint64_t mid = a1 * b0 + (a0 * b0 >> 32);
	uint64_t mid2 = a0 * b1 + (uint32_t)mid;

	return (struct ptah_wide){ .low = a * b, .high = a1 * b1 + (mid >> 32) + (mid2 >> 32) };
}

static inline void
ptah_wide_add(struct ptah_wide *sum, uint64_t a)
{
	sum->low += a;
	sum->high += sum->low < a;
}

static inline void
ptah_wide_muladd(struct ptah_wide *sum, uint64_t a, uint64_t b)
{
	struct ptah_wide product = ptah_wide_mul(a, b);

	ptah_wide_add(sum, product.low);
	sum->high += product.high;
}

static inline uint64_t
ptah_wide_low(const struct ptah_wide *sum)
{
	return sum->low;
}

static inline uint64_t
ptah_wide_shift51(const struct ptah_wide *sum)
{
	return sum->high << 13 | sum->low >> 51;
}

#endif

#endif
