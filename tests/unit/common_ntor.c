/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "elligator2.h"
#include "hmac.h"
#include "ntor.h"
#include "vectors.h"

#define KEY_LEN PTAH_NTOR_KEY_LEN

static struct ptah_span
text(const char *s)
{
	return (struct ptah_span){ (const uint8_t *)s, strlen(s) };
}

static int
hmac_open(void **state)
{
	*state = ptah_hmac_new();
	return *state != NULL ? 0 : -1;
}

static int
hmac_close(void **state)
{
	ptah_hmac_free(*state);
	return 0;
}

/* Both sides of one vector. */
struct sides {
	uint8_t x[KEY_LEN], X[KEY_LEN], y[KEY_LEN], Y[KEY_LEN], b[KEY_LEN], B[KEY_LEN];
	uint8_t node[PTAH_NTOR_NODE_LEN];
};

static void
read_sides(struct sides *sides, const struct ptah_json *vector)
{
	vectors_exact(vector, "x_private", sides->x, KEY_LEN);
	vectors_exact(vector, "X_public", sides->X, KEY_LEN);
	vectors_exact(vector, "y_private", sides->y, KEY_LEN);
	vectors_exact(vector, "Y_public", sides->Y, KEY_LEN);
	vectors_exact(vector, "b_private", sides->b, KEY_LEN);
	vectors_exact(vector, "B_public", sides->B, KEY_LEN);
	vectors_exact(vector, "node_id", sides->node, sizeof(sides->node));
}

/* OBFS-023 */
static void
agrees_with_the_vectors_on_both_sides(void **state)
{
	struct ptah_json *file = vectors_load("ntor.json");
	const struct ptah_json *vectors = vectors_list(file, "vectors");

	for (size_t i = 0; i < vectors->n; i++) {
		const struct ptah_json *vector = vectors->items[i];
		uint8_t key_seed[KEY_LEN], auth[KEY_LEN], repr[KEY_LEN], public[KEY_LEN];
		uint8_t want[PTAH_NTOR_LINK_KEYS_LEN], keys[PTAH_NTOR_LINK_KEYS_LEN];
		struct ptah_ntor client, server;
		struct sides s;

		read_sides(&s, vector);
		vectors_exact(vector, "key_seed", key_seed, KEY_LEN);
		vectors_exact(vector, "auth", auth, KEY_LEN);
		vectors_exact(vector, "okm144", want, sizeof(want));
		ptah_ntor_identity(public, s.b);
		assert_memory_equal(public, s.B, KEY_LEN);
		vectors_exact(vector, "X_repr", repr, KEY_LEN);
		ptah_ell2_decode(public, repr);
		assert_memory_equal(public, s.X, KEY_LEN);
		vectors_exact(vector, "Y_repr", repr, KEY_LEN);
		ptah_ell2_decode(public, repr);
		assert_memory_equal(public, s.Y, KEY_LEN);

		assert_int_equal(ptah_ntor_client(*state, s.x, s.X, s.Y, s.B, s.node, &client), 0);
		assert_int_equal(ptah_ntor_server(*state, s.y, s.Y, s.b, s.B, s.node, s.X, &server), 0);
		assert_memory_equal(client.key_seed, key_seed, KEY_LEN);
		assert_memory_equal(client.auth, auth, KEY_LEN);
		assert_memory_equal(&server, &client, sizeof(server));
		assert_int_equal(ptah_ntor_check(&client, auth), 0);
		assert_int_equal(ptah_ntor_link_keys(*state, &client, keys), 0);
		assert_memory_equal(keys, want, sizeof(want));
	}
	ptah_json_free(file);
}

