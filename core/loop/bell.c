/* SPDX-License-Identifier: BSD-3-Clause */
#include "loop/bell.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/worker.h"

int
ptah_bell_init(struct ptah_bell *bell, struct ptah_worker *worker, event_callback_fn fn, void *arg)
{
	*bell = (struct ptah_bell){ .fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC) };
	if (bell->fd == -1)
		return -errno;
	bell->event = event_new(worker->base, bell->fd, EV_READ | EV_PERSIST, fn, arg);
	return bell->event == NULL || event_add(bell->event, NULL) == -1 ? -ENOMEM : 0;
}

void
ptah_bell_clear(struct ptah_bell *bell)
{
	if (bell->event != NULL)
		event_free(bell->event);
	if (bell->fd != -1)
		close(bell->fd);
	*bell = (struct ptah_bell){ .fd = -1 };
}

void
ptah_bell_set(struct ptah_bell *bell, uint64_t at_ns)
{
	struct itimerspec when = {
		.it_value.tv_sec = (time_t)(at_ns / PTAH_NS_PER_S),
		.it_value.tv_nsec = (long)(at_ns % PTAH_NS_PER_S),
	};
	int rc = timerfd_settime(bell->fd, TFD_TIMER_ABSTIME, &when, NULL);

	ptah_assert(rc == 0); /* it fails for wrong arguments only */
	bell->armed_ns = at_ns;
}
