/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * wire/post.h: datagrams that wait for the end of a wake-up, so that those for
 * one place leave together.
 *
 * Nothing is copied: what is posted must stay as it is until the flush.
 *
 * Threads: the worker's own.
 */
#ifndef PTAH_WIRE_POST_H
#define PTAH_WIRE_POST_H

#include "wire/udp.h"

struct ptah_stats;

/** More than this never wait. */
#define PTAH_POST_MOST 2048u

/** A way out: a socket, and where to on it. */
struct ptah_lane {
	int fd;
	bool plain;                /* it leads to the plain side; only for the counters */
	struct ptah_addr addr;     /* AF_UNSPEC: the socket is connected */
	struct ptah_udp_local local;
	size_t most;               /* no longer datagram goes there: ptah_lane_most_of() */
	struct ptah_udp_out out;
	/* Of the post. */
	unsigned first, last;
	bool waits;
	struct ptah_lane *next;
};

/** The longest datagram for that address's family: 65535 less its headers. */
static inline size_t
ptah_lane_most_of(const struct ptah_addr *addr)
{
	return addr->sa.sa_family == AF_INET6 ? 65527 : 65507;
}

struct ptah_post;

/** Gives: one for ptah_post_free().  Lends: stats, of the worker.  NULL: ENOMEM. */
struct ptah_post *ptah_post_new(struct ptah_stats *stats);
/** Nothing may wait in it.  NULL is fine. */
void ptah_post_free(struct ptah_post *post);

/** Let a datagram wait.  May flush.  One that is too long for the lane is lost, and counted. */
void ptah_post_add(struct ptah_post *post, struct ptah_lane *lane, struct ptah_span datagram);
/** Send all that waits, in order for each lane.  What the kernel does not take is lost, and counted. */
void ptah_post_flush(struct ptah_post *post);
/** This lane is about to go, or to lead elsewhere: nothing of it waits after this. */
void ptah_post_leave(struct ptah_post *post, const struct ptah_lane *lane);

#endif
