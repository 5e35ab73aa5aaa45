/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/bindlist.h"

static void
reads_entries(void **state)
{
	static const struct {
		const char *text, *name, *addr;
		size_t n;
	} cases[] = {
		{ "", NULL, NULL, 0 },
		{ "dummy-127.0.0.1:0", "dummy", "127.0.0.1:0", 1 },
		{ "dummy-[::1]:80", "dummy", "[::1]:80", 1 },
		{ "dummy-::1:80", "dummy", "[::1]:80", 1 },
		{ "a-1.2.3.4:1,b_2-5.6.7.8:65535", "b_2", "5.6.7.8:65535", 2 },
		{ "a-1.2.3.4:1,A-5.6.7.8:2", "A", "5.6.7.8:2", 2 }, /* names keep their case */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_bindlist list;
		char why[200] = "", text[PTAH_ADDR_TEXT];

		assert_int_equal(ptah_bindlist_parse(&list, cases[i].text, why, sizeof(why)), 0);
		assert_int_equal(list.n, cases[i].n);
		if (cases[i].name) {
			const struct ptah_addr *addr = ptah_bindlist_get(&list, cases[i].name);

			assert_non_null(addr);
			assert_string_equal(ptah_addr_format(addr, text), cases[i].addr);
		}
		assert_null(ptah_bindlist_get(&list, "nobody"));
		ptah_bindlist_clear(&list);
	}
}

static void
says_which_entry_is_wrong(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "127.0.0.1:1984", "'127.0.0.1:1984' does not begin with the name" },
		{ "-127.0.0.1:1", "does not begin with the name" },
		{ "1x-127.0.0.1:1", "does not begin with the name" },
		{ "dummy", "'dummy' does not begin with the name" },
		{ "dummy-", "'' is no IP address with a port: write dummy-IP:PORT" },
		{ "dummy-example.com:1", "'example.com:1' is no IP address" },
		{ "dummy-127.0.0.1", "'127.0.0.1' is no IP address" },
		{ "dummy-127.0.0.1:65536", "'127.0.0.1:65536' is no IP address" },
		{ "dummy-127.0.0.1:", "is no IP address" },
		{ "foo-bar-127.0.0.1:1", "'bar-127.0.0.1:1' is no IP address" }, /* the first dash */
		{ "dummy-127.0.0.1:0,dummy-127.0.0.1:0", "dummy is there twice" },
		{ "dummy-127.0.0.1:0,", "'' does not begin with the name" },
		{ ",dummy-127.0.0.1:0", "'' does not begin with the name" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_bindlist list;
		char why[200] = "";

		assert_int_equal(ptah_bindlist_parse(&list, cases[i].text, why, sizeof(why)), -EINVAL);
		if (!strstr(why, cases[i].says))
			fail_msg("'%s' does not say '%s'", why, cases[i].says);
		assert_int_equal(list.n, 0);
		assert_null(list.at);
	}
}

static void
survives_a_very_long_entry(void **state)
{
	char text[5000], why[200] = "";
	struct ptah_bindlist list;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[1000] = '-';
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(ptah_bindlist_parse(&list, text, why, sizeof(why)), -EINVAL);
	assert_true(strlen(why) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_entries),
		cmocka_unit_test(says_which_entry_is_wrong),
		cmocka_unit_test(survives_a_very_long_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
