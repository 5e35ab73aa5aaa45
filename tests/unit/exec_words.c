/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What exec says to a program and hears from it: lines, k=v texts, the SOCKS
 * dialogue, the Extended ORPort's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ptah/host.h>

#include "call.h"
#include "lines.h"
#include "orport.h"
#include "words.h"

/* ---- lines ------------------------------------------------------------------------ */

static struct exec_line
line_of(const char *text)
{
	static char line[EXEC_LINE_MAX + 1];
	struct exec_line out;

	strcpy(line, text);
	exec_line_read(line, &out);
	return out;
}

static void
test_lines(void **state)
{
	static const struct {
		const char *text;
		enum exec_word word;
		const char *name, *address, *args, *said;
	} cases[] = {
		{ "VERSION 1", EXEC_VERSION, "", "", "", "1" },
		{ "VERSION-ERROR no-version", EXEC_VERSION_ERROR, "", "", "", "no-version" },
		{ "ENV-ERROR no PATH at all", EXEC_ENV_ERROR, "", "", "", "no PATH at all" },
		{ "PROXY DONE", EXEC_PROXY_DONE, "", "", "", "" },
		{ "PROXY-ERROR cannot do it", EXEC_PROXY_ERROR, "", "", "", "cannot do it" },
		{ "CMETHOD odd socks5 127.0.0.1:80", EXEC_CMETHOD, "odd", "127.0.0.1:80", "", "" },
		{ "CMETHOD odd socks4 [::1]:80", EXEC_CMETHOD, "odd", "[::1]:80", "", "" },
		{ "CMETHOD odd socks6 127.0.0.1:80", EXEC_MALFORMED, "odd", "127.0.0.1:80", "", NULL },
		{ "CMETHOD odd socks5", EXEC_MALFORMED, "odd", "", "", NULL },
		{ "CMETHOD", EXEC_MALFORMED, "", "", "", NULL },
		{ "CMETHOD-ERROR odd not today", EXEC_CMETHOD_ERROR, "odd", "", "", "not today" },
		{ "CMETHOD-ERROR", EXEC_MALFORMED, "", "", "", NULL },
		{ "CMETHODS DONE", EXEC_CMETHODS_DONE, "", "", "", "" },
		{ "CMETHODS", EXEC_MALFORMED, "", "", "", NULL },
		{ "SMETHOD odd 0.0.0.0:9", EXEC_SMETHOD, "odd", "0.0.0.0:9", "", "" },
		{ "SMETHOD odd 0.0.0.0:9 FOO:x ARGS:a=1,b=2", EXEC_SMETHOD, "odd", "0.0.0.0:9", "a=1,b=2", "" },
		{ "SMETHOD-ERROR odd no", EXEC_SMETHOD_ERROR, "odd", "", "", "no" },
		{ "SMETHODS DONE", EXEC_SMETHODS_DONE, "", "", "", "" },
		{ "STATUS TRANSPORT=odd A=\"b c\"", EXEC_STATUS, "", "", "", "TRANSPORT=odd A=\"b c\"" },
		{ "LOG SEVERITY=notice MESSAGE=word", EXEC_LOG, "", "", "", "word" },
		{ "LOG MESSAGE=\"a\\n\\\"\\\\\\101\\7\\0089\" SEVERITY=error", EXEC_LOG, "", "", "", "a\n\"\\A\7" },
		{ "LOG SEVERITY=loud MESSAGE=x", EXEC_MALFORMED, "", "", "", NULL },
		{ "LOG SEVERITY=error MESSAGE=\"no end", EXEC_MALFORMED, "", "", "", NULL },
		{ "LOG SEVERITY=error MESSAGE=\"no end\\", EXEC_MALFORMED, "", "", "", NULL },
		{ "LOG", EXEC_MALFORMED, "", "", "", NULL },
		{ "WEATHER fine", EXEC_UNKNOWN, "", "", "", "" },
		{ "", EXEC_UNKNOWN, "", "", "", "" },
		{ "version 1", EXEC_UNKNOWN, "", "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exec_line line = line_of(cases[i].text);

		if (line.word != cases[i].word)
			fail_msg("'%s' is taken for %d", cases[i].text, (int)line.word);
		assert_string_equal(line.name, cases[i].name);
		assert_string_equal(line.address, cases[i].address);
		assert_string_equal(line.args, cases[i].args);
		if (cases[i].said != NULL)
			assert_string_equal(line.text, cases[i].said);
	}
	assert_int_equal(line_of("LOG SEVERITY=warning MESSAGE=x").level, PTAH_LOG_LEVEL_WARN);
	assert_int_equal(line_of("CMETHOD a socks4 b").socks, 4);
}

/* However it is cut, the same lines come out. */
static void
test_reader(void **state)
{
	static const char text[] = "one\ntwo\r\n\nthree\nnu\0l\nfour";
	static const char *const wanted[] = { "one", "two", "", "three" };
	struct exec_reader *reader = malloc(sizeof(*reader));

	(void)state;
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		size_t n = 0;

		memset(reader, 0, sizeof(*reader));
		for (size_t at = 0; at < sizeof(text) - 1;) {
			size_t left = sizeof(text) - 1 - at;
			char *line;

			at += exec_reader_take(reader, (const uint8_t *)text + at, left < piece ? left : piece, &line);
			if (line != NULL)
				assert_string_equal(line, wanted[n++]);
		}
		assert_int_equal(n, 4);
	}
	free(reader);
}

