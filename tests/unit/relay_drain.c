/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * relay/drain.c: when peers that failed are hung up on, and how.  An hour is
 * three seconds here.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/worker.h"
#include "relay/layer.h"

#define SCALE 0.0008
#define EACH 110 /* 880 descriptors: within what a shell gives */
#define DRAWS 20000

static int
compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/*
 * The greatest distance of two empirical distributions (Kolmogorov and Smirnov);
 * sorts both.  Equal ones count together: a loaded machine sees many at once.
 */
static double
distance(double *a, size_t n, double *b, size_t m)
{
	double most = 0;

	qsort(a, n, sizeof(*a), compare);
	qsort(b, m, sizeof(*b), compare);
	for (size_t i = 0, j = 0; i < n && j < m;) {
		double at = fmin(a[i], b[j]);

		while (i < n && a[i] <= at)
			i++;
		while (j < m && b[j] <= at)
			j++;
		most = fmax(most, fabs((double)i / (double)n - (double)j / (double)m));
	}
	return most;
}

/* What chance alone exceeds less than once in 10^10 times: e * exp(-2 * 3.6^2), for any n and m. */
static double
far_off(size_t n, size_t m)
{
	return 3.6 * sqrt((double)(n + m) / ((double)n * (double)m));
}

static void
lives_are_drawn_as_designed(void **state)
{
	const struct ptah_rejection early = { .manner = PTAH_SILENT }, asked = { .asked = true }, late = { .asked = true, .believed = true };
	static double drawn[DRAWS], model[DRAWS];
	double capped = 0, sum = 0;

	(void)state;
	for (size_t i = 0; i < DRAWS; i++) {
		double u = ((double)i + 0.5) / DRAWS;

		drawn[i] = ptah_drain_life_s(0, &early);
		model[i] = fmin(60 - 300 * log(u), 3600);
		assert_true(drawn[i] >= 60 && drawn[i] <= 3600);
		capped += drawn[i] == 3600;
	}
	assert_true(distance(drawn, DRAWS, model, DRAWS) < far_off(DRAWS, DRAWS));
	assert_true(capped <= 10); /* one in 130,000 */
	/* What it has lived already counts; one that is older goes at once. */
	for (size_t i = 0; i < DRAWS; i++)
		drawn[i] = 45 + ptah_drain_life_s(45, &early);
	assert_true(distance(drawn, DRAWS, model, DRAWS) < far_off(DRAWS, DRAWS));
	assert_true(ptah_drain_life_s(7200, &early) < 0.01);
	/* Whoever was good once: within a minute, however old. */
	for (size_t i = 0; i < DRAWS; i++) {
		double life = ptah_drain_life_s(i % 2 == 0 ? 0 : 86400, &late);

		assert_true(life > 0 && life <= 60);
		sum += life;
	}
	assert_in_range((long)(sum / DRAWS), 29, 32);
	/* Its plain end was asked for, and it has not shown who it is: as those who never came so far. */
	for (size_t i = 0; i < DRAWS; i++)
		drawn[i] = 45 + ptah_drain_life_s(45, &asked);
	assert_true(distance(drawn, DRAWS, model, DRAWS) < far_off(DRAWS, DRAWS));
	/* ... but when it is older than those become, not on the spot: that may be somebody's flipped bit. */
	for (size_t i = 0; i < DRAWS; i++)
		assert_true(ptah_drain_life_s(7200, &asked) >= 1);
}

