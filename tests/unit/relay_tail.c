/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relay/tail.h"

#define KEPT ((size_t)200000)
#define BITE ((size_t)32768)

static uint8_t bytes[2 * PTAH_TAIL_MOST + 1];

static uint8_t
byte_at(size_t i)
{
	return (uint8_t)(i * 131 + i / 251);
}

static int
fill(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = byte_at(i);
	return 0;
}

static void
assert_holds(const struct ptah_tail *tail, size_t from, size_t len)
{
	assert_int_equal(tail->len, len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(tail->at[i], byte_at(from + i));
}

static void
is_eaten_from_the_front_without_being_copied_each_time(void **state)
{
	struct ptah_tail tail = { 0 };
	unsigned moves = 0;

	(void)state;
	assert_int_equal(ptah_tail_set(&tail, (struct ptah_span){ bytes, KEPT }), 0);
	for (size_t eaten = BITE; eaten < KEPT; eaten += BITE) {
		const uint8_t *before = tail.base;

		assert_int_equal(ptah_tail_set(&tail, (struct ptah_span){ tail.at + BITE, tail.len - BITE }), 0);
		moves += tail.base != before;
		assert_holds(&tail, eaten, KEPT - eaten);
		/* What is eaten is not kept for ever. */
		assert_true((size_t)(tail.at - tail.base) <= 3 * tail.len + 3);
	}
	assert_in_range(moves, 1, 2);
	ptah_tail_clear(&tail);
	assert_null(tail.base);
}

static void
takes_more_behind_what_is_left(void **state)
{
	struct ptah_tail tail = { 0 };

	(void)state;
	assert_int_equal(ptah_tail_add(&tail, (struct ptah_span){ bytes, 1000 }), 0);
	assert_int_equal(ptah_tail_set(&tail, (struct ptah_span){ tail.at + 100, 900 }), 0);
	assert_int_equal(ptah_tail_add(&tail, (struct ptah_span){ bytes + 1000, KEPT }), 0);
	assert_holds(&tail, 100, 900 + KEPT);
	assert_int_equal(ptah_tail_add(&tail, (struct ptah_span){ NULL, 0 }), 0);
	assert_holds(&tail, 100, 900 + KEPT);
	assert_int_equal(ptah_tail_set(&tail, (struct ptah_span){ NULL, 0 }), 0);
	assert_null(tail.base);
}

static void
keeps_no_more_than_its_limit(void **state)
{
	struct ptah_tail tail = { 0 };

	(void)state;
	assert_int_equal(ptah_tail_set(&tail, (struct ptah_span){ bytes, PTAH_TAIL_MOST + 1 }), -EMSGSIZE);
	assert_int_equal(ptah_tail_set(&tail, (struct ptah_span){ bytes, PTAH_TAIL_MOST }), 0);
	assert_int_equal(ptah_tail_add(&tail, (struct ptah_span){ bytes, PTAH_TAIL_MOST + 1 }), -EMSGSIZE);
	assert_holds(&tail, 0, PTAH_TAIL_MOST);
	ptah_tail_clear(&tail);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_eaten_from_the_front_without_being_copied_each_time),
		cmocka_unit_test(takes_more_behind_what_is_left),
		cmocka_unit_test(keeps_no_more_than_its_limit),
	};

	return cmocka_run_group_tests(tests, fill, NULL);
}
