/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shadowsocks 2022: keys, headers and streams, against the vectors and with a
 * host of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "vectors.h"

#include "shadow.h"

#define CIPHER_16 "2022-blake3-aes-128-gcm"
#define CIPHER_32 "2022-blake3-aes-256-gcm"
#define CIPHER_CHACHA "2022-blake3-chacha20-poly1305"
#define WIRE_MAX 1024

static const char *const ciphers[] = { CIPHER_16, CIPHER_32, CIPHER_CHACHA };
#define N_CIPHERS (sizeof(ciphers) / sizeof(ciphers[0]))
static struct ptah_json *vectors;

static const struct shadow_cipher *
cipher_of(const struct ptah_json *vector)
{
	const struct shadow_cipher *cipher = shadow_cipher_find(vectors_text(vector, "method"));

	assert_non_null(cipher);
	assert_true(cipher->modern);
	return cipher;
}

/* ---- vectors ------------------------------------------------------------ */

static void
web_090_makes_session_keys(void **state)
{
	const struct ptah_json *list = vectors_list(vectors, "session_subkey");
	uint8_t psk[32], salt[32], want[32], got[32];
	struct shadow_keys keys;
	char why[200];

	(void)state;
	for (size_t i = 0; i < list->n; i++) {
		const struct shadow_cipher *cipher = cipher_of(list->items[i]);

		vectors_exact(list->items[i], "psk", psk, cipher->key_len);
		vectors_exact(list->items[i], "salt", salt, cipher->key_len);
		vectors_exact(list->items[i], "subkey", want, cipher->key_len);
		assert_int_equal(shadow_keys_read(&keys, cipher, vectors_text(list->items[i], "psk_base64"),
		    (struct ptah_span){ NULL, 0 }, why, sizeof(why)), 0);
		assert_memory_equal(shadow_keys_own(&keys), psk, cipher->key_len);
		assert_int_equal(shadow_session_key(cipher, psk, salt, got), 0);
		assert_memory_equal(got, want, cipher->key_len);
	}
}

/* The boxes of one direction, and its wire. */
static size_t
start(const struct ptah_json *vector, const char *which, struct shadow_boxes *boxes, bool sealing, uint8_t *salt,
    uint8_t wire[WIRE_MAX])
{
	const struct shadow_cipher *cipher = cipher_of(vector);
	const struct ptah_json *one = vectors_get(vector, which);
	uint8_t psk[32], session[32];

	vectors_exact(vector, "psk", psk, cipher->key_len);
	vectors_exact(one, "salt", salt, cipher->key_len);
	assert_int_equal(shadow_session_key(cipher, psk, salt, session), 0);
	assert_int_equal(shadow_boxes_init(boxes, cipher, session, sealing), 0);
	return vectors_bytes(vectors_get(one, "wire"), wire, WIRE_MAX);
}

static void
web_091_builds_the_request_and_the_response(void **state)
{
	static const uint8_t padding[5] = { 0xaa, 0xaa, 0xaa, 0xaa, 0xaa };
	const struct ptah_json *list = vectors_list(vectors, "tcp");
	uint8_t salt[32], request_salt[32], want[WIRE_MAX], got[WIRE_MAX + 256], address[SHADOW_ADDRESS_MAX];
	struct shadow_boxes boxes;

	(void)state;
	for (size_t i = 0; i < list->n; i++) {
		const struct shadow_cipher *cipher = cipher_of(list->items[i]);
		size_t len = start(list->items[i], "request", &boxes, true, request_salt, want), at = cipher->key_len;
		struct shadow_request request = {
			.time = (int64_t)vectors_number(list->items[i], "timestamp"),
			.address = { address, (size_t)shadow_address_write("example.com:443", address) },
			.padding = { padding, sizeof(padding) },
			.payload = { (const uint8_t *)"hello", 5 },
		};

		memcpy(got, request_salt, at);
		at += (size_t)shadow_request_seal(&boxes, &request, got + at);
		at += (size_t)shadow_chunk_seal(&boxes, (struct ptah_span){ (const uint8_t *)"more", 4 }, got + at);
		assert_int_equal(at, len);
		assert_memory_equal(got, want, len);
		shadow_boxes_clear(&boxes);

		len = start(list->items[i], "response", &boxes, true, salt, want);
		at = cipher->key_len;
		memcpy(got, salt, at);
		at += (size_t)shadow_response_seal(&boxes, cipher,
		    (int64_t)vectors_number(vectors_get(list->items[i], "response"), "timestamp"), request_salt,
		    (struct ptah_span){ (const uint8_t *)"world!", 6 }, got + at);
		at += (size_t)shadow_chunk_seal(&boxes, (struct ptah_span){ (const uint8_t *)"end", 3 }, got + at);
		assert_int_equal(at, len);
		assert_memory_equal(got, want, len);
		shadow_boxes_clear(&boxes);
	}
}

