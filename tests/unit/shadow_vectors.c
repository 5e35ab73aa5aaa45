/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys, chunks and addresses of Shadowsocks against the vectors.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/sha.h>

#include "vectors.h"

#include "address.h"
#include "chunks.h"
#include "options.h"

#define WIRE_MAX 20000

static struct ptah_json *vectors;

static const struct shadow_cipher *
cipher_of(const struct ptah_json *vector)
{
	const struct shadow_cipher *cipher = shadow_cipher_find(vectors_get(vector, "method")->text);

	assert_non_null(cipher);
	return cipher;
}

static const struct shadow_cipher *
cipher_with_key_len(uint64_t len)
{
	return shadow_cipher_find(len == 16 ? "aes-128-gcm" : len == 24 ? "aes-192-gcm" : "aes-256-gcm");
}

static void
web_060_makes_keys_of_passwords(void **state)
{
	const struct ptah_json *list = vectors_list(vectors, "evp_bytes_to_key");
	uint8_t want[SHADOW_KEY_MAX], got[SHADOW_KEY_MAX];

	(void)state;
	for (size_t i = 0; i < list->n; i++) {
		uint64_t len = vectors_number(list->items[i], "key_len");

		vectors_exact(list->items[i], "key", want, len);
		assert_int_equal(shadow_key_of_password(cipher_with_key_len(len),
		    vectors_get(list->items[i], "password_utf8")->text, got), 0);
		assert_memory_equal(got, want, len);
	}
}

static void
web_060_makes_session_keys(void **state)
{
	const struct ptah_json *list = vectors_list(vectors, "hkdf_sha1");
	uint8_t key[SHADOW_KEY_MAX], salt[SHADOW_KEY_MAX], want[SHADOW_KEY_MAX], got[SHADOW_KEY_MAX];
	size_t tried = 0;

	(void)state;
	for (size_t i = 0; i < list->n; i++) {
		uint64_t len = vectors_number(list->items[i], "len");

		/* Others are for key lengths that no cipher has a salt of. */
		if (vectors_bytes(vectors_get(list->items[i], "salt"), salt, sizeof(salt)) != len ||
		    vectors_bytes(vectors_get(list->items[i], "key"), key, sizeof(key)) != len)
			continue;
		vectors_exact(list->items[i], "subkey", want, len);
		assert_int_equal(shadow_session_key(cipher_with_key_len(len), key, salt, got), 0);
		assert_memory_equal(got, want, len);
		tried++;
	}
	assert_true(tried >= 4);
}

/* The plain text of all chunks, and the lengths that they are cut at. */
static size_t
plain_of(const struct ptah_json *vector, uint8_t *plain, size_t lens[8], size_t *n_lens)
{
	const struct ptah_json *list = vectors_list(vector, "chunks");
	size_t len = 0;

	*n_lens = 0;
	for (size_t i = 0; i < list->n; i++) {
		const struct ptah_json *bytes = ptah_json_get(list->items[i], "plain");
		uint64_t want = vectors_number(list->items[i], "plain_len");

		assert_true(len + want <= WIRE_MAX && i < 8);
		if (bytes == NULL) /* the largest: zeros */
			memset(plain + len, 0, want);
		else
			assert_int_equal(vectors_bytes(bytes, plain + len, want), want);
		lens[(*n_lens)++] = want;
		len += want;
	}
	return len;
}

static size_t
start(const struct ptah_json *vector, struct shadow_boxes *boxes, bool sealing, uint8_t salt[SHADOW_SALT_MAX])
{
	const struct shadow_cipher *cipher = cipher_of(vector);
	uint8_t key[SHADOW_KEY_MAX], session[SHADOW_KEY_MAX];

	vectors_exact(vector, "key", key, cipher->key_len);
	vectors_exact(vector, "salt", salt, cipher->key_len);
	assert_int_equal(shadow_session_key(cipher, key, salt, session), 0);
	assert_int_equal(shadow_boxes_init(boxes, cipher, session, sealing), 0);
	return cipher->key_len;
}

