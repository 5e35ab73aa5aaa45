/* SPDX-License-Identifier: BSD-3-Clause */
/* Transcripts of ipc.md 14.7, each fed whole and byte by byte. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/text.h"
#include "plain/extor.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define MORE PTAH_EXTOR_MORE
#define OPEN PTAH_EXTOR_OPEN
#define FAIL PTAH_EXTOR_FAIL

/* The vector of 5.2: cookie 00..1f, client nonce 20..3f, server nonce 40..5f. */
#define NONCE "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
#define SERVER_NONCE "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
#define SERVER_HASH "67cb22838690cf4c49434d4ea3164fbdcc936e46fd90ee62f511639a8456d133"
#define CLIENT_HASH "4becde5c2fe8a9fed908d74f79be128d73abfbf82c009d3bdc17b4bc02740d58"

#define HELLO SERVER_HASH SERVER_NONCE
#define USERADDR "0001000e" "3139322e302e322e313a35303030" /* 192.0.2.1:5000 */
#define TRANSPORT "00020005" "64756d6d79" /* dummy */
#define DONE "00000000"

static void
count_up(uint8_t *out, size_t len, uint8_t first)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(first + i);
}

static void
decode(const char *hex, struct ptah_buf *out)
{
	uint8_t bytes[4096];
	long len = ptah_text_unhex(hex, bytes, sizeof(bytes));

	assert_true(len >= 0);
	ptah_buf_add(out, bytes, (size_t)len);
}

/* Play the server's bytes; what we answer, how it ends, how many are left. */
static void
play(const char *in_hex, const char *peer_text, const char *out_hex, int end, size_t left)
{
	static const size_t steps[] = { SIZE_MAX, 1, 3, 33 };
	struct ptah_buf in = { 0 }, want = { 0 };

	decode(in_hex, &in);
	decode(out_hex, &want);
	for (size_t s = 0; s < COUNT(steps); s++) {
		uint8_t cookie[PTAH_EXTOR_COOKIE], nonce[PTAH_EXTOR_NONCE];
		struct ptah_extor extor;
		struct ptah_buf out = { 0 };
		struct ptah_addr peer;
		size_t at = 0;
		int rc = MORE;

		count_up(cookie, sizeof(cookie), 0x00);
		count_up(nonce, sizeof(nonce), 0x20);
		if (peer_text != NULL)
			assert_int_equal(ptah_addr_parse(&peer, peer_text), 0);
		ptah_extor_init(&extor, cookie, nonce, peer_text != NULL ? &peer : NULL, "dummy");
		while (at < in.len && rc == MORE) {
			size_t len = in.len - at < steps[s] ? in.len - at : steps[s];
			size_t ate = 0;
			uint8_t *copy = malloc(len);

			memcpy(copy, in.at + at, len);
			rc = ptah_extor_feed(&extor, (struct ptah_span){ copy, len }, &ate, &out);
			free(copy);
			assert_true(ate == len || (ate < len && rc != MORE));
			at += ate;
		}
		assert_int_equal(rc, end);
		assert_int_equal(out.len, want.len);
		assert_true(out.len == 0 || memcmp(out.at, want.at, out.len) == 0);
		if (rc == OPEN)
			assert_int_equal(in.len - at, left);
		assert_true((extor.why != NULL) == (rc == FAIL));
		ptah_extor_clear(&extor);
		ptah_buf_clear(&out);
	}
	ptah_buf_clear(&in);
	ptah_buf_clear(&want);
}

static void
hashes_like_the_vector(void **state)
{
	uint8_t cookie[32], client[32], server[32], hash[32];
	struct ptah_buf want = { 0 };

	(void)state;
	count_up(cookie, 32, 0x00);
	count_up(client, 32, 0x20);
	count_up(server, 32, 0x40);
	decode(SERVER_HASH CLIENT_HASH, &want);
	ptah_extor_hash(PTAH_EXTOR_BY_SERVER, cookie, client, server, hash);
	assert_memory_equal(hash, want.at, 32);
	ptah_extor_hash(PTAH_EXTOR_BY_CLIENT, cookie, client, server, hash);
	assert_memory_equal(hash, want.at + 32, 32);
	ptah_buf_clear(&want);
}

