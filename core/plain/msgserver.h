/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/msgserver.h: the server of the UDP modes over transports that keep
 * messages: one UDP port for all peers, a courier for each, and a socket of its
 * own towards the target (ipc.md 7.3, 7.7).
 *
 * A peer is known by its address, or by what the bottom layer reads from its
 * datagrams ('key'), and then may change its address.  Peers that have not been
 * found good are kept apart, few and not for long.
 *
 * Threads: one per worker and service; made and freed on that worker, or before it runs.
 */
#ifndef PTAH_PLAIN_MSGSERVER_H
#define PTAH_PLAIN_MSGSERVER_H

#include <stdbool.h>

#include "transport/instance.h"
#include "wire/listen.h"

struct ptah_gate;
struct ptah_limit;
struct ptah_roster;
struct ptah_msgserver;

/** How many peers of all workers may be in their handshake; past it the longest silent one goes. */
#define PTAH_STRANGERS_MOST 256u

/** Lent, all of it, until the server is freed. */
struct ptah_msgserver_how {
	struct ptah_instance *instance;
	struct ptah_quota *quota;
	struct ptah_gate *gate; /* NULL: nothing is bounded */
	const struct ptah_dest *target;
	int family; /* of its name, the addresses of this one only; AF_UNSPEC: any */
	int framing;                            /* PTAH_FRAMING_...: what the mode takes */
	struct ptah_limit *limit, *strangers;   /* of the peers of all workers */
	struct ptah_roster *roster;             /* of all workers; NULL: there is one, or peers are known by address */
	unsigned idle_ms;
};

/** Takes: fd (UDP, bound), also on failure.  Fails: NULL and errno. */
struct ptah_msgserver *ptah_msgserver_new(struct ptah_worker *worker, const struct ptah_msgserver_how *how, int fd);
/** Take no new peers; those that have a courier go on.  'elsewhere': another process reads the socket now, so they hear nothing more from it. */
void ptah_msgserver_shut(struct ptah_msgserver *server, bool elsewhere);
/** NULL is fine. */
void ptah_msgserver_free(struct ptah_msgserver *server);

#endif