/* Salt and chunks as the vector has them; they are held against it here. */
static size_t
seal_vector(const struct ptah_json *vector, uint8_t *wire, uint8_t *plain, size_t *plain_len)
{
	uint8_t want[WIRE_MAX], hash[32], want_hash[32];
	struct shadow_boxes boxes;
	size_t lens[8], n, at = 0, len = start(vector, &boxes, true, wire), some;

	*plain_len = plain_of(vector, plain, lens, &n);
	for (size_t i = 0; i < n; i++) {
		long made = shadow_chunk_seal(&boxes, (struct ptah_span){ plain + at, lens[i] }, wire + len);

		assert_int_equal(made, lens[i] + SHADOW_CHUNK_HEAD);
		len += (size_t)made;
		at += lens[i];
	}
	shadow_boxes_clear(&boxes);
	some = vectors_bytes(vectors_get(vector, "wire_first_two_chunks"), want, sizeof(want));
	assert_memory_equal(wire, want, some);
	assert_int_equal(len, vectors_number(vector, "wire_len"));
	SHA256(wire, len, hash);
	vectors_exact(vector, "sha256_of_whole_wire", want_hash, 32);
	assert_memory_equal(hash, want_hash, 32);
	return len;
}

static void
web_061_seals_chunks(void **state)
{
	const struct ptah_json *list = vectors_list(vectors, "tcp");
	static uint8_t wire[WIRE_MAX], plain[WIRE_MAX];
	size_t plain_len;

	(void)state;
	assert_int_equal(list->n, 3);
	for (size_t i = 0; i < list->n; i++)
		seal_vector(list->items[i], wire, plain, &plain_len);
}

/* As a host would: what is not eaten comes again, with 'cut' bytes more. */
static void
open_in_pieces(const struct ptah_json *vector, size_t cut, size_t room)
{
	static uint8_t wire[WIRE_MAX], plain[WIRE_MAX], out[2 * WIRE_MAX];
	uint8_t salt[SHADOW_SALT_MAX];
	struct shadow_opener opener = { .length = 0 };
	struct shadow_opened opened;
	size_t plain_len, len = seal_vector(vector, wire, plain, &plain_len), here, made = 0;
	size_t at = start(vector, &opener.boxes, false, salt);

	for (here = at; here < len || made < plain_len;) {
		size_t before = made;

		here = len - here < cut ? len : here + cut;
		assert_int_equal(shadow_opener_open(&opener, (struct ptah_span){ wire + at, here - at },
		    (struct ptah_room){ out + made, room }, &opened), 0);
		at += opened.eaten;
		made += opened.made;
		assert_true(opened.no_room ? opened.need <= here - at : opened.need > here - at);
		assert_true(here < len || opened.eaten > 0 || made > before);
	}
	assert_int_equal(at, len);
	assert_int_equal(made, plain_len);
	assert_memory_equal(out, plain, plain_len);
	shadow_boxes_clear(&opener.boxes);
}

static void
web_061_opens_chunks_however_they_are_cut(void **state)
{
	const struct ptah_json *list = vectors_list(vectors, "tcp");

	(void)state;
	for (size_t i = 0; i < list->n; i++) {
		for (size_t cut = 1; cut < 200; cut++)
			open_in_pieces(list->items[i], cut, 0x3fff);
		open_in_pieces(list->items[i], WIRE_MAX, 0x3fff);
	}
}

