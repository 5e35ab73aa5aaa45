/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aesctr.h"
#include "uniformdh.h"
#include "vectors.h"

static int
set_up(void **state)
{
	*state = ptah_udh_new();
	return *state != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	ptah_udh_free(*state);
	return 0;
}

static void
pair_of(struct ptah_udh *udh, const struct ptah_json *vector, const char *key, struct ptah_udh_pair *pair)
{
	uint8_t raw[PTAH_UDH_LEN];

	vectors_exact(vector, key, raw, sizeof(raw));
	assert_int_equal(ptah_udh_pair(udh, (struct ptah_span){ raw, sizeof(raw) }, pair), 0);
}

static void
agrees_with_the_vectors(void **state)
{
	struct ptah_json *file = vectors_load("uniformdh.json");
	const struct ptah_json *vectors = vectors_list(file, "vectors");

	for (size_t i = 0; i < vectors->n; i++) {
		const struct ptah_json *vector = vectors->items[i];
		uint8_t want[PTAH_UDH_LEN], secret[PTAH_UDH_LEN];
		struct ptah_udh_pair a, b;

		pair_of(*state, vector, "a_private_raw", &a);
		pair_of(*state, vector, "b_private_raw", &b);
		vectors_exact(vector, "a_public_sent", want, sizeof(want));
		assert_memory_equal(a.public, want, sizeof(want));
		vectors_exact(vector, "b_public_sent", want, sizeof(want));
		assert_memory_equal(b.public, want, sizeof(want));
		vectors_exact(vector, "shared_secret", want, sizeof(want));
		assert_int_equal(ptah_udh_secret(*state, &a, b.public, secret), 0);
		assert_memory_equal(secret, want, sizeof(want));
		assert_int_equal(ptah_udh_secret(*state, &b, a.public, secret), 0);
		assert_memory_equal(secret, want, sizeof(want));
	}
	ptah_json_free(file);
}

static void
computes_and_refuses_degenerate_peers(void **state)
{
	struct ptah_json *file = vectors_load("uniformdh.json");
	const struct ptah_json *vectors = vectors_list(file, "degenerate_peers");

	for (size_t i = 0; i < vectors->n; i++) {
		const struct ptah_json *vector = vectors->items[i];
		bool fine = strstr(vectors_text(vector, "peer"), "ones") != NULL;
		uint8_t want[PTAH_UDH_LEN], secret[PTAH_UDH_LEN], peer[PTAH_UDH_LEN];
		struct ptah_udh_pair pair;

		pair_of(*state, vector, "private_raw", &pair);
		vectors_exact(vector, "peer_bytes", peer, sizeof(peer));
		vectors_exact(vector, "shared_secret", want, sizeof(want));
		assert_int_equal(ptah_udh_secret(*state, &pair, peer, secret), fine ? 0 : -EBADMSG);
		assert_memory_equal(secret, want, sizeof(want));
	}
	ptah_json_free(file);
}

/* Short private numbers agree with long ones; both values of the coin. */
static void
agrees_whatever_the_length(void **state)
{
	uint8_t raw[PTAH_UDH_LEN], one[PTAH_UDH_LEN], two[PTAH_UDH_LEN];
	unsigned top = 0;

	for (unsigned i = 0; i < 64; i++) {
		struct ptah_udh_pair a, b;

		for (size_t j = 0; j < sizeof(raw); j++)
			raw[j] = (uint8_t)(i * 131 + j * 17 + (j * i >> 3));
		assert_int_equal(ptah_udh_pair(*state, (struct ptah_span){ raw, i < 8 ? sizeof(raw) : 32 }, &a), 0);
		assert_int_equal(a.private[PTAH_UDH_LEN - 1] & 1, 0);
		raw[31] ^= 1;
		assert_int_equal(ptah_udh_pair(*state, (struct ptah_span){ raw, 32 }, &b), 0);
		assert_int_equal(ptah_udh_secret(*state, &a, b.public, one), 0);
		assert_int_equal(ptah_udh_secret(*state, &b, a.public, two), 0);
		assert_memory_equal(one, two, sizeof(one));
		top += a.public[0] >> 7;
		if (i >= 8) {
			/* The same number with the other coin: the values sum up to p. */
			unsigned carry = 0;
			uint8_t sum[PTAH_UDH_LEN];

			for (size_t j = PTAH_UDH_LEN; j-- > 0; carry >>= 8) {
				carry += (unsigned)a.public[j] + b.public[j];
				sum[j] = (uint8_t)carry;
			}
			for (size_t j = 0; j < 8; j++)
				assert_int_equal(sum[j], 0xff);
			for (size_t j = PTAH_UDH_LEN - 8; j < PTAH_UDH_LEN; j++)
				assert_int_equal(sum[j], 0xff);
		}
		ptah_udh_pair_clear(&a);
		ptah_udh_pair_clear(&b);
	}
	assert_in_range(top, 16, 48);
}

static void
refuses_impossible_lengths(void **state)
{
	uint8_t raw[PTAH_UDH_LEN + 1] = { 1 };
	struct ptah_udh_pair pair;

	assert_int_equal(ptah_udh_pair(*state, (struct ptah_span){ raw, 0 }, &pair), -EINVAL);
	assert_int_equal(ptah_udh_pair(*state, (struct ptah_span){ raw, sizeof(raw) }, &pair), -EINVAL);
}

/* NIST SP 800-38A, F.5: the counter wraps in its lowest byte. */
static void
streams_go_on_from_call_to_call(void **state)
{
	static const uint8_t key[16] = { 0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf,
		0x4f, 0x3c };
	static const uint8_t counter[16] = { 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd,
		0xfe, 0xff };
	static const uint8_t plain[32] = { 0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93,
		0x17, 0x2a, 0xae, 0x2d, 0x8a, 0x57, 0x1e, 0x03, 0xac, 0x9c, 0x9e, 0xb7, 0x6f, 0xac, 0x45, 0xaf, 0x8e, 0x51 };
	static const uint8_t want[32] = { 0x87, 0x4d, 0x61, 0x91, 0xb6, 0x20, 0xe3, 0x26, 0x1b, 0xef, 0x68, 0x64, 0x99, 0x0d,
		0xb6, 0xce, 0x98, 0x06, 0xf6, 0x6b, 0x79, 0x70, 0xfd, 0xff, 0x86, 0x17, 0x18, 0x7b, 0xb9, 0xff, 0xfd, 0xff };
	struct ptah_aes *aes = ptah_aes_new();
	struct ptah_aesctr ctr = { NULL };
	uint8_t got[32];

	(void)state;
	assert_non_null(aes);
	for (size_t cut = 0; cut <= sizeof(plain); cut++) {
		memcpy(got, plain, sizeof(got));
		assert_int_equal(ptah_aesctr_open(&ctr, aes, key, sizeof(key), counter), 0);
		assert_int_equal(ptah_aesctr_apply(&ctr, (struct ptah_span){ got, cut }, got), 0);
		assert_int_equal(ptah_aesctr_apply(&ctr, (struct ptah_span){ got + cut, sizeof(got) - cut }, got + cut), 0);
		assert_memory_equal(got, want, sizeof(want));
	}
	ptah_aesctr_close(&ctr);
	ptah_aesctr_close(&ctr);
	ptah_aes_free(aes);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(agrees_with_the_vectors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(computes_and_refuses_degenerate_peers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(agrees_whatever_the_length, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_impossible_lengths, set_up, tear_down),
		cmocka_unit_test(streams_go_on_from_call_to_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