static void
refuses_each_wrong_bit_of_auth(void **state)
{
	struct ptah_ntor mine;

	(void)state;
	memset(&mine, 0x5a, sizeof(mine));
	for (size_t i = 0; i < 8 * KEY_LEN; i++) {
		uint8_t auth[KEY_LEN];

		memcpy(auth, mine.auth, KEY_LEN);
		auth[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(ptah_ntor_check(&mine, auth), -EBADMSG);
	}
	ptah_ntor_clear(&mine);
	assert_true(sodium_is_zero((const uint8_t *)&mine, sizeof(mine)));
}

/* 0, 1, p - 1 and p have low order: a product with them says nothing. */
static void
refuses_keys_of_low_order(void **state)
{
	struct ptah_json *file = vectors_load("ntor.json");
	uint8_t low[4][KEY_LEN] = { { 0 }, { 1 } };
	struct sides s;

	read_sides(&s, vectors_list(file, "vectors")->items[0]);
	memset(low[2], 0xff, KEY_LEN);
	low[2][0] = 0xec;
	low[2][KEY_LEN - 1] = 0x7f;
	memcpy(low[3], low[2], KEY_LEN);
	low[3][0] = 0xed;
	for (size_t i = 0; i < 4; i++) {
		struct ptah_ntor out;

		memset(&out, 0xff, sizeof(out));
		assert_int_equal(ptah_ntor_server(*state, s.y, s.Y, s.b, s.B, s.node, low[i], &out), -EBADMSG);
		assert_true(sodium_is_zero((const uint8_t *)&out, sizeof(out)));
		memset(&out, 0xff, sizeof(out));
		assert_int_equal(ptah_ntor_client(*state, s.x, s.X, low[i], s.B, s.node, &out), -EBADMSG);
		assert_true(sodium_is_zero((const uint8_t *)&out, sizeof(out)));
		memset(&out, 0xff, sizeof(out));
		assert_int_equal(ptah_ntor_client(*state, s.x, s.X, s.Y, low[i], s.node, &out), -EBADMSG);
		assert_true(sodium_is_zero((const uint8_t *)&out, sizeof(out)));
	}
	ptah_json_free(file);
}

static void
depends_on_each_public_input(void **state)
{
	struct ptah_json *file = vectors_load("ntor.json");
	struct ptah_ntor whole, other;
	struct sides s, t;

	read_sides(&s, vectors_list(file, "vectors")->items[0]);
	assert_int_equal(ptah_ntor_server(*state, s.y, s.Y, s.b, s.B, s.node, s.X, &whole), 0);
	for (int i = 0; i < 4; i++) {
		t = s;
		uint8_t *part[] = { t.node, t.Y, t.B, t.X };

		part[i][0] ^= 1;
		assert_int_equal(ptah_ntor_server(*state, t.y, t.Y, t.b, t.B, t.node, t.X, &other), 0);
		assert_memory_not_equal(&other.key_seed, &whole.key_seed, KEY_LEN);
		assert_memory_not_equal(&other.auth, &whole.auth, KEY_LEN);
	}
	ptah_json_free(file);
}

/* RFC 4231, cases 1, 2 and 6 (a key longer than a block). */
static void
makes_the_macs_of_rfc_4231(void **state)
{
	uint8_t key[131], mac[PTAH_HMAC_LEN], want[PTAH_HMAC_LEN];
	const char *sentence = "Test Using Larger Than Block-Size Key - Hash Key First";

	memset(key, 0x0b, 20);
	assert_int_equal(ptah_hmac_once(*state, (struct ptah_span){ key, 20 }, text("Hi There"), mac), 0);
	sodium_hex2bin(want, sizeof(want),
	    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", 64, NULL, NULL, NULL);
	assert_memory_equal(mac, want, sizeof(want));
	assert_int_equal(ptah_hmac_once(*state, text("Jefe"), text("what do ya want for nothing?"), mac), 0);
	sodium_hex2bin(want, sizeof(want),
	    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", 64, NULL, NULL, NULL);
	assert_memory_equal(mac, want, sizeof(want));
	memset(key, 0xaa, sizeof(key));
	assert_int_equal(ptah_hmac_once(*state, (struct ptah_span){ key, sizeof(key) }, text(sentence), mac), 0);
	sodium_hex2bin(want, sizeof(want),
	    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", 64, NULL, NULL, NULL);
	assert_memory_equal(mac, want, sizeof(want));
}

static void
peeks_without_moving(void **state)
{
	struct ptah_hmac *hmac = *state;
	uint8_t mac[PTAH_HMAC_LEN], want[PTAH_HMAC_LEN];

	assert_int_equal(ptah_hmac_start(hmac, text("key")), 0);
	assert_int_equal(ptah_hmac_add(hmac, text("ab")), 0);
	assert_int_equal(ptah_hmac_peek(hmac, text("XYZ"), mac), 0);
	assert_int_equal(ptah_hmac_peek(hmac, text("cd"), mac), 0);
	assert_int_equal(ptah_hmac_add(hmac, text("c")), 0);
	assert_int_equal(ptah_hmac_add(hmac, text("d")), 0);
	assert_int_equal(ptah_hmac_end(hmac, want), 0);
	assert_memory_equal(mac, want, sizeof(want));
	assert_int_equal(ptah_hmac_once(hmac, text("key"), text("abcd"), mac), 0);
	assert_memory_equal(mac, want, sizeof(want));
}

/* RFC 5869, A.1 and A.3 (no salt, no info). */
static void
derives_the_keys_of_rfc_5869(void **state)
{
	uint8_t ikm[22], salt[13], info[10], out[42], want[42];

	memset(ikm, 0x0b, sizeof(ikm));
	for (uint8_t i = 0; i < sizeof(salt); i++)
		salt[i] = i;
	for (uint8_t i = 0; i < sizeof(info); i++)
		info[i] = (uint8_t)(0xf0 + i);
	assert_int_equal(ptah_hkdf(*state, (struct ptah_span){ salt, sizeof(salt) },
	    (struct ptah_span){ ikm, sizeof(ikm) }, (struct ptah_span){ info, sizeof(info) },
	    (struct ptah_room){ out, sizeof(out) }), 0);
	sodium_hex2bin(want, sizeof(want), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db0"
	    "2d56ecc4c5bf34007208d5b887185865", 84, NULL, NULL, NULL);
	assert_memory_equal(out, want, sizeof(want));
	assert_int_equal(ptah_hkdf(*state, text(""), (struct ptah_span){ ikm, sizeof(ikm) }, text(""),
	    (struct ptah_room){ out, sizeof(out) }), 0);
	sodium_hex2bin(want, sizeof(want), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec345"
	    "4e5f3c738d2d9d201395faa4b61a96c8", 84, NULL, NULL, NULL);
	assert_memory_equal(out, want, sizeof(want));
}

static void
expands_to_any_length_up_to_its_limit(void **state)
{
	static uint8_t all[255 * PTAH_HMAC_LEN + 1], some[100];
	uint8_t key[PTAH_HMAC_LEN] = { 1 };

	assert_int_equal(ptah_hkdf_expand(*state, key, text("i"), (struct ptah_room){ all, sizeof(all) }), -EINVAL);
	assert_int_equal(ptah_hkdf(*state, text("s"), text("k"), text("i"),
	    (struct ptah_room){ all, sizeof(all) }), -EINVAL);
	assert_int_equal(ptah_hkdf_expand(*state, key, text("i"), (struct ptah_room){ all, sizeof(all) - 1 }), 0);
	for (size_t len = 0; len <= sizeof(some); len++) {
		memset(some, 0, sizeof(some));
		assert_int_equal(ptah_hkdf_expand(*state, key, text("i"), (struct ptah_room){ some, len }), 0);
		assert_memory_equal(some, all, len);
		assert_true(sodium_is_zero(some + len, sizeof(some) - len));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_vectors_on_both_sides),
		cmocka_unit_test(refuses_each_wrong_bit_of_auth),
		cmocka_unit_test(refuses_keys_of_low_order),
		cmocka_unit_test(depends_on_each_public_input),
		cmocka_unit_test(makes_the_macs_of_rfc_4231),
		cmocka_unit_test(peeks_without_moving),
		cmocka_unit_test(derives_the_keys_of_rfc_5869),
		cmocka_unit_test(expands_to_any_length_up_to_its_limit),
	};

	return cmocka_run_group_tests(tests, hmac_open, hmac_close);
}
