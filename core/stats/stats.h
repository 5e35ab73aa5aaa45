/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * stats/stats.h: counters, one block per worker, summed when somebody asks.
 *
 * Threads: one writer (the worker); readers take relaxed loads.
 */
#ifndef PTAH_STATS_STATS_H
#define PTAH_STATS_STATS_H

#include <stdatomic.h>
#include <stdint.h>

enum ptah_stat {
	PTAH_STAT_LINKS_OPENED,   /* links begun */
	PTAH_STAT_LINKS_CLOSED,
	PTAH_STAT_LINKS_RELAYING, /* links that got as far as carrying bytes */
	PTAH_STAT_PLAIN_BYTES_IN, /* read from plain ends */
	PTAH_STAT_PLAIN_BYTES_OUT,
	PTAH_STAT_WIRE_BYTES_IN,
	PTAH_STAT_WIRE_BYTES_OUT,
	PTAH_STAT_DIALS_FAILED,
	PTAH_STAT_HANDSHAKES_FAILED,
	PTAH_STAT_REJECTED,       /* peers that failed to authenticate */
	PTAH_STAT_TIMEOUTS,
	PTAH_STAT_ACCEPT_WAITS,   /* times that accepting paused for want of descriptors or memory */
	/* The UDP modes.  Drops are datagrams, by reason. */
	PTAH_STAT_UDP_IN,           /* datagrams read from plain sides */
	PTAH_STAT_UDP_OUT,          /* ... and sent to them */
	PTAH_STAT_UDP_EVICTED,      /* sources that had to go for a new one */
	PTAH_STAT_UDP_DROP_WAITING, /* the link was not there yet, and nothing holds it */
	PTAH_STAT_UDP_DROP_ALIEN,   /* not of the mode, or from somebody who was not spoken to */
	PTAH_STAT_UDP_DROP_FULL,    /* the link's send queue was */
	PTAH_STAT_UDP_DROP_REFUSED, /* no link could be made, or none is any more; or no such name was found */
	PTAH_STAT_UDP_DROP_SEND,    /* the kernel took it not: no room, no route */
	PTAH_STAT_UDP_DROP_REJECTED, /* a layer of messages rejected it */
	PTAH_STAT_UDP_DROP_LONG,    /* a message with what its layers added was longer than a datagram can be */
	PTAH_STAT_N
};

struct ptah_stats {
	_Atomic uint64_t at[PTAH_STAT_N];
};

static inline void
ptah_stats_add(struct ptah_stats *stats, enum ptah_stat which, uint64_t n)
{
	atomic_store_explicit(&stats->at[which],
	    atomic_load_explicit(&stats->at[which], memory_order_relaxed) + n, memory_order_relaxed);
}

/** Name as words in snake case, for logs and metrics. */
const char *ptah_stats_name(enum ptah_stat which);
/** Add the block of 'one' to 'sum'. */
void ptah_stats_sum(struct ptah_stats *sum, const struct ptah_stats *one);

#endif
