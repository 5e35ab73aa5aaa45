/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config/argv.h"
#include "config/usage.h"

#define MAX 8

static void
read_words(struct ptah_argv *out, int who, const char *const words[])
{
	char *argv[MAX + 2] = { (char *)(uintptr_t)"ptah" };
	int argc = 1;

	while (words[argc - 1]) {
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
		argc++;
	}
	ptah_argv_read(out, who, argc, argv);
}

static void
reads_values_as_go_does(void **state)
{
	static const struct {
		const char *words[MAX];
		int id;
		const char *value;
	} cases[] = {
		{ { "-state", "x" }, PTAH_FLAG_STATE, "x" },
		{ { "--state", "x" }, PTAH_FLAG_STATE, "x" },
		{ { "-state=x" }, PTAH_FLAG_STATE, "x" },
		{ { "--state=x=y" }, PTAH_FLAG_STATE, "x=y" },
		{ { "-state=" }, PTAH_FLAG_STATE, "" },
		{ { "-state", "" }, PTAH_FLAG_STATE, "" },
		{ { "-state", "-x" }, PTAH_FLAG_STATE, "-x" }, /* a value may begin with a dash */
		{ { "-state", "--" }, PTAH_FLAG_STATE, "--" },
		{ { "-state", "a", "-state", "b" }, PTAH_FLAG_STATE, "b" }, /* the last wins */
		{ { "-target", "a:1", "-target", "a:1" }, PTAH_FLAG_TARGET, "a:1" },
		{ { "-state", "x", "--" }, PTAH_FLAG_STATE, "x" },
		{ { "-version", "3.0" }, PTAH_FLAG_PTVERSION, "3.0" },
		{ { "-version=1" }, PTAH_FLAG_PTVERSION, "1" },
		{ { "-ptversion", "1", "-version", "2" }, PTAH_FLAG_PTVERSION, "2" },
	};
	struct ptah_argv out;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		read_words(&out, PTAH_AS_PTAH, cases[i].words);
		assert_string_equal(out.error, "");
		assert_non_null(out.value[cases[i].id]);
		assert_string_equal(out.value[cases[i].id], cases[i].value);
	}
}

static void
reads_switches_as_go_does(void **state)
{
	static const struct {
		const char *words[MAX];
		int id;
		bool truth;
	} cases[] = {
		{ { "-client" }, PTAH_FLAG_CLIENT, true },
		{ { "--client=true" }, PTAH_FLAG_CLIENT, true },
		{ { "-client=T" }, PTAH_FLAG_CLIENT, true },
		{ { "-client=1" }, PTAH_FLAG_CLIENT, true },
		{ { "-client=0" }, PTAH_FLAG_CLIENT, false },
		{ { "-client=False" }, PTAH_FLAG_CLIENT, false },
		{ { "-client", "-client=f" }, PTAH_FLAG_CLIENT, false },
		{ { "-exit-on-stdin-close" }, PTAH_FLAG_STDIN_CLOSE, true },
		{ { "-exit-on-stdin-close", "1" }, PTAH_FLAG_STDIN_CLOSE, true },
		{ { "-exit-on-stdin-close", "0" }, PTAH_FLAG_STDIN_CLOSE, false },
		{ { "-exit-on-stdin-close=0" }, PTAH_FLAG_STDIN_CLOSE, false },
		{ { "-exit-on-stdin-close", "-client" }, PTAH_FLAG_STDIN_CLOSE, true },
	};
	struct ptah_argv out;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		read_words(&out, PTAH_AS_PTAH, cases[i].words);
		assert_string_equal(out.error, "");
		assert_non_null(out.value[cases[i].id]);
		assert_int_equal(out.truth[cases[i].id], cases[i].truth);
	}
}

static void
names_what_is_wrong(void **state)
{
	static const struct {
		const char *words[MAX];
		const char *says;
	} cases[] = {
		{ { "-nosuchflag" }, "-nosuchflag is no flag" },
		{ { "-exit-on-close" }, "-exit-on-close is no flag" },
		{ { "-MODE", "socks5" }, "-MODE is no flag" },
		{ { "-Transport=x" }, "did you mean -transport?" },
		{ { "---mode", "socks5" }, "'---mode' is no flag" },
		{ { "-=x" }, "'-=x' is no flag" },
		{ { "--=x" }, "'--=x' is no flag" },
		{ { "-state" }, "-state wants a value" },
		{ { "-client=yes" }, "-client=yes" },
		{ { "-client=" }, "-client=" },
		{ { "stray" }, "'stray'" },
		{ { "-client", "true" }, "'true'" }, /* no separate value */
		{ { "-exit-on-stdin-close", "true" }, "'true'" },
		{ { "" }, "''" },
		{ { "-" }, "'-'" },
		{ { "--", "-client" }, "'-client'" },
		{ { "-target", "a:1", "-target", "b:1" }, "-target is given twice" },
		{ { "-bindport", "1", "-bindport=2" }, "-bindport is given twice" },
		{ { "-toneburst", "x" }, "-toneburst is not taken here" },
		{ { "-polish", "x" }, "-polish is not taken here" },
		{ { "stray", "-nosuchflag" }, "'stray'" }, /* the first one counts */
	};
	struct ptah_argv out;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		read_words(&out, PTAH_AS_PTAH, cases[i].words);
		if (!strstr(out.error, cases[i].says))
			fail_msg("'%s' does not say '%s'", out.error, cases[i].says);
	}
}