/* What the comparison of probes would find out: a moment that is the server's own, or one twice as early. */
static void
another_law_is_told_apart(void **state)
{
	const struct ptah_rejection ours = { .close_s = 0 }, fixed = { .close_s = 60 }, late = { .asked = true, .believed = true };
	static double a[DRAWS], b[DRAWS];
	double all_alike = 0;

	(void)state;
	for (size_t i = 0; i < EACH; i++) {
		a[i] = ptah_drain_life_s(0, &ours);
		b[i] = ptah_drain_life_s(0, &fixed);
	}
	assert_true(distance(a, EACH, b, EACH) > far_off(EACH, EACH));
	for (size_t i = 0; i < EACH; i++)
		b[i] = ptah_drain_life_s(0, &late);
	assert_true(distance(a, EACH, b, EACH) > far_off(EACH, EACH));
	for (size_t i = 0; i < DRAWS; i++) {
		a[i] = ptah_drain_life_s(0, &ours);
		b[i] = ptah_drain_life_s(0, &ours) / 2;
	}
	assert_true(distance(a, DRAWS, b, DRAWS) > far_off(DRAWS, DRAWS));
	assert_true(distance(&all_alike, 1, &all_alike, 1) < 1e-9);
}

static void
a_named_moment_is_kept(void **state)
{
	const struct ptah_rejection how = { .close_s = 33 };

	(void)state;
	assert_true(fabs(ptah_drain_life_s(0, &how) - 33) < 1e-9);
	assert_true(fabs(ptah_drain_life_s(30, &how) - 3) < 1e-9);
}

/* ---- with connections ------------------------------------------------------------- */

struct peer {
	int fd;       /* ours: the prober's end */
	int shape;
	double ended; /* after so many seconds, 0: not yet */
};

static void
connect_pair(int *peer, int *drained)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int ear = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(addr);

	assert_int_equal(bind(ear, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(ear, 1), 0);
	assert_int_equal(getsockname(ear, (struct sockaddr *)&addr, &len), 0);
	*peer = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(*peer, (struct sockaddr *)&addr, len), 0);
	*drained = accept(ear, NULL, NULL);
	assert_true(*drained != -1);
	close(ear);
	assert_int_equal(fcntl(*peer, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(fcntl(*drained, F_SETFL, O_NONBLOCK), 0);
}

static struct ptah_worker *
worker_new(void)
{
	struct ptah_worker *worker = ptah_worker_new(0);

	assert_non_null(worker);
	ptah_links_keep_rejected(worker, 1000);
	ptah_links_hurry_rejected(worker, SCALE);
	return worker;
}

static void
worker_end(struct ptah_worker *worker)
{
	ptah_links_free(worker);
	ptah_worker_free(worker);
}

static void
turn(struct ptah_worker *worker)
{
	assert_int_not_equal(event_base_loop(worker->base, EVLOOP_NONBLOCK), -1);
	usleep(500);
}

/* What a prober does: nothing, a few bytes at first, many, or some again and again. */
#define SHAPES 4

static void
say_more(struct peer *peer, bool first)
{
	static const uint8_t noise[20000] = { 1, 2, 3 };
	static const size_t lens[SHAPES] = { 0, 5, sizeof(noise), 3000 };

	if (lens[peer->shape] > 0 && (first || peer->shape == SHAPES - 1))
		(void)send(peer->fd, noise, lens[peer->shape], MSG_NOSIGNAL);
}

/* An EOF, and never a reset. */
static bool
has_ended(int fd)
{
	uint8_t byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	if (n == -1)
		assert_int_equal(errno, EAGAIN);
	assert_true(n <= 0); /* not a byte */
	return n == 0;
}

/* The loop's clock stands between two ticks of the kernel, so a wait may seem to end that much early. */
static double
tick_s(void)
{
	struct timespec tick;

	assert_int_equal(clock_getres(CLOCK_MONOTONIC_COARSE, &tick), 0);
	return (double)tick.tv_sec + (double)tick.tv_nsec / 1e9;
}

/* OBFS-107, OBFS-130: when depends neither on what came nor on how much. */
static void
probes_of_every_shape_are_hung_up_on_alike(void **state)
{
	static double ends[SHAPES][EACH];
	struct peer peers[SHAPES * EACH];
	struct ptah_worker *worker = worker_new();
	uint64_t born = ptah_clock_now_ns();
	size_t left = SHAPES * EACH, n[SHAPES] = { 0 };

	(void)state;
	for (size_t i = 0; i < SHAPES * EACH; i++) {
		int fd;

		peers[i] = (struct peer){ .shape = (int)(i % SHAPES) };
		connect_pair(&peers[i].fd, &fd);
		say_more(&peers[i], true);
		ptah_drain_begin(worker, fd, &(struct ptah_rejection){ .born_ns = ptah_clock_now_ns() });
	}
	while (left > 0) {
		double age;

		turn(worker);
		/* After the turn, which may be long: so nobody seems to have gone before its time. */
		age = (double)(ptah_clock_now_ns() - born) / 1e9;
		assert_true(age < 20);
		for (size_t i = 0; i < SHAPES * EACH; i++) {
			struct peer *peer = &peers[i];

			if (peer->ended > 0)
				continue;
			if (has_ended(peer->fd)) {
				peer->ended = age;
				ends[peer->shape][n[peer->shape]++] = age;
				left--;
				close(peer->fd);
			} else {
				say_more(peer, false);
			}
		}
	}
	for (int a = 0; a < SHAPES; a++) {
		assert_int_equal(n[a], EACH);
		for (size_t i = 0; i < EACH; i++)
			assert_true(ends[a][i] >= 60 * SCALE - tick_s());
		for (int b = 0; b < a; b++)
			assert_true(distance(ends[a], EACH, ends[b], EACH) < far_off(EACH, EACH));
	}
	worker_end(worker);
}

/* OBFS-108: as before it failed, however much it had said. */
static void
who_says_eof_is_hung_up_on_at_once(void **state)
{
	static const uint8_t noise[100000] = { 9 };
	static const size_t lens[] = { 0, 1, 8192, sizeof(noise) };
	struct ptah_worker *worker = worker_new();

	(void)state;
	ptah_links_hurry_rejected(worker, 1);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint64_t until = ptah_clock_now_ns() + 5 * PTAH_NS_PER_S;
		int peer, fd;

		connect_pair(&peer, &fd);
		assert_int_equal(send(peer, noise, lens[i], 0), lens[i]);
		ptah_drain_begin(worker, fd, &(struct ptah_rejection){ .born_ns = ptah_clock_now_ns() });
		for (int j = 0; j < 20; j++)
			turn(worker);
		assert_false(has_ended(peer));
		assert_int_equal(ptah_stats_get(worker->stats, PTAH_STAT_PROBES_HELD), 1);
		shutdown(peer, SHUT_WR);
		while (!has_ended(peer)) {
			turn(worker);
			assert_true(ptah_clock_now_ns() < until);
		}
		close(peer);
	}
	worker_end(worker);
}

