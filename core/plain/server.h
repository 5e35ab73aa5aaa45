/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/server.h: the server's listener: peers come over the wire, and each
 * good one gets a connection to the target or to the Extended ORPort.
 *
 * Threads: one per worker and service; made and freed on that worker, or before it runs.
 */
#ifndef PTAH_PLAIN_SERVER_H
#define PTAH_PLAIN_SERVER_H

#include <stdbool.h>

#include "transport/instance.h"
#include "wire/dial.h"
#include "wire/listen.h"

struct ptah_gate;
struct ptah_prefix;
struct ptah_server;

/** Lent, all of it, until the server is freed. */
struct ptah_server_how {
	struct ptah_instance *instance;
	const struct ptah_dial_how *dial;
	struct ptah_quota *quota;
	struct ptah_gate *gate; /* NULL: nothing is bounded */
	const struct ptah_dest *target; /* NULL with an Extended ORPort only */
	bool has_extorport;
	struct ptah_addr extorport;
	const char *cookie_path;
	unsigned proxy_protocol;        /* towards the target: 0, 1, 2 */
	const struct ptah_prefix *proxy_from; /* who must say by PROXY protocol for whom it speaks */
	size_t n_proxy_from;
	unsigned dial_ms;
};

/**
 * Takes: listen_fd (-1: none, peers arrive by ptah_server_arrive() alone), also on failure.
 * Gives: a server for ptah_server_free().
 * Fails: NULL and errno.
 */
struct ptah_server *ptah_server_new(struct ptah_worker *worker, const struct ptah_server_how *how, int listen_fd);

/** A stream that a carrier brought.  -ENOMEM, and its home has been told. */
int ptah_server_arrive(struct ptah_server *server, const struct ptah_arrival *arrival);

/** Take no more peers; 'drain': but those that wait in the queue. */
void ptah_server_shut(struct ptah_server *server, bool drain);

/** Its links must have ended.  NULL is fine. */
void ptah_server_free(struct ptah_server *server);

#endif
