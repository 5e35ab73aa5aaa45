/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/udpclient.h: the client's UDP listener: each source address gets a
 * link of its own, as long as datagrams come (ipc.md 7.1, 7.2).
 *
 * Threads: one per worker and service; made and freed on that worker, or before it runs.
 */
#ifndef PTAH_PLAIN_UDPCLIENT_H
#define PTAH_PLAIN_UDPCLIENT_H

#include <stdbool.h>

#include "transport/instance.h"
#include "wire/dial.h"
#include "wire/listen.h"

struct ptah_gate;
struct ptah_limit;
struct ptah_udpclient;

/** Lent, all of it, until the client is freed. */
struct ptah_udpclient_how {
	struct ptah_instance *instance;
	const struct ptah_dial_how *dial;
	struct ptah_quota *quota;
	struct ptah_gate *gate; /* NULL: nothing is bounded */
	int framing;        /* PTAH_FRAMING_... */
	struct ptah_limit *limit;
	unsigned queue_most; /* datagrams held while a link is dialled */
	unsigned idle_ms, dial_ms;
};

/** Takes: fd, bound, also on failure.  Fails: NULL and errno. */
struct ptah_udpclient *ptah_udpclient_new(struct ptah_worker *worker, const struct ptah_udpclient_how *how, int fd);
/** Take no new sources; those that have a link go on.  'elsewhere': another process reads the socket now, so they hear nothing more from it. */
void ptah_udpclient_shut(struct ptah_udpclient *client, bool elsewhere);
/** Its links must have ended.  NULL is fine. */
void ptah_udpclient_free(struct ptah_udpclient *client);

#endif
