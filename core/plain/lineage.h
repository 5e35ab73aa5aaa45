/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/lineage.h: who reads a UDP port that one service has taken over from
 * another, whose peers are still there.
 *
 * Both have descriptors of one socket.  The newer one, the heir, reads it, and
 * offers what is for nobody that it knows to those before it: they take what is
 * for one of their peers, and begin nothing new.
 *
 * Threads: the worker's own.
 */
#ifndef PTAH_PLAIN_LINEAGE_H
#define PTAH_PLAIN_LINEAGE_H

#include "base/addr.h"
#include "wire/udp.h"

struct event;
struct ptah_worker;

/** Embed it, zeroed. */
struct ptah_lineage {
	struct ptah_lineage *next; /* all of the worker */
	struct ptah_lineage *elder, *heir;
	struct ptah_worker *worker; /* NULL: it has not begun */
	struct ptah_addr at;
	struct event *event;
	bool rests;
	bool (*take)(const struct ptah_udp_got *got, void *arg);
	void *arg;
};

/**
 * Read the socket from now on; whoever read its address on this worker reads no more.
 * 'take' hears of a datagram that came alone: is it for a peer that is here?  Then it takes it.
 * Lends: event, until ptah_lineage_end().
 * Fails: -errno, and nothing has changed.
 */
int ptah_lineage_begin(struct ptah_lineage *line, struct ptah_worker *worker, int fd, struct event *event,
    bool (*take)(const struct ptah_udp_got *got, void *arg), void *arg);
/** Read no more; who has no heir left reads again.  Fine if it has not begun. */
void ptah_lineage_end(struct ptah_lineage *line);

/** Another process reads the socket from now on: read no more, and those before it neither.  Fine if it has not begun. */
void ptah_lineage_rest(struct ptah_lineage *line);

/** Has one before it taken this piece of what was got? */
bool ptah_lineage_offer(const struct ptah_lineage *line, const struct ptah_udp_got *got, struct ptah_room piece);
/** The same for 'n' of them.  How many of the pieces are left. */
size_t ptah_lineage_offer_all(const struct ptah_lineage *line, const struct ptah_udp_got *got, struct ptah_room *pieces, size_t n);

#endif
