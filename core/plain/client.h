/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/client.h: the client's listener: applications come by SOCKS or
 * transparently, and each gets a link.
 *
 * Threads: one per worker and service; made and freed on that worker, or before it runs.
 */
#ifndef PTAH_PLAIN_CLIENT_H
#define PTAH_PLAIN_CLIENT_H

#include <stdbool.h>

#include "transport/instance.h"
#include "wire/dial.h"
#include "wire/listen.h"

struct ptah_client;
struct ptah_gate;

/** Lent, all of it, until the client is freed. */
struct ptah_client_how {
	struct ptah_instance *instance;
	const struct ptah_dial_how *dial;
	struct ptah_quota *quota;
	struct ptah_gate *gate; /* NULL: nothing is bounded */
	bool socks;       /* else transparent TCP */
	bool legacy80;    /* serve method 80 */
	int dialect;      /* PTAH_D1 ... */
	unsigned dial_ms;
};

/**
 * Takes: listen_fd, also on failure.
 * Gives: a client for ptah_client_free().
 * Fails: NULL and errno.
 */
struct ptah_client *ptah_client_new(struct ptah_worker *worker, const struct ptah_client_how *how, int listen_fd);

/** Take no more connections; 'drain': but those that wait in the queue. */
void ptah_client_shut(struct ptah_client *client, bool drain);

/** How many applications are still in their SOCKS handshake. */
unsigned ptah_client_waiting(const struct ptah_client *client);

/** Its links must have ended.  NULL is fine. */
void ptah_client_free(struct ptah_client *client);

#endif
