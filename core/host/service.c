/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/service.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "host/crew.h"
#include "loop/worker.h"
#include "wire/gate.h"
#include "wire/listen.h"

/* A descriptor on its way to a worker. */
struct letter {
	struct ptah_service_run *run;
	size_t door; /* which */
	int fd;
};

static bool
is_client(const struct ptah_service_run *run)
{
	return run->how.plan->role == PTAH_ROLE_CLIENT;
}

static void
settle(struct ptah_service_run *run, int state)
{
	run->state = state;
	run->how.on_settled(run->how.arg);
}

/* It does not start, and that is why. */
static void __attribute__((format(printf, 2, 3)))
fail(struct ptah_service_run *run, const char *format, ...)
{
	va_list args;

	free(run->reason);
	va_start(args, format);
	if (vasprintf(&run->reason, format, args) == -1)
		run->reason = NULL;
	va_end(args);
	settle(run, PTAH_SERVICE_FAILED);
}

/* --- listeners ------------------------------------------------------------------ */

static void
on_listen_letter(struct ptah_worker *worker, void *arg)
{
	struct letter *letter = arg;
	struct ptah_service_run *run = letter->run;
	int rc = ptah_door_open(&run->places[worker->index].doors[letter->door], &run->doors[letter->door], worker, letter->fd);

	if (rc != 0)
		ptah_error_rc(AREA_HOST, rc, "%s: worker %u cannot listen", run->name, worker->index);
	free(letter);
}

/* Takes: fd. */
static int
send_listen_letter(struct ptah_service_run *run, struct ptah_worker *worker, size_t door, int fd)
{
	struct letter *letter = malloc(sizeof(*letter));
	int rc = letter ? 0 : -ENOMEM;

	if (letter) {
		*letter = (struct letter){ run, door, fd };
		rc = ptah_worker_post(worker, on_listen_letter, letter);
	}
	if (rc != 0) {
		free(letter);
		if (fd != -1)
			close(fd);
	}
	return rc;
}

/* The sockets of a service: for each address one for each worker; -1: none. */
struct ptah_service_sockets {
	int fds[PTAH_SERVICE_DOORS][PTAH_WORKERS_MAX];
};

static void
no_sockets(struct ptah_service_sockets *sockets)
{
	for (size_t door = 0; door < PTAH_SERVICE_DOORS; door++)
		for (unsigned i = 0; i < PTAH_WORKERS_MAX; i++)
			sockets->fds[door][i] = -1;
}

static void
close_sockets(struct ptah_service_sockets *sockets)
{
	for (size_t door = 0; door < PTAH_SERVICE_DOORS; door++)
		for (unsigned i = 0; i < PTAH_WORKERS_MAX; i++)
			if (sockets->fds[door][i] != -1)
				close(sockets->fds[door][i]);
	no_sockets(sockets);
}

/* Takes: the descriptors. */
static int
hold(struct ptah_service_run *run, struct ptah_service_sockets *sockets)
{
	run->held = malloc(sizeof(*run->held));
	if (!run->held) {
		close_sockets(sockets);
		return -ENOMEM;
	}
	*run->held = *sockets;
	no_sockets(sockets);
	return 0;
}

/* Takes: the descriptors. */
static int
listen_everywhere(struct ptah_service_run *run, struct ptah_service_sockets *sockets)
{
	int rc = 0;

	if (run->how.crew->held)
		return hold(run, sockets);

	for (size_t door = 0; door < run->n_doors; door++) {
		for (unsigned i = 0; rc == 0 && i < run->how.crew->n_workers; i++) {
			int fd = sockets->fds[door][i];

			if (fd == -1 && !ptah_doors_take_arrivals(&run->doors[door]))
				continue;
			sockets->fds[door][i] = -1;
			rc = send_listen_letter(run, run->how.crew->workers[i], door, fd);
		}
	}
	close_sockets(sockets);
	return rc;
}

static int
add_bridge_arg(const char *key, const char *text, void *arg)
{
	struct ptah_service_run *run = arg;

	return ptah_kv_add(&run->bridge_args, NULL, key, text);
}

/* Where peers come in: the lowest layer that says so knows best; NULL: the bound address. */
static const char *
advertised(const struct ptah_instance *layer)
{
	const char *address = NULL;

	for (; layer; layer = layer->below)
		if (layer->advertise)
			address = layer->advertise;
	return address;
}