static void
test_web_136_reader_drops_a_long_line(void **state)
{
	struct exec_reader *reader = calloc(1, sizeof(*reader));
	size_t len = EXEC_LINE_MAX + 1;
	uint8_t *text = malloc(2 * len);
	char *line;

	(void)state;
	memset(text, 'x', 2 * len);
	text[EXEC_LINE_MAX] = '\n';
	assert_int_equal(exec_reader_take(reader, text, 2 * len, &line), len);
	assert_int_equal(strlen(line), EXEC_LINE_MAX);
	text[EXEC_LINE_MAX] = 'x';
	text[2 * len - 1] = '\n';
	assert_int_equal(exec_reader_take(reader, text, 2 * len - 1, &line), 2 * len - 1);
	assert_null(line);
	assert_int_equal(exec_reader_take(reader, text + 2 * len - 1, 1, &line), 1);
	assert_null(line);
	assert_int_equal(exec_reader_take(reader, (const uint8_t *)"on\n", 3, &line), 3);
	assert_string_equal(line, "on");
	free(text);
	free(reader);
}

/* ---- k=v ---------------------------------------------------------------------------- */

static int
skip_ours(const char *key)
{
	return strcmp(key, "exec") == 0;
}

static void
expect_text(const char *over, const char *under, const char *name, const char *wanted)
{
	char *text;

	assert_int_equal(exec_words_write(over, under, skip_ours, name, &text), 0);
	assert_string_equal(text, wanted);
	free(text);
}

static void
test_words(void **state)
{
	char *text, **env;

	(void)state;
	expect_text(NULL, NULL, NULL, "");
	expect_text("{\"a\": 1, \"b\": true, \"exec\": \"x\"}", NULL, NULL, "a=1;b=true");
	expect_text("{\"a\": \"1\"}", "{\"a\": 2, \"c\": [\"x\", \"y\"]}", NULL, "a=1;c=x;c=y");
	expect_text("{\"k=;\": \"v\\\\;=:\"}", NULL, NULL, "k\\=\\;=v\\\\\\;\\=:");
	expect_text("{\"k\": \"a:b\"}", "{\"z\": 3}", "odd", "odd:k=a\\:b;odd:z=3");
	assert_int_equal(exec_words_write("{\"a\": {}}", NULL, skip_ours, NULL, &text), -EINVAL);
	assert_int_equal(exec_words_write("{\"a\": null}", NULL, skip_ours, NULL, &text), -EINVAL);
	assert_int_equal(exec_words_write("[]", NULL, skip_ours, NULL, &text), -EINVAL);
	assert_int_equal(exec_words_env("{\"A\": \"b=c\", \"D\": 5}", &env), 0);
	assert_string_equal(env[0], "A=b=c");
	assert_string_equal(env[1], "D=5");
	assert_null(env[2]);
	exec_words_free(env);
	assert_int_equal(exec_words_env("{\"A=B\": \"c\"}", &env), -EINVAL);
	assert_int_equal(exec_words_env("{\"\": \"c\"}", &env), -EINVAL);
	assert_int_equal(exec_words_env(NULL, &env), 0);
	exec_words_free(env);
}

