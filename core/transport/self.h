/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/self.h: what the host knows of one life of a module: a home, a
 * worker life or a link.  It is the first argument of every service.
 *
 * Threads: the worker that the life belongs to.
 */
#ifndef PTAH_TRANSPORT_SELF_H
#define PTAH_TRANSPORT_SELF_H

#include <stdbool.h>

#include <ptah/host.h>

struct ptah_instance;
struct ptah_worker;
struct ptah_timers;

enum ptah_life { PTAH_LIFE_HOME = 1, PTAH_LIFE_WORKER, PTAH_LIFE_LINK };

/** What only the owner of a life can do; the services call it. */
struct ptah_self_ops {
	/** Bring an event to the module; runs hooks, so 'self' may be gone after. */
	void (*deliver)(struct ptah_self *self, struct ptah_event *event);
	/** A client carrier's link got its wire end, and what came on it already: takes 'fd', but not if it fails.  -errno.  NULL: not such a life. */
	int (*give)(struct ptah_self *self, int fd, struct ptah_span early);
	/** All that its streams had to say is said, and heard; 'self' may be gone after.  NULL: does not matter. */
	void (*idle)(struct ptah_self *self);
	/** A link sends a message of its own accord.  -errno.  NULL: not such a life. */
	int (*message)(struct ptah_self *self, const struct ptah_msg *msg);
};

struct ptah_self {
	enum ptah_life life;
	struct ptah_instance *instance;
	struct ptah_worker *worker;
	const struct ptah_self_ops *ops;
	void *state;                /* the module's memory of this life */
	uint64_t id;                /* mail address, 0 until the module asked */
	struct ptah_self *next;     /* of the same slot in the worker's table of addresses */
	struct ptah_timers *timers; /* made when the first is set */
	struct ptah_stream *streams; /* list of those it owns */
	bool broken;                 /* bytes are lost: its streams end with a reset */
};

/** The table that modules get. */
extern const struct ptah_host ptah_host_services;

/** Forget all that services hold for this life: timers, mail address, streams.  Before the module's memory goes. */
void ptah_self_end(struct ptah_self *self);

#endif
