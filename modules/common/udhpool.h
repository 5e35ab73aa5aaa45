/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * udhpool.h: key pairs of UniformDH made ahead of need.
 *
 * A pair takes long to make, and a side wants one at the very moment that a
 * connection is there.  So a few lie ready, and a timer of the worker's makes
 * new ones between the turns of the links.
 *
 * Threads: belongs to its worker.
 */
#ifndef PTAH_COMMON_UDHPOOL_H
#define PTAH_COMMON_UDHPOOL_H

#include <stdbool.h>

#include <ptah/host.h>

#include "uniformdh.h"

#define PTAH_UDHPOOL_MAX 16u

/** Embed it in a worker life; only the functions look inside. */
struct ptah_udhpool {
	const struct ptah_host *host;
	struct ptah_self *self;
	struct ptah_udh *udh; /* for secrets too */
	uint32_t timer;
	unsigned n;
	bool refilling; /* the timer runs */
	struct ptah_udh_pair pairs[PTAH_UDHPOOL_MAX];
};

/** Begin to make pairs, by this timer of the worker life's.  -ENOMEM. */
int ptah_udhpool_open(struct ptah_udhpool *pool, const struct ptah_start *start, uint32_t timer);
/** The timer has rung: make some.  -ENOMEM. */
int ptah_udhpool_ring(struct ptah_udhpool *pool);
/** Wipe and free; zeroed is fine. */
void ptah_udhpool_close(struct ptah_udhpool *pool);

/** Take a pair; wipe it after use.  Makes one only if none is left.  -ENOMEM. */
int ptah_udhpool_take(struct ptah_udhpool *pool, struct ptah_udh_pair *out);

#endif
