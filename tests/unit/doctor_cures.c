/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each kind of fault has a cure of its own, whatever words it is told in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "doctor/checks.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Of a fault in line 3 of ptah.json. */
static const struct {
	unsigned how;
	const char *about, *cure;
} cases[] = {
	{ 0, NULL, "ptah.json line 3, column 4; man ptah-conf says" },
	{ PTAH_FAULT_KEY, NULL, "ptah.json line 3, column 4; man ptah-conf says" },
	{ PTAH_FAULT_OPTIONS, NULL, "ptah.json line 3, column 4; ptah info TRANSPORT says" },
	{ PTAH_FAULT_OPTIONS | PTAH_FAULT_KEY, NULL, "ptah.json line 3, column 4; ptah info TRANSPORT says" },
	{ PTAH_FAULT_BARE, NULL, "chmod o-r ptah.json" },
	{ PTAH_FAULT_OPEN, "/etc/keys", "chmod 600 /etc/keys, and give it to" },
	{ PTAH_FAULT_OPTIONS | PTAH_FAULT_OPEN, "/etc/keys", "chmod 600 /etc/keys, and give it to" },
	{ PTAH_FAULT_CLOSED, "/etc/keys", "/etc/keys; chmod 640 /etc/keys; chmod g+x" },
	{ PTAH_FAULT_ABSENT, "/etc/keys", "put /etc/keys there before the service starts, or change ptah.json line 3, column 4" },
	{ PTAH_FAULT_OPTIONS | PTAH_FAULT_CLOSED, "/etc/keys", "/etc/keys; chmod 640 /etc/keys; chmod g+x" },
};

/* What the doctor says of it, the only fault of the file; for ptah_exam_clear(). */
static struct ptah_exam
examined(unsigned how, const char *about, const char *words)
{
	struct ptah_exam exam = { .root = "", .path = "ptah.json", .check = "configuration" };

	assert_int_equal(ptah_faults_add(&exam.faults, how, 3, 4, "services.web", "%s", words), 0);
	assert_int_equal(ptah_faults_about(&exam.faults, about), 0);
	assert_true(ptah_check_configuration(&exam));
	assert_int_equal(exam.rc, 0);
	assert_int_equal(exam.n_findings, 1);
	return exam;
}

static void
have_their_cures_in_any_words(void **state)
{
	/* Those of no room, and some that are another's. */
	static const char *const words[] = { "it is as it is", "", "option \"x\": chmod 600", "chmod o-r it, or chmod o-rwx it" };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t k = 0; k < COUNT(words); k++)
			for (unsigned warning = 0; warning <= PTAH_FAULT_WARNING; warning += PTAH_FAULT_WARNING) {
				struct ptah_exam exam = examined(cases[i].how | warning, cases[i].about, words[k]);

				assert_int_equal(exam.findings[0].state, warning ? PTAH_FOUND_WARNING : PTAH_FOUND_FAULT);
				assert_non_null(exam.findings[0].cure);
				if (!strstr(exam.findings[0].cure, cases[i].cure))
					fail_msg("\"%s\" is not in \"%s\"", cases[i].cure, exam.findings[0].cure);
				ptah_exam_clear(&exam);
			}
}

static void
are_all_looked_at_here(void **state)
{
	(void)state;
	for (unsigned how = PTAH_FAULT_WARNING << 1; how <= PTAH_FAULT_LAST; how <<= 1) {
		size_t n = 0;

		for (size_t i = 0; i < COUNT(cases); i++)
			n += cases[i].how == how;
		assert_int_equal(n, 1);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(have_their_cures_in_any_words),
		cmocka_unit_test(are_all_looked_at_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
