/* SPDX-License-Identifier: BSD-3-Clause */
#include "loop/alarm.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/worker.h"

#define FIRST_ROOM 16

/* A binary heap with the first alarm at place 1, and one timer of the kernel
 * for it: the loop's own timers count in milliseconds. */
struct ptah_alarms {
	struct ptah_alarm **heap; /* heap[0] is not used */
	size_t n, room;
	struct event *event;
	uint64_t armed_ns;
	int fd;
};

static void
put(struct ptah_alarms *all, size_t place, struct ptah_alarm *alarm)
{
	all->heap[place] = alarm;
	alarm->place = place;
}

static void
rise(struct ptah_alarms *all, size_t place)
{
	struct ptah_alarm *alarm = all->heap[place];

	while (place > 1 && all->heap[place / 2]->at_ns > alarm->at_ns) {
		put(all, place, all->heap[place / 2]);
		place /= 2;
	}
	put(all, place, alarm);
}

static void
sink(struct ptah_alarms *all, size_t place)
{
	struct ptah_alarm *alarm = all->heap[place];

	for (;;) {
		size_t child = 2 * place;

		if (child > all->n)
			break;
		if (child < all->n && all->heap[child + 1]->at_ns < all->heap[child]->at_ns)
			child++;
		if (all->heap[child]->at_ns >= alarm->at_ns)
			break;
		put(all, place, all->heap[child]);
		place = child;
	}
	put(all, place, alarm);
}

/* The timer may be early, when the first alarm was cleared: then it wakes once for nothing. */
static void
arm(struct ptah_alarms *all)
{
	uint64_t at_ns = all->n > 0 ? all->heap[1]->at_ns : 0;
	struct itimerspec when = {
		.it_value.tv_sec = (time_t)(at_ns / PTAH_NS_PER_S),
		.it_value.tv_nsec = (long)(at_ns % PTAH_NS_PER_S),
	};
	int rc = timerfd_settime(all->fd, TFD_TIMER_ABSTIME, &when, NULL);

	ptah_assert(rc == 0); /* it fails for wrong arguments only */
	all->armed_ns = at_ns;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_alarms *all = arg;
	uint64_t now_ns = ptah_clock_now_ns();

	(void)fd;
	(void)what;
	/* Those that a callback sets are for the next turn: none of them is due at 'now_ns'. */
	while (all->n > 0 && all->heap[1]->at_ns <= now_ns) {
		struct ptah_alarm *due = all->heap[1];

		ptah_alarm_clear(due);
		due->fn(due, due->arg);
	}
	/* Setting it, also to nothing, takes back that it has gone off. */
	arm(all);
}

static struct ptah_alarms *
alarms_of(struct ptah_worker *worker)
{
	struct ptah_alarms *all = worker->alarms;

	if (all != NULL)
		return all;
	all = calloc(1, sizeof(*all));
	if (all == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	all->heap = calloc(FIRST_ROOM, sizeof(struct ptah_alarm *));
	all->room = FIRST_ROOM;
	all->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (all->fd != -1 && all->heap != NULL)
		all->event = event_new(worker->base, all->fd, EV_READ | EV_PERSIST, on_timer, all);
	if (all->event == NULL || event_add(all->event, NULL) == -1) {
		int rc = all->fd == -1 ? errno : ENOMEM;

		worker->alarms = all;
		ptah_alarms_free(worker);
		errno = rc;
		return NULL;
	}
	worker->alarms = all;
	return all;
}

int
ptah_alarm_set(struct ptah_worker *worker, struct ptah_alarm *alarm, uint64_t at_ns, ptah_alarm_fn *fn, void *arg)
{
	struct ptah_alarms *all = alarms_of(worker);

	if (all == NULL)
		return -errno;
	ptah_alarm_clear(alarm);
	if (all->n + 1 == all->room) {
		struct ptah_alarm **more = realloc(all->heap, 2 * all->room * sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		all->heap = more;
		all->room *= 2;
	}
	*alarm = (struct ptah_alarm){ .worker = worker, .at_ns = at_ns, .fn = fn, .arg = arg };
	all->heap[++all->n] = alarm;
	rise(all, all->n);
	if (all->armed_ns == 0 || all->heap[1]->at_ns < all->armed_ns)
		arm(all);
	return 0;
}

void
ptah_alarm_clear(struct ptah_alarm *alarm)
{
	struct ptah_alarms *all;
	size_t place = alarm->place;

	if (place == 0)
		return;
	all = alarm->worker->alarms;
	alarm->place = 0;
	struct ptah_alarm *last = all->heap[all->n--];
	if (last == alarm)
		return;
	put(all, place, last);
	rise(all, place);
	sink(all, last->place);
}

void
ptah_alarms_free(struct ptah_worker *worker)
{
	struct ptah_alarms *all = worker->alarms;

	if (all == NULL)
		return;
	for (size_t i = 1; i <= all->n; i++)
		all->heap[i]->place = 0;
	if (all->event != NULL)
		event_free(all->event);
	if (all->fd != -1)
		close(all->fd);
	free(all->heap);
	free(all);
	worker->alarms = NULL;
}