/* Of a stack, the lowest layer is what a peer meets first. */
static void
warn_of_probes(const struct ptah_service_run *run)
{
	uint32_t abilities = ptah_instance_bottom(run->instance)->module->abilities;

	if (!is_client(run) && (abilities & PTAH_ANSWERS_ALL) != 0)
		ptah_warn(AREA_HOST, "%s answers whoever connects, by design: who probes its port knows what it is", run->name);
}

/* It is ready and bound: say so to peers and to whoever asked.  Takes: the descriptors. */
static void
announce(struct ptah_service_run *run, struct ptah_service_sockets *sockets)
{
	const char *address = advertised(run->instance);
	char why[400] = "", text[PTAH_ADDR_TEXT];
	int rc = 0;

	ptah_addr_format(&run->bound, text);
	if (!is_client(run))
		rc = ptah_instance_bridge_args(run->instance, text, add_bridge_arg, run, why, sizeof(why));
	if (rc != 0) {
		close_sockets(sockets);
	} else {
		snprintf(run->address, sizeof(run->address), "%s", address ? address : text);
		rc = listen_everywhere(run, sockets);
		if (rc != 0)
			ptah_service_close(run);
	}
	if (rc != 0) {
		fail(run, "%s", why[0] ? why : strerror(-rc));
	} else {
		ptah_info(AREA_HOST, "%s listens on %s", run->name, text);
		warn_of_probes(run);
		settle(run, PTAH_SERVICE_LISTENS);
	}
}

/* --- carriers listen by themselves ------------------------------------------------- */

static void
on_carrier_listens(struct ptah_worker *loop, void *arg)
{
	struct ptah_service_run *run = arg;
	struct ptah_service_sockets sockets;

	(void)loop;
	no_sockets(&sockets);
	if (*run->how.stopping)
		settle(run, PTAH_SERVICE_FAILED);
	else if (run->listening_rc != 0)
		fail(run, "cannot listen: %s", strerror(-run->listening_rc));
	else if (ptah_addr_port(&run->bound) == 0 && !advertised(run->instance))
		fail(run, "it does not say on which port it listens: give it one");
	else
		announce(run, &sockets);
}

/* On the home's worker. */
static void
on_carrier_listening(int rc, const char *bound, void *arg)
{
	struct ptah_service_run *run = arg;

	run->listening_rc = rc;
	if (rc == 0)
		(void)ptah_addr_parse(&run->bound, bound);
	(void)ptah_worker_send(run->how.crew->loop, &run->listening, on_carrier_listens, run);
}

static int
let_carrier_listen(struct ptah_service_run *run)
{
	char text[PTAH_ADDR_TEXT];

	return ptah_instance_listen(ptah_instance_bottom(run->instance),
	    ptah_addr_format(&run->bound, text), on_carrier_listening, run);
}

/* A stream that a carrier brought; on the home's worker. */
static void
on_arrive(struct ptah_instance *instance, struct ptah_worker *worker, const struct ptah_arrival *arrival)
{
	struct ptah_service_run *run = instance->arg; /* NULL: a module that does not wait until it is told to listen */
	struct ptah_door shut = { 0 };

	if (ptah_door_arrive(run ? &run->places[worker->index].doors[0] : &shut, arrival) != 0)
		ptah_debug(AREA_HOST, "%s: a stream that arrived makes no link", instance->name);
}

/* --- the instance ------------------------------------------------------------------- */

static void
fail_to_bind(struct ptah_service_run *run, const struct ptah_addr *addr, int rc)
{
	const char *name = run->how.plan->activation;
	char text[PTAH_ADDR_TEXT];

	if (name && rc == -ENOENT)
		fail(run, "no socket with the name \"%s\" was handed over: a socket unit for it says FileDescriptorName=%s",
		    name, name);
	else if (name && rc == -EPROTOTYPE)
		fail(run, "the socket \"%s\" that was handed over is of the wrong kind: TCP is ListenStream=, UDP is ListenDatagram=",
		    name);
	else if (name)
		fail(run, "cannot listen on the socket \"%s\": %s", name, strerror(-rc));
	else
		fail(run, "cannot listen on %s: %s", ptah_addr_format(addr, text), strerror(-rc));
}

