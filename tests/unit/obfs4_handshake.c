/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "vectors.h"

#include "flight.h"
#include "hello.h"
#include "reply.h"

#define N_VECTORS 3

struct vector {
	struct obfs4_identity identity;
	struct ptah_ell2 x, y;
	uint64_t hour;
	uint8_t hello[OBFS4_SHAKE_MAX], reply[OBFS4_SHAKE_MAX], keys[PTAH_NTOR_LINK_KEYS_LEN];
	size_t hello_len, reply_len, hello_pad, reply_pad;
	const uint8_t *next; /* what its random source gives */
};

static struct vector vectors[N_VECTORS];
static struct ptah_hmac *hmac;

static int
load(void **state)
{
	struct ptah_json *all = vectors_load("obfs4_handshake.json");
	const struct ptah_json *list = ptah_json_get(all, "vectors");

	(void)state;
	assert_true(sodium_init() >= 0);
	hmac = ptah_hmac_new();
	assert_non_null(hmac);
	assert_int_equal(list->n, N_VECTORS);
	for (size_t i = 0; i < list->n; i++) {
		const struct ptah_json *from = list->items[i];
		struct vector *to = &vectors[i];

		vectors_bytes(vectors_get(from, "node_id"), to->identity.bridge.node_id, OBFS4_NODE_ID_LEN);
		vectors_bytes(vectors_get(from, "b_private"), to->identity.private_key, OBFS4_KEY_LEN);
		vectors_bytes(vectors_get(from, "B_public"), to->identity.bridge.public_key, OBFS4_KEY_LEN);
		vectors_bytes(vectors_get(from, "x_private"), to->x.secret, PTAH_ELL2_LEN);
		vectors_bytes(vectors_get(from, "X_public"), to->x.public, PTAH_ELL2_LEN);
		vectors_bytes(vectors_get(from, "X_repr"), to->x.repr, PTAH_ELL2_LEN);
		vectors_bytes(vectors_get(from, "y_private"), to->y.secret, PTAH_ELL2_LEN);
		vectors_bytes(vectors_get(from, "Y_public"), to->y.public, PTAH_ELL2_LEN);
		vectors_bytes(vectors_get(from, "Y_repr"), to->y.repr, PTAH_ELL2_LEN);
		vectors_bytes(vectors_get(from, "okm144"), to->keys, sizeof(to->keys));
		to->hello_len = vectors_bytes(vectors_get(from, "client_message"), to->hello, sizeof(to->hello));
		to->reply_len = vectors_bytes(vectors_get(from, "server_message"), to->reply, sizeof(to->reply));
		to->hello_pad = (size_t)vectors_number(from, "client_pad_len");
		to->reply_pad = (size_t)vectors_number(from, "server_pad_len");
		to->hour = (uint64_t)vectors_number(from, "epoch_hour");
	}
	ptah_json_free(all);
	return 0;
}

static int
unload(void **state)
{
	(void)state;
	ptah_hmac_free(hmac);
	return 0;
}

/* The vector's own padding. */
static void
from_vector(struct ptah_self *self, void *out, size_t len)
{
	struct vector *vector = (struct vector *)(void *)self;

	memcpy(out, vector->next, len);
	vector->next += len;
}

static struct ptah_chance
chance_of(struct vector *vector, const uint8_t *next)
{
	vector->next = next;
	return (struct ptah_chance){ from_vector, (struct ptah_self *)(void *)vector };
}

static void
from_sodium(struct ptah_self *self, void *out, size_t len)
{
	(void)self;
	randombytes_buf(out, len);
}

static const struct ptah_chance any = { from_sodium, NULL };

