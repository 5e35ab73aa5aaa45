/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/dispatcher.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "host/remember.h"
#include "host/service.h"
#include "loop/worker.h"
#include "plain/linger.h"
#include "relay/link.h"
#include "relay/through.h"
#include "stats/stats.h"
#include "transport/registry.h"

/* Where there are many descriptors, these are kept for names, state and second attempts to connect. */
#define DESCRIPTORS_KEPT 64u
#define DESCRIPTORS_MANY 512u
/* Of all descriptors, what rejected peers may have. */
#define REJECTED_PART 8
/* More links than this are not taken: they wait in the kernel. */
#define LINKS_MOST 131072u
/* How often a draining worker looks whether its last link has gone. */
#define DRAIN_LOOK_MS 20

/* How often ptah_dispatcher_stop() looks whether it is late. */
#define LATE_LOOK_MS 50

/* How long a start that failed may take to be undone. */
#define START_UNDONE_MS 2000

/* One worker, seen from the main thread. */
struct crew {
	struct ptah_dispatcher *dispatcher;
	struct ptah_worker *worker;
	struct ptah_deadline drain_look; /* the worker's own */
	struct ptah_letter drain, drained, end, ended;
};

struct ptah_dispatcher {
	struct ptah_plan *plan;
	struct ptah_worker *loop;
	const struct ptah_dispatcher_says *says;
	void *arg;
	struct ptah_registry *registry;
	struct ptah_remember *remember; /* NULL: until the end only */
	struct ptah_worker **workers;
	struct crew *crews;
	struct ptah_service_run *services;
	size_t n_services, n_begun, n_told; /* how many have had their turn to listen, and their line */
	unsigned n_workers; /* that are made */
	unsigned n_drained, n_ended; /* workers */
	size_t n_stopped;            /* services */
	struct ptah_quota quota;
	struct ptah_dial_how dial;
	struct ptah_hands hands;
	struct ptah_deadline limit; /* of ptah_dispatcher_stop() */
	uint64_t until_ns;
	bool running;        /* the workers' threads are there */
	bool ready, draining, stopping, late;
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

	if (!d->running)
		return;
	listen_in_turn(d);
	tell(d);
}

/* --- birth ----------------------------------------------------------------------- */

static int
make_workers(struct ptah_dispatcher *d)
{
	unsigned n = d->plan->workers;

	d->workers = calloc(n, sizeof(struct ptah_worker *));
	d->crews = calloc(n, sizeof(*d->crews));
	if (!d->workers || !d->crews)
		return -ENOMEM;
	for (; d->n_workers < n; d->n_workers++) {
		struct ptah_worker *worker = ptah_worker_new(d->n_workers);

		if (!worker)
			return -errno;
		worker->gone_s = d->plan->peer_timeout_s;
		d->workers[d->n_workers] = worker;
		d->crews[d->n_workers] = (struct crew){ .dispatcher = d, .worker = worker };
		if (ptah_deadline_reserve(worker, DRAIN_LOOK_MS) != 0) {
			d->n_workers++;
			return -ENOMEM;
		}
	}
	return 0;
}

/* Fill "*" in. */
static int
expand(struct ptah_dispatcher *d)
{
	size_t n = 0;

	if (!d->plan->all)
		return 0;

	char **names = ptah_registry_names(d->registry, (uint32_t)d->plan->role);
	if (!names)
		return -ENOMEM;
	while (names[n])
		n++;

	int rc = ptah_plan_expand(d->plan, (const char *const *)names, n);

	free(names);
	return rc;
}

static int
make_services(struct ptah_dispatcher *d)
{
	size_t n = d->plan->n_services;

	d->services = calloc(n + 1, sizeof(*d->services));
	if (!d->services)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct ptah_service_how how = {
			.plan = d->plan, .service = &d->plan->services[i],
			.registry = d->registry, .loop = d->loop,
			.workers = d->workers, .n_workers = d->n_workers,
			.quota = &d->quota, .dial = &d->dial,
			.running = &d->running, .stopping = &d->stopping,
			.on_settled = on_settled, .arg = d,
		};
		int rc = ptah_service_open(&d->services[i], &how);

		if (rc != 0)
			return rc;
		d->n_services++;
	}
	return 0;
}

