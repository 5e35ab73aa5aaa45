/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/dispatcher.h: a plan at work over a crew: instances, listeners, links.
 *
 * Several may work over one crew; each drains and ends alone, with the links
 * that are its own.  Knows nothing of lines, streams and signals: whoever starts
 * it hears how each service fared and says when to end.
 *
 * Threads: the one of the crew's loop.
 */
#ifndef PTAH_HOST_DISPATCHER_H
#define PTAH_HOST_DISPATCHER_H

#include "base/addr.h"
#include "base/kv.h"
#include "config/plan.h"
#include "host/crew.h"

struct ptah_dispatcher;
struct ptah_flock;

/** All run on the loop's thread; of services in list order, each once. */
struct ptah_dispatcher_says {
	/**
	 * A transport listens on 'bound'; a server is to be announced as 'address' with these bridge arguments.
	 * Anything but 0 closes the service again.
	 */
	int (*on_method)(const char *name, const struct ptah_addr *bound, const char *address,
	    const struct ptah_kv *args, void *arg);
	/** A transport that is there does not start. */
	void (*on_method_error)(const char *name, const char *text, void *arg);
	/** That was the last of them.  May run from inside ptah_dispatcher_start(). */
	void (*on_ready)(void *arg);
	/** After ptah_dispatcher_drain(): the last link has ended. */
	void (*on_drained)(void *arg);
	/** After ptah_dispatcher_end(): nothing of it runs any more; ptah_dispatcher_free() is in order, from inside this too. */
	void (*on_ended)(void *arg);
};

/**
 * Start all services of the plan; "*" is filled in first.
 * Lends: all, for the dispatcher's life.
 * Gives: a dispatcher for ptah_dispatcher_end() and then ptah_dispatcher_free().
 * Fails: NULL and errno (ENOMEM); nothing was begun.
 */
struct ptah_dispatcher *ptah_dispatcher_start(struct ptah_crew *crew, struct ptah_plan *plan,
    const struct ptah_dispatcher_says *says, void *arg);

/** Its crew is not held any more: take what comes. */
void ptah_dispatcher_release(struct ptah_dispatcher *dispatcher);

/** Take no new connections; links go on. */
void ptah_dispatcher_drain(struct ptah_dispatcher *dispatcher);

/** End its links, and let its modules clean up until then.  Once. */
void ptah_dispatcher_end(struct ptah_dispatcher *dispatcher, uint64_t until_ns);

/** Where its links are, by worker; good until it is freed, and to be looked at on those workers only. */
const struct ptah_flock *ptah_dispatcher_flocks(const struct ptah_dispatcher *dispatcher);

/** Do names of modules that it works with stand for something else now (transport/needs.h)? */
bool ptah_dispatcher_is_outdated(const struct ptah_dispatcher *dispatcher);

/** It has ended.  NULL is fine. */
void ptah_dispatcher_free(struct ptah_dispatcher *dispatcher);

/**
 * End it, run the loop until that is done, and free it.  NULL is fine.
 * Fails: -ETIMEDOUT: something hangs; nothing is freed.
 */
int ptah_dispatcher_stop(struct ptah_dispatcher *dispatcher, uint64_t until_ns);

#endif
