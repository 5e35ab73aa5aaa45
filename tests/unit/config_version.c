/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/flag.h"
#include "config/version.h"

static void
picks_the_best_and_spells_it_as_offered(void **state)
{
	static const struct {
		const char *list, *token;
		int dialect;
	} cases[] = {
		{ "1", "1", PTAH_D1 },
		{ "1.0", "1.0", PTAH_D1 },
		{ "1,1.0", "1.0", PTAH_D1 },
		{ "1,2,3.0", "3.0", PTAH_D3 },
		{ "3,1", "3", PTAH_D3 },
		{ "3,3.0", "3.0", PTAH_D3 },
		{ "1,1a,2.2,this_is_a_valid_version", "2.2", PTAH_D22 },
		{ "2.2,2.2.1", "2.2.1", PTAH_D22 },
		{ "2", "2", PTAH_D2 },
		{ "1.0,2.0", "2.0", PTAH_D2 },
		{ "2,2.0,2.1", "2.1", PTAH_D2 },
		{ "1, 3.0", "1", PTAH_D1 }, /* nothing is trimmed */
		{ ",,1,", "1", PTAH_D1 },
		{ "9,foo", NULL, 0 },
		{ "", NULL, 0 },
		{ ",", NULL, 0 },
		{ "3.00", NULL, 0 },
		{ "2.2.", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int dialect = 0;
		const char *token = ptah_version_pick(cases[i].list, &dialect);

		if (cases[i].token)
			assert_string_equal(token, cases[i].token);
		else
			assert_null(token);
		assert_int_equal(dialect, cases[i].dialect);
	}
}

static void
chooses_by_flag_then_variable_then_habit(void **state)
{
	static const struct {
		const char *flag, *env;
		bool has_transports;
		const char *token;
		int list;
		bool use_env;
	} cases[] = {
		{ NULL, "1", true, "1", PTAH_LIST_ENV, true },
		{ "2.1", "1", true, "2.1", PTAH_LIST_FLAG, true },
		{ "3.0", "1", true, "3.0", PTAH_LIST_FLAG, false },
		{ NULL, "3.0", true, "3.0", PTAH_LIST_ENV, true },
		{ NULL, NULL, true, "2.2", PTAH_LIST_NONE, true },
		{ NULL, NULL, false, "3.0", PTAH_LIST_NONE, false },
		{ "", "1", true, NULL, PTAH_LIST_FLAG, true }, /* a flag counts even when empty */
		{ NULL, "9", true, NULL, PTAH_LIST_ENV, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_version got;

		ptah_version_choose(&got, cases[i].flag, cases[i].env, cases[i].has_transports);
		if (cases[i].token)
			assert_string_equal(got.token, cases[i].token);
		else
			assert_null(got.token);
		assert_int_equal(got.list, cases[i].list);
		assert_int_equal(got.use_env, cases[i].use_env);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(picks_the_best_and_spells_it_as_offered),
		cmocka_unit_test(chooses_by_flag_then_variable_then_habit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