static int
start_workers(struct ptah_dispatcher *d)
{
	d->running = true;
	for (unsigned i = 0; i < d->n_workers; i++) {
		int rc = ptah_worker_start(d->workers[i]);

		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Peers that failed to authenticate are kept open a while, but never so many that good ones wait for it. */
static unsigned
keep_rejected(const struct ptah_dispatcher *d, unsigned descriptors)
{
	unsigned each = descriptors / REJECTED_PART / d->n_workers;

	if (each > PTAH_REJECTED_MOST)
		each = PTAH_REJECTED_MOST;
	if (each == 0)
		each = 1;
	for (unsigned i = 0; i < d->n_workers; i++)
		ptah_links_keep_rejected(d->workers[i], each);
	return each * d->n_workers;
}

/* A link costs two descriptors: what cannot have both waits in the kernel. */
static void
set_quota(struct ptah_dispatcher *d, unsigned descriptors)
{
	int next = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0); /* as many are open as its number says */
	unsigned used = next == -1 ? descriptors : (unsigned)next;

	if (next != -1)
		close(next);
	if (descriptors >= DESCRIPTORS_MANY)
		used += DESCRIPTORS_KEPT;
	if (d->plan->role == PTAH_ROLE_SERVER)
		used += keep_rejected(d, descriptors);

	unsigned most = used < descriptors ? (descriptors - used) / 2 : 0;

	if (most == 0)
		most = 1;
	d->quota.most = most < LINKS_MOST ? most : LINKS_MOST;
	d->quota.spilled_most = PTAH_SPILLED_MOST / d->n_workers;
}
/* What a home asks the main thread to do for it. */
struct errand {
	void (*fn)(void *arg);
	void *arg;
};

static void
on_errand(struct ptah_worker *loop, void *arg)
{
	struct errand errand = *(struct errand *)arg;

	(void)loop;
	free(arg);
	errand.fn(errand.arg);
}

static int
on_main(void *arg, void (*fn)(void *arg), void *fn_arg)
{
	struct ptah_dispatcher *d = arg;
	struct errand *errand = malloc(sizeof(*errand));
	int rc;

	if (!errand)
		return -ENOMEM;
	*errand = (struct errand){ fn, fn_arg };
	rc = ptah_worker_post(d->loop, on_errand, errand);
	if (rc != 0)
		free(errand);
	return rc;
}

static void
on_status(void *arg, const char *text, size_t len)
{
	const struct ptah_dispatcher *d = arg;

	d->says->on_status(text, len, d->arg);
}

struct ptah_dispatcher *
ptah_dispatcher_start(struct ptah_plan *plan, struct ptah_worker *loop, unsigned descriptors,
    const struct ptah_dispatcher_says *says, void *arg)
{
	struct ptah_dispatcher *d = ptah_deadline_reserve(loop, LATE_LOOK_MS) == 0 ? calloc(1, sizeof(*d)) : NULL;

	if (!d) {
		errno = ENOMEM;
		return NULL;
	}
	d->plan = plan;
	d->loop = loop;
	d->says = says;
	d->arg = arg;
	d->dial = (struct ptah_dial_how){ .proxy = &plan->proxy, .bind_v4 = plan->outbound_v4,
		.bind_v6 = plan->outbound_v6 };

	int rc = 0;

	d->registry = ptah_registry_new(plan->module_path, plan->module_dir);
	if (!d->registry)
		rc = -errno;
	d->hands = (struct ptah_hands){ .through = &ptah_through_links, .on_main = on_main, .status = on_status, .arg = d };
	if (d->registry)
		ptah_registry_set_hands(d->registry, &d->hands);
	if (rc == 0 && plan->replay_state) {
		d->remember = ptah_remember_begin(d->registry, loop, plan->state_dir);
		rc = d->remember ? 0 : -errno;
	}
	if (rc == 0)
		rc = make_workers(d);
	if (rc == 0)
		rc = expand(d);
	if (rc == 0)
		rc = make_services(d);
	ptah_plan_forget_options(plan);
	if (rc == 0) {
		listen_in_turn(d);
		set_quota(d, descriptors);
		rc = start_workers(d);
	}
	if (rc != 0) {
		/* What waits in the workers can only end there. */
		if (!d->running)
			(void)start_workers(d);
		ptah_dispatcher_stop(d, START_UNDONE_MS);
		errno = -rc;
		return NULL;
	}
	tell(d);
	return d;
}

/* --- no new links --------------------------------------------------------------- */

static void
on_worker_drained(struct ptah_worker *loop, void *arg)
{
	struct ptah_dispatcher *d = arg;

	(void)loop;
	if (++d->n_drained == d->n_workers && !d->stopping)
		d->says->on_drained(d->arg);
}

static unsigned
n_waiting(const struct crew *crew)
{
	const struct ptah_dispatcher *d = crew->dispatcher;
	unsigned n = ptah_links_count(crew->worker);

	for (size_t i = 0; i < d->n_services; i++)
		n += ptah_service_waiting(&d->services[i], crew->worker);
	return n;
}

/* On the worker. */
static void
on_drain_look(struct ptah_deadline *deadline, void *arg)
{
	struct crew *crew = arg;
	struct ptah_dispatcher *d = crew->dispatcher;

	(void)deadline;
	if (n_waiting(crew) > 0)
		(void)ptah_deadline_set(crew->worker, &crew->drain_look, DRAIN_LOOK_MS, on_drain_look, crew);
	else
		(void)ptah_worker_send(d->loop, &crew->drained, on_worker_drained, d);
}

static void
drain_here(struct ptah_worker *worker, void *arg)
{
	struct crew *crew = arg;
	struct ptah_dispatcher *d = crew->dispatcher;

	for (size_t i = 0; i < d->n_services; i++)
		ptah_service_shut_here(&d->services[i], worker, true);
	on_drain_look(NULL, crew);
}

void
ptah_dispatcher_drain(struct ptah_dispatcher *d)
{
	if (d->draining)
		return;
	d->draining = true;
	for (unsigned i = 0; i < d->n_workers; i++)
		(void)ptah_worker_send(d->workers[i], &d->crews[i].drain, drain_here, &d->crews[i]);
}

/* --- death ------------------------------------------------------------------------ */

static void
on_limit(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_dispatcher *d = arg;

	(void)deadline;
	d->late = ptah_clock_now_ns() >= d->until_ns;
	if (!d->late)
		(void)ptah_deadline_set(d->loop, &d->limit, LATE_LOOK_MS, on_limit, d);
}

static void
on_worker_ended(struct ptah_worker *loop, void *arg)
{
	(void)loop;
	((struct ptah_dispatcher *)arg)->n_ended++;
}

/* On the worker, or in its place when it never ran. */
static void
end_here(struct ptah_worker *worker, void *arg)
{
	struct crew *crew = arg;
	struct ptah_dispatcher *d = crew->dispatcher;

	ptah_deadline_clear(&crew->drain_look);
	for (size_t i = 0; i < d->n_services; i++)
		ptah_service_shut_here(&d->services[i], worker, false);
	ptah_links_end_all(worker, 0);
	ptah_linger_end_all(worker);
	for (size_t i = 0; i < d->n_services; i++)
		ptah_service_free_here(&d->services[i], worker);
	ptah_links_free(worker);
	(void)ptah_worker_send(d->loop, &crew->ended, on_worker_ended, d);
}

static void
on_service_stopped(void *arg)
{
	((struct ptah_dispatcher *)arg)->n_stopped++;
}

/* Run the loop until 'n' is what it shall be; false when it is late. */
static bool
wait_for(struct ptah_dispatcher *d, const unsigned *n, const size_t *size, size_t wanted)
{
	while ((n ? *n : *size) < wanted && !d->late) {
		for (unsigned i = 0; i < d->n_workers; i++)
			ptah_worker_turn_here(d->workers[i]);
		if ((n ? *n : *size) < wanted && event_base_loop(d->loop->base, EVLOOP_ONCE) == -1)
			return false;
	}
	return !d->late;
}

/* End links, then modules, then threads; each waits for the one before. */
static bool
end_all(struct ptah_dispatcher *d, uint64_t until_ns)
{
	for (unsigned i = 0; i < d->n_workers; i++)
		(void)ptah_worker_send(d->workers[i], &d->crews[i].end, end_here, &d->crews[i]);
	if (!wait_for(d, &d->n_ended, NULL, d->n_workers))
		return false;
	for (size_t i = 0; i < d->n_services; i++)
		ptah_service_stop(&d->services[i], until_ns, on_service_stopped, d);
	return wait_for(d, NULL, &d->n_stopped, d->n_services);
}

static bool
stop_workers(struct ptah_dispatcher *d, uint64_t until_ns)
{
	for (unsigned i = 0; i < d->n_workers; i++) {
		uint64_t now = ptah_clock_now_ns();
		uint64_t left = now < until_ns ? (until_ns - now) / PTAH_NS_PER_MS : 0;

		if (ptah_worker_stop(d->workers[i], (unsigned)left) != 0)
			return false;
	}
	return true;
}

/* Nothing runs any more. */
static void
free_all(struct ptah_dispatcher *d)
{
	for (size_t i = 0; i < d->n_services; i++)
		ptah_service_clear(&d->services[i]);
	ptah_remember_last(d->remember);
	if (d->registry)
		ptah_registry_flush(d->registry);
	ptah_remember_end(d->remember);
	for (unsigned i = 0; i < d->n_workers; i++)
		ptah_worker_free(d->workers[i]);
	ptah_registry_free(d->registry);
	ptah_deadline_clear(&d->limit);
	free(d->services);
	free(d->workers);
	free(d->crews);
	free(d);
}

int
ptah_dispatcher_stop(struct ptah_dispatcher *d, unsigned limit_ms)
{
	if (!d)
		return 0;
	d->stopping = true;
	d->until_ns = ptah_clock_now_ns() + (uint64_t)limit_ms * PTAH_NS_PER_MS;
	(void)ptah_deadline_set(d->loop, &d->limit, LATE_LOOK_MS, on_limit, d); /* it is reserved */
	if (!end_all(d, d->until_ns) || !stop_workers(d, d->until_ns))
		return -ETIMEDOUT;
	free_all(d);
	return 0;
}

void
ptah_dispatcher_stats(const struct ptah_dispatcher *d, struct ptah_stats *sum)
{
	for (unsigned i = 0; i < d->n_workers; i++)
		ptah_stats_sum(sum, d->workers[i]->stats);
}
