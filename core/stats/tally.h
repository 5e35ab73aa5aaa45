/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * stats/tally.h: the counters of one service, a block for each worker.
 *
 * A service that a reload changes goes on in the same tally, so that its
 * figures never go back.  Those of a service that is gone live on in the sum.
 *
 * Threads: the main one; a block is written by its worker alone, or by the main thread.
 */
#ifndef PTAH_STATS_TALLY_H
#define PTAH_STATS_TALLY_H

#include <stdint.h>

#include "stats/stats.h"

/** The blocks of two workers share no cache line. */
struct ptah_tally_block {
	_Alignas(64) struct ptah_stats stats;
};

struct ptah_tally {
	struct ptah_tally *next;
	char *label, *transport;
	uint32_t role; /* PTAH_CLIENT or PTAH_SERVER */
	unsigned n_workers, refs;
	struct ptah_tally_block *blocks; /* by worker, and one for the main thread: what a cell counts */
};

/** All of a process. */
struct ptah_tallies {
	struct ptah_tally *first;
	struct ptah_stats past; /* of those that are gone */
	unsigned n_workers;
};

/**
 * The one of this service: as it stands if there is one.
 * Gives: a use of it, for ptah_tally_close().
 * Fails: NULL: ENOMEM.
 */
struct ptah_tally *ptah_tally_open(struct ptah_tallies *tallies, const char *label, const char *transport, uint32_t role);
/** Its links are gone; rejected peers of it that are held may still be there.  NULL is fine. */
void ptah_tally_close(struct ptah_tally *tally);

static inline struct ptah_stats *
ptah_tally_at(struct ptah_tally *tally, unsigned worker)
{
	return &tally->blocks[worker].stats;
}

/** The main thread's. */
static inline struct ptah_stats *
ptah_tally_at_main(struct ptah_tally *tally)
{
	return &tally->blocks[tally->n_workers].stats;
}

/** Add its blocks to 'sum'. */
void ptah_tally_sum(const struct ptah_tally *tally, struct ptah_stats *sum);
/** The same of all, and of those that are gone. */
void ptah_tallies_sum(const struct ptah_tallies *tallies, struct ptah_stats *sum);

/** No worker runs any more. */
void ptah_tallies_clear(struct ptah_tallies *tallies);

#endif