static void
test_words_of_smethod(void **state)
{
	char *json;

	(void)state;
	assert_int_equal(exec_words_read("cert=ab\\,c\\=d,iat-mode=0,e=", &json), 0);
	assert_string_equal(json, "{\"cert\":\"ab,c=d\",\"iat-mode\":\"0\",\"e\":\"\"}");
	free(json);
	assert_int_equal(exec_words_read("novalue", &json), -EINVAL);
	assert_int_equal(exec_words_read("=v", &json), -EINVAL);
	assert_int_equal(exec_words_read("k=v\\", &json), -EINVAL);
	assert_int_equal(exec_words_read("k=\xff", &json), -EINVAL);
}

/* ---- SOCKS ----------------------------------------------------------------------------- */

/* Let the dialogue run on what the program says, cut into pieces; what we said. */
static int
talk(struct exec_call *call, const uint8_t *theirs, size_t len, size_t piece, uint8_t *ours, size_t *n)
{
	size_t have = 0, from = 0;
	int rc = 0;
	long begun = exec_call_begin(call, ours);

	if (begun < 0)
		return (int)begun;
	*n = (size_t)begun;
	while (rc == 0 && have < len) {
		size_t eaten, said;

		have = have + piece < len ? have + piece : len;
		do {
			rc = exec_call_hear(call, (struct ptah_span){ theirs + from, have - from }, &eaten, ours + *n, &said);
			from += eaten;
			*n += said;
		} while (rc == 0 && eaten > 0);
	}
	return rc;
}

static void
test_web_137_socks5(void **state)
{
	static const uint8_t theirs[] = "\x05\x02\x01\x00\x05\x00\x00\x03\x03" "abc" "\x00\x50";
	static const uint8_t want[] = "\x05\x01\x02\x01\x03" "a=b" "\x01\x00\x05\x01\x00\x03\x06" "bridge" "\x01\xbb";
	uint8_t ours[2 * EXEC_CALL_ROOM];
	size_t n;

	(void)state;
	for (size_t piece = 1; piece < sizeof(theirs); piece++) {
		struct exec_call call = { .socks = 5, .args = "a=b", .host = "bridge", .port = 443 };

		assert_int_equal(talk(&call, theirs, sizeof(theirs) - 1, piece, ours, &n), 1);
		assert_int_equal(n, sizeof(want) - 1);
		assert_memory_equal(ours, want, n);
	}
}

/* As Tor does. */
static void
test_no_arguments_no_login(void **state)
{
	struct exec_call call = { .socks = 5, .args = "", .host = "1.2.3.4", .port = 1 };
	uint8_t ours[2 * EXEC_CALL_ROOM];
	size_t n;

	(void)state;
	assert_int_equal(talk(&call, (const uint8_t *)"\x05\x00", 2, 1, ours, &n), 0);
	assert_int_equal(n, 3 + 10);
	assert_memory_equal(ours, "\x05\x01\x00" "\x05\x01\x00\x01\x01\x02\x03\x04\x00\x01", n);
}

static void
test_web_137_login_is_cut_at_255(void **state)
{
	char args[520];
	uint8_t ours[2 * EXEC_CALL_ROOM];
	size_t n;

	(void)state;
	for (size_t len = 1; len <= EXEC_ARGS_MAX + 1; len++) {
		struct exec_call call = { .socks = 5, .args = args, .host = "1.2.3.4", .port = 1 };
		size_t user = len < 255 ? len : 255, rest = len - user;

		memset(args, 'x', len);
		args[len] = '\0';
		memset(ours, 'Q', sizeof(ours));
		if (len > EXEC_ARGS_MAX) {
			assert_int_equal(talk(&call, (const uint8_t *)"\x05\x02", 2, 2, ours, &n), -EINVAL);
			assert_non_null(strstr(call.why, "\"args\""));
			continue;
		}
		assert_int_equal(talk(&call, (const uint8_t *)"\x05\x02", 2, 2, ours, &n), 0);
		assert_int_equal(n, 3 + 2 + user + 1 + (rest > 0 ? rest : 1));
		assert_int_equal(ours[4], user);
		assert_int_equal(ours[5 + user], rest > 0 ? rest : 1);
		assert_int_equal(ours[6 + user], rest > 0 ? 'x' : 0);
		assert_int_equal(ours[n], 'Q');
	}
}

