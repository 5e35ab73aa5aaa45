/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "transport/replay.h"

static int
check(struct ptah_replay *replay, const char *scope, const char *token, uint32_t ttl_s, uint64_t now_s)
{
	return ptah_replay_check(replay, (struct ptah_span){ (const uint8_t *)scope, strlen(scope) },
	    (struct ptah_span){ (const uint8_t *)token, strlen(token) }, ttl_s, now_s);
}

static int
check_number(struct ptah_replay *replay, uint32_t number, uint32_t ttl_s, uint64_t now_s)
{
	return ptah_replay_check(replay, (struct ptah_span){ NULL, 0 },
	    (struct ptah_span){ (const uint8_t *)&number, sizeof(number) }, ttl_s, now_s);
}

static void
knows_a_token_in_its_scope_only(void **state)
{
	struct ptah_replay *replay = ptah_replay_new(100);

	(void)state;
	assert_int_equal(check(replay, "ab", "c", 0, 1), 1);
	assert_int_equal(check(replay, "ab", "c", 0, 1), 0);
	assert_int_equal(check(replay, "a", "bc", 0, 1), 1);
	assert_int_equal(check(replay, "", "abc", 0, 1), 1);
	assert_int_equal(check(replay, "ab", "", 0, 1), 1);
	assert_int_equal(check(replay, "ab", "", 0, UINT64_MAX - 1), 0);
	ptah_replay_free(replay);
}

static void
remembers_for_the_time_and_forgets_before_twice_that(void **state)
{
	struct ptah_replay *replay = ptah_replay_new(1000);

	(void)state;
	/* At every moment of a period, a token counts for at least its time and at most twice. */
	for (uint64_t at = 100; at < 130; at++) {
		char name[16];

		snprintf(name, sizeof(name), "t%u", (unsigned)at);
		assert_int_equal(check(replay, "", name, 10, at), 1);
		for (uint64_t later = 100; later <= at; later++) {
			snprintf(name, sizeof(name), "t%u", (unsigned)later);
			if (at < later + 10)
				assert_int_equal(check(replay, "", name, 10, at), 0);
		}
	}
	ptah_replay_free(replay);
	for (uint64_t at = 100; at < 120; at++) {
		replay = ptah_replay_new(1000);
		assert_int_equal(check(replay, "", "first", 10, 100), 1);
		assert_int_equal(check(replay, "", "one", 10, at), 1);
		assert_int_equal(check(replay, "", "one", 10, at + 9), 0);
		assert_int_equal(check(replay, "", "one", 10, at + 20), 1);
		ptah_replay_free(replay);
	}
}

static void
keeps_different_times_apart(void **state)
{
	struct ptah_replay *replay = ptah_replay_new(1000);

	(void)state;
	assert_int_equal(check(replay, "", "short", 5, 10), 1);
	assert_int_equal(check(replay, "", "long", 10000, 10), 1);
	assert_int_equal(check(replay, "", "ever", 0, 10), 1);
	assert_int_equal(check(replay, "", "short", 5, 100), 1);
	assert_int_equal(check(replay, "", "long", 10000, 100), 0);
	assert_int_equal(check(replay, "", "ever", 0, 1000000), 0);
	/* More times than there is room for: the longest takes them. */
	for (uint32_t ttl = 1; ttl < 40; ttl++) {
		assert_int_equal(check_number(replay, ttl, ttl, 2000), 1);
		assert_int_equal(check_number(replay, ttl, ttl, 2000), 0);
	}
	ptah_replay_free(replay);
}

static void
drops_the_eldest_when_it_is_full(void **state)
{
	const uint32_t most = 1000, all = 25000;
	struct ptah_replay *replay = ptah_replay_new(most);

	(void)state;
	for (uint32_t i = 0; i < all; i++) {
		assert_int_equal(check_number(replay, i, 0, 1), 1);
		assert_int_equal(check_number(replay, i >= most / 2 ? i - most / 2 : 0, 0, 1), 0);
	}
	for (uint32_t i = all - most; i < all; i++)
		assert_int_equal(check_number(replay, i, 0, 1), 0);
	assert_int_equal(check_number(replay, 0, 0, 1), 1);
	ptah_replay_free(replay);
}

static void
knows_a_million_and_takes_hardly_a_fresh_one_for_a_replay(void **state)
{
	struct ptah_replay *replay = ptah_replay_new(PTAH_REPLAY_MAX);
	unsigned wrong = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++)
		wrong += check_number(replay, i, 10800, 1) != 1;
	/* About one in a million is to be expected of the last; half of one in all. */
	assert_true(wrong <= 8);
	for (uint32_t i = 0; i < 1000000; i += 7)
		assert_int_equal(check_number(replay, i, 10800, 10800), 0);
	ptah_replay_free(replay);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_a_token_in_its_scope_only),
		cmocka_unit_test(remembers_for_the_time_and_forgets_before_twice_that),
		cmocka_unit_test(keeps_different_times_apart),
		cmocka_unit_test(drops_the_eldest_when_it_is_full),
		cmocka_unit_test(knows_a_million_and_takes_hardly_a_fresh_one_for_a_replay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