/* A client that has just sent the vector's hello. */
static struct obfs4_hello
client_of(struct vector *vector)
{
	struct ptah_chance chance = chance_of(vector, vector->hello + PTAH_ELL2_LEN);
	struct obfs4_hello hello = { .bridge = vector->identity.bridge, .pair = vector->x };
	uint8_t out[OBFS4_SHAKE_MAX];
	long n = obfs4_hello_make(&hello, hmac, &chance, vector->hour, vector->hello_pad, (struct ptah_room){ out, sizeof(out) });

	assert_int_equal(n, vector->hello_len);
	assert_memory_equal(out, vector->hello, vector->hello_len);
	return hello;
}

static int
read_hello(struct obfs4_heard *heard, const struct vector *vector, const uint8_t *at, size_t len, uint64_t hour)
{
	uint8_t mac_key[OBFS4_MAC_KEY_LEN];

	obfs4_mac_key(&vector->identity.bridge, mac_key);
	return obfs4_hello_read(heard, hmac, mac_key, (struct ptah_span){ at, len }, hour);
}

/* OBFS-023 */
static void
the_hello_is_that_of_the_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_VECTORS; i++)
		(void)client_of(&vectors[i]);
}

/* OBFS-023 */
static void
the_reply_and_its_keys_are_those_of_the_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_VECTORS; i++) {
		struct vector *vector = &vectors[i];
		struct ptah_chance chance = chance_of(vector, vector->reply + OBFS4_REPLY_HEAD);
		struct obfs4_heard heard = { .has_mark = false };
		uint8_t out[OBFS4_SHAKE_MAX], keys[PTAH_NTOR_LINK_KEYS_LEN];

		assert_int_equal(read_hello(&heard, vector, vector->hello, vector->hello_len, vector->hour), 1);
		assert_int_equal(heard.len, vector->hello_len);
		assert_int_equal(heard.hour, vector->hour);
		assert_memory_equal(heard.mac, vector->hello + vector->hello_len - OBFS4_MARK_LEN, OBFS4_MARK_LEN);
		assert_int_equal(obfs4_reply_make(&heard, hmac, &chance, &vector->identity, &vector->y, vector->hello,
		    vector->reply_pad, (struct ptah_room){ out, sizeof(out) }, keys), vector->reply_len);
		assert_memory_equal(out, vector->reply, vector->reply_len);
		assert_memory_equal(keys, vector->keys, sizeof(keys));
	}
}

static void
a_hello_is_whole_at_its_last_byte_and_not_before(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_VECTORS; i++) {
		struct vector *vector = &vectors[i];
		struct obfs4_heard heard = { .has_mark = false };

		assert_int_equal(read_hello(&heard, vector, NULL, 0, vector->hour), 0);
		for (size_t len = 0; len < vector->hello_len; len++)
			assert_int_equal(read_hello(&heard, vector, vector->hello, len, vector->hour), 0);
		assert_int_equal(read_hello(&heard, vector, vector->hello, vector->hello_len, vector->hour), 1);
	}
}

/* OBFS-105 */
static void
bytes_behind_a_hello_make_it_none(void **state)
{
	struct vector *vector = &vectors[0];
	uint8_t more[OBFS4_SHAKE_MAX + 1] = { 0 };
	struct obfs4_heard heard = { .has_mark = false };

	(void)state;
	memcpy(more, vector->hello, vector->hello_len);
	for (size_t len = vector->hello_len + 1; len < OBFS4_SHAKE_MAX; len++)
		assert_int_equal(read_hello(&heard, vector, more, len, vector->hour), 0);
	assert_int_equal(read_hello(&heard, vector, more, OBFS4_SHAKE_MAX, vector->hour), -EPROTO);
	assert_int_equal(read_hello(&heard, vector, more, OBFS4_SHAKE_MAX + 1, vector->hour), -EPROTO);
}

