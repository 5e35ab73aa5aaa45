/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/dispatcher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "host/service.h"
#include "relay/flock.h"
#include "transport/registry.h"

/* One worker's part in it, seen from the main thread. */
struct part {
	struct ptah_dispatcher *dispatcher;
	struct ptah_worker *worker;
	struct ptah_flock *flock;
	struct ptah_deadline look; /* the worker's own: is the last link gone? */
	bool told;                 /* the worker's own: it is */
	struct ptah_letter drain, drained, end, ended;
};

struct ptah_dispatcher {
	struct ptah_crew *crew;
	struct ptah_plan *plan;
	const struct ptah_dispatcher_says *says;
	void *arg;
	struct part *parts;         /* by worker, as the next */
	struct ptah_flock *flocks;
	struct ptah_service_run *services;
	size_t n_services, n_begun, n_told; /* how many have had their turn to listen, and their line */
	unsigned n_drained, n_ended, n_swept; /* workers */
	size_t n_stopped;            /* services */
	unsigned turn;
	struct ptah_dial_how dial;
	uint64_t until_ns;
	bool ready, draining, stopping, over;
};

/* --- how each service fares -------------------------------------------------- */

/* Listen in list order: of two that want one port the first has it. */
static void
listen_in_turn(struct ptah_dispatcher *d)
{
	while (d->n_begun < d->n_services && !d->stopping) {
		struct ptah_service_run *run = &d->services[d->n_begun];

		if (run->state == PTAH_SERVICE_WAITS)
			return;
		d->n_begun++; /* first: it may settle at once, and that comes back here */
		if (run->state == PTAH_SERVICE_READY)
			ptah_service_listen(run);
	}
}

/* Tell what is known, in list order. */
static void
tell(struct ptah_dispatcher *d)
{
	for (; d->n_told < d->n_services && !d->stopping; d->n_told++) {
		struct ptah_service_run *run = &d->services[d->n_told];
		char why[64];

		switch (run->state) {
		case PTAH_SERVICE_WAITS:
		case PTAH_SERVICE_READY:
			return;
		case PTAH_SERVICE_LISTENS:
			if (d->says->on_method(run->name, &run->bound, run->address, &run->bridge_args,
			    d->arg) != 0)
				ptah_service_close(run);
			break;
		case PTAH_SERVICE_FAILED:
			snprintf(why, sizeof(why), "for a reason that it does not say");
			d->says->on_method_error(run->name, run->reason ? run->reason : why, d->arg);
			break;
		default:
			break; /* there is no such transport: not a word */
		}
	}
	if (d->n_told < d->n_services || d->ready || d->stopping)
		return;
	d->ready = true;
	d->says->on_ready(d->arg);
}

static void
on_settled(void *arg)
{
	struct ptah_dispatcher *d = arg;

	listen_in_turn(d);
	tell(d);
}

/* --- birth ----------------------------------------------------------------------- */

/* Fill "*" in. */
static int
expand(struct ptah_dispatcher *d)
{
	size_t n = 0;

	if (!d->plan->all)
		return 0;

	char **names = ptah_registry_names(d->crew->registry, (uint32_t)d->plan->role);
	if (!names)
		return -ENOMEM;
	while (names[n])
		n++;

	int rc = ptah_plan_expand(d->plan, (const char *const *)names, n);

	free(names);
	return rc;
}

static int
make_parts(struct ptah_dispatcher *d)
{
	unsigned n = d->crew->n_workers;

	d->parts = calloc(n, sizeof(*d->parts));
	d->flocks = calloc(n, sizeof(*d->flocks));
	if (!d->parts || !d->flocks)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		d->parts[i] = (struct part){ .dispatcher = d, .worker = d->crew->workers[i], .flock = &d->flocks[i] };
	return 0;
}

static int
make_services(struct ptah_dispatcher *d)
{
	size_t n = d->plan->n_services;

	d->services = calloc(n + 1, sizeof(*d->services));
	if (!d->services)
		return -ENOMEM;
	for (; d->n_services < n; d->n_services++) {
		const struct ptah_service_how how = {
			.plan = d->plan, .service = &d->plan->services[d->n_services],
			.crew = d->crew, .turn = d->turn, .flocks = d->flocks, .dial = &d->dial,
			.stopping = &d->stopping, .on_settled = on_settled, .arg = d,
		};
		int rc = ptah_service_init(&d->services[d->n_services], &how);

		if (rc != 0)
			return rc;
	}
	return 0;
}

struct ptah_dispatcher *
ptah_dispatcher_start(struct ptah_crew *crew, struct ptah_plan *plan, const struct ptah_dispatcher_says *says, void *arg)
{
	struct ptah_dispatcher *d = calloc(1, sizeof(*d));
	int rc;

	if (!d) {
		errno = ENOMEM;
		return NULL;
	}
	d->crew = crew;
	d->turn = ++crew->n_turns;
	d->plan = plan;
	d->says = says;
	d->arg = arg;
	d->dial = (struct ptah_dial_how){ .proxy = &plan->proxy, .bind_v4 = plan->outbound_v4,
		.bind_v6 = plan->outbound_v6, .family = plan->bounds.family, .keep_alive_s = plan->bounds.keep_alive_s,
		.broker = crew->how.broker };
	rc = expand(d);
	if (rc == 0)
		rc = make_parts(d);
	if (rc == 0)
		rc = make_services(d);
	if (rc != 0) {
		ptah_dispatcher_free(d);
		errno = -rc;
		return NULL;
	}
	/* From here on all that fails is a service. */
	for (size_t i = 0; i < d->n_services; i++)
		ptah_service_open(&d->services[i]);
	ptah_plan_forget_options(plan);
	on_settled(d);
	return d;
}

