/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "x25519two.h"

#define LEN PTAH_X25519_LEN
#define ROUNDS 2000
#define CHAIN 1000

static const char *const names[] = { "libsodium", "ifma" };
#define N_NAMES (sizeof(names) / sizeof(names[0]))

/* Coordinates of points of low order, and numbers beyond p that stand for some: every product is zero. */
static const uint8_t weak[][LEN] = {
	{ 0 },
	{ 1 },
	{ 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
	    0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 },
	{ 0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
	    0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57 },
	{ 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
	{ 0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	{ 0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
};

/* A stretch of ones or zeros makes carries run. */
static void
draw(uint8_t out[LEN])
{
	size_t from = randombytes_uniform(LEN), to = from + randombytes_uniform(LEN);

	randombytes_buf(out, LEN);
	if (randombytes_uniform(2) == 0)
		memset(out + from, randombytes_uniform(2) == 0 ? 0xff : 0, (to < LEN ? to : LEN) - from);
}

static void
makes_what_the_library_makes(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_NAMES; i++) {
		const struct ptah_x25519 *code = ptah_x25519_find(names[i]);

		for (int round = 0; code != NULL && round < ROUNDS; round++) {
			struct ptah_x25519_job jobs[2];
			uint8_t got[2][LEN], want[LEN];
			int rc = 0;

			for (size_t k = 0; k < 2; k++) {
				draw(jobs[k].scalar);
				draw(jobs[k].point);
			}
			code->two(got, jobs);
			for (size_t k = 0; k < 2; k++)
				rc |= crypto_scalarmult_curve25519(want, jobs[k].scalar, jobs[k].point);
			for (size_t k = 0; k < 2 && rc == 0; k++) {
				assert_int_equal(crypto_scalarmult_curve25519(want, jobs[k].scalar, jobs[k].point), 0);
				assert_memory_equal(got[k], want, LEN);
			}
		}
	}
}

/* RFC 7748, 5.2: the result is the next scalar, and the last scalar the next point. */
static void
follows_the_chain_of_the_rfc_in_both_places(void **state)
{
	static const uint8_t want[LEN] = { 0x68, 0x4c, 0xf5, 0x9b, 0xa8, 0x33, 0x09, 0x55, 0x28, 0x00, 0xef, 0x56, 0x6f,
		0x2f, 0x4d, 0x3c, 0x1c, 0x38, 0x87, 0xc4, 0x93, 0x60, 0xe3, 0x87, 0x5f, 0x2e, 0xb9, 0x4d, 0x99, 0x53,
		0x2c, 0x51 };

	(void)state;
	for (size_t i = 0; i < N_NAMES; i++)
		for (size_t place = 0; place < 2; place++) {
			const struct ptah_x25519 *code = ptah_x25519_find(names[i]);
			struct ptah_x25519_job jobs[2];
			uint8_t got[2][LEN];

			if (code == NULL)
				continue;
			draw(jobs[!place].scalar);
			memset(&jobs[place], 0, sizeof(jobs[place]));
			jobs[place].scalar[0] = jobs[place].point[0] = 9;
			for (int n = 0; n < CHAIN; n++) {
				memcpy(jobs[!place].point, jobs[place].scalar, LEN);
				code->two(got, jobs);
				memcpy(jobs[place].point, jobs[place].scalar, LEN);
				memcpy(jobs[place].scalar, got[place], LEN);
			}
			assert_memory_equal(got[place], want, LEN);
		}
}

static void
refuses_a_product_that_is_zero(void **state)
{
	struct ptah_x25519_job jobs[2];
	uint8_t out[2][LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++)
		for (size_t place = 0; place < 2; place++) {
			randombytes_buf(jobs, sizeof(jobs));
			memcpy(jobs[place].point, weak[i], LEN);
			assert_int_equal(ptah_x25519_two(out, jobs), -EBADMSG);
		}
	randombytes_buf(jobs, sizeof(jobs));
	assert_int_equal(ptah_x25519_two(out, jobs), 0);
}

static void
knows_the_library_and_nothing_that_is_not_there(void **state)
{
	(void)state;
	assert_non_null(ptah_x25519_find("libsodium"));
	assert_non_null(ptah_x25519_find(NULL));
	assert_null(ptah_x25519_find("abacus"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_what_the_library_makes),
		cmocka_unit_test(follows_the_chain_of_the_rfc_in_both_places),
		cmocka_unit_test(refuses_a_product_that_is_zero),
		cmocka_unit_test(knows_the_library_and_nothing_that_is_not_there),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