/* Through the links: the server reads the vector's request, the client its response. */
static void
web_091_reads_the_request_and_the_response(void **state)
{
	const struct ptah_json *list = vectors_list(vectors, "tcp");
	static const char *const any = "*";
	uint8_t salt[32], request_salt[32], wire[WIRE_MAX];
	struct shadow_boxes boxes;
	size_t len;

	(void)state;
	assert_int_equal(list->n, N_CIPHERS);
	for (size_t i = 0; i < list->n; i++) {
		struct shadow_options options = options_of(vectors_text(list->items[i], "method"), SHADOW_SS);

		n_seen = 0; /* their salts are the same */
		len = start(list->items[i], "request", &boxes, false, request_salt, wire);
		shadow_boxes_clear(&boxes);
		options.allow = (struct ptah_list){ &any, 1 };
		end_open(&server, PTAH_SERVER, &options, NULL);
		add(&server.wire_in, wire, len);
		run(&server);
		assert_int_equal(server.rc, 0);
		assert_string_equal(server.dest, "example.com:443");
		assert_int_equal(server.plain_out.len, 9);
		assert_memory_equal(server.plain_out.at, "hellomore", 9);

		len = start(list->items[i], "response", &boxes, false, salt, wire);
		shadow_boxes_clear(&boxes);
		end_open(&client, PTAH_CLIENT, &options, "192.0.2.1:443");
		memcpy(client.link.salt, request_salt, client.link.cipher->key_len);
		add(&client.wire_in, wire, len);
		run(&client);
		assert_int_equal(client.rc, 0);
		assert_int_equal(client.plain_out.len, 9);
		assert_memory_equal(client.plain_out.at, "world!end", 9);
		close_both();
	}
}

static void
web_098_writes_identities(void **state)
{
	const struct ptah_json *list = vectors_list(vectors, "identity");
	uint8_t salt[32], want[SHADOW_IDENTITY], got[SHADOW_HOPS_MAX * SHADOW_IDENTITY];

	(void)state;
	for (size_t i = 0; i < list->n; i++) {
		const struct shadow_cipher *cipher = cipher_of(list->items[i]);
		struct shadow_keys keys = { .n_hops = 1 }, two = { .n_hops = 2 };

		vectors_exact(list->items[i], "ipsk", keys.hop[0], cipher->key_len);
		vectors_exact(list->items[i], "upsk", keys.hop[1], cipher->key_len);
		vectors_exact(list->items[i], "salt", salt, cipher->key_len);
		vectors_exact(list->items[i], "identity_header", want, sizeof(want));
		assert_int_equal(shadow_keys_identities(&keys, cipher, salt, got), 0);
		assert_memory_equal(got, want, sizeof(want));
		/* With a hop before these two, theirs is the second header, and the same. */
		memset(two.hop[0], 7, cipher->key_len);
		memcpy(two.hop[1], keys.hop[0], cipher->key_len);
		memcpy(two.hop[2], keys.hop[1], cipher->key_len);
		assert_int_equal(shadow_keys_identities(&two, cipher, salt, got), 0);
		assert_memory_equal(got + SHADOW_IDENTITY, want, sizeof(want));
		assert_memory_not_equal(got, want, sizeof(want));
	}
}

/* ---- links -------------------------------------------------------------- */

