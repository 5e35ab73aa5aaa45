/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "doctor/apparmor.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
matches_as_the_kernel_does(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool matches;
	} cases[] = {
		{ "/usr/bin/ptah", "/usr/bin/ptah", true },
		{ "/usr/bin/ptah", "/usr/bin/ptah2", false },
		{ "/usr/bin/ptah2", "/usr/bin/ptah", false },
		{ "/usr/bin/*", "/usr/bin/ptah", true },
		{ "/usr/*", "/usr/bin/ptah", false }, /* one star ends at a folder */
		{ "/usr/**", "/usr/bin/ptah", true },
		{ "/**/ptah", "/usr/local/bin/ptah", true },
		{ "/usr/{,local/}bin/ptah", "/usr/bin/ptah", true },
		{ "/usr/{,local/}bin/ptah", "/usr/local/bin/ptah", true },
		{ "/usr/{,local/}bin/ptah", "/usr/sbin/ptah", false },
		{ "/{usr/{s,}bin,opt}/ptah", "/usr/sbin/ptah", true },
		{ "/{usr/{s,}bin,opt}/ptah", "/opt/ptah", true },
		{ "/{usr/{s,}bin,opt}/ptah", "/usr/opt/ptah", false },
		{ "/bin/pt?h", "/bin/ptah", true },
		{ "/bin?ptah", "/bin/ptah", false },
		{ "/bin/[a-p]tah", "/bin/ptah", true },
		{ "/bin/[^a-p]tah", "/bin/ptah", false },
		{ "/bin/[xyp]tah", "/bin/ptah", true },
		{ "/bin/pt\\*h", "/bin/ptah", false },
		{ "/bin/pt\\*h", "/bin/pt*h", true },
		{ "/bin/{ptah", "/bin/ptah", false }, /* not closed */
		{ "/bin/[ptah", "/bin/p", false },
		{ "", "", true },
		{ "/**", "/", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (ptah_apparmor_matches(cases[i].pattern, cases[i].path) != cases[i].matches)
			fail_msg("%s, %s", cases[i].pattern, cases[i].path);
}

/* Each would take longer than anybody waits, if all ways were tried. */
static void
ends_in_time(void **state)
{
	char stars[400] = "/", braces[400] = "/", path[400] = "/";

	(void)state;
	for (size_t i = 0; i < 60; i++) {
		strcat(stars, "**a");
		strcat(path, "aaaaa");
	}
	strcat(stars, "b");
	for (size_t i = 0; i < 32; i++)
		strcat(braces, "{a,aa,}");
	strcat(braces, "b");
	assert_false(ptah_apparmor_matches(stars, path));
	assert_false(ptah_apparmor_matches(braces, path));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_as_the_kernel_does),
		cmocka_unit_test(ends_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
