/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * loop/deadline.h: many waits of few lengths, cheaply.
 *
 * Waits of one length end in the order in which they began, so a list serves
 * them all, and one timer serves all lists; to set or clear a wait costs no
 * heap, and hardly ever a system call.
 *
 * Threads: the worker's own.
 */
#ifndef PTAH_LOOP_DEADLINE_H
#define PTAH_LOOP_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ptah_worker;
struct ptah_deadline;

typedef void ptah_deadline_fn(struct ptah_deadline *deadline, void *arg);

/** Embed it, zeroed. */
struct ptah_deadline {
	struct ptah_deadline *prev, *next;
	uint64_t at_ns;
	ptah_deadline_fn *fn;
	void *arg;
	struct ptah_deadline_class *of; /* NULL: not set */
};

/** (Re)start it: 'fn' runs 'ms' from now, unless cleared.  -ENOMEM (a new length only; at most 1,024 lengths). */
int ptah_deadline_set(struct ptah_worker *worker, struct ptah_deadline *deadline, unsigned ms,
    ptah_deadline_fn *fn, void *arg);
/** From now on one of this length can always be set.  -ENOMEM. */
int ptah_deadline_reserve(struct ptah_worker *worker, unsigned ms);
/** Fine if it is not set. */
void ptah_deadline_clear(struct ptah_deadline *deadline);
static inline bool
ptah_deadline_is_set(const struct ptah_deadline *deadline)
{
	return deadline->of != NULL;
}

/** For the worker's own birth and death.  _new: -errno; call _free then, too. */
int ptah_deadlines_new(struct ptah_worker *worker);
void ptah_deadlines_free(struct ptah_worker *worker);

#endif