static void
carries_both_ways_however_it_is_cut_after_the_first_read(void **state)
{
	static const size_t cuts[] = { 59, 100, 1000, 0xffff, STREAM_MAX * 2 };

	(void)state;
	for (size_t i = 0; i < N_CIPHERS; i++)
		for (size_t j = 0; j < 5; j++) {
			by_event = (i + j) % 2 == 1;
			open_both(ciphers[i], SHADOW_SS);
			say(&client, stream, STREAM_MAX);
			carry(&client, &server, cuts[j]);
			assert_int_equal(server.plain_out.len, STREAM_MAX);
			assert_memory_equal(server.plain_out.at, stream, STREAM_MAX);
			say(&server, stream, STREAM_MAX);
			carry(&server, &client, j == 0 ? 7 : cuts[j]);
			assert_int_equal(client.plain_out.len, STREAM_MAX);
			assert_memory_equal(client.plain_out.at, stream, STREAM_MAX);
			assert_int_equal(client.rc | server.rc, 0);
			close_both();
		}
	by_event = false;
}

static void
fills_boxes_as_far_as_the_length_goes(void **state)
{
	const size_t boxes = (STREAM_MAX + 2 + 7 + 0xfffe) / 0xffff;

	(void)state;
	open_both(CIPHER_32, SHADOW_SS);
	say(&client, stream, STREAM_MAX);
	assert_int_equal(client.n_writes, 1);
	assert_int_equal(client.wire_out.len,
	    32 + SHADOW_REQUEST_BOX + 7 + 2 + SHADOW_TAG + STREAM_MAX + (boxes - 1) * SHADOW_CHUNK_HEAD);
	carry(&client, &server, SIZE_MAX);
	say(&server, stream, STREAM_MAX);
	assert_int_equal(server.wire_out.len,
	    32 + SHADOW_RESPONSE_BOX_MAX + SHADOW_TAG + STREAM_MAX + (boxes - 1) * SHADOW_CHUNK_HEAD);
	close_both();
}

static void
pads_short_requests_and_those_without_bytes(void **state)
{
	const size_t least = 16 + SHADOW_REQUEST_BOX + 7 + 2 + SHADOW_TAG;
	size_t smallest = SIZE_MAX, largest = 0;

	(void)state;
	for (int i = 0; i < 300; i++) {
		size_t len = i % 2 == 0 ? 0 : 5;

		open_both(CIPHER_16, SHADOW_SS);
		if (len == 0)
			tell(&client, PTAH_EV_TIMER, 0);
		else
			say(&client, stream, len);
		assert_in_range(client.wire_out.len, least + len + 1, least + len + SHADOW_PADDING_MAX);
		smallest = client.wire_out.len < smallest ? client.wire_out.len : smallest;
		largest = client.wire_out.len > largest ? client.wire_out.len : largest;
		carry(&client, &server, SIZE_MAX);
		assert_true(server.open);
		assert_int_equal(server.plain_out.len, len);
		close_both();
	}
	assert_true(largest - smallest > 500);
}

/* The server's answer to 'wire': none, and its side is shut. */
static void
expect_silence(const uint8_t *wire, size_t len, const struct shadow_options *options)
{
	end_open(&server, PTAH_SERVER, options, NULL);
	add(&server.wire_in, wire, len);
	run(&server);
	assert_int_equal(server.rc, PTAH_REJECT);
	assert_int_equal(server.manner, PTAH_SHUT);
	assert_int_equal(server.wire_out.len, 0);
	assert_false(server.open || server.admitted);
	module->close(&server.link, 0);
}

static void
web_092_refuses_a_wrong_time(void **state)
{
	static const struct {
		int64_t off;
		bool good;
	} cases[] = { { -30, true }, { -31, false }, { 30, true }, { 31, false }, { 0, true } };
	const int64_t now = wall_s;

	(void)state;
	for (size_t i = 0; i < N_CIPHERS; i++)
		for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]); j++) {
			const struct shadow_options options = options_of(ciphers[i], SHADOW_SS);

			open_both(ciphers[i], SHADOW_SS);
			wall_s = now + cases[j].off;
			say(&client, stream, 10);
			wall_s = now;
			if (cases[j].good) {
				carry(&client, &server, SIZE_MAX);
				assert_true(server.open);
			} else {
				expect_silence(client.wire_out.at, client.wire_out.len, &options);
				assert_int_equal(counts[SHADOW_COUNT_LATE], 1);
			}
			close_both();
		}
}

