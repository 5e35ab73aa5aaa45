/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * relay/census.h: the links of a flock, as they look from outside.
 *
 * Threads: the worker's own.
 */
#ifndef PTAH_RELAY_CENSUS_H
#define PTAH_RELAY_CENSUS_H

#include <stdint.h>

#include "base/addr.h"

struct ptah_flock;

struct ptah_seen {
	const char *transport; /* lent for the call */
	uint32_t role;
	const char *state;     /* "dials", "shakes hands", "carries", "half closed"; a constant */
	bool messages;         /* it carries messages, not a stream */
	uint64_t age_ns;
	uint64_t got[2];       /* bytes from the plain side, and from the wire */
	struct ptah_addr peer; /* at the other end of the wire; AF_UNSPEC: not asked for, or it has none */
};

/** Show each link to 'fn', with 'addresses' the peer's too; anything but 0 ends it, and is what this returns. */
int ptah_census(const struct ptah_flock *flock, bool addresses, int (*fn)(const struct ptah_seen *seen, void *arg), void *arg);

#endif
