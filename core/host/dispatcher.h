/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/dispatcher.h: a plan at work: workers, instances, listeners, links.
 *
 * Knows nothing of lines, streams and signals: whoever starts it hears how
 * each service fared and says when to end.
 *
 * Threads: the one of the loop that it was given.
 */
#ifndef PTAH_HOST_DISPATCHER_H
#define PTAH_HOST_DISPATCHER_H

#include "base/addr.h"
#include "base/kv.h"
#include "config/plan.h"

struct ptah_dispatcher;
struct ptah_stats;
struct ptah_worker;

/** All but on_status() run on the loop's thread; in list order, each service once. */
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
	/** A module has a STATUS line for the parent.  On any thread. */
	void (*on_status)(const char *text, size_t len, void *arg);
	/** After ptah_dispatcher_drain(): the last link has ended. */
	void (*on_drained)(void *arg);
};

/**
 * Start all services of the plan; "*" is filled in first.  'descriptors': how many there may be.
 * Lends: all, for the dispatcher's life; 'loop' runs on this thread.
 * Gives: a dispatcher for ptah_dispatcher_stop().
 * Fails: NULL and errno: nothing can start.
 */
struct ptah_dispatcher *ptah_dispatcher_start(struct ptah_plan *plan, struct ptah_worker *loop,
    unsigned descriptors, const struct ptah_dispatcher_says *says, void *arg);

/** Take no new connections; links go on. */
void ptah_dispatcher_drain(struct ptah_dispatcher *dispatcher);

/**
 * End all links, let modules clean up, end the workers, free all; runs the
 * loop meanwhile.  NULL is fine.
 * Fails: -ETIMEDOUT: something hangs after 'limit_ms'; nothing is freed, and all that is left to do is to leave.
 */
int ptah_dispatcher_stop(struct ptah_dispatcher *dispatcher, unsigned limit_ms);

/** Sum of all workers' counters. */
void ptah_dispatcher_stats(const struct ptah_dispatcher *dispatcher, struct ptah_stats *sum);

#endif