/* Nobody reads it any more, and yet what is unread makes no reset. */
static void
an_end_with_bytes_on_the_way_is_no_reset(void **state)
{
	static const uint8_t noise[20000] = { 7 };
	struct ptah_worker *worker = worker_new();
	int peer, fd;

	(void)state;
	connect_pair(&peer, &fd);
	ptah_drain_begin(worker, fd, &(struct ptah_rejection){ .born_ns = ptah_clock_now_ns() });
	assert_int_equal(send(peer, noise, sizeof(noise), 0), sizeof(noise));
	ptah_drain_end_all(worker);
	assert_true(has_ended(peer));
	close(peer);
	connect_pair(&peer, &fd);
	assert_int_equal(send(peer, noise, sizeof(noise), 0), sizeof(noise));
	ptah_drain_begin(worker, fd, &(struct ptah_rejection){ .manner = PTAH_NOW });
	assert_true(has_ended(peer));
	close(peer);
	assert_int_equal(ptah_stats_get(worker->stats, PTAH_STAT_PROBES_HELD), 0);
	worker_end(worker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lives_are_drawn_as_designed),
		cmocka_unit_test(another_law_is_told_apart),
		cmocka_unit_test(a_named_moment_is_kept),
		cmocka_unit_test(probes_of_every_shape_are_hung_up_on_alike),
		cmocka_unit_test(who_says_eof_is_hung_up_on_at_once),
		cmocka_unit_test(an_end_with_bytes_on_the_way_is_no_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
