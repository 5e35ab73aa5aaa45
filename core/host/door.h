/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/door.h: where a service takes what comes, on one worker: the one of
 * plain's clients and servers that fits role, mode and transport.
 *
 * Knows neither when a service may listen nor who is told that it does.
 *
 * Threads: a door belongs to its worker, but for ptah_doors_...(), which
 * are for the main thread.
 */
#ifndef PTAH_HOST_DOOR_H
#define PTAH_HOST_DOOR_H

#include <stdbool.h>

#include "base/addr.h"
#include "config/plan.h"

struct ptah_arrival;
struct ptah_client;
struct ptah_dial_how;
struct ptah_gate;
struct ptah_instance;
struct ptah_limit;
struct ptah_msgclient;
struct ptah_msgserver;
struct ptah_place;
struct ptah_places;
struct ptah_quota;
struct ptah_roster;
struct ptah_server;
struct ptah_udpclient;
struct ptah_udpserver;
struct ptah_worker;

/** What the doors of one address of a service share, one on each worker.  The first six are lent. */
struct ptah_doors {
	const struct ptah_plan *plan;
	struct ptah_instance *instance;
	const struct ptah_dial_how *dial;
	struct ptah_quota *quota;
	struct ptah_gate *gate;       /* of all doors of the service; NULL: nothing is bounded */
	struct ptah_places *places;   /* of plans that have a label */
	/* Its own, made when it binds. */
	struct ptah_place *place;     /* NULL: it has left it, or binds by itself, as under a parent */
	bool elsewhere;               /* another process goes on where it was */
	struct ptah_limit *peers;     /* UDP */
	struct ptah_limit *strangers; /* server of messages: those that it does not know yet */
	struct ptah_roster *roster;   /* server of messages whose bottom layer has a key */
};

/** One of these; zeroed, it is shut. */
struct ptah_door {
	struct ptah_client *client;
	struct ptah_server *server;
	struct ptah_udpclient *udpclient;
	struct ptah_udpserver *udpserver;
	struct ptah_msgclient *msgclient;
	struct ptah_msgserver *msgserver;
	bool shut; /* a carrier may still bring streams: none of them becomes a link */
};

/**
 * Open a socket for each of 'n' workers.
 * Gives: n descriptors, and the address that was really bound; ptah_doors_clear() the rest, also on failure.
 * Fails: -errno; nothing is open then.
 */
int ptah_doors_bind(struct ptah_doors *doors, const struct ptah_addr *addr, int *fds, unsigned n, struct ptah_addr *bound);
/** May one open without a socket?  A server's: a carrier brings it streams. */
bool ptah_doors_take_arrivals(const struct ptah_doors *doors);
/** Leave the place: who is still to be let in must be let in by the doors.  False: another service goes on there. */
bool ptah_doors_leave(struct ptah_doors *doors);
/** Each must have been cleared. */
void ptah_doors_clear(struct ptah_doors *doors);

/**
 * Open it; on the worker, or before it runs.
 * Takes: fd (-1: none, see above), also on failure.
 */
int ptah_door_open(struct ptah_door *door, const struct ptah_doors *doors, struct ptah_worker *worker, int fd);
/** A stream that a carrier brought.  Takes: its descriptor.  -errno: no link was made, and the carrier knows. */
int ptah_door_arrive(struct ptah_door *door, const struct ptah_arrival *arrival);
/** Let nothing new in; with 'drain', nothing but what stands in the queue.  'elsewhere': another process has the socket, too. */
void ptah_door_shut(struct ptah_door *door, bool drain, bool elsewhere);
/** Its links must have ended. */
void ptah_door_clear(struct ptah_door *door);

#endif
