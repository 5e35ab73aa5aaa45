/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * loop/bell.h: one timer of the kernel on a worker's loop, to the nanosecond.
 *
 * libevent's own timers count in milliseconds, and would give each wait of the
 * loop a limit, for which the kernel arms and disarms a timer at every turn:
 * 0.6 us where it was measured, a tenth of a turn.
 *
 * Threads: the worker's own.
 */
#ifndef PTAH_LOOP_BELL_H
#define PTAH_LOOP_BELL_H

#include <event2/event.h>
#include <stdint.h>

struct ptah_worker;

/** Embed it. */
struct ptah_bell {
	struct event *event;
	uint64_t armed_ns; /* when it rings; 0: it does not */
	int fd;
};

/** Make one that is not set; free it with ptah_bell_clear(), also after a failure.  -errno. */
int ptah_bell_init(struct ptah_bell *bell, struct ptah_worker *worker, event_callback_fn fn, void *arg);
void ptah_bell_clear(struct ptah_bell *bell);

/** Let it ring at 'at_ns', 0: never.  In its callback this is due in any case: it takes back that it has rung. */
void ptah_bell_set(struct ptah_bell *bell, uint64_t at_ns);

/** The same if it would ring later or never; so it may ring once for nothing, which is cheaper than moving it each time. */
static inline void
ptah_bell_advance(struct ptah_bell *bell, uint64_t at_ns)
{
	if (bell->armed_ns == 0 || at_ns < bell->armed_ns)
		ptah_bell_set(bell, at_ns);
}

#endif
