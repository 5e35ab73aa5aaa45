/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "transport/replay.h"

static int
check(struct ptah_replay *replay, const char *scope, const char *token, uint32_t ttl_s, uint64_t now_s)
{
	return ptah_replay_check(replay, (struct ptah_span){ (const uint8_t *)scope, strlen(scope) },
	    (struct ptah_span){ (const uint8_t *)token, strlen(token) }, ttl_s, now_s);
}

/*
 * Marks have 39 bits, so what is fresh may seem known; of which tokens that is true the key decides, which is drawn.  With
 * keys that are always the same, another for each set, it is true of none below, or of those that were there before.
 */
void __wrap_ptah_random_bytes(void *out, size_t len);

void
__wrap_ptah_random_bytes(void *out, size_t len)
{
	static uint8_t n_drawn;

	memset(out, ++n_drawn, len);
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
	/* About one is to be expected in all. */
	assert_true(wrong <= 10);
	assert_true(ptah_replay_size(replay) < 5u * 1024 * 1024);
	for (uint32_t i = 0; i < 1000000; i += 7)
		assert_int_equal(check_number(replay, i, 10800, 10800), 0);
	ptah_replay_free(replay);
}

static void
takes_little_for_few(void **state)
{
	struct ptah_replay *replay = ptah_replay_new(PTAH_REPLAY_MAX);

	(void)state;
	assert_true(ptah_replay_size(replay) < 64u * 1024);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(check_number(replay, i, 10800, 1), 1);
	assert_true(ptah_replay_size(replay) < 128u * 1024);
	assert_int_equal(ptah_replay_count(replay), 1000);
	ptah_replay_free(replay);
}

/* A flood, hour by hour: memory does not grow, and nothing is forgotten too early. */
static void
stays_as_big_as_it_is(void **state)
{
	const uint32_t most = 20000, ttl = 160;
	struct ptah_replay *replay = ptah_replay_new(most);
	size_t size = 0;

	(void)state;
	for (uint32_t i = 0; i < 20 * most; i++) {
		uint64_t now = 1000 + i / 100; /* 16,000 in its time */

		assert_true(check_number(replay, i, ttl, now) >= 0);
		if (i >= 15000 && i % 97 == 0)
			assert_int_equal(check_number(replay, i - 15000, ttl, now), 0);
		if (i == 4 * most)
			size = ptah_replay_size(replay);
	}
	assert_true(ptah_replay_size(replay) <= size + size / 8);
	ptah_replay_free(replay);
}

/* ---- from one process to the next ------------------------------------------------ */

static int
load(struct ptah_replay *replay, const uint8_t *text, size_t len, uint64_t now_s, int64_t wall_s)
{
	const char *why = NULL;
	int rc = ptah_replay_load(replay, (struct ptah_span){ text, len }, now_s, wall_s, &why);

	assert_true(rc == 0 || why != NULL);
	return rc;
}

static void
remembers_in_the_next_process_what_is_not_too_old(void **state)
{
	struct ptah_replay *replay = ptah_replay_new(1000);
	uint8_t *text;
	size_t len;

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(check_number(replay, i, 160, 5000 + i), 1);
	assert_int_equal(check(replay, "scope", "ever", 0, 5000), 1);
	assert_int_equal(ptah_replay_save(replay, 5100, 900000, &text, &len), 0);
	ptah_replay_free(replay);

	/* Away for 100 seconds, and the clock begins again. */
	replay = ptah_replay_new(1000);
	assert_int_equal(load(replay, text, len, 7, 900100), 0);
	assert_int_equal(check(replay, "scope", "ever", 0, 7), 0);
	assert_int_equal(check(replay, "other", "ever", 0, 7), 1);
	for (uint32_t i = 41; i < 100; i++) /* 5000 + i + 160 > 5200 */
		assert_int_equal(check_number(replay, i, 160, 7), 0);
	for (uint32_t i = 0; i < 30; i++)
		assert_int_equal(check_number(replay, i, 160, 7), 1);
	/* And it goes on forgetting: the last one's time is over at 5260, 60 from then. */
	assert_int_equal(check_number(replay, 99, 160, 7 + 58), 0);
	assert_int_equal(check_number(replay, 99, 160, 7 + 61), 1);
	assert_int_equal(check_number(replay, 29, 160, 7 + 61), 0);
	ptah_replay_free(replay);

	/* A calendar that was set back makes it remember longer, one set forward shorter. */
	replay = ptah_replay_new(1000);
	assert_int_equal(load(replay, text, len, 7, 1), 0);
	assert_int_equal(check_number(replay, 99, 160, 7 + 158), 0);
	ptah_replay_free(replay);
	replay = ptah_replay_new(1000);
	assert_int_equal(load(replay, text, len, 7, INT64_MAX), 0);
	assert_int_equal(check_number(replay, 99, 160, 7), 1);
	assert_int_equal(check(replay, "scope", "ever", 0, 7), 0);
	ptah_replay_free(replay);
	free(text);
}