/* OBFS-005, OBFS-101 */
static void
one_hour_of_skew_is_fine_and_two_are_not(void **state)
{
	struct vector *vector = &vectors[1];
	uint8_t mac_key[OBFS4_MAC_KEY_LEN];

	(void)state;
	obfs4_mac_key(&vector->identity.bridge, mac_key);
	for (int skew = -30; skew <= 30; skew++) {
		struct obfs4_heard heard = { .has_mark = false };
		uint64_t now = vector->hour - (uint64_t)skew;
		bool fine = skew >= -1 && skew <= 1, seen = skew >= -24 && skew <= 24;

		assert_int_equal(read_hello(&heard, vector, vector->hello, vector->hello_len, now), fine ? 1 : -EBADMSG);
		if (fine)
			assert_int_equal(heard.hour, vector->hour);
		else
			assert_int_equal(obfs4_hello_skew(hmac, mac_key,
			    (struct ptah_span){ vector->hello, vector->hello_len }, now), seen ? skew : 0);
	}
}

/* OBFS-106 */
static void
no_changed_bit_of_a_hello_goes_through(void **state)
{
	struct vector *vector = &vectors[0];

	(void)state;
	for (size_t bit = 0; bit < vector->hello_len * 8; bit++) {
		uint8_t changed[OBFS4_SHAKE_MAX];
		struct obfs4_heard heard = { .has_mark = false };
		int rc;

		memcpy(changed, vector->hello, vector->hello_len);
		changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		rc = read_hello(&heard, vector, changed, vector->hello_len, vector->hour);
		/* In X' or in the mark it has no mark; elsewhere no MAC. */
		if (bit / 8 < PTAH_ELL2_LEN ||
		    (bit / 8 >= vector->hello_len - OBFS4_TRAILER_LEN && bit / 8 < vector->hello_len - OBFS4_MARK_LEN))
			assert_int_equal(rc, 0);
		else
			assert_int_equal(rc, -EBADMSG);
	}
}

/* OBFS-003, OBFS-104 */
static void
padding_has_its_limits(void **state)
{
	static const struct {
		size_t pad;
		int rc;
	} cases[] = { { 76, 0 }, { 77, 1 }, { 500, 1 }, { 8128, 1 } };
	struct vector *vector = &vectors[0];
	uint8_t out[OBFS4_SHAKE_MAX];
	struct obfs4_hello hello = { .bridge = vector->identity.bridge, .pair = vector->x };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct obfs4_heard heard = { .has_mark = false };
		long n = obfs4_hello_make(&hello, hmac, &any, vector->hour, cases[i].pad, (struct ptah_room){ out, sizeof(out) });

		assert_int_equal(n, 64 + cases[i].pad);
		assert_int_equal(read_hello(&heard, vector, out, (size_t)n, vector->hour), cases[i].rc);
	}
	assert_int_equal(obfs4_hello_make(&hello, hmac, &any, vector->hour, 8129, (struct ptah_room){ out, sizeof(out) }), -ENOSPC);
	assert_int_equal(obfs4_hello_make(&hello, hmac, &any, vector->hour, 77, (struct ptah_room){ out, 140 }), -ENOSPC);
}

/* OBFS-109 */
static void
a_key_of_zero_is_refused(void **state)
{
	struct vector *vector = &vectors[0];
	static const uint8_t tops[] = { 0x00, 0x40, 0x80, 0xc0 };

	(void)state;
	for (size_t i = 0; i < sizeof(tops); i++) {
		uint8_t out[OBFS4_SHAKE_MAX], keys[PTAH_NTOR_LINK_KEYS_LEN];
		struct obfs4_hello hello = { .bridge = vector->identity.bridge };
		struct obfs4_heard heard = { .has_mark = false };
		uint8_t sent[OBFS4_SHAKE_MAX];

		hello.pair.repr[31] = tops[i];
		long n = obfs4_hello_make(&hello, hmac, &any, vector->hour, 100, (struct ptah_room){ sent, sizeof(sent) });
		assert_int_equal(read_hello(&heard, vector, sent, (size_t)n, vector->hour), 1);
		assert_int_equal(obfs4_reply_make(&heard, hmac, &any, &vector->identity, &vector->y, sent, 0,
		    (struct ptah_room){ out, sizeof(out) }, keys), -EBADMSG);
	}
}

