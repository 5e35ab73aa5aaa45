/* SPDX-License-Identifier: BSD-3-Clause */
/* check/patience.h: how long a module that gets on is waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "check/patience.h"

#define BEGAN_NS (12345 * PTAH_NS_PER_S)

/* It uses so many milliseconds of each second, until the second 'idle_s'.  How many seconds it is waited for, at most 10,000. */
static unsigned
waited_for(unsigned ms, unsigned idle_s)
{
	struct ptah_patience patience;
	uint64_t used_ns = 0;
	unsigned s = 0;

	ptah_patience_begin(&patience, BEGAN_NS, 60 * PTAH_NS_PER_S);
	while (s < 10000 && ptah_patience_lasts(&patience, BEGAN_NS + s * PTAH_NS_PER_S, used_ns))
		if (s++ < idle_s)
			used_ns += ms * PTAH_NS_PER_MS;
	return s;
}

static void
who_uses_nothing_has_the_limit(void **state)
{
	(void)state;
	assert_int_equal(waited_for(0, 0), 60);
	assert_int_equal(waited_for(1000, 49), 60); /* it used a lot, and then no more */
	assert_int_equal(waited_for(10, 10000), 60); /* it wakes to see that there is nothing */
}

static void
who_gets_on_has_more(void **state)
{
	(void)state;
	assert_int_equal(waited_for(1000, 10000), 10000);
	assert_int_equal(waited_for(50, 10000), 10000); /* a twentieth is what it can get */
	assert_in_range(waited_for(50, 300), 300, 300 + 2 * PTAH_PATIENCE_LOOK_S);
}

/* Who was not asked for long has looked at nothing. */
static void
who_looks_late_looks_all_the_same(void **state)
{
	struct ptah_patience patience;

	(void)state;
	ptah_patience_begin(&patience, BEGAN_NS, 60 * PTAH_NS_PER_S);
	assert_true(ptah_patience_lasts(&patience, BEGAN_NS + 500 * PTAH_NS_PER_S, PTAH_NS_PER_S));
	assert_true(ptah_patience_lasts(&patience, BEGAN_NS + 509 * PTAH_NS_PER_S, PTAH_NS_PER_S));
	assert_false(ptah_patience_lasts(&patience, BEGAN_NS + 510 * PTAH_NS_PER_S, PTAH_NS_PER_S));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_uses_nothing_has_the_limit),
		cmocka_unit_test(who_gets_on_has_more),
		cmocka_unit_test(who_looks_late_looks_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