static void
web_067_refuses_what_is_not_authentic_or_cannot_be(void **state)
{
	const struct ptah_json *vector = vectors_list(vectors, "tcp")->items[0];
	static uint8_t wire[WIRE_MAX], plain[WIRE_MAX], out[WIRE_MAX];
	uint8_t salt[SHADOW_SALT_MAX], bad[SHADOW_LENGTH_BOX];
	static const uint8_t lengths[][2] = { { 0, 0 }, { 0x40, 0 }, { 0xff, 0xff } };
	struct shadow_boxes sealer;
	struct shadow_opener opener;
	struct shadow_opened opened;
	size_t plain_len, len = seal_vector(vector, wire, plain, &plain_len), head = cipher_of(vector)->key_len;

	(void)state;
	/* A bit anywhere in the first two chunks. */
	for (size_t i = head; i < head + 2 * SHADOW_CHUNK_HEAD + 15 + 18; i++) {
		memset(&opener, 0, sizeof(opener));
		start(vector, &opener.boxes, false, salt);
		wire[i] ^= 1;
		assert_int_equal(shadow_opener_open(&opener, (struct ptah_span){ wire + head, len - head },
		    (struct ptah_room){ out, sizeof(out) }, &opened), -EBADMSG);
		assert_int_equal(opened.made, i < head + SHADOW_CHUNK_HEAD + 15 ? 0 : 15);
		wire[i] ^= 1;
		shadow_boxes_clear(&opener.boxes);
	}
	for (size_t i = 0; i < 3; i++) {
		memset(&opener, 0, sizeof(opener));
		start(vector, &opener.boxes, false, salt);
		start(vector, &sealer, true, salt);
		assert_int_equal(shadow_box_seal(&sealer, lengths[i], 2, bad), 0);
		assert_int_equal(shadow_opener_length(&opener, bad), -EPROTO);
		shadow_boxes_clear(&opener.boxes);
		shadow_boxes_clear(&sealer);
	}
}

static void
fills_chunks_as_far_as_the_length_goes(void **state)
{
	const struct ptah_json *vector = vectors_list(vectors, "tcp")->items[0];
	static uint8_t plain[3 * 0x3fff], out[4 * 0x4100];
	uint8_t salt[SHADOW_SALT_MAX];
	struct shadow_boxes sealer;
	size_t eaten, made;

	(void)state;
	start(vector, &sealer, true, salt);
	assert_int_equal(shadow_chunks_seal(&sealer, (struct ptah_span){ plain, sizeof(plain) },
	    (struct ptah_room){ out, sizeof(out) }, &eaten, &made), 0);
	assert_int_equal(eaten, sizeof(plain));
	assert_int_equal(made, sizeof(plain) + 3 * SHADOW_CHUNK_HEAD);
	/* No short one in the middle: what does not fit waits. */
	assert_int_equal(shadow_chunks_seal(&sealer, (struct ptah_span){ plain, sizeof(plain) },
	    (struct ptah_room){ out, 0x3fff + 1000 }, &eaten, &made), 0);
	assert_int_equal(eaten, 0x3fff);
	shadow_boxes_clear(&sealer);
}

static void
reads_and_writes_addresses(void **state)
{
	const struct ptah_json *list = vectors_list(vectors, "address_header");
	uint8_t want[SHADOW_ADDRESS_MAX], got[SHADOW_ADDRESS_MAX];
	char text[600], dest[SHADOW_DEST_TEXT];

	(void)state;
	for (size_t i = 0; i < list->n; i++) {
		const char *host = vectors_get(list->items[i], "host")->text;
		size_t len = vectors_bytes(vectors_get(list->items[i], "bytes"), want, sizeof(want));

		snprintf(text, sizeof(text), strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host,
		    vectors_get(list->items[i], "port")->text);
		assert_int_equal(shadow_address_write(text, got), len);
		assert_memory_equal(got, want, len);
		for (size_t n = 0; n < len; n++)
			assert_int_equal(shadow_address_read((struct ptah_span){ want, n }, dest), 0);
		assert_int_equal(shadow_address_read((struct ptah_span){ want, len }, dest), len);
		assert_string_equal(dest, text);
	}
}

