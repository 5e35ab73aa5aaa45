/* SPDX-License-Identifier: BSD-3-Clause */
#include "loop/alarm.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "loop/bell.h"
#include "loop/worker.h"

#define FIRST_ROOM 16

/* A binary heap with the first alarm at place 1, and one bell for it. */
struct ptah_alarms {
	struct ptah_alarm **heap; /* heap[0] is not used */
	size_t n, room;
	struct ptah_bell bell;
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

static void
on_ring(evutil_socket_t fd, short what, void *arg)
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
	ptah_bell_set(&all->bell, all->n > 0 ? all->heap[1]->at_ns : 0);
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
	int rc = ptah_bell_init(&all->bell, worker, on_ring, all);
	all->heap = calloc(FIRST_ROOM, sizeof(struct ptah_alarm *));
	all->room = FIRST_ROOM;
	worker->alarms = all;
	if (rc == 0 && all->heap == NULL)
		rc = -ENOMEM;
	if (rc < 0) {
		ptah_alarms_free(worker);
		errno = -rc;
		return NULL;
	}
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
	ptah_bell_advance(&all->bell, all->heap[1]->at_ns);
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
	ptah_bell_clear(&all->bell);
	free(all->heap);
	free(all);
	worker->alarms = NULL;
}