static void
a_reply_is_read_in_every_segmentation(void **state)
{
	static const uint8_t frames[] = "frames follow at once";

	(void)state;
	for (size_t i = 0; i < N_VECTORS; i++) {
		struct vector *vector = &vectors[i];
		struct obfs4_hello hello = client_of(vector);
		uint8_t in[OBFS4_SHAKE_MAX + sizeof(frames)], keys[PTAH_NTOR_LINK_KEYS_LEN];
		const char *why;
		size_t eaten = 0;

		memcpy(in, vector->reply, vector->reply_len);
		memcpy(in + vector->reply_len, frames, sizeof(frames));
		for (size_t len = 0; len < vector->reply_len; len++)
			assert_int_equal(obfs4_reply_read(&hello, hmac, (struct ptah_span){ in, len }, keys, &eaten, &why), 0);
		/* byte by byte, and then with what follows */
		for (size_t more = 0; more <= sizeof(frames); more++) {
			struct obfs4_hello again = more % 2 == 0 ? hello : client_of(vector);

			memset(keys, 0, sizeof(keys));
			assert_int_equal(obfs4_reply_read(&again, hmac, (struct ptah_span){ in, vector->reply_len + more },
			    keys, &eaten, &why), 1);
			assert_int_equal(eaten, vector->reply_len);
			assert_memory_equal(keys, vector->keys, sizeof(keys));
		}
	}
}

/* OBFS-110, OBFS-111 */
static void
no_changed_bit_of_a_reply_goes_through(void **state)
{
	struct vector *vector = &vectors[0];

	(void)state;
	for (size_t bit = 0; bit < vector->reply_len * 8; bit++) {
		struct obfs4_hello hello = client_of(vector);
		uint8_t changed[OBFS4_SHAKE_MAX], keys[PTAH_NTOR_LINK_KEYS_LEN];
		size_t eaten = 0, at = bit / 8;
		const char *why = NULL;
		bool marked = at >= PTAH_ELL2_LEN && (at < OBFS4_REPLY_HEAD || at >= vector->reply_len - OBFS4_MARK_LEN);

		memcpy(changed, vector->reply, vector->reply_len);
		changed[at] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(obfs4_reply_read(&hello, hmac, (struct ptah_span){ changed, vector->reply_len }, keys, &eaten, &why),
		    marked ? -EBADMSG : 0);
	}
	struct obfs4_hello late = client_of(vector);
	uint8_t keys[PTAH_NTOR_LINK_KEYS_LEN];
	size_t eaten;
	const char *why;
	late.hour = vector->hour + 1;
	assert_int_equal(obfs4_reply_read(&late, hmac, (struct ptah_span){ vector->reply, vector->reply_len }, keys, &eaten, &why),
	    -EBADMSG);
}

/* A reply with a good MAC and another's AUTH: a man in the middle who knows the bridge line. */
static void
a_wrong_auth_is_refused(void **state)
{
	struct vector *vector = &vectors[0];
	struct obfs4_hello hello = client_of(vector);
	struct obfs4_heard heard = { .has_mark = false };
	struct obfs4_identity other = vector->identity;
	uint8_t out[OBFS4_SHAKE_MAX], keys[PTAH_NTOR_LINK_KEYS_LEN];
	const char *why = NULL;
	size_t eaten;
	long n;

	(void)state;
	other.private_key[5] ^= 1;
	assert_int_equal(read_hello(&heard, vector, vector->hello, vector->hello_len, vector->hour), 1);
	n = obfs4_reply_make(&heard, hmac, &any, &other, &vector->y, vector->hello, 10, (struct ptah_room){ out, sizeof(out) }, keys);
	assert_true(n > 0);
	assert_int_equal(obfs4_reply_read(&hello, hmac, (struct ptah_span){ out, (size_t)n }, keys, &eaten, &why), -EBADMSG);
	assert_non_null(why);
}