static void
web_092_tells_of_a_wrong_clock_once_a_minute(void **state)
{
	const struct shadow_options options = options_of(CIPHER_16, SHADOW_SS);
	const int64_t now = wall_s;

	(void)state;
	wall_s += 1000000; /* what other tests have said is long ago */
	n_logged = 0;
	for (int i = 0; i < 4; i++) {
		open_both(CIPHER_16, SHADOW_SS);
		wall_s -= 100;
		say(&client, stream, 10);
		wall_s += 100;
		expect_silence(client.wire_out.at, client.wire_out.len, &options);
		module->close(&client.link, 0);
		wall_s += i == 2 ? 60 : 0;
	}
	assert_int_equal(n_logged, 2);
	wall_s = now;
}

static void
web_092_refuses_a_replay(void **state)
{
	static struct bytes flight;
	const int64_t now = wall_s;

	(void)state;
	for (size_t i = 0; i < 2 * N_CIPHERS; i++) {
		const struct shadow_options options = options_of(ciphers[i / 2], SHADOW_SS);

		by_event = i % 2 == 1;
		open_both(ciphers[i / 2], SHADOW_SS);
		say(&client, stream, 100);
		flight = client.wire_out;
		carry(&client, &server, SIZE_MAX);
		assert_true(server.open);
		close_both();
		/* Within its time the salt is known; later it is forgotten, and the time is too old. */
		wall_s = now + 29;
		expect_silence(flight.at, flight.len, &options);
		assert_int_equal(counts[SHADOW_COUNT_REPLAYED], 1);
		wall_s = now + 61;
		expect_silence(flight.at, flight.len, &options);
		assert_int_equal(counts[SHADOW_COUNT_REPLAYED], 1);
		assert_int_equal(counts[SHADOW_COUNT_LATE], 1);
		wall_s = now;
	}
	by_event = false;
}

/* A request of the test's own making. */
static size_t
make_request(uint8_t *wire, const uint8_t *rest, size_t rest_len, uint8_t type, uint16_t length)
{
	const struct shadow_cipher *cipher = shadow_cipher_find(CIPHER_16);
	uint8_t key[32], session[32], head[SHADOW_REQUEST] = { type };
	struct shadow_boxes boxes;
	size_t len = cipher->key_len;

	for (uint8_t i = 0; i < 16; i++)
		key[i] = i;
	randombytes_buf(wire, len);
	for (int i = 0; i < 8; i++)
		head[8 - i] = (uint8_t)((uint64_t)wall_s >> (8 * i));
	head[9] = (uint8_t)(length >> 8);
	head[10] = (uint8_t)length;
	assert_int_equal(shadow_session_key(cipher, key, wire, session), 0);
	assert_int_equal(shadow_boxes_init(&boxes, cipher, session, true), 0);
	assert_int_equal(shadow_box_seal(&boxes, head, sizeof(head), wire + len), 0);
	len += SHADOW_REQUEST_BOX;
	assert_int_equal(shadow_box_seal(&boxes, rest, rest_len, wire + len), 0);
	shadow_boxes_clear(&boxes);
	return len + rest_len + SHADOW_TAG;
}

