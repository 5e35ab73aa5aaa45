/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Peers that failed to authenticate.
 *
 * They are read and not answered, and closed at a moment that says nothing of
 * what they sent nor of how far it was understood: accept + 60 s + a random part
 * (exponential, mean 5 min), at most an hour.  A peer whose words had been passed
 * on is closed within a minute: its age says when it came, and no more.  So is one
 * whose plain end was asked for, where the hour of others like it is over: some
 * protocols ask before they know (obfs3), and who fails there is as all who do.
 *
 * One that says EOF is closed then, as it would have been before it failed: or
 * that would tell how much we read before we gave up.
 */
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "loop/worker.h"
#include "relay/layer.h"
#include "stats/stats.h"

#define LEAST_S 60.0
#define MEAN_S 300.0
#define MOST_S 3600.0
#define SOON_LEAST_S 1.0
#define SOON_MOST_S 60.0
#define READ_LEN 16384
/* Reads of one turn: others want theirs too. */
#define READS_MOST 8

struct drained {
	struct ptah_worker *worker;
	struct ptah_stats *stats;
	int fd;
	struct event on_bytes, on_hour;
};

/* Throw away what has come.  False when nothing more can come. */
static bool
discard(int fd)
{
	uint8_t nowhere[READ_LEN];
	ssize_t n = 1;

	for (int i = 0; i < READS_MOST && n > 0; i++)
		n = read(fd, nowhere, sizeof(nowhere));
	return n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR));
}

/* With bytes unread the kernel would send a reset, which says that we did not read. */
static void
hang_up(int fd)
{
	(void)shutdown(fd, SHUT_WR);
	(void)discard(fd);
	close(fd);
}

static void
drained_free(struct drained *one)
{
	struct ptah_relay *relay = ptah_relay_of(one->worker);

	for (unsigned i = 0; i < relay->n_drained; i++)
		if (relay->drained[i] == one) {
			relay->n_drained--;
			memmove(&relay->drained[i], &relay->drained[i + 1], (relay->n_drained - i) * sizeof(struct drained *));
			break;
		}
	event_del(&one->on_bytes);
	event_del(&one->on_hour);
	hang_up(one->fd);
	ptah_stats_less(one->stats, PTAH_STAT_PROBES_HELD);
	free(one);
}

static void
on_hour(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	drained_free(arg);
}

static void
on_bytes(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	if (!discard(fd))
		drained_free(arg);
}

/* -ln(n / 2^53) for n from 1 to 2^53, to nine digits; libm is not worth its loading for this. */
static double
minus_log(uint64_t n)
{
	int bits = 63 - __builtin_clzll(n);
	double mantissa = (double)n / (double)(UINT64_C(1) << bits);
	double z = (mantissa - 1) / (mantissa + 1), square = z * z, sum = 0;

	for (int k = 15; k >= 1; k -= 2)
		sum = sum * square + 1.0 / k;
	return (53 - bits) * 0.69314718055994531 - 2 * z * sum;
}

/* From 0 to 1, neither included. */
static double
uniform(void)
{
	return ((double)ptah_random_below(UINT64_C(1) << 53) + 0.5) / (double)(UINT64_C(1) << 53);
}

static double
soon_s(void)
{
	return SOON_LEAST_S + (SOON_MOST_S - SOON_LEAST_S) * uniform();
}

double
ptah_drain_life_s(double age_s, const struct ptah_rejection *how)
{
	double life;

	if (how->believed && how->close_s == 0)
		return soon_s();
	life = how->close_s > 0 ? how->close_s : LEAST_S + MEAN_S * minus_log(ptah_random_below(UINT64_C(1) << 53) + 1);
	if (life > MOST_S)
		life = MOST_S;
	if (life > age_s)
		return life - age_s;
	return how->asked && how->close_s == 0 ? soon_s() : 0.001;
}

void
ptah_drain_begin(struct ptah_worker *worker, int fd, const struct ptah_rejection *how)
{
	struct ptah_relay *relay = ptah_relay_of(worker);
	struct drained *one = NULL;
	double life = ptah_drain_life_s((double)(ptah_clock_now_ns() - how->born_ns) / 1e9, how);

	if (how->manner == PTAH_SHUT)
		(void)shutdown(fd, SHUT_WR);
	/* Links of a flock of their own may be the first that this worker keeps anything for. */
	if (how->manner == PTAH_NOW || relay == NULL)
		goto fail;
	life *= relay->drain_scale;
	struct timeval tv = { (time_t)life, (suseconds_t)((life - (double)(time_t)life) * 1e6) };
	if (relay->drained == NULL)
		relay->drained = calloc(relay->drained_most, sizeof(struct drained *));
	if (relay->drained == NULL)
		goto fail;
	/* Not the eldest: who fills the pool would learn from when it goes. */
	if (relay->n_drained == relay->drained_most)
		drained_free(relay->drained[ptah_random_below((relay->drained_most + 1) / 2)]);
	one = calloc(1, sizeof(*one));
	if (one == NULL)
		goto fail;
	one->worker = worker;
	one->stats = how->stats != NULL ? how->stats : worker->stats;
	one->fd = fd;
	if (event_assign(&one->on_bytes, worker->base, fd, EV_READ | EV_PERSIST, on_bytes, one) == -1 ||
	    evtimer_assign(&one->on_hour, worker->base, on_hour, one) == -1 ||
	    event_add(&one->on_bytes, NULL) == -1)
		goto fail;
	if (event_add(&one->on_hour, &tv) == -1) {
		event_del(&one->on_bytes);
		goto fail;
	}
	relay->drained[relay->n_drained++] = one;
	ptah_stats_add(one->stats, PTAH_STAT_PROBES_HELD, 1);
	return;

fail:
	free(one);
	hang_up(fd);
}

void
ptah_links_keep_rejected(struct ptah_worker *worker, unsigned most)
{
	struct ptah_relay *relay = ptah_relay_of(worker);

	if (relay != NULL && relay->drained == NULL)
		relay->drained_most = most > 0 ? most : 1;
}

void
ptah_links_hurry_rejected(struct ptah_worker *worker, double scale)
{
	struct ptah_relay *relay = ptah_relay_of(worker);

	if (relay != NULL)
		relay->drain_scale = scale;
}

void
ptah_drain_end_all(struct ptah_worker *worker)
{
	struct ptah_relay *relay = worker->rooms[PTAH_ROOM_RELAY];

	if (relay == NULL)
		return;
	while (relay->n_drained > 0)
		drained_free(relay->drained[relay->n_drained - 1]);
	free(relay->drained);
	relay->drained = NULL;
}
