/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/timers.h: the eight timers of a life.
 *
 * Threads: the life's worker.
 */
#ifndef PTAH_TRANSPORT_TIMERS_H
#define PTAH_TRANSPORT_TIMERS_H

#include "transport/self.h"

/** Set one (after_ns 0 stops it); EV_TIMER comes, never early.  -EINVAL, -ENOMEM. */
int ptah_timers_set(struct ptah_self *self, uint32_t which, uint64_t after_ns);
/** Stop and free all. */
void ptah_timers_free(struct ptah_self *self);

#endif
