/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/timers.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

#include "base/clock.h"
#include "loop/worker.h"
#include "transport/instance.h"

/* One event of the loop serves all: it waits for the first to come. */
struct ptah_timers {
	struct event event;
	struct ptah_self *self;
	uint64_t at_ns[PTAH_TIMERS]; /* 0: not set */
};

/* The one that ends first, or PTAH_TIMERS. */
static uint32_t
first_of(const struct ptah_timers *timers)
{
	uint32_t first = PTAH_TIMERS;

	for (uint32_t i = 0; i < PTAH_TIMERS; i++)
		if (timers->at_ns[i] != 0 && (first == PTAH_TIMERS || timers->at_ns[i] < timers->at_ns[first]))
			first = i;
	return first;
}

static int
wait_for_first(struct ptah_timers *timers, uint64_t now)
{
	uint32_t first = first_of(timers);
	uint64_t left_us;
	struct timeval tv;

	if (first == PTAH_TIMERS)
		return event_del(&timers->event) == 0 ? 0 : -ENOMEM;
	left_us = timers->at_ns[first] > now ? (timers->at_ns[first] - now + 999) / 1000 : 0;
	tv.tv_sec = (time_t)(left_us / 1000000);
	tv.tv_usec = (suseconds_t)(left_us % 1000000);
	return event_add(&timers->event, &tv) == 0 ? 0 : -ENOMEM;
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_timers *timers = arg;
	struct ptah_self *self = timers->self;
	struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_TIMER };
	uint64_t now = ptah_clock_now_ns();
	uint32_t first = first_of(timers);
	bool due = first != PTAH_TIMERS && timers->at_ns[first] <= now;

	(void)fd;
	(void)what;
	/* One at a time: after a hook the life may be gone. */
	if (due)
		timers->at_ns[first] = 0;
	(void)wait_for_first(timers, now);
	event.val = (int64_t)first;
	if (due)
		self->ops->deliver(self, &event);
}

int
ptah_timers_set(struct ptah_self *self, uint32_t which, uint64_t after_ns)
{
	struct ptah_timers *timers = self->timers;
	uint64_t now;

	if (which >= PTAH_TIMERS || (self->life == PTAH_LIFE_WORKER && self->instance->module->worker_event == NULL))
		return -EINVAL;
	if (timers == NULL) {
		if (after_ns == 0)
			return 0;
		timers = calloc(1, sizeof(*timers));
		if (timers == NULL)
			return -ENOMEM;
		if (event_assign(&timers->event, self->worker->base, -1, 0, on_time, timers) == -1) {
			free(timers);
			return -ENOMEM;
		}
		timers->self = self;
		self->timers = timers;
	}
	now = ptah_clock_now_ns();
	if (after_ns > INT64_MAX - now)
		after_ns = INT64_MAX - now;
	timers->at_ns[which] = after_ns == 0 ? 0 : now + after_ns;
	return wait_for_first(timers, now);
}

void
ptah_timers_free(struct ptah_self *self)
{
	if (self->timers == NULL)
		return;
	event_del(&self->timers->event);
	free(self->timers);
	self->timers = NULL;
}
