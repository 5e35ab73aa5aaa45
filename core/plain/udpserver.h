/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/udpserver.h: the server of the UDP modes: each link from the wire gets
 * a UDP socket of its own, connected to the target (ipc.md 7.3).
 *
 * Threads: one per worker and service; made and freed on that worker, or before it runs.
 */
#ifndef PTAH_PLAIN_UDPSERVER_H
#define PTAH_PLAIN_UDPSERVER_H

#include "transport/instance.h"
#include "wire/listen.h"

struct ptah_gate;
struct ptah_prefix;
struct ptah_udpserver;

/** Lent, all of it, until the server is freed. */
struct ptah_udpserver_how {
	struct ptah_instance *instance;
	struct ptah_quota *quota;
	struct ptah_gate *gate; /* NULL: nothing is bounded */
	const struct ptah_dest *target;
	int family; /* of its name, the addresses of this one only; AF_UNSPEC: any */
	int framing; /* PTAH_FRAMING_... */
	unsigned idle_ms;
	const struct ptah_prefix *proxy_from; /* who must say by PROXY protocol for whom it speaks */
	size_t n_proxy_from;
};

/** Takes: listen_fd (TCP; -1: peers arrive alone), also on failure.  Fails: NULL and errno. */
struct ptah_udpserver *ptah_udpserver_new(struct ptah_worker *worker, const struct ptah_udpserver_how *how, int listen_fd);
/** A stream that a carrier brought.  -ENOMEM, and its home has been told. */
int ptah_udpserver_arrive(struct ptah_udpserver *server, const struct ptah_arrival *arrival);
void ptah_udpserver_shut(struct ptah_udpserver *server, bool drain);
/** Its links must have ended.  NULL is fine. */
void ptah_udpserver_free(struct ptah_udpserver *server);

#endif
