/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "config/faults.h"

static void
stand_in_the_order_of_the_file(void **state)
{
	struct ptah_faults faults = { 0 };
	struct ptah_buf out = { 0 };

	(void)state;
	assert_int_equal(ptah_faults_add(&faults, PTAH_FAULT_OPEN, 12, 4, "services.a.mode", "'%s' is none", "x"), 0);
	assert_int_equal(ptah_faults_about(&faults, "/etc/key"), 0);
	assert_int_equal(ptah_faults_add(&faults, PTAH_FAULT_WARNING, 3, 9, "workers", "many"), 0);
	assert_int_equal(ptah_faults_add(&faults, PTAH_FAULT_KEY, 3, 2, "worker", "unknown"), 0);
	assert_int_equal(ptah_faults_add(&faults, 0, 0, 0, "", "is no\nfile\x7f"), 0);
	ptah_faults_sort(&faults);
	assert_int_equal(faults.n, 4);
	assert_int_equal(faults.n_errors, 3);
	assert_int_equal(faults.n_warnings, 1);
	for (size_t i = 0; i < faults.n; i++) {
		assert_int_equal(ptah_fault_print(&faults.at[i], "ptah.json", &out), 0);
		ptah_buf_puts(&out, "\n");
	}
	assert_string_equal((char *)out.at,
	    "ptah.json: is no file \n"
	    "ptah.json:3:2: worker: unknown\n"
	    "ptah.json:3:9: workers: warning: many\n"
	    "ptah.json:12:4: services.a.mode: 'x' is none\n");
	ptah_buf_clear(&out);
	/* what each is stays with it */
	assert_int_equal(faults.at[3].how, PTAH_FAULT_OPEN);
	assert_string_equal(faults.at[3].about, "/etc/key");
	assert_int_equal(faults.at[2].how, PTAH_FAULT_WARNING);
	assert_null(faults.at[2].about);
	ptah_faults_clear(&faults);
	assert_int_equal(faults.n + faults.n_errors, 0);
}

static void
are_counted_but_not_kept_without_end(void **state)
{
	struct ptah_faults faults = { 0 };

	(void)state;
	for (unsigned i = 1; i <= PTAH_FAULTS_MOST + 20; i++)
		assert_int_equal(ptah_faults_add(&faults, i % 2 == 0 ? PTAH_FAULT_WARNING : 0, i, 1, "", "no"), 0);
	assert_int_equal(faults.n, PTAH_FAULTS_MOST);
	assert_int_equal(faults.n_errors + faults.n_warnings, PTAH_FAULTS_MOST + 20);
	assert_int_equal(ptah_faults_about(&faults, "/etc/key"), 0);
	assert_null(faults.at[PTAH_FAULTS_MOST - 1].about); /* it is not of that one */
	ptah_faults_clear(&faults);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stand_in_the_order_of_the_file),
		cmocka_unit_test(are_counted_but_not_kept_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