/* Its addresses, the first one first; all or none. */
static int
bind_all(struct ptah_service_run *run, struct ptah_service_sockets *sockets)
{
	const struct ptah_service *service = run->how.service;
	unsigned n = run->how.crew->n_workers;
	struct ptah_addr also;

	for (size_t door = 0; door < run->n_doors; door++) {
		const struct ptah_addr *addr = door == 0 ? &service->listen : &service->also[door - 1];
		int rc = ptah_doors_bind(&run->doors[door], addr, sockets->fds[door], n, door == 0 ? &run->bound : &also);
		char text[PTAH_ADDR_TEXT];

		if (rc != 0) {
			close_sockets(sockets);
			while (door-- > 0)
				(void)ptah_doors_leave(&run->doors[door]);
			fail_to_bind(run, addr, rc);
			return rc;
		}
		if (door > 0)
			ptah_info(AREA_HOST, "%s listens on %s, too", run->name, ptah_addr_format(&also, text));
	}
	return 0;
}

static bool
carrier_listens(const struct ptah_service_run *run)
{
	const struct ptah_module *module = ptah_instance_bottom(run->instance)->module;

	return !is_client(run) && (module->abilities & PTAH_IS_CARRIER) != 0 && module->listen;
}

void
ptah_service_listen(struct ptah_service_run *run)
{
	const struct ptah_service *service = run->how.service;
	struct ptah_service_sockets sockets;
	int rc;

	run->state = PTAH_SERVICE_WAITS;
	if (run->how.plan->n_proxy_from > 0 && (carrier_listens(run) || run->instance->messages)) {
		fail(run, "it has no PROXY headers to read, for it %s: leave proxyProtocolFrom out",
		    run->instance->messages ? "takes datagrams" : "makes its listener itself");
		return;
	}
	if (carrier_listens(run)) {
		run->bound = service->listen;
		if (service->n_also > 0) {
			fail(run, "it makes its listener itself, and only one: name one address");
			return;
		}
		rc = let_carrier_listen(run);
		if (rc != 0)
			fail(run, "%s", strerror(-rc));
		return;
	}
	no_sockets(&sockets);
	if (bind_all(run, &sockets) == 0)
		announce(run, &sockets);
}

/* The instance is there, and has said whether it is ready. */
static void
go_on(struct ptah_service_run *run)
{
	char *why = run->ready_reason;

	run->heard = true;
	run->ready_reason = NULL;
	if (run->ready_rc == 0 && !*run->how.stopping)
		settle(run, PTAH_SERVICE_READY);
	else
		fail(run, "%s", why ? why : strerror(-run->ready_rc));
	free(why);
}

static void
on_ready_letter(struct ptah_worker *loop, void *arg)
{
	struct ptah_service_run *run = arg;

	(void)loop;
	go_on(run);
	if (run->is_stopped)
		run->stopped(run->stopped_arg);
}

/* On the home's worker, or from inside ptah_instance_open(), and then it cannot go on before that is over. */
static void
on_ready(struct ptah_instance *instance, int rc, const char *reason, void *arg)
{
	struct ptah_service_run *run = arg;

	(void)instance;
	run->ready_rc = rc;
	run->ready_reason = reason ? strdup(reason) : NULL;
	if (pthread_equal(run->opener, pthread_self()))
		run->heard = true;
	else
		(void)ptah_worker_send(run->how.crew->loop, &run->ready, on_ready_letter, run);
}

static void
open_instance(struct ptah_service_run *run)
{
	const struct ptah_plan *plan = run->how.plan;
	char bind[PTAH_ADDR_TEXT];
	const struct ptah_instance_wish wish = {
		.name = run->name, .role = (uint32_t)plan->role,
		.options = run->how.service->options, .state_folder = plan->state_dir,
		.bind = is_client(run) ? NULL : ptah_addr_format(&run->how.service->listen, bind),
		.has_proxy = plan->proxy.scheme != PTAH_PROXY_NONE, .alone = plan->mode != PTAH_MODE_SOCKS5, .datagrams = ptah_mode_is_udp(plan->mode),
		.workers = run->how.crew->workers, .n_workers = run->how.crew->n_workers,
		.dial_how = run->how.dial, .turn = run->how.turn, .flocks = run->how.flocks, .tally = run->tally, .needs = &run->needs, .on_arrive = on_arrive,
	};
	char why[4200] = "";

	run->opener = pthread_self();
	run->instance = ptah_instance_open(run->how.crew->registry, &wish, on_ready, run, why, sizeof(why));
	if (!run->instance && errno == ENOENT) {
		ptah_warn(AREA_HOST, "there is no transport \"%s\", so it is left out; `ptah modules` lists what there is", run->name);
		settle(run, PTAH_SERVICE_ABSENT);
	} else if (!run->instance) {
		fail(run, "%s", why[0] ? why : strerror(errno));
	} else {
		run->n_doors = 1 + run->how.service->n_also;
		for (size_t door = 0; door < run->n_doors; door++)
			run->doors[door] = (struct ptah_doors){
				.plan = plan, .instance = run->instance, .dial = run->how.dial, .quota = &run->how.crew->quota,
				.gate = run->gate, .places = run->how.crew->places,
			};
		if (run->heard)
			go_on(run);
	}
}

