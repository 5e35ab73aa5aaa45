/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/service.h: one transport of the plan at work: its instance, and a
 * listener on every worker.
 *
 * Threads: the main one, but for the ..._here() functions, which are for the
 * worker that they are given.
 */
#ifndef PTAH_HOST_SERVICE_H
#define PTAH_HOST_SERVICE_H

#include <pthread.h>

#include "base/addr.h"
#include "base/kv.h"
#include "config/plan.h"
#include "host/door.h"
#include "loop/worker.h"
#include "transport/instance.h"
#include "transport/needs.h"
#include "wire/dial.h"
#include "wire/listen.h"

struct ptah_crew;
struct ptah_flock;
struct ptah_gate;
struct ptah_tally;
struct ptah_service_run;
struct ptah_service_sockets;

#define PTAH_SERVICE_WAITS 0   /* its module is not ready yet */
#define PTAH_SERVICE_LISTENS 1
#define PTAH_SERVICE_FAILED 2  /* 'reason' */
#define PTAH_SERVICE_ABSENT 3  /* there is no such transport */
#define PTAH_SERVICE_READY 4   /* its module is; it waits for ptah_service_listen() */

/** Lent for the life of the service, all that it points to. */
struct ptah_service_how {
	const struct ptah_plan *plan;
	const struct ptah_service *service;
	struct ptah_crew *crew;
	struct ptah_flock *flocks; /* of its links, by worker */
	unsigned turn;             /* which of its dispatchers the crew has come to */
	const struct ptah_dial_how *dial;
	const bool *stopping; /* it is too late to listen */
	void (*on_settled)(void *arg); /* the state is not WAITS any more; also from inside ptah_service_open() */
	void *arg;
};

/** Addresses that a service may listen on. */
#define PTAH_SERVICE_DOORS (1 + PTAH_ALSO_MAX)

/** Of one worker. */
struct ptah_service_place {
	struct ptah_door doors[PTAH_SERVICE_DOORS]; /* as the run's */
	struct ptah_letter close; /* once */
};

struct ptah_service_run {
	struct ptah_service_how how;
	const char *name;
	int state; /* PTAH_SERVICE_... */
	char *reason;
	struct ptah_addr bound;      /* where it listens, first of all */
	char address[PTAH_DEST_TEXT]; /* server: what is to be announced */
	struct ptah_kv bridge_args;  /* server */
	/* Its own. */
	struct ptah_instance *instance;
	struct ptah_tally *tally;
	struct ptah_needs needs; /* what was loaded for it */
	struct ptah_gate *gate; /* NULL: nothing is bounded */
	struct ptah_service_sockets *held; /* what it will listen on when it is released; or NULL */
	pthread_t opener;
	bool heard;       /* that it is ready, or is not */
	bool is_stopped;  /* and so nothing is waited for but that */
	int ready_rc, listening_rc;
	char *ready_reason;
	bool closing;
	struct ptah_letter ready, listening, ended; /* to the main thread, each once */
	void (*stopped)(void *arg);
	void *stopped_arg;
	struct ptah_doors doors[PTAH_SERVICE_DOORS]; /* one for each address, from the instance on */
	bool is_last[PTAH_SERVICE_DOORS];  /* nobody goes on where it listens */
	size_t n_doors;
	struct ptah_service_place *places; /* by worker */
};

/**
 * Make what it needs of memory; nothing is begun.
 * Gives: *run, for ptah_service_clear(), but not if this call fails.
 * Fails: -ENOMEM.
 */
int ptah_service_init(struct ptah_service_run *run, const struct ptah_service_how *how);

/** Open the instance; it may listen once its state is READY.  From here on ptah_service_stop() comes before the rest. */
void ptah_service_open(struct ptah_service_run *run);

/** Listen, from READY on: who of two that want one port is first has it. */
void ptah_service_listen(struct ptah_service_run *run);
/** The crew is not held any more: take what comes. */
void ptah_service_release(struct ptah_service_run *run);
/** Before it is drained: leave the address to another service, or let in who waits there already. */
void ptah_service_leave(struct ptah_service_run *run);
/** Stop listening, on all workers. */
void ptah_service_close(struct ptah_service_run *run);
void ptah_service_shut_here(struct ptah_service_run *run, struct ptah_worker *worker, bool drain);
/** Its links on this worker must have ended. */
void ptah_service_free_here(struct ptah_service_run *run, struct ptah_worker *worker);

/** Let the module clean up; 'done' runs on the main thread.  All links must have ended. */
void ptah_service_stop(struct ptah_service_run *run, uint64_t until_ns, void (*done)(void *arg), void *arg);
/** It was stopped, or never opened. */
void ptah_service_clear(struct ptah_service_run *run);

#endif