#define SHAKEN "0100" HELLO "01"
#define ANSWERS "01" NONCE CLIENT_HASH

static void
proves_itself_and_introduces_the_client(void **state)
{
	(void)state;
	play("0100", "192.0.2.1:5000", "01" NONCE, MORE, 0);
	play("0100" HELLO, "192.0.2.1:5000", ANSWERS, MORE, 0);
	/* DONE is the last until OKAY (IPC-230, 231, 235, 236) */
	play(SHAKEN, "192.0.2.1:5000", ANSWERS USERADDR TRANSPORT DONE, MORE, 0);
	play(SHAKEN "10000000", "192.0.2.1:5000", ANSWERS USERADDR TRANSPORT DONE, OPEN, 0);
	play("05ff0100" HELLO "01" "10000000" "0506", "192.0.2.1:5000", ANSWERS USERADDR TRANSPORT DONE, OPEN, 2);
	/* the body of OKAY is no part of the stream (IPC-244) */
	play(SHAKEN "10000005" "6162636465" "f0f1f2", "192.0.2.1:5000", ANSWERS USERADDR TRANSPORT DONE, OPEN, 3);
	/* what the peer is called (IPC-232 to 234) */
	play(SHAKEN, "[::1]:5000", ANSWERS "0001000a" "5b3a3a315d3a35303030" TRANSPORT DONE, MORE, 0);
	play(SHAKEN, "[::ffff:192.0.2.1]:5000", ANSWERS USERADDR TRANSPORT DONE, MORE, 0);
	play(SHAKEN, "[fe80::1%1]:5000", ANSWERS "0001000e" "5b666538303a3a315d3a35303030" TRANSPORT DONE, MORE, 0);
	/* none known, or no port: no USERADDR at all */
	play(SHAKEN, NULL, ANSWERS TRANSPORT DONE, MORE, 0);
	play(SHAKEN, "192.0.2.1:0", ANSWERS TRANSPORT DONE, MORE, 0);
}

static void
gives_up_on_what_it_cannot_trust(void **state)
{
	char types[700] = "";

	(void)state;
	play("0200", NULL, "00", FAIL, 0); /* IPC-239 */
	play("00", NULL, "00", FAIL, 0);
	for (int i = 0; i < 300; i++)
		strcat(types, "02");
	play(types, NULL, "", FAIL, 0); /* IPC-240 */
	types[255 * 2] = '\0';
	play(types, NULL, "", MORE, 0);
	strcat(types, "00");
	play(types, NULL, "00", FAIL, 0);
	memcpy(types + 254 * 2, "01", 2);
	play(types, NULL, "01" NONCE, MORE, 0);
	/* IPC-237: a wrong hash, be it in its first byte or its last */
	play("0100" "66" "cb22838690cf4c49434d4ea3164fbdcc936e46fd90ee62f511639a8456d133" SERVER_NONCE, NULL, "01" NONCE, FAIL, 0);
	play("0100" "67cb22838690cf4c49434d4ea3164fbdcc936e46fd90ee62f511639a8456d132" SERVER_NONCE, NULL, "01" NONCE, FAIL, 0);
	play("0100" CLIENT_HASH SERVER_NONCE, NULL, "01" NONCE, FAIL, 0);
	play("0100" HELLO "00", NULL, ANSWERS, FAIL, 0); /* IPC-238 */
	play("0100" HELLO "02", NULL, ANSWERS, FAIL, 0);
	play(SHAKEN "10010000", NULL, ANSWERS TRANSPORT DONE, FAIL, 0); /* IPC-241 */
	play(SHAKEN "10010005", NULL, ANSWERS TRANSPORT DONE, FAIL, 0);
}