static void
finds_the_version_behind_an_error(void **state)
{
	static const char *const cases[][MAX] = {
		{ "-nosuchflag", "-ptversion", "3.0" },
		{ "stray", "-ptversion=3.0" },
		{ "-client=maybe", "-version", "3.0" },
		{ "-state", "x", "-ptversion", "3.0", "-state" },
	};
	struct ptah_argv out;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		read_words(&out, PTAH_AS_PTAH, cases[i]);
		assert_string_not_equal(out.error, "");
		assert_non_null(out.value[PTAH_FLAG_PTVERSION]);
		assert_string_equal(out.value[PTAH_FLAG_PTVERSION], "3.0");
	}
}

static void
hears_help_and_version_before_anything_is_wrong(void **state)
{
	static const struct {
		const char *words[MAX];
		int who;
		bool help, version;
	} cases[] = {
		{ { "-h" }, PTAH_AS_PTAH, true, false },
		{ { "-help" }, PTAH_AS_PTAH, true, false },
		{ { "--help", "-nosuchflag" }, PTAH_AS_PTAH, true, false },
		{ { "-nosuchflag", "--help" }, PTAH_AS_PTAH, false, false },
		{ { "-showVersion" }, PTAH_AS_PTAH, false, true },
		{ { "-showVersion=false" }, PTAH_AS_PTAH, false, false },
		{ { "--version" }, PTAH_AS_PTAH, false, true },
		{ { "-version", "-client" }, PTAH_AS_PTAH, false, true },
		{ { "-version", "3.0" }, PTAH_AS_PTAH, false, false },
		{ { "-version" }, PTAH_AS_OBFS4PROXY, false, true },
		{ { "-version=true" }, PTAH_AS_OBFS4PROXY, false, true },
		{ { "-version=false" }, PTAH_AS_OBFS4PROXY, false, false },
	};
	struct ptah_argv out;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		read_words(&out, cases[i].who, cases[i].words);
		assert_int_equal(out.help, cases[i].help);
		assert_int_equal(out.version, cases[i].version);
	}
	read_words(&out, PTAH_AS_OBFS4PROXY, (const char *const[]){ "-version", "3.0", NULL });
	assert_string_not_equal(out.error, ""); /* a switch there */
}

static void
knows_whom_it_plays(void **state)
{
	(void)state;
	assert_int_equal(ptah_argv_who("obfs4proxy"), PTAH_AS_OBFS4PROXY);
	assert_int_equal(ptah_argv_who("/usr/bin/obfs4proxy"), PTAH_AS_OBFS4PROXY);
	assert_int_equal(ptah_argv_who("/usr/bin/ptah"), PTAH_AS_PTAH);
	assert_int_equal(ptah_argv_who("/obfs4proxy/ptah"), PTAH_AS_PTAH);
	assert_int_equal(ptah_argv_who(NULL), PTAH_AS_PTAH);
}

static void
every_row_of_the_table_is_whole(void **state)
{
	(void)state;
	for (int id = 0; id < PTAH_FLAG_COUNT; id++) {
		const struct ptah_flag *flag = &ptah_flags[id];

		assert_true(flag->name || flag->env);
		assert_non_null(flag->help);
		assert_int_not_equal(flag->roles, 0);
		assert_true((flag->type == PTAH_VALUE_SWITCH) == (flag->value == NULL));
		assert_true((flag->type == PTAH_VALUE_WORD) == (flag->words != NULL));
		assert_true(flag->type != PTAH_VALUE_NUMBER || flag->min < flag->max);
		if (flag->name)
			assert_int_equal(ptah_flag_find(flag->name, strlen(flag->name)), id);
	}
	assert_true(ptah_flag_find("stat", 4) < 0);
	assert_int_equal(ptah_flag_find("state=x", 5), PTAH_FLAG_STATE);
}

static void
usage_shows_what_is_not_hidden(void **state)
{
	struct ptah_buf out = { 0 };

	(void)state;
	assert_int_equal(ptah_usage_flags(&out), 0);
	for (int id = 0; id < PTAH_FLAG_COUNT; id++) {
		const struct ptah_flag *flag = &ptah_flags[id];
		char text[64];

		if (!flag->name)
			continue;
		snprintf(text, sizeof(text), "  -%s%s", flag->name, flag->value ? " " : "\n");
		assert_int_equal(strstr((char *)out.at, text) == NULL,
		    (flag->marks & PTAH_FLAG_HIDDEN) != 0);
	}
	assert_non_null(strstr((char *)out.at, "TOR_PT_OUTBOUND_BIND_ADDRESS_V6=[IPv6]"));
	assert_non_null(strstr((char *)out.at, "TOR_PT_CLIENT_TRANSPORTS, TOR_PT_SERVER_TRANSPORTS"));
	ptah_buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_values_as_go_does),
		cmocka_unit_test(reads_switches_as_go_does),
		cmocka_unit_test(names_what_is_wrong),
		cmocka_unit_test(finds_the_version_behind_an_error),
		cmocka_unit_test(hears_help_and_version_before_anything_is_wrong),
		cmocka_unit_test(knows_whom_it_plays),
		cmocka_unit_test(every_row_of_the_table_is_whole),
		cmocka_unit_test(usage_shows_what_is_not_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
