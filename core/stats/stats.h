/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * stats/stats.h: counters, a block for each writer, summed when somebody asks.
 *
 * A worker has a block of its own, and one for each service (stats/tally.h).
 *
 * Threads: one writer (the worker); readers take relaxed loads.
 */
#ifndef PTAH_STATS_STATS_H
#define PTAH_STATS_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
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
	PTAH_STAT_NAMED_N,          /* those before this have names, and are told in one line */

	/* Links that ended before they relayed, and attempts of those that were made anew, by why. */
	PTAH_STAT_FAILED_FIRST = PTAH_STAT_NAMED_N,
	PTAH_STAT_FAILED_DIAL = PTAH_STAT_FAILED_FIRST, /* client: no connection to the server */
	PTAH_STAT_FAILED_TARGET,   /* server: the peer was good, and the plain end did not open */
	PTAH_STAT_FAILED_TIMEOUT,  /* not over within its limit */
	PTAH_STAT_FAILED_REJECTED, /* the peer failed to authenticate */
	PTAH_STAT_FAILED_CLOSED,   /* the peer went away */
	PTAH_STAT_FAILED_PROTOCOL, /* the peer, or a module, said what makes no sense */
	PTAH_STAT_FAILED_CANCELLED, /* by us, or by the application */
	PTAH_STAT_FAILED_OTHER,
	PTAH_STAT_FAILED_END,      /* one behind the last */

	PTAH_STAT_PROBES_HELD = PTAH_STAT_FAILED_END, /* a level: rejected peers whose connection is kept */
	PTAH_STAT_REPLAYS,         /* handshakes and messages that had come before */
	/* Connections that a bound of the service let wait (links, rate), or turned away, by which. */
	PTAH_STAT_REFUSED_LINKS,
	PTAH_STAT_REFUSED_RATE,
	PTAH_STAT_REFUSED_PREFIX,
	/* How long it took to connect: a client's wire end, a server's plain end. */
	PTAH_STAT_DIAL_NS,         /* all together */
	PTAH_STAT_DIAL_FIRST,      /* how many of up to ptah_stats_dial_ms[0], ... [1], and the last: longer than all these */
	PTAH_STAT_DIAL_LAST = PTAH_STAT_DIAL_FIRST + 12,
	PTAH_STAT_N
};

/** Upper ends of the buckets of PTAH_STAT_DIAL_...; the last has none. */
#define PTAH_STATS_DIAL_BUCKETS (PTAH_STAT_DIAL_LAST - PTAH_STAT_DIAL_FIRST)
extern const uint32_t ptah_stats_dial_ms[PTAH_STATS_DIAL_BUCKETS];

struct ptah_stats {
	_Atomic uint64_t at[PTAH_STAT_N];
};

static inline void
ptah_stats_add(struct ptah_stats *stats, enum ptah_stat which, uint64_t n)
{
	atomic_store_explicit(&stats->at[which],
	    atomic_load_explicit(&stats->at[which], memory_order_relaxed) + n, memory_order_relaxed);
}

static inline uint64_t
ptah_stats_get(const struct ptah_stats *stats, enum ptah_stat which)
{
	return atomic_load_explicit(&stats->at[which], memory_order_relaxed);
}

/** A level goes down.  Who has seen it at 0 (ptah_stats_is_still()) knows that this block is not touched for it any more. */
static inline void
ptah_stats_less(struct ptah_stats *stats, enum ptah_stat which)
{
	atomic_store_explicit(&stats->at[which], ptah_stats_get(stats, which) - 1, memory_order_release);
}

/** Does nobody stand in a level of this block? */
bool ptah_stats_is_still(const struct ptah_stats *stats);

/** A connection was made, and took so long. */
void ptah_stats_dialed(struct ptah_stats *stats, uint64_t ns);
/** A handshake failed for this -errno; whether it was in the DIAL or for the TARGET, the caller knows. */
enum ptah_stat ptah_stats_failure(int rc);

/** Name of one before PTAH_STAT_NAMED_N, as words in snake case. */
const char *ptah_stats_name(enum ptah_stat which);
/** Add the block of 'one' to 'sum'. */
void ptah_stats_sum(struct ptah_stats *sum, const struct ptah_stats *one);

#endif
