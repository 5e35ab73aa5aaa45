/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/tenant.h: one service of a file at work: from its start to the end of its last link.
 *
 * A service that is changed has two of these for a while: the new one is the
 * heir of the old one, which is drained once the heir serves.
 *
 * Threads: the main one.
 */
#ifndef PTAH_HOST_TENANT_H
#define PTAH_HOST_TENANT_H

#include <stdbool.h>

#include "host/dispatcher.h"
#include "host/run.h"

struct ptah_cell;
struct ptah_tenant;

/** What a run hears; a tenant may be gone when on_gone() is over, and only then. */
struct ptah_tenant_says {
	void (*on_state)(struct ptah_tenant *tenant, void *arg);
	void (*on_gone)(struct ptah_tenant *tenant, void *arg); /* free it */
};

struct ptah_tenant {
	struct ptah_tenant *next; /* the run's list */
	struct ptah_tenant *heir; /* drain this one when that one serves; NULL: it stays */
	struct ptah_plan *plan;
	bool cut_off; /* its links had their time */
	struct ptah_dispatcher *dispatcher; /* one of these is at work; both NULL: it failed, and that is cleared away */
	struct ptah_cell *cell;             /* of an isolated service */
	int state;   /* PTAH_RUN_... */
	time_t since;
	char *reason; /* of FAILED, or NULL */
	const struct ptah_addr *bound;     /* the dispatcher's, as the next two; NULL: not yet */
	const char *address;
	const struct ptah_kv *bridge_args;
	/* Its own. */
	struct ptah_crew *crew;
	struct ptah_deadline limit;
	const struct ptah_tenant_says *says;
	void *arg;
	bool told; /* that all is settled, before there was a dispatcher */
};

/**
 * Start what the plan says; it may have failed already when this returns, and on_state() was told.
 * Takes: plan.
 * Fails: NULL: ENOMEM; the plan is freed.
 */
struct ptah_tenant *ptah_tenant_start(struct ptah_crew *crew, struct ptah_plan *plan, const struct ptah_tenant_says *says,
    void *arg);

/** The crew is not held any more. */
void ptah_tenant_release(struct ptah_tenant *tenant);
/** Take nothing new, and end with the last link, or after so many seconds. */
void ptah_tenant_drain(struct ptah_tenant *tenant, unsigned limit_s);
/** End all of it now; on_gone() follows, from inside this only where nothing runs of it. */
void ptah_tenant_end(struct ptah_tenant *tenant);
/** From on_gone(). */
void ptah_tenant_free(struct ptah_tenant *tenant);

#endif
