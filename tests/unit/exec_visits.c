/* SPDX-License-Identifier: BSD-3-Clause */
/* A program's connections to our ORPort, as exec's home keeps them; host and clock are the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>

#include "home.h"

#define MS UINT64_C(1000000)
#define FIRST_NS (500 * MS)
#define MANY 1024

/* Nothing is ever looked at in a stream but its address. */
static uint8_t streams[MANY + 2];
static uint64_t now, timer_at; /* 0: it does not run */
static int timer_rc;
static unsigned n_arrived, n_dropped, n_eaten;
static const struct ptah_stream *last;

static struct ptah_stream *
stream(unsigned i)
{
	return (struct ptah_stream *)(void *)&streams[i];
}

static uint64_t
fake_now(struct ptah_self *self)
{
	(void)self;
	return now;
}

static int
fake_timer(struct ptah_self *self, uint32_t which, uint64_t after_ns)
{
	(void)self;
	assert_int_equal(which, EXEC_T_VISITS);
	assert_true(after_ns > 0);
	if (timer_rc == 0)
		timer_at = now + after_ns;
	return timer_rc;
}

static int
fake_arrive(struct ptah_self *self, struct ptah_stream *at, const char *peer, const char *dest, uint64_t cookie)
{
	(void)self;
	(void)cookie;
	assert_string_equal(peer, "");
	assert_null(dest);
	last = at;
	n_arrived++;
	return 0;
}

static void
fake_drop(struct ptah_stream *at)
{
	last = at;
	n_dropped++;
}

static void
fake_eat(struct ptah_stream *at, size_t n)
{
	(void)at;
	n_eaten += (unsigned)n;
}

static size_t
fake_write(struct ptah_stream *at, struct ptah_span bytes)
{
	(void)at;
	return bytes.len;
}

static const struct ptah_host host = {
	.size = sizeof(host),
	.now_ns = fake_now,
	.timer = fake_timer,
	.eat = fake_eat,
	.write = fake_write,
	.drop = fake_drop,
	.arrive = fake_arrive,
};

static const struct exec_conf waits = { .client_first_ns = FIRST_NS }, waits_not, asks = { .client_first_ns = FIRST_NS, .ext_orport = 1 };

static struct exec_home
home_of(const struct exec_conf *conf)
{
	now = 1000 * MS;
	timer_at = 0;
	timer_rc = 0;
	n_arrived = n_dropped = n_eaten = 0;
	last = NULL;
	return (struct exec_home){ .conf = conf, .host = &host };
}

static void
comes(struct exec_home *home, unsigned i)
{
	const struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_ACCEPT, .stream = stream(i) };

	exec_visits_accept(home, &event);
}

static void
says(struct exec_home *home, unsigned i, uint32_t bits)
{
	const struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_STREAM, .stream = stream(i), .val = bits,
		.body = { (const uint8_t *)"word", 4 } };

	assert_int_equal(exec_visits_hear(home, &event), 1);
}

static void
until_timer(struct exec_home *home)
{
	assert_true(timer_at > now);
	now = timer_at;
	timer_at = 0;
	exec_visits_timer(home);
}

static void
the_target_is_not_heard_before_the_client(void **state)
{
	static const uint32_t words[] = { PTAH_STREAM_INPUT, PTAH_STREAM_ENDED, PTAH_STREAM_INPUT | PTAH_STREAM_ENDED };

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct exec_home home = home_of(&waits);

		comes(&home, 0);
		says(&home, 0, PTAH_STREAM_ROOM);
		assert_int_equal(n_arrived, 0);
		says(&home, 0, words[i]);
		assert_int_equal(n_arrived, 1);
		assert_ptr_equal(last, stream(0));
		assert_int_equal(n_eaten, 0); /* it is the link's */
		assert_null(home.visits);
	}
}

static void
a_silent_client_is_waited_for_so_long(void **state)
{
	struct exec_home home = home_of(&waits);

	(void)state;
	comes(&home, 0);
	now += 200 * MS;
	comes(&home, 1);
	until_timer(&home);
	assert_int_equal(n_arrived, 1);
	assert_ptr_equal(last, stream(0));
	until_timer(&home);
	assert_int_equal(n_arrived, 2);
	assert_int_equal(now, 1700 * MS);
	assert_int_equal(timer_at, 0);
	assert_int_equal(home.n_visits, 0);
	/* And the same again. */
	comes(&home, 2);
	until_timer(&home);
	assert_int_equal(n_arrived, 3);
}

static void
nobody_is_waited_for_where_that_is_said(void **state)
{
	struct exec_home home = home_of(&waits_not);

	(void)state;
	comes(&home, 0);
	assert_int_equal(n_arrived, 1);
	assert_int_equal(timer_at, 0);
}

static void
without_a_clock_nobody_waits(void **state)
{
	struct exec_home home = home_of(&waits);

	(void)state;
	timer_rc = -ENOMEM;
	comes(&home, 0);
	assert_int_equal(n_arrived, 1);
	home = home_of(&asks);
	timer_rc = -ENOMEM;
	comes(&home, 0);
	assert_int_equal(n_dropped, 1);
	assert_null(home.visits);
}

static void
too_many_go_on_at_once(void **state)
{
	struct exec_home home = home_of(&waits);

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		comes(&home, i);
	assert_int_equal(n_arrived, 0);
	comes(&home, MANY);
	assert_int_equal(n_arrived, MANY);
	assert_int_equal(home.n_visits, 1);
	until_timer(&home);
	assert_int_equal(n_arrived, MANY + 1);
	assert_int_equal(n_dropped, 0);
}

static void
who_does_not_say_who_it_is_must_go(void **state)
{
	struct exec_home home = home_of(&asks);

	(void)state;
	comes(&home, 0);
	comes(&home, 1);
	says(&home, 1, PTAH_STREAM_ENDED);
	assert_int_equal(n_dropped, 1);
	assert_ptr_equal(last, stream(1));
	until_timer(&home);
	assert_int_equal(now, 11000 * MS);
	assert_int_equal(n_dropped, 2);
	assert_int_equal(n_arrived, 0);
	/* Who comes when there are too many of them has no place. */
	for (unsigned i = 0; i <= MANY; i++)
		comes(&home, i);
	assert_int_equal(n_dropped, 3);
	assert_ptr_equal(last, stream(MANY));
	exec_visits_close(&home);
	assert_int_equal(n_dropped, 3 + MANY);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_target_is_not_heard_before_the_client),
		cmocka_unit_test(a_silent_client_is_waited_for_so_long),
		cmocka_unit_test(nobody_is_waited_for_where_that_is_said),
		cmocka_unit_test(without_a_clock_nobody_waits),
		cmocka_unit_test(too_many_go_on_at_once),
		cmocka_unit_test(who_does_not_say_who_it_is_must_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
