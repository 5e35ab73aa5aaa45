/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * unit/uniform.h: are lengths drawn as a reference draws them, each of a range
 * with the same chance?
 *
 * By chi-square, whose limits are those that one sample in a thousand exceeds.
 * Seeds are fixed, so a sample that passes does so always.
 */
#ifndef PTAH_UNIT_UNIFORM_H
#define PTAH_UNIT_UNIFORM_H

#include <stdint.h>

#include <cmocka.h>

#define UNIFORM_CELLS 16u
#define UNIFORM_MOST 37.7 /* 15 degrees of freedom */
#define UNIFORM_PAIR_CELLS 4u
#define UNIFORM_PAIR_MOST 27.9 /* 9 degrees of freedom */

/** The n-th of seeds that have nothing to do with one another. */
static inline uint64_t
uniform_seed(uint64_t n)
{
	uint64_t x = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/** Of n values in 0 .. range-1.  A range that the cells do not divide has cells of unequal size. */
static inline double
uniform_chi_square(const uint32_t *values, unsigned n, uint32_t range)
{
	unsigned counts[UNIFORM_CELLS] = { 0 };
	double sum = 0;

	for (unsigned i = 0; i < n; i++) {
		assert_true(values[i] < range);
		counts[(uint64_t)values[i] * UNIFORM_CELLS / range]++;
	}
	for (uint64_t i = 0; i < UNIFORM_CELLS; i++) {
		uint64_t from = (i * range + UNIFORM_CELLS - 1) / UNIFORM_CELLS;
		uint64_t to = ((i + 1) * range + UNIFORM_CELLS - 1) / UNIFORM_CELLS;
		double wanted = (double)n * (double)(to - from) / range, less = counts[i] - wanted;

		sum += less * less / wanted;
	}
	return sum;
}

static inline void
assert_uniform(const uint32_t *values, unsigned n, uint32_t range)
{
	assert_true(uniform_chi_square(values, n, range) < UNIFORM_MOST);
}

/** Neither says anything of the other, of values that come in pairs. */
static inline void
assert_independent(const uint32_t *one, const uint32_t *other, unsigned n, uint32_t range)
{
	unsigned counts[UNIFORM_PAIR_CELLS][UNIFORM_PAIR_CELLS] = { { 0 } };
	unsigned rows[UNIFORM_PAIR_CELLS] = { 0 }, columns[UNIFORM_PAIR_CELLS] = { 0 };
	double sum = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t row = (uint64_t)one[i] * UNIFORM_PAIR_CELLS / range;
		uint64_t column = (uint64_t)other[i] * UNIFORM_PAIR_CELLS / range;

		counts[row][column]++;
		rows[row]++;
		columns[column]++;
	}
	for (unsigned r = 0; r < UNIFORM_PAIR_CELLS; r++)
		for (unsigned c = 0; c < UNIFORM_PAIR_CELLS; c++) {
			double wanted = (double)rows[r] * columns[c] / n, less = counts[r][c] - wanted;

			sum += less * less / wanted;
		}
	assert_true(sum < UNIFORM_PAIR_MOST);
}

#endif
