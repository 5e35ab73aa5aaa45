/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * config/reach.h: where an isolated service may connect to, by its configuration.
 *
 *   server                          its target, or the Extended ORPort; nothing else
 *   client, with serverAddress      each serverAddress in its options; nothing else
 *   client, without                 where applications ask to go, which only the service knows: any TCP port
 *
 * Threads: any; it does not change.
 */
#ifndef PTAH_CONFIG_REACH_H
#define PTAH_CONFIG_REACH_H

#include <stdbool.h>

#include "base/addr.h"
#include "config/plan.h"

/** Places that options can name. */
#define PTAH_REACH_MOST 64

struct ptah_reach {
	bool any;
	unsigned n;
	struct ptah_dest to[PTAH_REACH_MOST];
};

/** Read it from a plan of one service, which still has its options.  More places than fit are left out. */
void ptah_reach_of(struct ptah_reach *reach, const struct ptah_plan *plan);

bool ptah_reach_has(const struct ptah_reach *reach, const struct ptah_dest *to);

#endif
