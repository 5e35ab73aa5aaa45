/* SPDX-License-Identifier: BSD-3-Clause */
/* plain/permit.h: what a link has taken goes back, all of it and once. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "plain/permit.h"
#include "stats/stats.h"
#include "wire/gate.h"
#include "wire/listen.h"

static struct ptah_stats stats;
static struct ptah_quota quota;

/* A port of a service with two links, and one from each prefix. */
static int
setup(void **state)
{
	static const struct ptah_bounds bounds = {
		.links = 2, .links_per_prefix = 1, .prefix_v4 = 32, .prefix_v6 = 64, .backlog = 1, .family = AF_INET,
	};
	static struct ptah_issuer issuer;

	memset(&stats, 0, sizeof(stats));
	quota.used = 0;
	issuer = (struct ptah_issuer){ &quota, NULL, &stats };
	*state = &issuer;
	return ptah_gate_new(&bounds, "bridge", &issuer.gate);
}

static int
teardown(void **state)
{
	struct ptah_issuer *issuer = *state;

	ptah_gate_free(issuer->gate);
	return 0;
}

static struct ptah_addr
address(const char *text)
{
	struct ptah_addr addr;

	assert_int_equal(ptah_addr_parse(&addr, text), 0);
	return addr;
}

/* As a listener does before it takes a connection. */
static void
count_one(struct ptah_issuer *issuer)
{
	ptah_quota_add(issuer->quota);
	assert_int_equal(ptah_gate_enter(issuer->gate), 0);
}

/* Whether so many more may come is all that tells how many are in. */
static void
has_room_for(struct ptah_issuer *issuer, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(ptah_gate_enter(issuer->gate), 0);
	assert_int_equal(ptah_gate_enter(issuer->gate), PTAH_GATE_LINKS);
	for (unsigned i = 0; i < n; i++)
		ptah_gate_leave(issuer->gate);
}

static void
gives_back_all_that_an_accepted_one_took(void **state)
{
	struct ptah_issuer *issuer = *state;
	struct ptah_addr here = address("192.0.2.1:1");
	struct ptah_permit first, second;

	count_one(issuer);
	assert_int_equal(ptah_permit_accepted(&first, issuer, &here), 0);
	has_room_for(issuer, 1);

	/* There is room, but none for its prefix: what the listener took goes back at once. */
	count_one(issuer);
	assert_int_equal(ptah_permit_accepted(&second, issuer, &here), -EUSERS);
	assert_int_equal(quota.used, 1);
	has_room_for(issuer, 1);

	ptah_permit_return(&second); /* it is none */
	ptah_permit_return(&first);
	ptah_permit_return(&first);
	assert_int_equal(quota.used, 0);
	has_room_for(issuer, 2);
	assert_int_equal(ptah_permit_take(&first, issuer, &here), 0);
	ptah_permit_return(&first);
}

static void
takes_nothing_for_who_is_turned_away(void **state)
{
	struct ptah_issuer *issuer = *state;
	struct ptah_addr here = address("192.0.2.1:1"), there = address("192.0.2.2:1"), beyond = address("192.0.2.3:1");
	struct ptah_permit first, second, third;

	assert_int_equal(ptah_permit_take(&first, issuer, &here), 0);
	assert_int_equal(ptah_permit_take(&second, issuer, &here), -EUSERS);
	assert_int_equal(ptah_permit_take(&second, issuer, &there), 0);
	assert_int_equal(ptah_permit_take(&third, issuer, &beyond), -EUSERS);
	assert_int_equal(quota.used, 2);
	ptah_permit_return(&third);
	ptah_permit_return(&second);
	ptah_permit_return(&first);
	assert_int_equal(quota.used, 0);
	has_room_for(issuer, 2);
}

static void
lets_a_stranger_take_no_place_of_others(void **state)
{
	struct ptah_issuer *issuer = *state;
	struct ptah_addr here = address("192.0.2.1:1");
	struct ptah_permit stranger, liar;

	ptah_permit_stranger(&stranger, issuer);
	ptah_permit_stranger(&liar, issuer);
	assert_int_equal(quota.used, 2);
	has_room_for(issuer, 2);
	assert_int_equal(ptah_permit_admit(&stranger, &here), 0);
	assert_int_equal(ptah_permit_admit(&liar, &here), -EUSERS);
	assert_int_equal(quota.used, 2); /* it has a socket all the same */
	has_room_for(issuer, 1);
	ptah_permit_return(&liar);
	ptah_permit_return(&stranger);
	assert_int_equal(quota.used, 0);
	has_room_for(issuer, 2);
}

static void
frees_the_seat_of_one_that_only_lingers(void **state)
{
	struct ptah_issuer *issuer = *state;
	struct ptah_addr here = address("192.0.2.1:1");
	struct ptah_permit first, second;

	assert_int_equal(ptah_permit_take(&first, issuer, &here), 0);
	assert_ptr_equal(ptah_permit_stand_up(&first), issuer);
	ptah_permit_return(&first); /* it is none */
	assert_int_equal(quota.used, 1);
	has_room_for(issuer, 1);
	assert_int_equal(ptah_permit_take(&second, issuer, &here), 0);
	ptah_issuer_take_back(issuer);
	assert_int_equal(quota.used, 1);
	ptah_permit_return(&second);
	has_room_for(issuer, 2);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(gives_back_all_that_an_accepted_one_took),
		TEST(takes_nothing_for_who_is_turned_away),
		TEST(lets_a_stranger_take_no_place_of_others),
		TEST(frees_the_seat_of_one_that_only_lingers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
