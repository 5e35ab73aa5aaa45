/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "probdist.h"
#include "vectors.h"

static bool
same_bits(double x, const struct ptah_json *hex)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits == strtoull(hex->text, NULL, 16);
}

/* OBFS-023 */
static void
makes_the_tables_of_the_vectors(void **state)
{
	struct ptah_json *file = vectors_load("prob_dist.json");
	const struct ptah_json *vectors = vectors_list(file, "vectors");
	size_t n_whole = 0;

	(void)state;
	for (size_t i = 0; i < vectors->n; i++) {
		const struct ptah_json *vector = vectors->items[i];
		uint16_t min = (uint16_t)vectors_number(vector, "min");
		struct ptah_probdist dist;
		struct ptah_probdist_work work;
		uint8_t seed[PTAH_DRBG_SEED_LEN];

		vectors_exact(vector, "drbg_seed", seed, sizeof(seed));
		ptah_probdist_make(&dist, seed, min, (uint16_t)vectors_number(vector, "max"),
		    vectors_get(vector, "biased")->truth, &work);
		assert_int_equal(dist.n, vectors_number(vector, "n"));
		for (size_t k = 0; k < dist.n; k++)
			assert_int_equal(dist.value[k],
			    min + atoi(vectors_get(vector, "values")->items[k]->text));
		if (ptah_json_get(vector, "alias") == NULL)
			continue;
		n_whole++;
		for (size_t k = 0; k < dist.n; k++) {
			assert_int_equal(dist.alias[k],
			    atoi(vectors_get(vector, "alias")->items[k]->text));
			assert_true(same_bits(work.weight[k],
			    vectors_get(vector, "weights_f64bits")->items[k]));
			assert_true(same_bits(work.prob[k],
			    vectors_get(vector, "prob_f64bits")->items[k]));
		}
	}
	assert_true(n_whole > 0);
	ptah_json_free(file);
}

static void
knows_which_tables_hold_a_zero(void **state)
{
	struct ptah_json *file = vectors_load("prob_dist.json");
	const struct ptah_json *vectors = vectors_list(file, "vectors");
	size_t n_with = 0;

	(void)state;
	for (size_t i = 0; i < vectors->n; i++) {
		const struct ptah_json *values = vectors_list(vectors->items[i], "values");
		struct ptah_probdist dist;
		uint8_t seed[PTAH_DRBG_SEED_LEN];
		bool want = false;

		if (vectors_number(vectors->items[i], "min") != 0)
			continue;
		for (size_t k = 0; k < values->n; k++)
			want |= strcmp(values->items[k]->text, "0") == 0;
		vectors_exact(vectors->items[i], "drbg_seed", seed, sizeof(seed));
		ptah_probdist_make(&dist, seed, 0, (uint16_t)vectors_number(vectors->items[i], "max"),
		    vectors_get(vectors->items[i], "biased")->truth, NULL);
		assert_int_equal(ptah_probdist_has(&dist, 0), want);
		n_with += want;
	}
	assert_true(n_with > 0);
	ptah_json_free(file);
}

/* Count by a grid over both numbers what each value's share is. */
static void
picks_by_the_weights(void **state)
{
	static const uint8_t seed[PTAH_DRBG_SEED_LEN] = { 1, 2, 3 };
	enum { STEPS = 4096 };
	struct ptah_probdist dist;
	struct ptah_probdist_work work;
	double sum = 0;

	(void)state;
	ptah_probdist_make(&dist, seed, 21, 1448, true, &work);
	for (size_t i = 0; i < dist.n; i++)
		sum += work.weight[i];
	unsigned *count = calloc(1449, sizeof(*count));
	assert_non_null(count);
	for (uint64_t i = 0; i < dist.n; i++)
		for (uint64_t k = 0; k < STEPS; k++) {
			/* the middle of slot i, and the middle of step k */
			uint64_t random[2] = { (2 * i + 1) * (UINT64_MAX / (2 * dist.n)),
				(2 * k + 1) * (UINT64_MAX / (2 * STEPS)) };

			count[ptah_probdist_pick(&dist, random)]++;
		}
	for (size_t i = 0; i < dist.n; i++) {
		double got = (double)count[dist.value[i]] / (STEPS * (double)dist.n);
		double apart = got - work.weight[i] / sum;

		assert_true(apart < 1.0 / STEPS && apart > -1.0 / STEPS);
	}
	free(count);
}

static void
picks_within_the_table_at_the_ends(void **state)
{
	struct ptah_probdist dist;

	(void)state;
	for (uint8_t i = 0; i < 200; i++) {
		uint8_t seed[PTAH_DRBG_SEED_LEN] = { i };
		static const uint64_t ends[] = { 0, UINT64_MAX };

		ptah_probdist_make(&dist, seed, 7, (uint16_t)(7 + i % 3), i & 1, NULL);
		assert_true(dist.n >= 1 && dist.n <= 1 + i % 3);
		for (int k = 0; k < 4; k++) {
			uint64_t random[2] = { ends[k & 1], ends[k >> 1] };

			assert_in_range(ptah_probdist_pick(&dist, random), 7, 7 + i % 3);
		}
	}
}

