/* SPDX-License-Identifier: BSD-3-Clause */
/* Counters per service: what goes on, what is apart, and what is left of what is gone. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ptah/module.h>

#include "stats/tally.h"

static uint64_t
sum_of(const struct ptah_tally *tally, enum ptah_stat which)
{
	struct ptah_stats sum = { 0 };

	ptah_tally_sum(tally, &sum);
	return ptah_stats_get(&sum, which);
}

static uint64_t
sum_of_all(const struct ptah_tallies *tallies, enum ptah_stat which)
{
	struct ptah_stats sum = { 0 };

	ptah_tallies_sum(tallies, &sum);
	return ptah_stats_get(&sum, which);
}

static void
a_changed_service_goes_on_in_its_tally(void **state)
{
	struct ptah_tallies tallies = { .n_workers = 2 };
	struct ptah_tally *old = ptah_tally_open(&tallies, "bridge", "obfs4", PTAH_SERVER);

	(void)state;
	ptah_stats_add(ptah_tally_at(old, 0), PTAH_STAT_LINKS_OPENED, 3);
	ptah_stats_add(ptah_tally_at(old, 1), PTAH_STAT_LINKS_OPENED, 4);

	struct ptah_tally *again = ptah_tally_open(&tallies, "bridge", "obfs4", PTAH_SERVER);

	assert_ptr_equal(again, old);
	ptah_tally_close(old);
	assert_int_equal(sum_of(again, PTAH_STAT_LINKS_OPENED), 7);
	ptah_tally_close(again);
	ptah_tallies_clear(&tallies);
}

static void
services_that_differ_are_counted_apart(void **state)
{
	struct ptah_tallies tallies = { .n_workers = 1 };
	struct ptah_tally *all[] = {
		ptah_tally_open(&tallies, "a", "obfs4", PTAH_SERVER),
		ptah_tally_open(&tallies, "b", "obfs4", PTAH_SERVER),
		ptah_tally_open(&tallies, "a", "dummy", PTAH_SERVER),
		ptah_tally_open(&tallies, "a", "obfs4", PTAH_CLIENT),
	};
	const size_t n = sizeof(all) / sizeof(all[0]);

	(void)state;
	for (size_t i = 0; i < n; i++)
		ptah_stats_add(ptah_tally_at(all[i], 0), PTAH_STAT_WIRE_BYTES_IN, 1 + i);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(sum_of(all[i], PTAH_STAT_WIRE_BYTES_IN), 1 + i);
		ptah_tally_close(all[i]);
	}
	assert_int_equal(sum_of_all(&tallies, PTAH_STAT_WIRE_BYTES_IN), 10);
	ptah_tallies_clear(&tallies);
}

static void
what_a_service_counted_outlives_it_in_the_sum(void **state)
{
	struct ptah_tallies tallies = { .n_workers = 1 };
	struct ptah_tally *gone = ptah_tally_open(&tallies, "a", "dummy", PTAH_SERVER);

	(void)state;
	ptah_stats_add(ptah_tally_at(gone, 0), PTAH_STAT_REPLAYS, 5);
	ptah_tally_close(gone);

	struct ptah_tally *other = ptah_tally_open(&tallies, "b", "dummy", PTAH_SERVER);

	assert_ptr_equal(tallies.first, other);
	assert_null(other->next);
	assert_int_equal(sum_of_all(&tallies, PTAH_STAT_REPLAYS), 5);
	ptah_tally_close(other);
	ptah_tallies_clear(&tallies);
}

/* Whoever holds a rejected peer writes once more, when it goes. */
static void
a_tally_stays_while_it_holds_a_probe(void **state)
{
	struct ptah_tallies tallies = { .n_workers = 2 };
	struct ptah_tally *gone = ptah_tally_open(&tallies, "a", "dummy", PTAH_SERVER);

	(void)state;
	ptah_stats_add(ptah_tally_at(gone, 1), PTAH_STAT_PROBES_HELD, 1);
	ptah_tally_close(gone);
	ptah_tally_close(ptah_tally_open(&tallies, "b", "dummy", PTAH_SERVER));
	assert_int_equal(sum_of(gone, PTAH_STAT_PROBES_HELD), 1);

	ptah_stats_less(ptah_tally_at(gone, 1), PTAH_STAT_PROBES_HELD);
	ptah_tally_close(ptah_tally_open(&tallies, "b", "dummy", PTAH_SERVER));
	assert_null(tallies.first->next);
	ptah_tallies_clear(&tallies);
}

static void
a_dial_falls_into_the_bucket_that_holds_it(void **state)
{
	static const struct {
		uint64_t us;
		unsigned bucket;
	} cases[] = { { 0, 0 }, { 5000, 0 }, { 5001, 1 }, { 99000, 4 }, { 30000000, 11 }, { 30000001, 12 }, { 900000000, 12 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_stats stats = { 0 };

		ptah_stats_dialed(&stats, cases[i].us * 1000);
		assert_int_equal(ptah_stats_get(&stats, (enum ptah_stat)(PTAH_STAT_DIAL_FIRST + cases[i].bucket)), 1);
		assert_int_equal(ptah_stats_get(&stats, PTAH_STAT_DIAL_NS), cases[i].us * 1000);
	}
}

static void
a_failure_is_counted_by_its_reason(void **state)
{
	static const struct {
		int rc;
		enum ptah_stat stat;
	} cases[] = {
		{ -ETIMEDOUT, PTAH_STAT_FAILED_TIMEOUT }, { -EACCES, PTAH_STAT_FAILED_REJECTED },
		{ -ECONNRESET, PTAH_STAT_FAILED_CLOSED }, { -EPIPE, PTAH_STAT_FAILED_CLOSED },
		{ -EPROTO, PTAH_STAT_FAILED_PROTOCOL }, { -EBADMSG, PTAH_STAT_FAILED_PROTOCOL },
		{ -ECANCELED, PTAH_STAT_FAILED_CANCELLED }, { -ENOMEM, PTAH_STAT_FAILED_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(ptah_stats_failure(cases[i].rc), cases[i].stat);
}

static void
each_counter_of_the_line_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < PTAH_STAT_NAMED_N; i++) {
		assert_non_null(ptah_stats_name((enum ptah_stat)i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(ptah_stats_name((enum ptah_stat)i), ptah_stats_name((enum ptah_stat)j));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_changed_service_goes_on_in_its_tally),
		cmocka_unit_test(services_that_differ_are_counted_apart),
		cmocka_unit_test(what_a_service_counted_outlives_it_in_the_sum),
		cmocka_unit_test(a_tally_stays_while_it_holds_a_probe),
		cmocka_unit_test(a_dial_falls_into_the_bucket_that_holds_it),
		cmocka_unit_test(a_failure_is_counted_by_its_reason),
		cmocka_unit_test(each_counter_of_the_line_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