static void
skips_what_it_does_not_know_but_not_forever(void **state)
{
	struct ptah_buf hex = { 0 };

	(void)state;
	play(SHAKEN "10020003616263" "10000000", NULL, ANSWERS TRANSPORT DONE, OPEN, 0); /* IPC-242 */
	ptah_buf_puts(&hex, SHAKEN);
	for (int i = 0; i < 16; i++)
		ptah_buf_puts(&hex, i % 2 == 0 ? "7fff0000" : "000000021001");
	play((char *)hex.at, NULL, ANSWERS TRANSPORT DONE, MORE, 0);
	ptah_buf_puts(&hex, "10000000");
	play((char *)hex.at, NULL, ANSWERS TRANSPORT DONE, OPEN, 0);
	hex.len -= 8;
	ptah_buf_puts(&hex, "10020000");
	play((char *)hex.at, NULL, ANSWERS TRANSPORT DONE, FAIL, 0); /* IPC-243 */
	ptah_buf_clear(&hex);
}

static void
draws_a_nonce_of_its_own(void **state)
{
	uint8_t cookie[PTAH_EXTOR_COOKIE] = { 0 };
	struct ptah_extor one, two;
	struct ptah_buf out = { 0 };
	size_t ate;

	(void)state;
	ptah_extor_init(&one, cookie, NULL, NULL, "dummy");
	ptah_extor_init(&two, cookie, NULL, NULL, "dummy");
	assert_int_equal(ptah_extor_feed(&one, (struct ptah_span){ (const uint8_t *)"\1\0", 2 }, &ate, &out), MORE);
	assert_int_equal(ptah_extor_feed(&two, (struct ptah_span){ (const uint8_t *)"\1\0", 2 }, &ate, &out), MORE);
	assert_int_equal(out.len, 66);
	assert_memory_not_equal(out.at + 1, out.at + 34, 32);
	ptah_extor_clear(&one);
	ptah_extor_clear(&two);
	ptah_buf_clear(&out);
}

static void
reads_nothing_but_a_cookie_file(void **state)
{
	static const char good[] = "! Extended ORPort Auth Cookie !\n" "0123456789abcdef0123456789ABCDEF";
	static const struct {
		size_t len;
		char first;
		int rc;
	} cases[] = {
		{ 64, '!', 0 },
		{ 63, '!', -EBADMSG },
		{ 65, '!', -EBADMSG },
		{ 64, '?', -EBADMSG },
		{ 32, '!', -EBADMSG },
		{ 0, '!', -EBADMSG },
	};
	uint8_t cookie[PTAH_EXTOR_COOKIE];
	char path[64], folder[] = "/tmp/ptah-unit-XXXXXX";
	char file[66];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/cookie", folder);
	assert_int_equal(ptah_extor_cookie_read(path, cookie), -ENOENT);
	for (size_t i = 0; i < COUNT(cases); i++) {
		memcpy(file, good, sizeof(good));
		file[0] = cases[i].first;
		assert_int_equal(ptah_file_write_atomic(path, file, cases[i].len), 0);
		memset(cookie, 0, sizeof(cookie));
		assert_int_equal(ptah_extor_cookie_read(path, cookie), cases[i].rc);
		if (cases[i].rc == 0)
			assert_memory_equal(cookie, good + 32, 32);
	}
	assert_int_equal(ptah_extor_cookie_read(folder, cookie), -EISDIR);
	/* a pipe without a writer must not be waited for */
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(ptah_extor_cookie_read(path, cookie), -EBADMSG);
	unlink(path);
	rmdir(folder);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_like_the_vector),
		cmocka_unit_test(proves_itself_and_introduces_the_client),
		cmocka_unit_test(gives_up_on_what_it_cannot_trust),
		cmocka_unit_test(skips_what_it_does_not_know_but_not_forever),
		cmocka_unit_test(draws_a_nonce_of_its_own),
		cmocka_unit_test(reads_nothing_but_a_cookie_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
