/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * loop/alarm.h: waits of any length, to the microsecond.
 *
 * For modules that shape their timing.  The host's own waits have few lengths
 * and use loop/deadline.h, which is cheaper.
 *
 * Threads: the worker's own.
 */
#ifndef PTAH_LOOP_ALARM_H
#define PTAH_LOOP_ALARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ptah_worker;
struct ptah_alarm;

typedef void ptah_alarm_fn(struct ptah_alarm *alarm, void *arg);

/** Embed it, zeroed. */
struct ptah_alarm {
	struct ptah_worker *worker;
	uint64_t at_ns;
	size_t place; /* in the worker's heap, from 1 on; 0: not set */
	ptah_alarm_fn *fn;
	void *arg;
};

/** (Re)start it: 'fn' runs at 'at_ns' of the monotonic clock or soon after, never before.  -ENOMEM, -EMFILE ... of the first. */
int ptah_alarm_set(struct ptah_worker *worker, struct ptah_alarm *alarm, uint64_t at_ns, ptah_alarm_fn *fn, void *arg);
/** Fine if it is not set. */
void ptah_alarm_clear(struct ptah_alarm *alarm);

/** For the worker's death: forgets those that are set. */
void ptah_alarms_free(struct ptah_worker *worker);

#endif
