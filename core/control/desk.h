/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * control/desk.h: a listening socket at which a few are served, each within a
 * time, and each with a few bytes of request.
 *
 * Knows no protocol: whoever opens it reads and answers.  When as many are there
 * as may be, others wait in the kernel's queue.
 *
 * Threads: the worker's own.
 */
#ifndef PTAH_CONTROL_DESK_H
#define PTAH_CONTROL_DESK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ptah/span.h>

struct ptah_worker;
struct ptah_desk;
struct ptah_visitor;

/** Lent for the life of the desk. */
struct ptah_desk_how {
	const char *name;   /* for the log */
	unsigned most;      /* visitors at once */
	size_t ask_most;    /* longest request */
	unsigned ask_ms;    /* until a request is whole, from the first moment or from the answer before it */
	unsigned say_ms;    /* until all is taken that was said, from the first that was not */
	/**
	 * These bytes came, and were not eaten.  Returns how many are eaten, 0 for more, or -errno, which sends the
	 * visitor away.  It may call ptah_visitor_say() and _wait(), and those only.
	 */
	long (*on_bytes)(struct ptah_visitor *visitor, struct ptah_span bytes, void *arg);
	/** It is gone: forget it.  May be NULL. */
	void (*on_gone)(struct ptah_visitor *visitor, void *arg);
	void *arg;
};

/**
 * Begin to serve.
 * Takes: fd, listening and non-blocking, also on failure.
 * Gives: a desk for ptah_desk_close().
 * Fails: NULL and errno.
 */
struct ptah_desk *ptah_desk_open(struct ptah_worker *worker, int fd, const struct ptah_desk_how *how);
/** Listen no more; who is there stays.  NULL is fine. */
void ptah_desk_shut(struct ptah_desk *desk);
/** Listen again, on another socket.  Takes: fd, as ptah_desk_open().  -ENOMEM. */
int ptah_desk_resume(struct ptah_desk *desk, int fd);
/** Send all away, and listen no more.  NULL is fine. */
void ptah_desk_close(struct ptah_desk *desk);

/* What comes behind what is said. */
#define PTAH_SAY_MORE 0 /* more of the same answer */
#define PTAH_SAY_DONE 1 /* the next question */
#define PTAH_SAY_LAST 2 /* nothing: the visitor goes when it has got it */

/** Say something.  The visitor is gone at the next turn of the loop at the earliest. */
void ptah_visitor_say(struct ptah_visitor *visitor, const void *bytes, size_t len, int then);
/** From on_bytes(): the answer comes later, however long that takes. */
void ptah_visitor_wait(struct ptah_visitor *visitor);
/** What the owner keeps with it; NULL to begin. */
void *ptah_visitor_get(const struct ptah_visitor *visitor);
void ptah_visitor_set(struct ptah_visitor *visitor, void *what);
/** On a unix socket: who it is.  -errno. */
int ptah_visitor_who(const struct ptah_visitor *visitor, uid_t *uid, pid_t *pid);

#endif
