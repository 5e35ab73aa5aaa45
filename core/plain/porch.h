/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/porch.h: how peers come to a server: from its port, or brought by a carrier; each with a seat, if there is one.
 *
 * From a trusted proxy a connection waits here until it has said, by a PROXY header, for whom it speaks, and
 * without one it is refused: whoever reaches the proxy could else be whoever it likes.  From any other source a header
 * is what it looks like to the transport.
 *
 * Threads: one belongs to its worker.
 */
#ifndef PTAH_PLAIN_PORCH_H
#define PTAH_PLAIN_PORCH_H

#include <stdbool.h>
#include <stddef.h>

#include <ptah/span.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/prefix.h"
#include "plain/permit.h"

struct ptah_arrival;
struct ptah_caller_waits;
struct ptah_flock;
struct ptah_gate;
struct ptah_instance;
struct ptah_link;
struct ptah_link_ops;
struct ptah_listener;
struct ptah_quota;
struct ptah_worker;

/** How long a proxy may take for its header: a segment may be lost, and sent again. */
#define PTAH_PORCH_MS 5000

/** A peer's connection, and whose it is. */
struct ptah_caller {
	int fd;
	struct ptah_permit permit;
	struct ptah_addr from;  /* the client; AF_UNSPEC: nobody knows */
	struct ptah_addr local; /* where it connected to; AF_UNSPEC: ask the socket */
	bool named;             /* by a proxy: 'from' is not who is connected */
	/* Lent for the call: */
	const char *peer;                   /* 'from' as a text, or what a carrier says; "": nobody knows */
	struct ptah_span early;             /* what came behind the header */
	const struct ptah_arrival *arrival; /* a carrier's; NULL: it came from the port */
};

/** Lent for its life, all that it points to. */
struct ptah_porch_how {
	struct ptah_worker *worker;
	struct ptah_instance *instance; /* those who wait here count among its links to be */
	struct ptah_quota *quota;
	struct ptah_gate *gate;         /* NULL: nothing is bounded */
	const struct ptah_prefix *from; /* who is trusted */
	size_t n_from;
	/** Here is one.  Takes: descriptor and permit, also on failure.  Fails: -ENOMEM. */
	int (*on_caller)(struct ptah_caller *caller, void *arg);
	void *arg;
};

/** Embed it, zeroed. */
struct ptah_porch {
	struct ptah_porch_how how;
	struct ptah_issuer issuer;
	struct ptah_listener *listener; /* NULL: carriers bring all, or it is shut */
	struct ptah_flock *flock;
	struct ptah_caller_waits *waits; /* list */
	struct ptah_often refused, no_memory;
};

/** Takes: listen_fd (-1: none), also on failure.  Fails: -ENOMEM; ptah_porch_clear() is fine then, too. */
int ptah_porch_open(struct ptah_porch *porch, const struct ptah_porch_how *how, int listen_fd);
/** Take no more from the port; 'drain': but those that wait in its queue. */
void ptah_porch_shut(struct ptah_porch *porch, bool drain);
/** It is shut, and those who wait are closed.  Fine if it was never opened. */
void ptah_porch_clear(struct ptah_porch *porch);

/**
 * Whom a carrier brings cannot wait: is there room?
 * Takes: the arrival's descriptor.
 * Fails: -EUSERS, counted and said; -ENOMEM.  The connection is closed then, and its home has been told.
 */
int ptah_porch_arrive(struct ptah_porch *porch, const struct ptah_arrival *arrival);

/**
 * A link for a caller, which has heard what came already, and waits for ptah_link_go().
 * Takes: the caller's descriptor, also on failure.
 * Fails: NULL (ENOMEM).
 */
struct ptah_link *ptah_caller_link(const struct ptah_caller *caller, struct ptah_worker *worker,
    struct ptah_instance *instance, const struct ptah_link_ops *ops, void *arg);

#endif