static void
web_093_refuses_headers_that_cannot_be(void **state)
{
	static const struct {
		uint8_t rest[16];
		uint16_t len;
		uint8_t type;
	} bad[] = {
		{ { 1, 192, 0, 2, 1, 1, 187, 0, 0 }, 9, 0 },              /* neither padding nor a byte of the stream */
		{ { 1, 192, 0, 2, 1, 1, 187, 0, 0, 'x' }, 10, 1 },        /* a response */
		{ { 1, 192, 0, 2, 1, 1, 187, 0, 4, 'x', 'x', 'x' }, 12, 0 }, /* padding beyond the end */
		{ { 1, 192, 0, 2, 1, 1, 187, 0 }, 8, 0 },                 /* no length of padding */
		{ { 1, 192, 0, 2, 1, 1 }, 6, 0 },                         /* half an address */
		{ { 2, 192, 0, 2, 1, 1, 187, 0, 0, 'x' }, 10, 0 },
		{ { 0 }, 0, 0 },
	};
	const struct shadow_options options = options_of(CIPHER_16, SHADOW_SS);
	static uint8_t wire[2048], rest[1024] = { 1, 192, 0, 2, 1, 1, 187 };
	size_t len;

	(void)state;
	n_seen = 0;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		len = make_request(wire, bad[i].rest, bad[i].len, bad[i].type, bad[i].len);
		expect_silence(wire, len, &options);
	}
	/* 900 bytes of padding are the most. */
	rest[7] = SHADOW_PADDING_MAX >> 8;
	rest[8] = SHADOW_PADDING_MAX & 0xff;
	len = make_request(wire, rest, 9 + SHADOW_PADDING_MAX, 0, 9 + SHADOW_PADDING_MAX);
	end_open(&server, PTAH_SERVER, &options, NULL);
	add(&server.wire_in, wire, len);
	run(&server);
	assert_true(server.open);
	module->close(&server.link, 0);
	rest[8]++;
	len = make_request(wire, rest, 10 + SHADOW_PADDING_MAX, 0, 10 + SHADOW_PADDING_MAX);
	expect_silence(wire, len, &options);
}

static void
web_094_refuses_a_response_to_another_request(void **state)
{
	static struct bytes response;

	(void)state;
	for (size_t i = 0; i < N_CIPHERS; i++) {
		open_both(ciphers[i], SHADOW_SS);
		say(&client, stream, 10);
		carry(&client, &server, SIZE_MAX);
		say(&server, stream, 10);
		response = server.wire_out;
		close_both();
		open_both(ciphers[i], SHADOW_SS);
		say(&client, stream, 10);
		add(&client.wire_in, response.at, response.len);
		run(&client);
		assert_int_equal(client.rc, -EBADMSG);
		assert_int_equal(client.plain_out.len, 0);
		assert_memory_equal(client.reason, "auth", 4);
		close_both();
	}
}

static void
web_094_refuses_a_response_of_another_time(void **state)
{
	(void)state;
	open_both(CIPHER_16, SHADOW_SS);
	say(&client, stream, 10);
	carry(&client, &server, SIZE_MAX);
	wall_s += 31;
	say(&server, stream, 10);
	wall_s -= 31;
	carry(&server, &client, SIZE_MAX);
	assert_int_equal(client.rc, -EBADMSG);
	assert_memory_equal(client.reason, "auth", 4);
	close_both();
}

static void
web_095_refuses_a_first_read_that_is_short(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CIPHERS; i++) {
		const struct shadow_options options = options_of(ciphers[i], SHADOW_SS);
		const size_t whole = shadow_cipher_find(ciphers[i])->key_len + SHADOW_REQUEST_BOX;

		for (size_t len = 1; len <= whole; len++) {
			open_both(ciphers[i], SHADOW_SS);
			say(&client, stream, 10);
			if (len < whole) {
				expect_silence(client.wire_out.at, len, &options);
			} else {
				add(&server.wire_in, client.wire_out.at, len);
				run(&server);
				assert_int_equal(server.rc, 0);
				add(&server.wire_in, client.wire_out.at + len, client.wire_out.len - len);
				run(&server);
				assert_true(server.open);
			}
			close_both();
		}
	}
}

