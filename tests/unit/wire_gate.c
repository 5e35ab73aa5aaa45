/* SPDX-License-Identifier: BSD-3-Clause */
/* wire/gate.h: how many links a service lets in. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "stats/stats.h"
#include "wire/gate.h"

static struct ptah_stats stats;

static struct ptah_gate *
gate_of(const struct ptah_bounds *bounds)
{
	struct ptah_gate *gate;

	memset(&stats, 0, sizeof(stats));
	assert_int_equal(ptah_gate_new(bounds, "bridge", &gate), 0);
	return gate;
}

static struct ptah_addr
address(const char *text)
{
	struct ptah_addr addr = { .sa.sa_family = AF_UNSPEC };

	if (text != NULL)
		assert_int_equal(ptah_addr_parse(&addr, text), 0);
	return addr;
}

static int
sit(struct ptah_gate *gate, const char *from, struct ptah_seat **seat)
{
	struct ptah_addr addr = address(from);

	return ptah_gate_sit(gate, &stats, &addr, seat);
}

static void
is_not_there_where_nothing_is_bounded(void **state)
{
	static const struct ptah_bounds none = { .backlog = 5, .prefix_v4 = 32, .prefix_v6 = 64, .family = AF_INET };
	struct ptah_gate *gate = gate_of(&none);
	struct ptah_seat *seat;

	(void)state;
	assert_null(gate);
	assert_int_equal(ptah_gate_enter(gate), 0);
	ptah_gate_undo(gate);
	ptah_gate_add(gate);
	ptah_gate_leave(gate);
	assert_int_equal(sit(gate, "192.0.2.1:1", &seat), 0);
	assert_null(seat);
	ptah_seat_leave(seat);
	assert_int_equal(ptah_gate_gone_s(gate, 90), 90);
	ptah_gate_free(gate);
}

static void
lets_so_many_in_at_once(void **state)
{
	static const struct ptah_bounds bounds = { .links = 3, .keep_alive_s = 7 };
	struct ptah_gate *gate = gate_of(&bounds);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(ptah_gate_enter(gate), 0);
	assert_int_equal(ptah_gate_enter(gate), PTAH_GATE_LINKS);
	assert_int_equal(ptah_gate_enter(gate), PTAH_GATE_LINKS);
	ptah_gate_leave(gate);
	assert_int_equal(ptah_gate_enter(gate), 0);
	assert_int_equal(ptah_gate_enter(gate), PTAH_GATE_LINKS);
	/* One that is there already counts, too. */
	ptah_gate_add(gate);
	ptah_gate_undo(gate);
	assert_int_equal(ptah_gate_enter(gate), PTAH_GATE_LINKS);
	ptah_gate_waits(gate, &stats, PTAH_GATE_LINKS);
	assert_int_equal(ptah_stats_get(&stats, PTAH_STAT_REFUSED_LINKS), 1);
	assert_int_equal(ptah_gate_gone_s(gate, 90), 7);
	ptah_gate_free(gate);
}

/* How many it takes in a time; it asks all the time. */
static unsigned
taken_in(struct ptah_gate *gate, uint64_t ms)
{
	uint64_t end = ptah_clock_now_ns() + ms * PTAH_NS_PER_MS;
	unsigned n = 0;

	while (ptah_clock_now_ns() < end)
		if (ptah_gate_enter(gate) == 0)
			n++;
	return n;
}

static void
lets_so_many_in_per_second(void **state)
{
	static const struct ptah_bounds bounds = { .links_per_second = 50 };
	struct ptah_gate *gate = gate_of(&bounds);
	uint64_t began = ptah_clock_now_ns(), asked = began;
	unsigned n = 0;
	int rc;

	(void)state;
	/* As many as may come in a second may come at once. */
	while ((rc = ptah_gate_enter(gate)) == 0) {
		n++;
		asked = ptah_clock_now_ns();
	}
	unsigned since = (unsigned)((ptah_clock_now_ns() - began) / (PTAH_NS_PER_S / 50));
	assert_in_range(n, 50, 50 + since);
	assert_int_equal(rc, PTAH_GATE_RATE);
	/* Then one each 20 ms, however late this is run: from before the one that was refused, for there was no whole one then. */
	began = asked;
	n = taken_in(gate, 200);
	while (ptah_gate_enter(gate) == 0)
		n++;
	uint64_t took = ptah_clock_now_ns() - began;
	assert_in_range(n, 9, took / (PTAH_NS_PER_S / 50) + 1);
	/* One that did not come is given back, and leaves no link behind. */
	while (ptah_gate_enter(gate) == 0)
		n++;
	ptah_gate_undo(gate);
	assert_int_equal(ptah_gate_enter(gate), 0);
	ptah_gate_free(gate);
}