static void
test_socks5_refusals(void **state)
{
	static const struct {
		const char *theirs;
		size_t len;
		int rc;
	} cases[] = {
		{ "\x04\x02", 2, -EPROTO },
		{ "\x05\xff", 2, -EACCES },
		{ "\x05\x00", 2, -EACCES }, /* there are arguments */
		{ "\x05\x02\x01\x01", 4, -EACCES },
		{ "\x05\x02\x01\x00\x05\x05", 6, -ECONNREFUSED },
		{ "\x05\x02\x01\x00\x05\x09", 6, -EIO },
		{ "\x05\x02\x01\x00\x00\x00", 6, -EPROTO },
		{ "\x05\x02\x01\x00\x05\x00\x00\x07\x00", 9, -EPROTO },
	};
	uint8_t ours[2 * EXEC_CALL_ROOM];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exec_call call = { .socks = 5, .args = "a=b", .host = "::1", .port = 1 };

		assert_int_equal(talk(&call, (const uint8_t *)cases[i].theirs, cases[i].len, 1, ours, &n), cases[i].rc);
		assert_non_null(call.why);
	}
}

static void
test_socks4(void **state)
{
	static const uint8_t granted[] = "\x00\x5a\x00\x00\x00\x00\x00\x00", refused[] = "\x00\x5b\x00\x00\x00\x00\x00\x00";
	static const uint8_t by_name[] = "\x04\x01\x01\xbb\x00\x00\x00\x01" "a=b\0bridge";
	struct exec_call call = { .socks = 4, .args = "a=b", .host = "bridge", .port = 443 };
	uint8_t ours[2 * EXEC_CALL_ROOM];
	size_t n;

	(void)state;
	assert_int_equal(talk(&call, granted, 8, 3, ours, &n), 1);
	assert_int_equal(n, sizeof(by_name));
	assert_memory_equal(ours, by_name, n);
	assert_int_equal(talk(&call, refused, 8, 8, ours, &n), -EHOSTUNREACH);
	call.host = "192.0.2.7";
	assert_int_equal(talk(&call, granted, 8, 8, ours, &n), 1);
	assert_memory_equal(ours, "\x04\x01\x01\xbb\xc0\x00\x02\x07" "a=b", n);
}

/* ---- the Extended ORPort ------------------------------------------------------------------ */

struct relay {
	struct exec_orport orport;
	uint8_t cookie[EXEC_COOKIE_LEN], nonce[EXEC_NONCE_LEN], said[256];
	size_t n_said, eaten;
};

static void
relay_begin(struct relay *relay)
{
	memset(relay, 0, sizeof(*relay));
	for (size_t i = 0; i < 32; i++) {
		relay->cookie[i] = (uint8_t)i;
		relay->nonce[i] = (uint8_t)(0x40 + i);
	}
	relay->n_said = exec_orport_begin(&relay->orport, relay->said);
}

static int
relay_hears(struct relay *relay, const uint8_t *theirs, size_t len, size_t piece)
{
	size_t have = 0;
	int rc = 0;

	relay->eaten = 0;
	while (rc == 0 && have < len) {
		size_t eaten, said;

		have = have + piece < len ? have + piece : len;
		do {
			rc = exec_orport_hear(&relay->orport, relay->cookie, relay->nonce,
			    (struct ptah_span){ theirs + relay->eaten, have - relay->eaten }, &eaten,
			    relay->said + relay->n_said, &said);
			relay->eaten += eaten;
			relay->n_said += said;
		} while (rc == 0 && eaten > 0);
	}
	return rc;
}

/* The hashes of the specification's test vector. */
static const uint8_t server_hash[32] = {
	0x67, 0xcb, 0x22, 0x83, 0x86, 0x90, 0xcf, 0x4c, 0x49, 0x43, 0x4d, 0x4e, 0xa3, 0x16, 0x4f, 0xbd,
	0xcc, 0x93, 0x6e, 0x46, 0xfd, 0x90, 0xee, 0x62, 0xf5, 0x11, 0x63, 0x9a, 0x84, 0x56, 0xd1, 0x33,
};
static const uint8_t client_hash[32] = {
	0x4b, 0xec, 0xde, 0x5c, 0x2f, 0xe8, 0xa9, 0xfe, 0xd9, 0x08, 0xd7, 0x4f, 0x79, 0xbe, 0x12, 0x8d,
	0x73, 0xab, 0xfb, 0xf8, 0x2c, 0x00, 0x9d, 0x3b, 0xdc, 0x17, 0xb4, 0xbc, 0x02, 0x74, 0x0d, 0x58,
};

