/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wire/post.h: what waits, in which order it leaves, and what a full kernel loses.
 *
 * Pairs of local datagram sockets stand for the network: unlike UDP over
 * loopback they say when they are full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "stats/stats.h"
#include "wire/post.h"

#define MANY 2000u

static struct ptah_stats stats;
static struct ptah_post *post;
/* Each datagram is longer than the one before it, so none are joined. */
static uint8_t bytes[MANY + 1];

struct way {
	struct ptah_lane lane;
	int far;
};

static uint64_t
counted(enum ptah_stat which)
{
	return atomic_load(&stats.at[which]);
}

static int
set_up(void **state)
{
	(void)state;
	memset(&stats, 0, sizeof(stats));
	post = ptah_post_new(&stats);
	return post != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	ptah_post_free(post);
	return 0;
}

static struct way
open_way(bool plain)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
	struct way way = { .lane = { .fd = fds[0], .plain = plain, .most = MANY }, .far = fds[1] };
	return way;
}

static void
close_way(struct way *way)
{
	close(way->lane.fd);
	close(way->far);
}

/* How long the next one is; -1: there is none. */
static ssize_t
hear(const struct way *way)
{
	static uint8_t room[MANY + 1];

	return recv(way->far, room, sizeof(room), 0);
}

static void
lanes_leave_in_order_each(void **state)
{
	struct way one = open_way(false), two = open_way(true);

	(void)state;
	for (size_t i = 1; i <= 6; i++)
		ptah_post_add(post, i % 2 == 0 ? &two.lane : &one.lane, (struct ptah_span){ bytes, i });
	assert_int_equal(hear(&one), -1);
	assert_int_equal(hear(&two), -1);
	ptah_post_flush(post);
	for (size_t i = 1; i <= 6; i++)
		assert_int_equal(hear(i % 2 == 0 ? &two : &one), i);
	/* Only those that reach the plain side are counted as such. */
	assert_int_equal(counted(PTAH_STAT_UDP_OUT), 3);
	assert_int_equal(counted(PTAH_STAT_UDP_DROP_SEND), 0);
	close_way(&one);
	close_way(&two);
}

static void
a_full_kernel_loses_the_tail_of_its_lane_alone(void **state)
{
	struct way full = open_way(true), other = open_way(true);
	uint64_t took = 0;

	(void)state;
	for (size_t i = 1; i < MANY; i++)
		ptah_post_add(post, &full.lane, (struct ptah_span){ bytes, i });
	ptah_post_add(post, &other.lane, (struct ptah_span){ bytes, 1 });
	ptah_post_flush(post);
	assert_int_equal(hear(&other), 1);

	uint64_t lost = counted(PTAH_STAT_UDP_DROP_SEND);
	assert_in_range(lost, 1, MANY - 2);
	assert_int_equal(counted(PTAH_STAT_UDP_OUT) + lost, MANY);
	while (hear(&full) == (ssize_t)took + 1)
		took++;
	assert_int_equal(took + lost, MANY - 1);

	/* There is room again. */
	ptah_post_add(post, &full.lane, (struct ptah_span){ bytes, 7 });
	ptah_post_flush(post);
	assert_int_equal(hear(&full), 7);
	assert_int_equal(counted(PTAH_STAT_UDP_DROP_SEND), lost);
	close_way(&full);
	close_way(&other);
}

static void
what_is_too_long_for_a_lane_is_lost_alone(void **state)
{
	struct way way = open_way(true);

	(void)state;
	way.lane.most = 5;
	for (size_t i = 4; i <= 6; i++)
		ptah_post_add(post, &way.lane, (struct ptah_span){ bytes, i });
	ptah_post_flush(post);
	assert_int_equal(hear(&way), 4);
	assert_int_equal(hear(&way), 5);
	assert_int_equal(hear(&way), -1);
	assert_int_equal(counted(PTAH_STAT_UDP_DROP_LONG), 1);
	assert_int_equal(counted(PTAH_STAT_UDP_DROP_SEND), 0);
	close_way(&way);
}

static void
a_lane_that_goes_leaves_nothing_behind(void **state)
{
	struct way way = open_way(false);

	(void)state;
	ptah_post_add(post, &way.lane, (struct ptah_span){ bytes, 5 });
	ptah_post_leave(post, &way.lane);
	assert_int_equal(hear(&way), 5);
	ptah_post_flush(post);
	assert_int_equal(hear(&way), -1);
	close_way(&way);
}

static void
more_than_may_wait_leaves_at_once(void **state)
{
	struct way way = open_way(false);

	(void)state;
	for (unsigned i = 0; i < PTAH_POST_MOST; i++)
		ptah_post_add(post, &way.lane, (struct ptah_span){ bytes, 3 });
	assert_int_equal(hear(&way), -1);
	ptah_post_add(post, &way.lane, (struct ptah_span){ bytes, 4 });
	assert_int_equal(hear(&way) % 3, 0); /* the kernel was told to join them, which a local socket does as one */
	ptah_post_flush(post);
	close_way(&way);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lanes_leave_in_order_each, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_kernel_loses_the_tail_of_its_lane_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_lane_that_goes_leaves_nothing_behind, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_too_long_for_a_lane_is_lost_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(more_than_may_wait_leaves_at_once, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
