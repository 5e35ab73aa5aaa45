/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/udpclient.h: the client's UDP listener: each source address gets a
 * link of its own, as long as datagrams come (ipc.md 7.1, 7.2).
 *
 * Threads: one per worker and service; made and freed on that worker, or before it runs.
 */
#ifndef PTAH_PLAIN_UDPCLIENT_H
#define PTAH_PLAIN_UDPCLIENT_H

#include "transport/instance.h"
#include "wire/dial.h"
#include "wire/listen.h"

struct ptah_udpclient;

/**
 * The sources of all workers of one service: there may be so many of them, and past
 * that the one that has been idle longest goes, whichever worker has it.
 * Threads: any.
 */
struct ptah_udppool;
/** Gives: one for ptah_udppool_unref().  NULL: ENOMEM. */
struct ptah_udppool *ptah_udppool_new(unsigned most);
/** NULL is fine.  Each client holds one of its own. */
void ptah_udppool_unref(struct ptah_udppool *pool);

/** Lent, all of it, until the client is freed. */
struct ptah_udpclient_how {
	struct ptah_instance *instance;
	const struct ptah_dial_how *dial;
	struct ptah_quota *quota;
	int framing;        /* PTAH_FRAMING_... */
	struct ptah_udppool *pool;
	unsigned queue_most; /* datagrams held while a link is dialled */
	unsigned idle_ms, dial_ms;
};

/** Takes: fd, bound, also on failure.  Fails: NULL and errno. */
struct ptah_udpclient *ptah_udpclient_new(struct ptah_worker *worker, const struct ptah_udpclient_how *how, int fd);
/** Take no new sources; those that have a link go on. */
void ptah_udpclient_shut(struct ptah_udpclient *client);
/** Its links must have ended.  NULL is fine. */
void ptah_udpclient_free(struct ptah_udpclient *client);

#endif