static void
answer_nothing(const char *cipher)
{
	struct shadow_options options = options_of(cipher, SHADOW_SS);
	static uint8_t noise[300];

	for (size_t len = 1; len <= sizeof(noise); len++) {
		randombytes_buf(noise, len);
		expect_silence(noise, len, &options);
	}
	open_both(cipher, SHADOW_SS);
	say(&client, stream, 10);
	options.password = "/wECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
	expect_silence(client.wire_out.at, client.wire_out.len, &options);
	for (size_t bit = 0; bit < client.wire_out.len * 8; bit += 7) {
		static struct bytes flight;

		options = options_of(cipher, SHADOW_SS);
		n_seen = 0;
		flight = client.wire_out;
		flight.at[bit / 8] ^= (uint8_t)(1u << bit % 8);
		expect_silence(flight.at, flight.len, &options);
	}
	module->close(&client.link, 0);
}

static void
answers_nothing_to_noise_or_to_another_key(void **state)
{
	(void)state;
	answer_nothing(CIPHER_32);
	answer_nothing(CIPHER_CHACHA);
}

static void
web_097_wants_keys_of_the_right_length(void **state)
{
	static const struct {
		const char *cipher, *password;
		const char *says; /* NULL: it is good */
	} cases[] = {
		{ CIPHER_16, PSK_16, NULL },
		{ CIPHER_16, "AAECAwQFBgcICQoLDA0ODw", NULL },
		{ CIPHER_16, PSK_16 ":" PSK_16, NULL },
		{ CIPHER_16, PSK_32, "takes a key of 16 bytes as base64, and this has 32" },
		{ CIPHER_32, PSK_16, "takes a key of 32 bytes as base64, and this has 16" },
		{ CIPHER_32, PSK_32 ":" PSK_16, "one of these has 16" },
		{ CIPHER_16, "an old password", "is no base64" },
		{ CIPHER_16, PSK_16 ":", "one of these has 0" },
		{ CIPHER_16, PSK_16 ":" PSK_16 ":" PSK_16 ":" PSK_16 ":" PSK_16, "more than 4 keys" },
		{ CIPHER_CHACHA, PSK_32, NULL },
		{ CIPHER_CHACHA, PSK_16, "takes a key of 32 bytes as base64, and this has 16" },
		{ CIPHER_CHACHA, PSK_32 ":" PSK_32, CIPHER_CHACHA " takes one key, and these are several" },
	};
	char why[400];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct shadow_options options = options_of(cases[i].cipher, SHADOW_SS);
		int rc;

		options.password = cases[i].password;
		for (uint32_t role = PTAH_CLIENT; role <= PTAH_SERVER; role++) {
			why[0] = '\0';
			rc = role == PTAH_SERVER ? shadow_conf_check(&options, role, why, sizeof(why)) :
			    shadow_args_check(NULL, &options, role, why, sizeof(why));
			assert_int_equal(rc, cases[i].says == NULL ? 0 : -EINVAL);
			if (cases[i].says != NULL && strstr(why, cases[i].says) == NULL)
				fail_msg("%s: %s", cases[i].password, why);
			/* A key is shown to nobody. */
			assert_null(strstr(why, cases[i].password));
		}
		options.profile = SHADOW_RAW;
		assert_int_equal(shadow_conf_check(&options, PTAH_SERVER, why, sizeof(why)), -EINVAL);
		assert_non_null(strstr(why, "profile ss"));
	}
}

static void
takes_a_key_instead_of_a_password(void **state)
{
	static const uint8_t key[32] = "sixteen bytes...and sixteen more";
	static const char *const all[] = { "aes-128-gcm", "aes-192-gcm", "chacha20-ietf-poly1305", CIPHER_16, CIPHER_32,
		CIPHER_CHACHA };
	char why[400];

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct shadow_options options = options_of(all[i], SHADOW_SS);

		options.key = (struct ptah_span){ key, shadow_cipher_find(all[i])->key_len };
		assert_int_equal(shadow_conf_check(&options, PTAH_SERVER, why, sizeof(why)), -EINVAL);
		assert_non_null(strstr(why, "give one of the two"));
		options.password = NULL;
		assert_int_equal(shadow_conf_check(&options, PTAH_SERVER, why, sizeof(why)), 0);
		n_seen = 0;
		end_open(&client, PTAH_CLIENT, &options, "192.0.2.1:443");
		end_open(&server, PTAH_SERVER, &options, NULL);
		say(&client, stream, 100);
		carry(&client, &server, SIZE_MAX);
		assert_int_equal(server.plain_out.len, 100);
		assert_memory_equal(server.link.keys.hop[0], key, options.key.len);
		close_both();
		options.key.len--;
		assert_int_equal(shadow_conf_check(&options, PTAH_SERVER, why, sizeof(why)), -EINVAL);
		assert_non_null(strstr(why, "option \"key\""));
	}
}