/* ---- the same again, straight from its description ------------------------------ */

#define DRAWS_MOST 4096
#define VALUES_MOST 1449

/* Output n is the hash of the first block and of all outputs before it. */
struct plain {
	uint8_t key[16], said[8 * DRAWS_MOST];
	size_t n;
};

static uint64_t
plain_int63(struct plain *plain)
{
	uint8_t *out = plain->said + 8 * ++plain->n;
	uint64_t number = 0;

	assert_true(plain->n < DRAWS_MOST);
	crypto_shorthash_siphash24(out, plain->said, 8 * plain->n, plain->key);
	for (int i = 0; i < 8; i++)
		number = number << 8 | out[i];
	return number & INT64_MAX;
}

static uint32_t
plain_below(struct plain *plain, uint32_t n)
{
	uint64_t most = (UINT64_C(1) << 31) - 1 - (UINT64_C(1) << 31) % n, drawn;

	if ((n & (n - 1)) == 0)
		return (uint32_t)(plain_int63(plain) >> 32) & (n - 1);
	do {
		drawn = plain_int63(plain) >> 32;
	} while (drawn > most);
	return (uint32_t)(drawn % n);
}

static double
plain_fraction(struct plain *plain)
{
	double x;

	do {
		x = (double)plain_int63(plain) / 0x1p63;
	} while (x == 1.0);
	return x;
}

struct plain_table {
	uint32_t value[VALUES_MOST];
	size_t n, alias[100];
	double prob[100];
};

static void
plain_aliases(struct plain_table *table, const double *weight)
{
	size_t small[256], large[256], n_small = 0, n_large = 0, low = 0, high = 0;
	double sum = 0, scaled[100];

	for (size_t i = 0; i < table->n; i++)
		sum += weight[i];
	for (size_t i = 0; i < table->n; i++) {
		scaled[i] = weight[i] * (double)table->n;
		scaled[i] /= sum;
		table->prob[i] = 1;
		table->alias[i] = 0;
		if (scaled[i] < 1)
			small[n_small++] = i;
		else
			large[n_large++] = i;
	}
	while (low < n_small && high < n_large) {
		size_t l = small[low++], g = large[high++];

		table->prob[l] = scaled[l];
		table->alias[l] = g;
		scaled[g] += scaled[l];
		scaled[g] -= 1;
		if (scaled[g] < 1)
			small[n_small++] = g;
		else
			large[n_large++] = g;
	}
}

static void
plain_make(struct plain_table *table, const uint8_t *seed, uint32_t min, uint32_t max, bool biased)
{
	static struct plain plain;
	uint32_t all = max - min + 1;
	double weight[100], taken = 0;

	memcpy(plain.key, seed, 16);
	memcpy(plain.said, seed + 16, 8);
	plain.n = 0;
	for (uint32_t i = 0; i < all; i++) {
		uint32_t j = plain_below(&plain, i + 1);

		table->value[i] = table->value[j];
		table->value[j] = min + i;
	}
	table->n = plain_below(&plain, all < 100 ? all : 100) + 1;
	for (size_t i = 0; i < table->n; i++) {
		weight[i] = plain_fraction(&plain);
		if (biased)
			weight[i] *= 1 - taken;
		taken += weight[i];
	}
	plain_aliases(table, weight);
}

/* OBFS-024 */
static void
makes_the_tables_of_any_seed(void **state)
{
	static struct plain_table expected;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		uint16_t max = i % 2 == 0 ? 1448 : 100; /* lengths, delays */
		bool biased = i % 3 == 0;
		uint8_t seed[PTAH_DRBG_SEED_LEN];
		struct ptah_probdist_work work;
		struct ptah_probdist dist;

		randombytes_buf(seed, sizeof(seed));
		ptah_probdist_make(&dist, seed, 0, max, biased, &work);
		plain_make(&expected, seed, 0, max, biased);
		assert_int_equal(dist.n, expected.n);
		for (size_t k = 0; k < dist.n; k++) {
			assert_int_equal(dist.value[k], expected.value[k]);
			assert_int_equal(dist.alias[k], expected.alias[k]);
			assert_memory_equal(&work.prob[k], &expected.prob[k], sizeof(double));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_the_tables_of_the_vectors),
		cmocka_unit_test(makes_the_tables_of_any_seed),
		cmocka_unit_test(knows_which_tables_hold_a_zero),
		cmocka_unit_test(picks_by_the_weights),
		cmocka_unit_test(picks_within_the_table_at_the_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
