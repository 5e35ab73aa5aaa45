/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/proxyuri.h"

static void
same(const char *got, const char *want)
{
	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
}

static void
reads_what_tor_sends(void **state)
{
	static const struct {
		const char *uri;
		int scheme;
		const char *addr, *user, *password;
	} cases[] = {
		{ "socks5://127.0.0.1:1080", PTAH_PROXY_SOCKS5, "127.0.0.1:1080", NULL, NULL },
		{ "SOCKS5://127.0.0.1:1", PTAH_PROXY_SOCKS5, "127.0.0.1:1", NULL, NULL },
		{ "socks5://[::1]:65535", PTAH_PROXY_SOCKS5, "[::1]:65535", NULL, NULL },
		{ "socks5://tor:test1234@198.51.100.1:8000", PTAH_PROXY_SOCKS5, "198.51.100.1:8000",
		    "tor", "test1234" },
		{ "socks5://a%40b:c%3Ad@127.0.0.1:1", PTAH_PROXY_SOCKS5, "127.0.0.1:1", "a@b", "c:d" },
		{ "socks5://a@b:p@127.0.0.1:1", PTAH_PROXY_SOCKS5, "127.0.0.1:1", "a@b", "p" },
		{ "socks5://u:p:q@127.0.0.1:1", PTAH_PROXY_SOCKS5, "127.0.0.1:1", "u", "p:q" },
		{ "socks5://u:a/b?c#d@127.0.0.1:1", PTAH_PROXY_SOCKS5, "127.0.0.1:1", "u", "a/b?c#d" },
		{ "socks5://50%:1%g2%4@127.0.0.1:1", PTAH_PROXY_SOCKS5, "127.0.0.1:1", "50%", "1%g2%4" },
		{ "socks5://u://p:x@127.0.0.1:1", PTAH_PROXY_SOCKS5, "127.0.0.1:1", "u", "//p:x" },
		{ "socks4a://127.0.0.1:1", PTAH_PROXY_SOCKS4A, "127.0.0.1:1", NULL, NULL },
		{ "socks4a://u@127.0.0.1:1", PTAH_PROXY_SOCKS4A, "127.0.0.1:1", "u", NULL },
		{ "http://127.0.0.1:1", PTAH_PROXY_HTTP, "127.0.0.1:1", NULL, NULL },
		{ "http://u@127.0.0.1:1", PTAH_PROXY_HTTP, "127.0.0.1:1", "u", NULL },
		{ "http://u:@127.0.0.1:1", PTAH_PROXY_HTTP, "127.0.0.1:1", "u", "" },
		{ "http://tor:test1234@127.0.0.1:1", PTAH_PROXY_HTTP, "127.0.0.1:1", "tor", "test1234" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_proxy proxy;
		char why[300], text[PTAH_ADDR_TEXT];

		if (ptah_proxy_parse(&proxy, cases[i].uri, why, sizeof(why)) != 0)
			fail_msg("'%s': %s", cases[i].uri, why);
		assert_int_equal(proxy.scheme, cases[i].scheme);
		assert_string_equal(ptah_addr_format(&proxy.addr, text), cases[i].addr);
		same(proxy.user, cases[i].user);
		same(proxy.password, cases[i].password);
		ptah_proxy_clear(&proxy);
	}
}

static void
refuses_the_rest_without_repeating_it(void **state)
{
	static const char *const cases[] = {
		"socks4://1.2.3.4:1", "https://1.2.3.4:1", "socks://1.2.3.4:1", "socks5h://1.2.3.4:1",
		"1.2.3.4:1", "://1.2.3.4:1", "socks5://1.2.3.4", "socks5:/1.2.3.4:1", "socks5:",
		"socks5://", "socks5://:1", "socks5://h.example:1", "http://1.2.3.4:0",
		"http://1.2.3.4:1/", "http://1.2.3.4:1?x", "http://1.2.3.4:1#x", "http://1.2.3.4:65536",
		"http://1.2.3.4:", "http://1.2.3.4:1 ", " http://1.2.3.4:1", "http://::1:80",
		"http://[fe80::1%25lo]:80", "http://[fe80::1%lo]:80",
		"socks5://hunter2@1.2.3.4:1", "socks5://hunter2:@1.2.3.4:1", "socks5://:hunter2@1.2.3.4:1",
		"socks5://@1.2.3.4:1", "socks4a://@1.2.3.4:1", "http://@1.2.3.4:1",
		"socks4a://u:hunter2@1.2.3.4:1", "socks4a://u:@1.2.3.4:1",
		"socks4a://hun%00ter2@1.2.3.4:1", "socks5://u:hunter2%00@1.2.3.4:1",
		"http://u%3ahunter2@1.2.3.4:1", "http://u%0d%0ahunter2:x@1.2.3.4:1", "http://u\x7f@1.2.3.4:1",
		"socks5://u:hunter2@1.2.3.4", "u:hunter2@1.2.3.4:1", "hunter2://1.2.3.4:1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_proxy proxy;
		char why[300] = "";

		if (ptah_proxy_parse(&proxy, cases[i], why, sizeof(why)) != -EINVAL)
			fail_msg("'%s' parses", cases[i]);
		assert_string_not_equal(why, "");
		assert_null(strstr(why, "hunter2"));
		assert_null(proxy.user);
		assert_null(proxy.password);
		assert_int_equal(proxy.scheme, PTAH_PROXY_NONE);
	}
}

static void
bounds_the_words(void **state)
{
	(void)state;
	for (int len = PTAH_PROXY_WORD_MAX; len <= PTAH_PROXY_WORD_MAX + 1; len++) {
		int want = len == PTAH_PROXY_WORD_MAX ? 0 : -EINVAL;
		char word[300], uri[700], why[300];
		struct ptah_proxy proxy;

		memset(word, 'x', sizeof(word));
		word[len] = '\0';
		snprintf(uri, sizeof(uri), "socks5://%s:p@1.2.3.4:1", word);
		assert_int_equal(ptah_proxy_parse(&proxy, uri, why, sizeof(why)), want);
		ptah_proxy_clear(&proxy);
		snprintf(uri, sizeof(uri), "socks5://u:%s@1.2.3.4:1", word);
		assert_int_equal(ptah_proxy_parse(&proxy, uri, why, sizeof(why)), want);
		ptah_proxy_clear(&proxy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_tor_sends),
		cmocka_unit_test(refuses_the_rest_without_repeating_it),
		cmocka_unit_test(bounds_the_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