/* --- no new links --------------------------------------------------------------- */

static void
on_worker_drained(struct ptah_worker *loop, void *arg)
{
	struct ptah_dispatcher *d = arg;

	(void)loop;
	if (++d->n_drained == d->crew->n_workers && !d->stopping)
		d->says->on_drained(d->arg);
}

/* On the worker: nobody is there, and nobody has come since. */
static void
on_look(struct ptah_deadline *deadline, void *arg)
{
	struct part *part = arg;

	(void)deadline;
	if (part->flock->n > 0 || part->told)
		return;
	part->told = true;
	(void)ptah_worker_send(part->dispatcher->crew->loop, &part->drained, on_worker_drained, part->dispatcher);
}

/* It may be an application that is about to have its link, so look in the next turn. */
static void
on_empty(struct ptah_flock *flock, void *arg)
{
	struct part *part = arg;

	(void)flock;
	(void)ptah_deadline_set(part->worker, &part->look, 0, on_look, part); /* it is reserved */
}

static void
drain_here(struct ptah_worker *worker, void *arg)
{
	struct part *part = arg;
	struct ptah_dispatcher *d = part->dispatcher;

	for (size_t i = 0; i < d->n_services; i++)
		ptah_service_shut_here(&d->services[i], worker, true);
	part->flock->on_empty = on_empty;
	part->flock->arg = part;
	on_look(NULL, part);
}

void
ptah_dispatcher_release(struct ptah_dispatcher *d)
{
	for (size_t i = 0; i < d->n_services && !d->stopping; i++)
		ptah_service_release(&d->services[i]);
}

void
ptah_dispatcher_drain(struct ptah_dispatcher *d)
{
	if (d->draining || d->stopping)
		return;
	d->draining = true;
	for (size_t i = 0; i < d->n_services; i++)
		ptah_service_leave(&d->services[i]);
	for (unsigned i = 0; i < d->crew->n_workers; i++)
		(void)ptah_worker_send(d->crew->workers[i], &d->parts[i].drain, drain_here, &d->parts[i]);
}

/* --- death ------------------------------------------------------------------------ */

static void
on_worker_swept(struct ptah_worker *loop, void *arg)
{
	struct ptah_dispatcher *d = arg;

	(void)loop;
	if (++d->n_swept < d->crew->n_workers)
		return;
	d->over = true;
	if (d->says->on_ended)
		d->says->on_ended(d->arg);
}

/* A home may have let in a link for a transport of its own, until it ended. */
static void
sweep_here(struct ptah_worker *worker, void *arg)
{
	struct part *part = arg;

	(void)worker;
	ptah_flock_end(part->flock, -ECANCELED);
	(void)ptah_worker_send(part->dispatcher->crew->loop, &part->ended, on_worker_swept, part->dispatcher);
}

static void
on_service_stopped(void *arg)
{
	struct ptah_dispatcher *d = arg;

	if (++d->n_stopped < d->n_services + 1)
		return;
	for (unsigned i = 0; i < d->crew->n_workers; i++)
		(void)ptah_worker_send(d->crew->workers[i], &d->parts[i].end, sweep_here, &d->parts[i]);
}

/* All links are gone: modules, next. */
static void
on_worker_ended(struct ptah_worker *loop, void *arg)
{
	struct ptah_dispatcher *d = arg;

	(void)loop;
	if (++d->n_ended < d->crew->n_workers)
		return;
	for (size_t i = 0; i < d->n_services; i++)
		ptah_service_stop(&d->services[i], d->until_ns, on_service_stopped, d);
	on_service_stopped(d); /* it counts one more than there are, so that the last is always heard of here or later */
}

static void
end_here(struct ptah_worker *worker, void *arg)
{
	struct part *part = arg;
	struct ptah_dispatcher *d = part->dispatcher;

	for (size_t i = 0; i < d->n_services; i++)
		ptah_service_shut_here(&d->services[i], worker, false);
	part->flock->on_empty = NULL;
	ptah_deadline_clear(&part->look);
	ptah_flock_end(part->flock, 0);
	for (size_t i = 0; i < d->n_services; i++)
		ptah_service_free_here(&d->services[i], worker);
	(void)ptah_worker_send(d->crew->loop, &part->ended, on_worker_ended, d);
}

void
ptah_dispatcher_end(struct ptah_dispatcher *d, uint64_t until_ns)
{
	d->stopping = true;
	d->until_ns = until_ns;
	for (unsigned i = 0; i < d->crew->n_workers; i++)
		(void)ptah_worker_send(d->crew->workers[i], &d->parts[i].end, end_here, &d->parts[i]);
}

const struct ptah_flock *
ptah_dispatcher_flocks(const struct ptah_dispatcher *d)
{
	return d->flocks;
}

bool
ptah_dispatcher_is_outdated(const struct ptah_dispatcher *d)
{
	bool outdated = false;

	for (size_t i = 0; i < d->n_services && !outdated; i++)
		outdated = ptah_needs_changed(&d->services[i].needs, d->crew->registry);
	return outdated;
}

void
ptah_dispatcher_free(struct ptah_dispatcher *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n_services; i++)
		ptah_service_clear(&d->services[i]);
	free(d->services);
	free(d->flocks);
	free(d->parts);
	free(d);
}

int
ptah_dispatcher_stop(struct ptah_dispatcher *d, uint64_t until_ns)
{
	if (!d)
		return 0;
	if (!d->stopping)
		ptah_dispatcher_end(d, until_ns);
	if (!ptah_crew_run_until(d->crew, &d->over, until_ns))
		return -ETIMEDOUT;
	ptah_dispatcher_free(d);
	return 0;
}