static void
carries_a_full_set_over(void **state)
{
	struct ptah_replay *replay = ptah_replay_new(50000);
	uint8_t *text, *again;
	size_t len, again_len;

	(void)state;
	for (uint32_t i = 0; i < 120000; i++)
		assert_true(check_number(replay, i, 10800, 1 + i / 50) >= 0);
	assert_int_equal(ptah_replay_save(replay, 2401, 10, &text, &len), 0);
	assert_true(len < 51600 * 5 + 1000);
	ptah_replay_free(replay);
	replay = ptah_replay_new(50000);
	assert_int_equal(load(replay, text, len, 1, 10), 0);
	assert_int_equal(ptah_replay_save(replay, 1, 10, &again, &again_len), 0);
	assert_int_equal(again_len, len);
	for (uint32_t i = 70000; i < 120000; i++)
		assert_int_equal(check_number(replay, i, 10800, 1), 0);
	/* It was full, and goes on. */
	for (uint32_t i = 0; i < 70000; i++)
		assert_true(check_number(replay, 200000 + i, 10800, 2 + i / 50) >= 0);
	for (uint32_t i = 20001; i < 70000; i++)
		assert_int_equal(check_number(replay, 200000 + i, 10800, 1500), 0);
	ptah_replay_free(replay);
	free(text);
	free(again);
}

static void
refuses_a_text_that_was_changed(void **state)
{
	struct ptah_replay *replay = ptah_replay_new(100), *other = ptah_replay_new(100);
	uint8_t *text;
	size_t len;

	(void)state;
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(check_number(replay, i, 100, 5), 1);
	assert_int_equal(ptah_replay_save(replay, 5, 5, &text, &len), 0);
	for (size_t i = 0; i < len; i++) {
		text[i] ^= 1;
		assert_int_equal(load(other, text, len, 5, 5), -EBADMSG);
		text[i] ^= 1;
		assert_int_equal(load(other, text, i, 5, 5), -EBADMSG);
	}
	/* Nothing of it was taken, and the set works. */
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(check_number(other, i, 100, 5), 1);
	ptah_replay_free(replay);
	ptah_replay_free(other);
	free(text);
}

static struct ptah_span
save(struct ptah_replay *replay, uint64_t now_s)
{
	uint8_t *text;
	size_t len;

	assert_int_equal(ptah_replay_save(replay, now_s, 1000, &text, &len), 0);
	return (struct ptah_span){ text, len };
}

/* Two processes: what comes to the one is to be known to the other, too. */
static void
merges_what_another_process_remembers(void **state)
{
	struct ptah_replay *old = ptah_replay_new(1000), *heir = ptah_replay_new(1000), *stranger = ptah_replay_new(1000);
	struct ptah_span text;

	(void)state;
	assert_int_equal(check(old, "", "first", 100, 5), 1);
	text = save(old, 5);
	assert_int_equal(ptah_replay_merge(heir, text, 7, 1000), 0);
	free((void *)text.at);
	assert_int_equal(check(heir, "", "heir's", 100, 8), 1);
	assert_int_equal(check(old, "", "second", 100, 6), 1);
	assert_int_equal(check(old, "", "of another time", 50, 6), 1);
	text = save(old, 6);
	assert_int_equal(ptah_replay_merge(heir, text, 9, 1000), 0);
	assert_int_equal(ptah_replay_merge(heir, text, 9, 1000), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(check(heir, "", "first", 100, 10), 0);
		assert_int_equal(check(heir, "", "second", 100, 10), 0);
		assert_int_equal(check(heir, "", "heir's", 100, 10), 0);
		assert_int_equal(check(heir, "", "of another time", 50, 10), 0);
	}
	assert_int_equal(check(heir, "", "third", 100, 10), 1);
	/* One that has a key of its own cannot read it; and a text that was changed says nothing. */
	assert_int_equal(check(stranger, "", "first", 100, 5), 1);
	assert_int_equal(ptah_replay_merge(stranger, text, 9, 1000), -EEXIST);
	((uint8_t *)text.at)[text.len - 20] ^= 1;
	assert_int_equal(ptah_replay_merge(heir, text, 9, 1000), -EBADMSG);
	free((void *)text.at);
	ptah_replay_free(old);
	ptah_replay_free(heir);
	ptah_replay_free(stranger);
}

/* Resident memory of this process, in bytes. */
static size_t
resident(void)
{
	unsigned long size, pages;
	FILE *file = fopen("/proc/self/statm", "r");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &size, &pages), 2);
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void
web_078_a_million_salts_take_less_than_64_mib(void **state)
{
	size_t before = resident();
	struct ptah_replay *replay = ptah_replay_new(PTAH_REPLAY_MAX);
	uint8_t salt[32] = { 0 };

	(void)state;
	assert_non_null(replay);
	/* Three times as many, so that it must forget. */
	for (uint32_t i = 0; i < 3000000; i++) {
		memcpy(salt, &i, sizeof(i));
		assert_true(ptah_replay_check(replay, (struct ptah_span){ (const uint8_t *)"scope", 5 },
		    (struct ptah_span){ salt, sizeof(salt) }, 0, 1) >= 0);
	}
	assert_true(resident() <= before + ((size_t)64 << 20));
	assert_in_range(ptah_replay_size(replay), 1 << 20, (size_t)64 << 20);
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
		cmocka_unit_test(takes_little_for_few),
		cmocka_unit_test(stays_as_big_as_it_is),
		cmocka_unit_test(remembers_in_the_next_process_what_is_not_too_old),
		cmocka_unit_test(carries_a_full_set_over),
		cmocka_unit_test(refuses_a_text_that_was_changed),
		cmocka_unit_test(merges_what_another_process_remembers),
		cmocka_unit_test(knows_a_million_and_takes_hardly_a_fresh_one_for_a_replay),
		cmocka_unit_test(web_078_a_million_salts_take_less_than_64_mib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
