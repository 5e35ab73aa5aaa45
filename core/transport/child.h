/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/child.h: instances of other transports that a home made for
 * itself, and how streams go through them.
 *
 * Links are made by a room above this one, and instances are opened on the
 * main thread: the program hands in a table for both.
 *
 * Threads: the home's worker, unless it says another.
 */
#ifndef PTAH_TRANSPORT_CHILD_H
#define PTAH_TRANSPORT_CHILD_H

#include "base/json.h"
#include "transport/instance.h"

struct ptah_through;

/** Hears, once and on the link's worker, how a dial went: 0, or -errno. */
typedef void ptah_through_fn(int rc, void *arg);

/**
 * Hears, once and on the link's worker, that a server link wants its plain end: 'plain_fd' (taken) is the other side
 * of it; -1: the link ended before that.
 */
typedef void ptah_through_plain_fn(int plain_fd, const char *peer, const char *dest, void *arg);

/** What the room of links does for children.  All on the worker that is named. */
struct ptah_through_ops {
	/**
	 * Begin a client link of 'instance' on 'plain_fd' (taken, also on failure); 'args': link options, an object or NULL.
	 * Gives: a handle, which is gone once 'fn' has run; it never runs from inside this call.
	 * Fails: NULL and errno.
	 */
	struct ptah_through *(*dial)(struct ptah_worker *worker, struct ptah_instance *instance, int plain_fd,
	    const char *server, const struct ptah_json *args, ptah_through_fn *fn, void *arg);
	/** 'fn' shall not run any more; the link lives on.  The handle is gone. */
	void (*forget)(struct ptah_through *through);
	/**
	 * Begin a server link on 'wire_fd' (taken, also on failure); 'arrival' if a carrier brought it, else NULL.
	 * -errno, and 'fn' does not run.
	 */
	int (*accept)(struct ptah_worker *worker, struct ptah_instance *instance, int wire_fd, const char *peer,
	    const struct ptah_arrival *arrival, ptah_through_plain_fn *fn, void *arg);
};

/** What children need of the program.  ptah_registry_set_hands() */
struct ptah_hands {
	const struct ptah_through_ops *through;
	/** Run fn(arg) on the main thread, soon.  -errno.  Any thread. */
	int (*on_main)(void *hands_arg, void (*fn)(void *arg), void *arg);
	/** Say a STATUS line's text to the parent, if it knows them.  Any thread; never waits. */
	void (*status)(void *hands_arg, const char *text, size_t len);
	void *arg;
};

/** The service.  The instance of the home is not ready before its children are. */
int ptah_child_open(struct ptah_self *self, const char *name, const char *options, const char *bind);

/** A child of an instance's home, by its number; NULL: there is none.  Any worker that has a life of the instance. */
struct ptah_child *ptah_child_find(struct ptah_instance *parent, int32_t number);

/** Dial through one, on any worker; as ptah_through_ops.dial. */
struct ptah_through *ptah_child_dial(struct ptah_child *child, struct ptah_worker *worker, int plain_fd,
    const char *server, const char *args, ptah_through_fn *fn, void *arg);
/** Forget that dial. */
void ptah_child_forget(struct ptah_instance *parent, struct ptah_through *through);

/** Begin to end all of a home's children; home->n_children counts those that are still there. */
void ptah_children_end(struct ptah_home *home);
/** Free what is left of them, with the instance. */
void ptah_children_free(struct ptah_home *home);

#endif
