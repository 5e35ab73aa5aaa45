/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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
forgets_when_the_time_is_over(void **state)
{
	struct ptah_replay *replay = ptah_replay_new(100);

	(void)state;
	assert_int_equal(check(replay, "", "long", 100, 10), 1);
	assert_int_equal(check(replay, "", "short", 5, 10), 1);
	assert_int_equal(check(replay, "", "short", 5, 14), 0);
	/* Behind one that still counts, so it is there, but counts no more; it is remembered again from now. */
	assert_int_equal(check(replay, "", "short", 5, 15), 1);
	assert_int_equal(check(replay, "", "short", 5, 19), 0);
	assert_int_equal(check(replay, "", "long", 100, 109), 0);
	assert_int_equal(check(replay, "", "long", 100, 110), 1);
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
	assert_int_equal(check_number(replay, all - most - 1, 0, 1), 1);
	ptah_replay_free(replay);
}

static void
makes_room_of_what_is_over(void **state)
{
	struct ptah_replay *replay = ptah_replay_new(600);

	(void)state;
	for (uint32_t i = 0; i < 600; i++)
		assert_int_equal(check_number(replay, i, 10, 1), 1);
	for (uint32_t i = 1000; i < 1600; i++)
		assert_int_equal(check_number(replay, i, 10, 11), 1);
	for (uint32_t i = 1000; i < 1600; i++)
		assert_int_equal(check_number(replay, i, 10, 20), 0);
	ptah_replay_free(replay);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_a_token_in_its_scope_only),
		cmocka_unit_test(forgets_when_the_time_is_over),
		cmocka_unit_test(drops_the_eldest_when_it_is_full),
		cmocka_unit_test(makes_room_of_what_is_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
