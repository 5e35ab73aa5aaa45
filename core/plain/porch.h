/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/porch.h: where connections from trusted proxies wait until they have
 * said, by a PROXY header, for whom they speak.
 *
 * From such a source a connection without a header is refused: whoever reaches
 * the proxy could else be whoever it likes.  From any other source a header is
 * what it looks like to the transport, and never comes here.
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
#include "plain/pass.h"

struct ptah_arrival;
struct ptah_caller_waits;
struct ptah_flock;
struct ptah_instance;
struct ptah_worker;

/** How long a proxy may take for its header: a segment may be lost, and sent again. */
#define PTAH_PORCH_MS 5000

/** A connection, and whose it is. */
struct ptah_caller {
	int fd;
	struct ptah_pass pass;
	struct ptah_addr from;  /* the client; AF_UNSPEC: nobody knows */
	struct ptah_addr local; /* where it connected to; AF_UNSPEC: ask the socket */
	bool named;             /* by a proxy: 'from' is not who is connected */
	struct ptah_span early; /* what came behind the header; lent for the call */
};

/** Lent for its life, all that it points to. */
struct ptah_porch_how {
	struct ptah_worker *worker;
	struct ptah_instance *instance; /* those who wait here count among its links to be */
	const struct ptah_prefix *from; /* who is trusted */
	size_t n_from;
	struct ptah_issuer *issuer;
	/** It has said, and there is a seat for it.  Takes: descriptor and pass.  Fails: -ENOMEM, which is said here. */
	int (*on_caller)(struct ptah_caller *caller, void *arg);
	void *arg;
};

/** Embed it, zeroed; then nobody is trusted. */
struct ptah_porch {
	struct ptah_porch_how how;
	struct ptah_flock *flock;
	struct ptah_caller_waits *waits; /* list */
	struct ptah_often refused, no_memory;
};

/** -ENOMEM. */
int ptah_porch_init(struct ptah_porch *porch, const struct ptah_porch_how *how);
/** Those who wait are closed.  Fine if it was never made. */
void ptah_porch_clear(struct ptah_porch *porch);

/** A listener took a connection: it waits, and else on_caller runs at once.  Takes: fd, and what the listener took for it. */
void ptah_porch_enter(struct ptah_porch *porch, int fd, const struct ptah_addr *from);

/**
 * Whom a carrier brings, comes by no listener and cannot wait: is there room?
 * Takes: the arrival's descriptor.
 * Gives: *caller, with that and a pass.
 * Fails: -EUSERS, counted and said; -ENOMEM.  The connection is reset then.
 */
int ptah_porch_admit(struct ptah_issuer *issuer, const struct ptah_arrival *arrival, struct ptah_caller *caller);

#endif
