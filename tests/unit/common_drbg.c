/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "drbg.h"
#include "epoch.h"
#include "vectors.h"

static void
start(struct ptah_drbg *drbg, const struct ptah_json *vector)
{
	uint8_t seed[PTAH_DRBG_SEED_LEN];

	vectors_exact(vector, "seed", seed, sizeof(seed));
	ptah_drbg_init(drbg, seed);
}

/* OBFS-023 */
static void
draws_the_blocks_of_the_vectors(void **state)
{
	struct ptah_json *file = vectors_load("siphash_drbg.json");
	const struct ptah_json *vectors = vectors_list(file, "vectors");

	(void)state;
	for (size_t i = 0; i < vectors->n; i++) {
		const struct ptah_json *blocks = vectors_list(vectors->items[i], "blocks");
		const struct ptah_json *masks = vectors_list(vectors->items[i], "length_masks_u16");
		const struct ptah_json *numbers = vectors_list(vectors->items[i], "int63");
		struct ptah_drbg drbg;

		start(&drbg, vectors->items[i]);
		for (size_t k = 0; k < blocks->n; k++)
			assert_true(ptah_drbg_block(&drbg) == strtoull(blocks->items[k]->text, NULL, 16));
		start(&drbg, vectors->items[i]);
		for (size_t k = 0; k < masks->n; k++)
			assert_int_equal(ptah_drbg_mask(&drbg), atoi(masks->items[k]->text));
		start(&drbg, vectors->items[i]);
		for (size_t k = 0; k < numbers->n; k++)
			assert_true(ptah_drbg_int63(&drbg) == strtoull(numbers->items[k]->text, NULL, 10));
	}
	ptah_json_free(file);
}

/* 1000 blocks: the byte count in the last word of the hash wraps at 32. */
static void
goes_on_where_the_byte_count_wraps(void **state)
{
	struct ptah_json *file = vectors_load("siphash_drbg.json");
	const struct ptah_json *vectors = vectors_list(file, "vectors");

	(void)state;
	for (size_t i = 0; i < vectors->n; i++) {
		uint8_t want[crypto_hash_sha256_BYTES], got[crypto_hash_sha256_BYTES];
		crypto_hash_sha256_state hash;
		struct ptah_drbg drbg;

		start(&drbg, vectors->items[i]);
		crypto_hash_sha256_init(&hash);
		for (int k = 0; k < 1000; k++) {
			uint64_t block = ptah_drbg_block(&drbg);
			uint8_t bytes[8];

			for (int b = 0; b < 8; b++)
				bytes[b] = (uint8_t)(block >> (56 - 8 * b));
			crypto_hash_sha256_update(&hash, bytes, sizeof(bytes));
		}
		crypto_hash_sha256_final(&hash, got);
		vectors_exact(vectors->items[i], "sha256_of_first_1000_blocks", want, sizeof(want));
		assert_memory_equal(got, want, sizeof(want));
	}
	ptah_json_free(file);
}

static void
draws_bounded_numbers_and_floats(void **state)
{
	struct ptah_json *file = vectors_load("siphash_drbg.json");
	const struct ptah_json *vectors = vectors_list(file, "vectors");

	(void)state;
	for (size_t i = 0; i < vectors->n; i++) {
		const struct ptah_json *both = vectors_get(vectors->items[i], "intn_sequence_then_floats");
		const struct ptah_json *numbers = vectors_list(both, "intn");
		const struct ptah_json *floats = vectors_list(both, "float64_bits");
		struct ptah_drbg drbg;

		start(&drbg, vectors->items[i]);
		assert_int_equal(ptah_drbg_below(&drbg, 60),
		    vectors_number(vectors->items[i], "close_delay_seconds"));
		start(&drbg, vectors->items[i]);
		for (size_t k = 0; k < numbers->n; k++)
			assert_int_equal(
			    ptah_drbg_below(&drbg, (uint32_t)vectors_number(numbers->items[k], "n")),
			    vectors_number(numbers->items[k], "value"));
		for (size_t k = 0; k < floats->n; k++) {
			double x = ptah_drbg_float(&drbg);
			uint64_t bits;

			memcpy(&bits, &x, sizeof(bits));
			assert_true(bits == strtoull(floats->items[k]->text, NULL, 16));
		}
	}
	ptah_json_free(file);
}

static void
writes_the_hour_in_decimal(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{ 1378768086, "382991" },
		{ 0, "0" },
		{ 3599, "0" },
		{ 3600, "1" },
		{ -1, "0" },
		{ INT64_MAX, "2562047788015215" },
	};
	char text[PTAH_EPOCH_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = ptah_epoch_text(text, ptah_epoch_hour(cases[i].seconds));

		assert_int_equal(len, strlen(cases[i].text));
		assert_memory_equal(text, cases[i].text, len);
	}
	assert_int_equal(ptah_epoch_text(text, UINT64_MAX), PTAH_EPOCH_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(draws_the_blocks_of_the_vectors),
		cmocka_unit_test(goes_on_where_the_byte_count_wraps),
		cmocka_unit_test(draws_bounded_numbers_and_floats),
		cmocka_unit_test(writes_the_hour_in_decimal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
