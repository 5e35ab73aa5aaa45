/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/muster.h: the links of this process: each worker is asked for its own,
 * and the list is made when all have answered.
 *
 * Knows nothing of other processes, nor of how a list is shown.
 *
 * Threads: the one of the crew's loop.
 */
#ifndef PTAH_HOST_MUSTER_H
#define PTAH_HOST_MUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct ptah_crew;
struct ptah_flock;
struct ptah_muster;

/** A link; without a pointer in it, so that it may go to another process of the same program. */
struct ptah_mustered {
	uint32_t owner;        /* its place in what was asked for */
	uint32_t role;
	uint32_t state;        /* PTAH_SEEN_... (relay/census.h) */
	uint32_t messages;     /* 1: it carries messages, not a stream */
	uint64_t age_ns;
	uint64_t got[2];       /* bytes from the plain side, and from the wire */
	char transport[64];    /* a name that is longer is cut */
	struct ptah_addr peer; /* AF_UNSPEC: not asked for, or it has none */
};

/** Hears the links, once; whoever asks says in which turn.  Lends: them; rc < 0: memory was out, and some are missing. */
typedef void ptah_muster_fn(const struct ptah_mustered *links, size_t n, uint64_t more, int rc, void *arg);

/**
 * Ask all workers, for at most so many links of these owners ('flocks': for each its flocks by worker, which must be there
 * until a worker that is asked now has looked), with 'addresses' also who is at the other end of the wire.
 * Gives: a muster, which is gone when 'fn' has run.
 * Fails: NULL and errno (ENOMEM).
 */
struct ptah_muster *ptah_muster_call(const struct ptah_crew *crew, const struct ptah_flock *const *flocks, size_t n_flocks,
    unsigned most, bool addresses, ptah_muster_fn *fn, void *arg);
/** 'fn' will not run.  NULL is fine. */
void ptah_muster_forget(struct ptah_muster *muster);

#endif