int
ptah_service_init(struct ptah_service_run *run, const struct ptah_service_how *how)
{
	int rc = -ENOMEM;

	run->how = *how;
	run->name = how->service->name;
	run->places = calloc(how->crew->n_workers, sizeof(*run->places));
	if (run->places)
		run->tally = ptah_tally_open(&how->crew->tallies, how->plan->label ? how->plan->label : "", run->name,
		    (uint32_t)how->plan->role);
	if (run->tally)
		rc = ptah_gate_new(&how->plan->bounds, how->plan->label, &run->gate);
	if (rc == 0)
		return 0;
	ptah_tally_close(run->tally);
	free(run->places);
	return rc;
}

void
ptah_service_open(struct ptah_service_run *run)
{
	if (run->how.service->refused)
		fail(run, "%s", run->how.service->refused);
	else
		open_instance(run);
}

/* --- the end ------------------------------------------------------------------------- */

void
ptah_service_shut_here(struct ptah_service_run *run, struct ptah_worker *worker, bool drain)
{
	for (size_t door = 0; door < run->n_doors; door++)
		ptah_door_shut(&run->places[worker->index].doors[door], drain && run->is_last[door],
		    run->doors[door].elsewhere);
}

void
ptah_service_release(struct ptah_service_run *run)
{
	struct ptah_service_sockets *held = run->held;
	int rc = 0;

	run->held = NULL;
	if (held && run->closing)
		close_sockets(held);
	else if (held)
		rc = listen_everywhere(run, held);
	if (rc != 0)
		ptah_error_rc(AREA_HOST, rc, "%s: cannot listen", run->name);
	free(held);
}

void
ptah_service_leave(struct ptah_service_run *run)
{
	for (size_t door = 0; door < run->n_doors; door++)
		run->is_last[door] = ptah_doors_leave(&run->doors[door]);
}

static void
on_close_letter(struct ptah_worker *worker, void *arg)
{
	ptah_service_shut_here(arg, worker, false);
}

void
ptah_service_close(struct ptah_service_run *run)
{
	if (run->closing)
		return;
	run->closing = true;
	for (unsigned i = 0; i < run->how.crew->n_workers; i++)
		(void)ptah_worker_send(run->how.crew->workers[i], &run->places[i].close, on_close_letter, run);
}

void
ptah_service_free_here(struct ptah_service_run *run, struct ptah_worker *worker)
{
	for (size_t door = 0; door < run->n_doors; door++)
		ptah_door_clear(&run->places[worker->index].doors[door]);
}

static void
on_stopped_letter(struct ptah_worker *loop, void *arg)
{
	struct ptah_service_run *run = arg;

	(void)loop;
	run->is_stopped = true;
	/* A home that was stopped before it was ready has yet to be heard of. */
	if (run->heard)
		run->stopped(run->stopped_arg);
}

/* On a worker, or from inside ptah_instance_stop(). */
static void
on_stopped(void *arg)
{
	struct ptah_service_run *run = arg;

	(void)ptah_worker_send(run->how.crew->loop, &run->ended, on_stopped_letter, run);
}

void
ptah_service_stop(struct ptah_service_run *run, uint64_t until_ns, void (*done)(void *arg), void *arg)
{
	if (!run->instance) {
		done(arg);
		return;
	}
	run->stopped = done;
	run->stopped_arg = arg;
	ptah_instance_stop(run->instance, until_ns, on_stopped, run);
}

void
ptah_service_clear(struct ptah_service_run *run)
{
	if (run->instance)
		ptah_instance_unref(run->instance);
	ptah_kv_clear(&run->bridge_args);
	if (run->held)
		close_sockets(run->held);
	free(run->held);
	for (size_t door = 0; door < run->n_doors; door++)
		ptah_doors_clear(&run->doors[door]);
	ptah_gate_free(run->gate);
	free(run->reason);
	free(run->ready_reason);
	ptah_tally_close(run->tally);
	ptah_needs_clear(&run->needs);
	free(run->places);
}
