/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "doctor/torrc.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
reads_lines_as_tor_does(void **state)
{
	static const struct {
		const char *text, *key, *value;
		unsigned line;
		size_t n_words;
	} cases[] = {
		{ "User tor\n", "User", "tor", 1, 1 },
		{ "User tor", "User", "tor", 1, 1 }, /* without its end */
		{ "\n\t # nothing\n  User \t tor  # him\r\n", "User", "tor", 3, 1 },
		{ "UseBridges\n", "UseBridges", "", 1, 0 },
		{ "+Bridge a b\n", "Bridge", "a b", 1, 2 },
		{ "/Bridge\n", "Bridge", "", 1, 0 },
		{ "Nickname \"a # b\" # c\n", "Nickname", "a # b", 1, 3 },
		{ "Nickname \"a \\\"b\\\\\"\n", "Nickname", "a \"b\\", 1, 2 },
		{ "Bridge a \\\nb \\\n# between\nc\n", "Bridge", "a b c", 1, 3 },
		{ "Log notice stdout\\", "Log", "notice stdout\\", 1, 2 }, /* nothing follows */
		{ "%include /etc/*\n", "%include", "/etc/*", 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ptah_torrc torrc = { 0 };

		assert_int_equal(ptah_torrc_parse(&torrc, "torrc", cases[i].text, strlen(cases[i].text)), 0);
		assert_int_equal(torrc.n, 1);
		assert_string_equal(torrc.lines[0].key, cases[i].key);
		assert_string_equal(torrc.lines[0].value, cases[i].value);
		assert_int_equal(torrc.lines[0].line, cases[i].line);
		assert_int_equal(torrc.lines[0].n_words, cases[i].n_words);
		assert_null(torrc.lines[0].wrong);
		ptah_torrc_clear(&torrc);
	}
}

static void
takes_the_last_of_an_option(void **state)
{
	static const char text[] = "User a\nuser b\nBridge x\nUSER c\n";
	struct ptah_torrc torrc = { 0 };

	(void)state;
	assert_int_equal(ptah_torrc_parse(&torrc, "torrc", text, strlen(text)), 0);
	assert_string_equal(ptah_torrc_last(&torrc, "User")->value, "c");
	assert_int_equal(ptah_torrc_last(&torrc, "bridge")->line, 3);
	assert_null(ptah_torrc_last(&torrc, "Use"));
	ptah_torrc_clear(&torrc);
}

static void
says_what_cannot_be_read(void **state)
{
	static const char text[] = "Nickname \"open\nUser tor\n";
	struct ptah_torrc torrc = { 0 };

	(void)state;
	assert_int_equal(ptah_torrc_parse(&torrc, "torrc", text, strlen(text)), 0);
	assert_int_equal(torrc.n, 2);
	assert_non_null(torrc.lines[0].wrong);
	assert_null(torrc.lines[1].wrong);
	ptah_torrc_clear(&torrc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_lines_as_tor_does),
		cmocka_unit_test(takes_the_last_of_an_option),
		cmocka_unit_test(says_what_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