static void
counts_links_of_a_prefix(void **state)
{
	static const struct ptah_bounds bounds = { .links_per_prefix = 2, .prefix_v4 = 24, .prefix_v6 = 56 };
	static const struct {
		const char *one, *other; /* of one prefix or not */
		int rc;
	} cases[] = {
		{ "192.0.2.1:1", "192.0.2.255:9", -EUSERS },
		{ "192.0.2.1:1", "[::ffff:192.0.2.7]:9", -EUSERS },
		{ "192.0.2.1:1", "192.0.3.1:1", 0 },
		{ "[2001:db8:0:1::1]:1", "[2001:db8:0:ff::2]:2", -EUSERS },
		{ "[2001:db8:0:100::1]:1", "[2001:db8:0:200::1]:1", 0 },
		{ "0.0.0.0:1", "[::]:1", 0 },
		{ NULL, NULL, 0 },
	};
	struct ptah_gate *gate = gate_of(&bounds);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_seat *first, *second, *third, *again = NULL;
		uint64_t refused = ptah_stats_get(&stats, PTAH_STAT_REFUSED_PREFIX);

		assert_int_equal(sit(gate, cases[i].one, &first), 0);
		assert_int_equal(first == NULL, cases[i].one == NULL);
		assert_int_equal(sit(gate, cases[i].one, &second), 0);
		assert_int_equal(sit(gate, cases[i].other, &third), cases[i].rc);
		assert_int_equal(ptah_stats_get(&stats, PTAH_STAT_REFUSED_PREFIX), refused + (cases[i].rc != 0));
		if (cases[i].rc != 0)
			assert_null(third);
		ptah_seat_leave(first);
		assert_int_equal(sit(gate, cases[i].one, &again), 0);
		ptah_seat_leave(again);
		ptah_seat_leave(second);
		ptah_seat_leave(third);
	}
	ptah_gate_free(gate);
}

static void
turns_away_who_cannot_wait(void **state)
{
	static const struct ptah_bounds bounds = {
		.links = 3, .links_per_second = 4, .links_per_prefix = 1, .prefix_v4 = 32, .prefix_v6 = 64,
	};
	struct ptah_gate *gate = gate_of(&bounds);
	struct ptah_seat *seats[3], *none;
	struct ptah_addr addr;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		char text[32];

		snprintf(text, sizeof(text), "192.0.2.%u:1", i);
		addr = address(text);
		assert_int_equal(ptah_gate_admit(gate, &stats, &addr, &seats[i]), 0);
		if (i == 1) /* again; neither a link nor a token of the second is lost to it */
			assert_int_equal(ptah_gate_admit(gate, &stats, &addr, &none), -EUSERS);
	}
	addr = address("192.0.2.9:1");
	assert_int_equal(ptah_gate_admit(gate, &stats, &addr, &none), -EUSERS);
	assert_int_equal(ptah_stats_get(&stats, PTAH_STAT_REFUSED_LINKS), 1);
	assert_int_equal(ptah_stats_get(&stats, PTAH_STAT_REFUSED_PREFIX), 1);
	ptah_seat_leave(seats[0]);
	ptah_gate_leave(gate);
	assert_int_equal(ptah_gate_admit(gate, &stats, &addr, &seats[0]), 0);
	for (unsigned i = 0; i < 3; i++)
		ptah_seat_leave(seats[i]);
	ptah_gate_free(gate);
}

#define THREADS 4
#define ROUNDS 5000u

struct crowd {
	struct ptah_gate *gate;
	unsigned n; /* how often it came in */
	bool too_many;
};

static _Atomic int inside, of_prefix[4];

static void *
come_and_go(void *arg)
{
	struct crowd *crowd = arg;

	for (unsigned i = 0; crowd->n < ROUNDS; i++) {
		unsigned prefix = (i * 7 + crowd->n) % 4;
		struct ptah_addr from = { .sa.sa_family = AF_INET };
		struct ptah_seat *seat;

		from.v4.sin_addr.s_addr = htonl(0x0a000000u + prefix * 256 + i % 256);
		if (ptah_gate_enter(crowd->gate) != 0) {
			sched_yield(); /* who is inside may have been interrupted there */
			continue;
		}
		crowd->too_many |= ++inside > 3;
		if (ptah_gate_sit(crowd->gate, &stats, &from, &seat) == 0) {
			crowd->too_many |= ++of_prefix[prefix] > 1;
			crowd->n++;
			of_prefix[prefix]--;
			ptah_seat_leave(seat);
		} else {
			sched_yield();
		}
		inside--;
		ptah_gate_leave(crowd->gate);
	}
	return NULL;
}

static void
holds_when_all_workers_come_at_once(void **state)
{
	static const struct ptah_bounds bounds = { .links = 3, .links_per_prefix = 1, .prefix_v4 = 24, .prefix_v6 = 64 };
	struct ptah_gate *gate = gate_of(&bounds);
	struct crowd crowds[THREADS];
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		crowds[i] = (struct crowd){ .gate = gate };
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &crowds[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_false(crowds[i].too_many);
	}
	/* Nothing is left in it. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(ptah_gate_enter(gate), 0);
	ptah_gate_free(gate);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_not_there_where_nothing_is_bounded),
		cmocka_unit_test(lets_so_many_in_at_once),
		cmocka_unit_test(lets_so_many_in_per_second),
		cmocka_unit_test(counts_links_of_a_prefix),
		cmocka_unit_test(turns_away_who_cannot_wait),
		cmocka_unit_test(holds_when_all_workers_come_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