static void
nobody_waits_for_a_mark_behind_8192_bytes(void **state)
{
	struct vector *vector = &vectors[0];
	static uint8_t noise[OBFS4_SHAKE_MAX + 100];
	struct obfs4_hello hello = client_of(vector);
	struct obfs4_heard heard = { .has_mark = false };
	uint8_t keys[PTAH_NTOR_LINK_KEYS_LEN];
	const char *why;
	size_t eaten;

	(void)state;
	randombytes_buf(noise, sizeof(noise));
	assert_int_equal(obfs4_reply_read(&hello, hmac, (struct ptah_span){ noise, OBFS4_SHAKE_MAX - 1 }, keys, &eaten, &why), 0);
	assert_int_equal(obfs4_reply_read(&hello, hmac, (struct ptah_span){ noise, OBFS4_SHAKE_MAX }, keys, &eaten, &why), -EPROTO);
	assert_int_equal(read_hello(&heard, vector, noise, OBFS4_SHAKE_MAX - 1, vector->hour), 0);
	assert_int_equal(read_hello(&heard, vector, noise, OBFS4_SHAKE_MAX, vector->hour), -EPROTO);
	assert_int_equal(read_hello(&heard, vector, noise, sizeof(noise), vector->hour), -EPROTO);
}

/* OBFS-004, OBFS-012: with every length of padding at the ends of the range, and without a frame behind. */
static void
a_reply_may_be_as_short_and_as_long_as_it_can_be(void **state)
{
	static const size_t pads[] = { 0, 1, 3000, 8050, 8051 };
	struct vector *vector = &vectors[2];
	struct obfs4_heard heard = { .has_mark = false };

	(void)state;
	assert_int_equal(read_hello(&heard, vector, vector->hello, vector->hello_len, vector->hour), 1);
	for (size_t i = 0; i < sizeof(pads) / sizeof(pads[0]); i++) {
		struct obfs4_hello hello = client_of(vector);
		uint8_t out[OBFS4_SHAKE_MAX], keys[PTAH_NTOR_LINK_KEYS_LEN], mine[PTAH_NTOR_LINK_KEYS_LEN];
		const char *why;
		size_t eaten = 0;
		long n = obfs4_reply_make(&heard, hmac, &any, &vector->identity, &vector->y, vector->hello, pads[i],
		    (struct ptah_room){ out, sizeof(out) }, keys);

		assert_int_equal(n, 96 + pads[i]);
		for (size_t len = 0; len < (size_t)n; len += 7)
			assert_int_equal(obfs4_reply_read(&hello, hmac, (struct ptah_span){ out, len }, mine, &eaten, &why), 0);
		assert_int_equal(obfs4_reply_read(&hello, hmac, (struct ptah_span){ out, (size_t)n }, mine, &eaten, &why), 1);
		assert_int_equal(eaten, n);
		assert_memory_equal(mine, keys, sizeof(keys));
	}
	uint8_t out[2 * OBFS4_SHAKE_MAX], keys[PTAH_NTOR_LINK_KEYS_LEN];
	assert_int_equal(obfs4_reply_make(&heard, hmac, &any, &vector->identity, &vector->y, vector->hello, 8052,
	    (struct ptah_room){ out, sizeof(out) }, keys), -ENOSPC);
}

