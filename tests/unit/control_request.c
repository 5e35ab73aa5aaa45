/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of HTTP/1, and which names of hosts are of this machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "control/request.h"

#define HOST "Host: localhost\r\n"
#define END "\r\n"

static long
parse(struct ptah_request *out, const char *text)
{
	return ptah_request_parse(out, (struct ptah_span){ (const uint8_t *)text, strlen(text) });
}

static void
a_request_is_read_once_it_is_whole(void **state)
{
	static const char text[] = "GET /metrics?x=1 HTTP/1.1\r\nAccept: */*\r\nHOST:  127.0.0.1:80 \r\n" END "more";
	const size_t len = sizeof(text) - 1 - 4;
	struct ptah_request request;

	(void)state;
	for (size_t n = 0; n < len; n++)
		assert_int_equal(ptah_request_parse(&request, (struct ptah_span){ (const uint8_t *)text, n }), 0);
	assert_int_equal(parse(&request, text), len);
	assert_string_equal(request.path, "/metrics");
	assert_string_equal(request.host, "127.0.0.1:80");
	assert_false(request.head);
}

static void
what_is_wrong_has_its_status(void **state)
{
	static const struct {
		const char *text;
		int status; /* 0: it is fine */
	} cases[] = {
		{ "GET / HTTP/1.1\r\n" HOST END, 0 },
		{ "HEAD / HTTP/1.1\r\n" HOST END, 0 },
		{ "GET / HTTP/1.0\r\n" END, 0 },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n" END, 0 },
		{ "GET http://localhost:1/x HTTP/1.1\r\n" HOST END, 0 },
		{ "POST / HTTP/1.1\r\n" HOST END, 405 },
		{ "OPTIONS * HTTP/1.1\r\n" HOST END, 405 },
		{ "get / HTTP/1.1\r\n" HOST END, 405 },
		{ "GET / HTTP/1.1\r\n" END, 400 },
		{ "GET / HTTP/1.1\r\n" HOST HOST END, 400 },
		{ "GET / HTTP/2.0\r\n" HOST END, 505 },
		{ "GET /\r\n" HOST END, 400 },
		{ "GET  / HTTP/1.1\r\n" HOST END, 400 },
		{ "GET x HTTP/1.1\r\n" HOST END, 400 },
		{ "GET /\x80 HTTP/1.1\r\n" HOST END, 400 },
		{ "GET http:///x HTTP/1.1\r\n" HOST END, 400 },
		{ "GET / HTTP/1.1\r\nHost : localhost\r\n" END, 400 },
		{ "GET / HTTP/1.1\r\n" HOST " folded\r\n" END, 400 },
		{ "GET / HTTP/1.1\r\n" HOST "no colon\r\n" END, 400 },
		{ "GET / HTTP/1.1\r\n" HOST "X: a\x01" "b\r\n" END, 400 },
		{ "GET / HTTP/1.1\nHost: localhost\n\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n" END "hello", 413 },
		{ "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n" END, 413 },
		{ "\r\nGET / HTTP/1.1\r\n" HOST END, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_request request;
		long rc = parse(&request, cases[i].text);

		if (cases[i].status > 0)
			assert_int_equal(rc, -cases[i].status);
		else if (cases[i].status == 0)
			assert_true(rc > 0);
		else
			assert_true(rc < 0);
	}
}

static void
one_that_does_not_end_is_too_long(void **state)
{
	static char text[PTAH_REQUEST_MAX + 1];
	struct ptah_request request;
	int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "X: ");

	(void)state;
	memset(text + n, 'a', sizeof(text) - 1 - (size_t)n);
	text[PTAH_REQUEST_MAX - 1] = '\0';
	assert_int_equal(parse(&request, text), 0);
	text[PTAH_REQUEST_MAX - 1] = 'a';
	text[PTAH_REQUEST_MAX] = '\0';
	assert_int_equal(parse(&request, text), -431);
}

static void
a_path_that_is_too_long_is_not_there(void **state)
{
	char text[1024], path[PTAH_REQUEST_PATH + 1];
	struct ptah_request request;

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" HOST END, path);
	assert_int_equal(parse(&request, text), -404);
}

/* The target says where it goes; what Host says then does not count. */
static void
an_absolute_target_names_the_host(void **state)
{
	struct ptah_request request;

	(void)state;
	assert_true(parse(&request, "GET http://evil.example/ HTTP/1.1\r\n" HOST END) > 0);
	assert_string_equal(request.host, "evil.example");
	assert_string_equal(request.path, "/");
}

static void
only_names_of_this_machine_are_local(void **state)
{
	static const struct {
		const char *host;
		bool local;
	} cases[] = {
		{ "localhost", true }, { "LocalHost:80", true }, { "127.0.0.1", true }, { "127.0.0.1:9100", true },
		{ "127.1.2.3", true }, { "[::1]", true }, { "[::1]:80", true },
		{ "", false }, { "evil.example", false }, { "localhost.evil.example", false }, { "127.0.0.1.evil.example", false },
		{ "192.0.2.1", false }, { "[2001:db8::1]:80", false }, { "0.0.0.0", false }, { "localhost:x", false },
		{ "[::1", false }, { "[::1]x", false }, { "127.0.0.1:80:80", false }, { "user@127.0.0.1", false }, { "localhost.", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(ptah_request_host_is_local(cases[i].host), cases[i].local);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_read_once_it_is_whole),
		cmocka_unit_test(what_is_wrong_has_its_status),
		cmocka_unit_test(one_that_does_not_end_is_too_long),
		cmocka_unit_test(a_path_that_is_too_long_is_not_there),
		cmocka_unit_test(an_absolute_target_names_the_host),
		cmocka_unit_test(only_names_of_this_machine_are_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
