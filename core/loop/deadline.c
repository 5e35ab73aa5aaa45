/* SPDX-License-Identifier: BSD-3-Clause */
#include "loop/deadline.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/worker.h"

#define CLASSES_MAX 64

/* All waits of one length: a list in the order in which they end. */
struct ptah_deadline_class {
	struct ptah_deadline_class *next;
	unsigned ms;
	struct ptah_deadline list; /* sentinel */
};

/*
 * One timer of the kernel for all classes.  libevent's own timers would give
 * each wait of the loop a limit, for which the kernel arms and disarms a timer
 * at every turn: 0.6 us where it was measured, a tenth of a turn.
 */
struct ptah_deadlines {
	struct ptah_deadline_class *classes;
	struct event *event;
	uint64_t armed_ns; /* when the timer goes off; 0: it does not */
	int fd;
};

static void
arm(struct ptah_deadlines *all, uint64_t at_ns)
{
	struct itimerspec when = {
		.it_value.tv_sec = (time_t)(at_ns / PTAH_NS_PER_S),
		.it_value.tv_nsec = (long)(at_ns % PTAH_NS_PER_S),
	};
	int rc = timerfd_settime(all->fd, TFD_TIMER_ABSTIME, &when, NULL);

	ptah_assert(rc == 0); /* it fails for wrong arguments only */
	all->armed_ns = at_ns;
}

/* The timer is never later than the first deadline; it may be earlier, when
 * that one was cleared: then it wakes once for nothing, which is cheaper than
 * moving it for every link. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_deadlines *all = arg;
	uint64_t now_ns = ptah_clock_now_ns(), first_ns = 0;

	(void)fd;
	(void)what;
	for (struct ptah_deadline_class *class = all->classes; class != NULL; class = class->next)
		while (class->list.next != &class->list && class->list.next->at_ns <= now_ns) {
			struct ptah_deadline *due = class->list.next;

			ptah_deadline_clear(due);
			due->fn(due, due->arg);
		}
	for (struct ptah_deadline_class *class = all->classes; class != NULL; class = class->next)
		if (class->list.next != &class->list && (first_ns == 0 || class->list.next->at_ns < first_ns))
			first_ns = class->list.next->at_ns;
	/* Setting it, also to nothing, takes back that it has gone off. */
	arm(all, first_ns);
}

int
ptah_deadlines_new(struct ptah_worker *worker)
{
	struct ptah_deadlines *all = calloc(1, sizeof(*all));

	if (all == NULL)
		return -ENOMEM;
	worker->deadlines = all;
	all->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (all->fd == -1)
		return -errno;
	all->event = event_new(worker->base, all->fd, EV_READ | EV_PERSIST, on_timer, all);
	return all->event == NULL || event_add(all->event, NULL) == -1 ? -ENOMEM : 0;
}

static struct ptah_deadline_class *
class_of(struct ptah_deadlines *all, unsigned ms)
{
	unsigned n = 0;

	for (struct ptah_deadline_class *class = all->classes; class != NULL; class = class->next, n++)
		if (class->ms == ms)
			return class;
	if (n == CLASSES_MAX)
		return NULL;

	struct ptah_deadline_class *class = calloc(1, sizeof(*class));
	if (class == NULL)
		return NULL;
	class->ms = ms;
	class->list.prev = class->list.next = &class->list;
	class->next = all->classes;
	all->classes = class;
	return class;
}

int
ptah_deadline_reserve(struct ptah_worker *worker, unsigned ms)
{
	return class_of(worker->deadlines, ms) == NULL ? -ENOMEM : 0;
}

int
ptah_deadline_set(struct ptah_worker *worker, struct ptah_deadline *deadline, unsigned ms,
    ptah_deadline_fn *fn, void *arg)
{
	struct ptah_deadlines *all = worker->deadlines;
	struct ptah_deadline_class *class = class_of(all, ms);

	ptah_deadline_clear(deadline);
	if (class == NULL)
		return -ENOMEM;

	deadline->at_ns = ptah_clock_now_ns() + ms * PTAH_NS_PER_MS;
	deadline->fn = fn;
	deadline->arg = arg;
	deadline->of = class;
	deadline->next = &class->list;
	deadline->prev = class->list.prev;
	deadline->prev->next = deadline;
	class->list.prev = deadline;
	if (all->armed_ns == 0 || deadline->at_ns < all->armed_ns)
		arm(all, deadline->at_ns);
	return 0;
}

void
ptah_deadline_clear(struct ptah_deadline *deadline)
{
	if (deadline->of == NULL)
		return;
	deadline->prev->next = deadline->next;
	deadline->next->prev = deadline->prev;
	deadline->of = NULL;
}

void
ptah_deadlines_free(struct ptah_worker *worker)
{
	struct ptah_deadlines *all = worker->deadlines;

	if (all == NULL)
		return;
	while (all->classes != NULL) {
		struct ptah_deadline_class *class = all->classes;

		all->classes = class->next;
		while (class->list.next != &class->list)
			ptah_deadline_clear(class->list.next);
		free(class);
	}
	if (all->event != NULL)
		event_free(all->event);
	if (all->fd != -1)
		close(all->fd);
	free(all);
	worker->deadlines = NULL;
}