static void
web_098_carries_with_one_and_two_identities(void **state)
{
	static const char *const passwords[] = { "/////////////////////w==:" PSK_16,
		"AAAAAAAAAAAAAAAAAAAAAA==://///////////////////w==:" PSK_16 };
	struct shadow_options options = options_of(CIPHER_16, SHADOW_SS);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		n_seen = 0;
		options.password = passwords[i];
		end_open(&client, PTAH_CLIENT, &options, "192.0.2.1:443");
		end_open(&server, PTAH_SERVER, &options, NULL);
		say(&client, stream, 1000);
		assert_int_equal(client.wire_out.len,
		    16 + (i + 1) * SHADOW_IDENTITY + SHADOW_REQUEST_BOX + 7 + 2 + 1000 + SHADOW_TAG);
		carry(&client, &server, SIZE_MAX);
		assert_int_equal(server.plain_out.len, 1000);
		say(&server, stream, 500);
		carry(&server, &client, SIZE_MAX);
		assert_int_equal(client.plain_out.len, 500);
		close_both();
		/* The user's key alone does not make a user of this server. */
		end_open(&client, PTAH_CLIENT, &options, "192.0.2.1:443");
		say(&client, stream, 1000);
		client.wire_out.at[16 + i * SHADOW_IDENTITY] ^= 1;
		expect_silence(client.wire_out.at, client.wire_out.len, &options);
		module->close(&client.link, 0);
	}
}

static void
leaves_enough_of_a_salt_random(void **state)
{
	struct shadow_options options = options_of("aes-128-gcm", SHADOW_RAW);
	char why[400];

	(void)state;
	options.prefix = "12345678";
	assert_int_equal(shadow_args_check(NULL, &options, PTAH_CLIENT, why, sizeof(why)), 0);
	options.prefix = "123456789";
	assert_int_equal(shadow_args_check(NULL, &options, PTAH_CLIENT, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "must stay random"));
	options.cipher = "aes-256-gcm";
	assert_int_equal(shadow_args_check(NULL, &options, PTAH_CLIENT, why, sizeof(why)), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(web_090_makes_session_keys),
		cmocka_unit_test(web_091_builds_the_request_and_the_response),
		cmocka_unit_test(web_091_reads_the_request_and_the_response),
		cmocka_unit_test(web_098_writes_identities),
		cmocka_unit_test(carries_both_ways_however_it_is_cut_after_the_first_read),
		cmocka_unit_test(fills_boxes_as_far_as_the_length_goes),
		cmocka_unit_test(pads_short_requests_and_those_without_bytes),
		cmocka_unit_test(web_092_refuses_a_wrong_time),
		cmocka_unit_test(web_092_tells_of_a_wrong_clock_once_a_minute),
		cmocka_unit_test(web_092_refuses_a_replay),
		cmocka_unit_test(web_093_refuses_headers_that_cannot_be),
		cmocka_unit_test(web_094_refuses_a_response_to_another_request),
		cmocka_unit_test(web_094_refuses_a_response_of_another_time),
		cmocka_unit_test(web_095_refuses_a_first_read_that_is_short),
		cmocka_unit_test(answers_nothing_to_noise_or_to_another_key),
		cmocka_unit_test(web_097_wants_keys_of_the_right_length),
		cmocka_unit_test(takes_a_key_instead_of_a_password),
		cmocka_unit_test(web_098_carries_with_one_and_two_identities),
		cmocka_unit_test(leaves_enough_of_a_salt_random),
	};
	int rc;

	vectors = vectors_load("shadowsocks-2022.json");
	rc = cmocka_run_group_tests(tests, start_links, NULL);
	ptah_json_free(vectors);
	return rc;
}
