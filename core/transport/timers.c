/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/timers.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "loop/alarm.h"
#include "loop/worker.h"
#include "transport/instance.h"

/* Made when a life sets its first. */
struct ptah_timers {
	struct ptah_self *self;
	struct ptah_alarm alarms[PTAH_TIMERS];
};

static void
on_time(struct ptah_alarm *alarm, void *arg)
{
	struct ptah_timers *timers = arg;
	struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_TIMER, .val = alarm - timers->alarms };

	/* After a hook the life may be gone, and its timers with it. */
	timers->self->ops->deliver(timers->self, &event);
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
		timers->self = self;
		self->timers = timers;
	}
	if (after_ns == 0) {
		ptah_alarm_clear(&timers->alarms[which]);
		return 0;
	}
	now = ptah_clock_now_ns();
	if (after_ns > INT64_MAX - now)
		after_ns = INT64_MAX - now;
	return ptah_alarm_set(self->worker, &timers->alarms[which], now + after_ns, on_time, timers);
}

void
ptah_timers_free(struct ptah_self *self)
{
	if (self->timers == NULL)
		return;
	for (uint32_t i = 0; i < PTAH_TIMERS; i++)
		ptah_alarm_clear(&self->timers->alarms[i]);
	free(self->timers);
	self->timers = NULL;
}
