/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/msgclient.h: the client's UDP listener over transports that keep
 * messages: each source address gets a courier, and a UDP socket to the server.
 *
 * What comes before the courier is open is dropped, or waits, as ipc.md 7.2
 * says for streams.
 *
 * Threads: one per worker and service; made and freed on that worker, or before it runs.
 */
#ifndef PTAH_PLAIN_MSGCLIENT_H
#define PTAH_PLAIN_MSGCLIENT_H

#include <stdbool.h>

#include "transport/instance.h"
#include "wire/dial.h"
#include "wire/listen.h"

struct ptah_gate;
struct ptah_limit;
struct ptah_msgclient;

/** Lent, all of it, until the client is freed. */
struct ptah_msgclient_how {
	struct ptah_instance *instance;
	const struct ptah_dial_how *dial;
	struct ptah_quota *quota;
	struct ptah_gate *gate; /* NULL: nothing is bounded */
	int framing;              /* PTAH_FRAMING_...: what the mode takes */
	struct ptah_limit *limit; /* of the sources of all workers */
	unsigned queue_most;      /* datagrams held until a courier is open */
	unsigned idle_ms;
};

/** Takes: fd, bound, also on failure.  Fails: NULL and errno. */
struct ptah_msgclient *ptah_msgclient_new(struct ptah_worker *worker, const struct ptah_msgclient_how *how, int fd);
/** Take no new sources; those that have a courier go on.  'elsewhere': another process reads the socket now, so they hear nothing more from it. */
void ptah_msgclient_shut(struct ptah_msgclient *client, bool elsewhere);
/** NULL is fine. */
void ptah_msgclient_free(struct ptah_msgclient *client);

#endif
