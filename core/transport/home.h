/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/home.h: the lives of an instance that are not links: its home and
 * one life on each worker; their birth and death.
 *
 * Threads: each life its worker's.
 */
#ifndef PTAH_TRANSPORT_HOME_H
#define PTAH_TRANSPORT_HOME_H

#include <stdbool.h>

#include "loop/deadline.h"
#include "loop/worker.h"
#include "transport/instance.h"
#include "wire/listen.h"

struct ptah_home {
	struct ptah_self self;
	bool opening;  /* home_open() runs: state may be read */
	bool open;     /* hooks may run */
	bool said;     /* ready(0) was said; its children may not be ready */
	bool told;     /* whoever waits for that was told */
	struct ptah_opening *waiting; /* who waits for ready() */
	struct ptah_deadline limit;   /* of ready() */
	struct event *stop_limit;     /* of home_done() */
	struct ptah_stopping *stop;   /* who waits for home_done() */
	struct ptah_stopping *left;   /* ... and then for the children */
	/* What it owns, beside its streams. */
	struct ptah_ear *ears;
	struct ptah_quota guests;     /* connections that it was told of */
	char bound[PTAH_ADDR_TEXT];   /* where its first ear is; "" without one */
	struct ptah_spawned *spawned;
	unsigned n_spawned;
	uint64_t last_number;         /* of a process */
	struct ptah_child *children;
	unsigned n_children, n_opening; /* not gone; not ready */
};

struct ptah_worker_life {
	struct ptah_self self;
	struct ptah_letter letter; /* that ends it */
	bool open;
};

/** Make the memory of all lives of one layer, zeroed.  -ENOMEM. */
int ptah_lives_make(struct ptah_instance *instance);
/** Free it; every life must be closed.  false: one could not be, and keeps its code. */
bool ptah_lives_free(struct ptah_instance *instance);

/** Open the lives of all layers; 'on_ready' as in ptah_instance_open().  -ENOMEM, and then nothing was begun. */
int ptah_lives_open(struct ptah_instance *top, ptah_ready_fn *on_ready, void *arg);

/** Has this module a life on each worker?  Has any layer of a stack such lives, or a home? */
bool ptah_lives_has(const struct ptah_module *module);
bool ptah_lives_any(const struct ptah_instance *top);

/** Room for the end of an instance, made when it begins.  Gives: one for free(), or ptah_instance_stop().  NULL: ENOMEM. */
struct ptah_stopping *ptah_stopping_new(void);

/** Tell whoever waits for it, once, that the home is ready (0), or why it is not. */
void ptah_home_settle(struct ptah_home *home, int rc, const char *reason);
/** No hook runs after this.  Fine if it is closed. */
void ptah_home_close(struct ptah_home *home);
/** It is over: if its end was asked for, close it and go on to the worker lives. */
void ptah_home_ended(struct ptah_home *home);

/** What the home says in host->ready() and host->home_done(); from inside its hooks. */
void ptah_home_ready(struct ptah_home *home, int rc, const char *advertise, const char *bridge_args,
    const char *reason);
void ptah_home_done(struct ptah_home *home);

/** One of its children is ready (0) or is not ('reason'); one has ended. */
void ptah_home_child_told(struct ptah_home *home, int rc, const char *reason);
void ptah_home_child_gone(struct ptah_home *home);

/** The home of this life, if it is one. */
struct ptah_home *ptah_home_of(struct ptah_self *self);

#endif
