/* SPDX-License-Identifier: BSD-3-Clause */
#include "loop/deadline.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "base/clock.h"
#include "loop/worker.h"

#define CLASSES_MAX 64

/* All waits of one length: a list in the order in which they end. */
struct ptah_deadline_class {
	struct ptah_deadline_class *next;
	unsigned ms;
	struct event *timer;
	bool armed;
	struct ptah_deadline list; /* sentinel */
};

static void
arm(struct ptah_deadline_class *class, uint64_t now_ns)
{
	uint64_t left_us = 0;
	struct timeval tv;

	if (class->list.next == &class->list)
		return;
	if (class->list.next->at_ns > now_ns)
		left_us = (class->list.next->at_ns - now_ns + 999) / 1000;
	tv.tv_sec = (time_t)(left_us / 1000000);
	tv.tv_usec = (suseconds_t)(left_us % 1000000);
	class->armed = event_add(class->timer, &tv) == 0;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_deadline_class *class = arg;
	uint64_t now_ns = ptah_clock_now_ns();

	(void)fd;
	(void)what;
	class->armed = false;
	while (class->list.next != &class->list && class->list.next->at_ns <= now_ns) {
		struct ptah_deadline *due = class->list.next;

		ptah_deadline_clear(due);
		due->fn(due, due->arg);
	}
	/* A callback that set one anew may have armed the timer already. */
	if (!class->armed)
		arm(class, now_ns);
}

static struct ptah_deadline_class *
class_of(struct ptah_worker *worker, unsigned ms)
{
	unsigned n = 0;

	for (struct ptah_deadline_class *class = worker->deadlines; class != NULL; class = class->next, n++)
		if (class->ms == ms)
			return class;
	if (n == CLASSES_MAX)
		return NULL;

	struct ptah_deadline_class *class = calloc(1, sizeof(*class));
	if (class == NULL)
		return NULL;
	class->ms = ms;
	class->list.prev = class->list.next = &class->list;
	class->timer = evtimer_new(worker->base, on_timer, class);
	if (class->timer == NULL) {
		free(class);
		return NULL;
	}
	class->next = worker->deadlines;
	worker->deadlines = class;
	return class;
}

int
ptah_deadline_set(struct ptah_worker *worker, struct ptah_deadline *deadline, unsigned ms,
    ptah_deadline_fn *fn, void *arg)
{
	struct ptah_deadline_class *class = class_of(worker, ms);

	ptah_deadline_clear(deadline);
	if (class == NULL)
		return -ENOMEM;

	uint64_t now_ns = ptah_clock_now_ns();

	deadline->at_ns = now_ns + ms * PTAH_NS_PER_MS;
	deadline->fn = fn;
	deadline->arg = arg;
	deadline->of = class;
	deadline->next = &class->list;
	deadline->prev = class->list.prev;
	deadline->prev->next = deadline;
	class->list.prev = deadline;
	if (!class->armed)
		arm(class, now_ns);
	return class->armed ? 0 : (ptah_deadline_clear(deadline), -ENOMEM);
}

void
ptah_deadline_clear(struct ptah_deadline *deadline)
{
	if (deadline->of == NULL)
		return;
	/* The timer stays armed: at worst it wakes once for nothing, which is
	 * cheaper than taking it out of the heap for every link. */
	deadline->prev->next = deadline->next;
	deadline->next->prev = deadline->prev;
	deadline->of = NULL;
}

void
ptah_deadlines_free(struct ptah_worker *worker)
{
	while (worker->deadlines != NULL) {
		struct ptah_deadline_class *class = worker->deadlines;

		worker->deadlines = class->next;
		while (class->list.next != &class->list)
			ptah_deadline_clear(class->list.next);
		event_free(class->timer);
		free(class);
	}
}