/* Type, nonce, proof, USERADDR, TRANSPORT, DONE; what it is as a whole. */
static size_t
visitor_says(uint8_t *out)
{
	static const uint8_t commands[] = "\x00\x01\x00\x0d" "192.0.2.9:443" "\x00\x02\x00\x03" "odd" "\x00\x00\x00\x00";
	size_t n = 0;

	out[n++] = 1;
	for (int i = 0; i < 32; i++)
		out[n++] = (uint8_t)(0x20 + i);
	memcpy(out + n, client_hash, 32);
	n += 32;
	memcpy(out + n, commands, sizeof(commands) - 1);
	return n + sizeof(commands) - 1;
}

static void
test_orport(void **state)
{
	struct relay relay;
	uint8_t theirs[256];
	size_t len = visitor_says(theirs);

	(void)state;
	for (size_t piece = 1; piece <= len; piece++) {
		relay_begin(&relay);
		assert_int_equal(relay_hears(&relay, theirs, len, piece), 1);
		assert_int_equal(relay.eaten, len);
		assert_string_equal(relay.orport.peer, "192.0.2.9:443");
		assert_int_equal(relay.n_said, 2 + 64 + 1 + 4);
		assert_memory_equal(relay.said, "\x01\x00", 2);
		assert_memory_equal(relay.said + 2, server_hash, 32);
		assert_memory_equal(relay.said + 2 + 64, "\x01\x10\x00\x00\x00", 5);
	}
}

static void
test_orport_refuses(void **state)
{
	struct relay relay;
	uint8_t theirs[256], flood[17 * 4];
	size_t len = visitor_says(theirs);

	(void)state;
	theirs[0] = 2;
	relay_begin(&relay);
	assert_int_equal(relay_hears(&relay, theirs, len, len), -EACCES);
	theirs[0] = 1;
	for (size_t i = 33; i < 65; i++) {
		theirs[i] ^= 1;
		relay_begin(&relay);
		assert_int_equal(relay_hears(&relay, theirs, len, len), -EACCES);
		theirs[i] ^= 1;
	}
	memcpy(theirs + 65, "\x00\x01\xff\xff", 4);
	relay_begin(&relay);
	assert_int_equal(relay_hears(&relay, theirs, len, len), -EPROTO);
	relay_begin(&relay);
	assert_int_equal(relay_hears(&relay, theirs, 65, 65), 0);
	for (size_t i = 0; i < sizeof(flood); i += 4)
		memcpy(flood + i, "\x00\x77\x00\x00", 4);
	assert_int_equal(relay_hears(&relay, flood, sizeof(flood), 4), -EPROTO);
}

static void
test_cookie_file(void **state)
{
	char path[] = "/tmp/ptah-exec-cookie-XXXXXX";
	uint8_t cookie[EXEC_COOKIE_LEN], file[128];
	struct stat st;
	int fd = mkstemp(path);

	(void)state;
	memset(cookie, 0xc5, sizeof(cookie));
	assert_int_not_equal(fd, -1);
	assert_int_equal(fchmod(fd, 0644), 0);
	close(fd);
	assert_int_equal(exec_cookie_write(path, cookie), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 64);
	FILE *f = fopen(path, "rb");
	assert_int_equal(fread(file, 1, sizeof(file), f), 64);
	fclose(f);
	assert_memory_equal(file, "! Extended ORPort Auth Cookie !\n", 32);
	assert_memory_equal(file + 32, cookie, 32);
	unlink(path);
	assert_int_equal(exec_cookie_write("/nonexistent/cookie", cookie), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_reader),
		cmocka_unit_test(test_web_136_reader_drops_a_long_line),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_words_of_smethod),
		cmocka_unit_test(test_web_137_socks5),
		cmocka_unit_test(test_no_arguments_no_login),
		cmocka_unit_test(test_web_137_login_is_cut_at_255),
		cmocka_unit_test(test_socks5_refusals),
		cmocka_unit_test(test_socks4),
		cmocka_unit_test(test_orport),
		cmocka_unit_test(test_orport_refuses),
		cmocka_unit_test(test_cookie_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