static void
refuses_addresses_that_are_none(void **state)
{
	static const struct {
		uint8_t bytes[12];
		size_t len;
	} bad[] = {
		{ { 0 }, 1 },
		{ { 2, 1 }, 2 },
		{ { 1, 127, 0, 0, 1, 0, 0 }, 7 },       /* port 0 */
		{ { 3, 0, 0, 80 }, 4 },                 /* no name */
		{ { 3, 3, 'a', 0, 'b', 0, 80 }, 7 },    /* a NUL */
		{ { 3, 3, 'a', '@', 'b', 0, 80 }, 7 },
		{ { 3, 3, 'a', ':', '1', 0, 80 }, 7 },
	};
	static const char *const texts[] = { "", "a", "a:", ":1", "a:0", "a:65536", "a:1x", "[::1:1", "a b:1", "[]:1" };
	char dest[SHADOW_DEST_TEXT];
	uint8_t out[SHADOW_ADDRESS_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(shadow_address_read((struct ptah_span){ bad[i].bytes, bad[i].len }, dest), -EPROTO);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(shadow_address_write(texts[i], out), -EINVAL);
}

static void
allows_what_is_named(void **state)
{
	static const struct {
		const char *item, *dest;
		bool yes;
	} cases[] = {
		{ "*", "a:1", true },
		{ "a:1", "A:1", true },
		{ "a:1", "a:2", false },
		{ "a:1", "aa:1", false },
		{ "a:*", "a:2", true },
		{ "a:*", "b:2", false },
		{ "*:443", "b:443", true },
		{ "*:443", "b:80", false },
		{ "[0:0::1]:1", "[::1]:1", true },
		{ "127.0.0.1:1", "127.0.0.1:1", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ptah_list list = { &cases[i].item, 1 };

		assert_true(shadow_address_may_be_allowed(cases[i].item));
		assert_int_equal(shadow_address_allowed(&list, cases[i].dest), cases[i].yes);
	}
	assert_false(shadow_address_may_be_allowed("a"));
	assert_false(shadow_address_may_be_allowed("a:b"));
	assert_false(shadow_address_may_be_allowed("a b:1"));
}

static void
reads_prefixes(void **state)
{
	uint8_t out[SHADOW_PREFIX_MAX];

	(void)state;
	assert_int_equal(shadow_prefix_read("%16%03a", out), 3);
	assert_memory_equal(out, "\x16\x03" "a", 3);
	assert_int_equal(shadow_prefix_read("%1", out), -EINVAL);
	assert_int_equal(shadow_prefix_read("%zz", out), -EINVAL);
	assert_int_equal(shadow_prefix_read("0123456789abcdef", out), 16);
	assert_int_equal(shadow_prefix_read("0123456789abcdefg", out), -EINVAL);
}

static void
web_074_knows_its_ciphers_in_any_case(void **state)
{
	(void)state;
	assert_non_null(shadow_cipher_find("CHACHA20-IETF-POLY1305"));
	assert_ptr_equal(shadow_cipher_find("AES-128-GCM"), shadow_cipher_find("aead_aes_128_gcm"));
	assert_null(shadow_cipher_find("aes-256-cfb"));
	assert_true(shadow_cipher_is_stream("AES-256-CFB"));
	assert_true(shadow_cipher_is_stream("rc4-md5"));
	assert_true(shadow_cipher_is_stream("chacha20"));
	assert_false(shadow_cipher_is_stream("rot13"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(web_060_makes_keys_of_passwords),
		cmocka_unit_test(web_060_makes_session_keys),
		cmocka_unit_test(web_061_seals_chunks),
		cmocka_unit_test(web_061_opens_chunks_however_they_are_cut),
		cmocka_unit_test(web_067_refuses_what_is_not_authentic_or_cannot_be),
		cmocka_unit_test(fills_chunks_as_far_as_the_length_goes),
		cmocka_unit_test(reads_and_writes_addresses),
		cmocka_unit_test(refuses_addresses_that_are_none),
		cmocka_unit_test(allows_what_is_named),
		cmocka_unit_test(reads_prefixes),
		cmocka_unit_test(web_074_knows_its_ciphers_in_any_case),
	};
	int rc;

	vectors = vectors_load("shadowsocks-aead.json");
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	ptah_json_free(vectors);
	return rc;
}