/* The published rules on 10,000 first segments: with the option none is noise to them, without it nearly all are. */
static void
a_shaped_hello_passes_the_rules_for_noise(void **state)
{
	struct vector *vector = &vectors[0];
	uint8_t out[OBFS4_SHAKE_MAX], keys[PTAH_NTOR_LINK_KEYS_LEN];
	unsigned flagged[2] = { 0, 0 }, texts = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		bool shaped = i % 2 != 0;
		struct obfs4_hello hello = { .bridge = vector->identity.bridge, .pair = vector->x, .shaped = shaped };
		struct obfs4_heard heard = { .has_mark = false };
		size_t pad = i < 8000 ? 77 + i / 2 % 200 : 77 + randombytes_uniform(8052);
		long n;

		randombytes_buf(hello.pair.repr, sizeof(hello.pair.repr));
		n = obfs4_hello_make(&hello, hmac, &any, vector->hour, pad, (struct ptah_room){ out, sizeof(out) });
		assert_int_equal(n, 64 + pad);
		struct ptah_span segment = { out, n < (long)OBFS4_SEGMENT_MAX ? (size_t)n : OBFS4_SEGMENT_MAX };
		flagged[shaped] += !obfs4_flight_passes(segment);
		if (shaped && i % 100 == 1) {
			memcpy(hello.pair.repr, vector->x.repr, PTAH_ELL2_LEN);
			n = obfs4_hello_make(&hello, hmac, &any, vector->hour, pad, (struct ptah_room){ out, sizeof(out) });
			assert_int_equal(read_hello(&heard, vector, out, (size_t)n, vector->hour), 1);
			assert_true(obfs4_reply_make(&heard, hmac, &any, &vector->identity, &vector->y, out, 0,
			    (struct ptah_room){ out, sizeof(out) }, keys) > 0);
			texts++;
		}
	}
	assert_int_equal(texts, 200);
	assert_in_range(flagged[1], 0, 5);
	assert_in_range(flagged[0], 9900, 10000);
}

static void
the_rules_are_those_that_were_published(void **state)
{
	uint8_t noise[200];

	(void)state;
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = i % 2 == 0 ? 0xf0 : 0x87; /* four bits each, no text */
	assert_false(obfs4_flight_passes((struct ptah_span){ noise, sizeof(noise) }));
	memset(noise + 50, 'a', 20);
	assert_false(obfs4_flight_passes((struct ptah_span){ noise, sizeof(noise) }));
	noise[70] = 'z';
	assert_true(obfs4_flight_passes((struct ptah_span){ noise, sizeof(noise) }));
	assert_true(obfs4_flight_passes((struct ptah_span){ (const uint8_t *)"GET / HTTP/1.1", 14 }));
	memset(noise, 0xf0, sizeof(noise));
	memcpy(noise, "abcdef", 6);
	assert_true(obfs4_flight_passes((struct ptah_span){ noise, sizeof(noise) }));
	noise[5] = 0x7f;
	noise[6] = 0x80;
	assert_false(obfs4_flight_passes((struct ptah_span){ noise, sizeof(noise) }));
	memset(noise, 0x07, sizeof(noise));
	assert_true(obfs4_flight_passes((struct ptah_span){ noise, sizeof(noise) }));
	memset(noise, 0xf8, sizeof(noise));
	assert_true(obfs4_flight_passes((struct ptah_span){ noise, sizeof(noise) }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hello_is_that_of_the_vectors),
		cmocka_unit_test(the_reply_and_its_keys_are_those_of_the_vectors),
		cmocka_unit_test(a_hello_is_whole_at_its_last_byte_and_not_before),
		cmocka_unit_test(bytes_behind_a_hello_make_it_none),
		cmocka_unit_test(one_hour_of_skew_is_fine_and_two_are_not),
		cmocka_unit_test(no_changed_bit_of_a_hello_goes_through),
		cmocka_unit_test(padding_has_its_limits),
		cmocka_unit_test(a_key_of_zero_is_refused),
		cmocka_unit_test(a_reply_is_read_in_every_segmentation),
		cmocka_unit_test(no_changed_bit_of_a_reply_goes_through),
		cmocka_unit_test(a_wrong_auth_is_refused),
		cmocka_unit_test(nobody_waits_for_a_mark_behind_8192_bytes),
		cmocka_unit_test(a_shaped_hello_passes_the_rules_for_noise),
		cmocka_unit_test(the_rules_are_those_that_were_published),
		cmocka_unit_test(a_reply_may_be_as_short_and_as_long_as_it_can_be),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
