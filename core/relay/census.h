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

#define PTAH_SEEN_DIALS 0
#define PTAH_SEEN_SHAKES_HANDS 1
#define PTAH_SEEN_CARRIES 2
#define PTAH_SEEN_HALF_CLOSED 3

struct ptah_seen {
	const char *transport; /* lent for the call */
	uint32_t role;
	unsigned state;        /* PTAH_SEEN_... */
	bool messages;         /* it carries messages, not a stream */
	uint64_t age_ns;
	uint64_t got[2];       /* bytes from the plain side, and from the wire */
	struct ptah_addr peer; /* at the other end of the wire; AF_UNSPEC: not asked for, or it has none */
};

/** "dials", "shakes hands", "carries", "half closed"; NULL for what is none of these. */
const char *ptah_seen_state_name(unsigned state);

/** Show each link to 'fn', with 'addresses' the peer's too; anything but 0 ends it, and is what this returns. */
int ptah_census(const struct ptah_flock *flock, bool addresses, int (*fn)(const struct ptah_seen *seen, void *arg), void *arg);

#endif
