/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/porch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop/deadline.h"
#include "loop/end.h"
#include "loop/worker.h"
#include "plain/proxyin.h"
#include "relay/flock.h"
#include "relay/link.h"
#include "transport/instance.h"
#include "wire/gate.h"
#include "wire/listen.h"

/* A proxy that has not said all. */
struct ptah_caller_waits {
	struct ptah_caller_waits *prev, *next;
	struct ptah_porch *porch;
	struct ptah_end end;
	struct ptah_deadline deadline;
	struct ptah_addr peer; /* the proxy */
	struct ptah_proxyin header;
};

static void
waits_free(struct ptah_caller_waits *waits)
{
	struct ptah_porch *porch = waits->porch;

	if (waits->prev != NULL)
		waits->prev->next = waits->next;
	else
		porch->waits = waits->next;
	if (waits->next != NULL)
		waits->next->prev = waits->prev;
	ptah_deadline_clear(&waits->deadline);
	ptah_end_close(&waits->end);
	ptah_flock_leave(porch->flock);
	free(waits);
}

static void
say_no_memory(struct ptah_porch *porch)
{
	ptah_warn_often(&porch->no_memory, AREA_WIRE, "out of memory: a peer is turned away");
}

static void
refuse(struct ptah_caller_waits *waits, const char *why)
{
	struct ptah_porch *porch = waits->porch;

	ptah_warn_often(&porch->refused, AREA_WIRE, "a connection from one of proxyProtocolFrom is closed, for it has no "
	    "PROXY header (send-proxy or send-proxy-v2 in the server line of haproxy): %s", why);
	waits_free(waits);
	ptah_issuer_take_back(&porch->issuer);
}

static void
on_deadline(struct ptah_deadline *deadline, void *arg)
{
	(void)deadline;
	refuse(arg, "not all of one came in 5 s");
}

/* Takes: the caller's descriptor, and what the listener took for it. */
static void
call(struct ptah_porch *porch, struct ptah_caller *caller)
{
	char text[PTAH_ADDR_TEXT];
	int rc = ptah_permit_accepted(&caller->permit, &porch->issuer, &caller->from);

	caller->peer = ptah_addr_format_peer(&caller->from, text);
	if (rc == 0)
		rc = porch->how.on_caller(caller, porch->how.arg);
	else
		ptah_gate_reset(caller->fd);
	if (rc == -ENOMEM)
		say_no_memory(porch);
}

/* 'early' stands behind the header. */
static void
let_in(struct ptah_caller_waits *waits, struct ptah_span early)
{
	struct ptah_porch *porch = waits->porch;
	const struct ptah_proxyin *header = &waits->header;
	struct ptah_caller caller = { .fd = ptah_end_take_fd(&waits->end), .from = waits->peer, .early = early };

	if (header->told) {
		caller.named = true;
		caller.from = header->from;
		caller.local = header->to;
	}
	waits_free(waits);
	call(porch, &caller);
}

static void
on_readable(struct ptah_end *end)
{
	struct ptah_caller_waits *waits = end->arg;
	uint8_t got[4096];
	size_t eaten;
	ssize_t n = ptah_end_read(end, got, sizeof(got));

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		refuse(waits, n == 0 ? "it was closed before" : strerror((int)-n));
		return;
	}
	int rc = ptah_proxyin_feed(&waits->header, (struct ptah_span){ got, (size_t)n }, &eaten);
	if (rc < 0)
		refuse(waits, waits->header.why);
	else if (rc == PTAH_PROXYIN_DONE)
		let_in(waits, (struct ptah_span){ got + eaten, (size_t)n - eaten });
}

/* Nothing is ever written. */
static void
on_drained(struct ptah_end *end)
{
	(void)end;
}

static void
on_broken(struct ptah_end *end, int rc)
{
	(void)end;
	(void)rc;
}

static const struct ptah_end_ops end_ops = { on_readable, on_drained, on_broken };

/* Takes: fd.  -ENOMEM. */
static int
let_wait(struct ptah_porch *porch, int fd, const struct ptah_addr *from)
{
	struct ptah_caller_waits *waits = calloc(1, sizeof(*waits));

	if (waits == NULL || ptah_end_open(&waits->end, porch->how.worker, fd, &end_ops, waits) != 0) {
		free(waits);
		close(fd);
		return -ENOMEM;
	}
	waits->porch = porch;
	waits->peer = *from;
	ptah_proxyin_init(&waits->header);
	waits->next = porch->waits;
	if (waits->next != NULL)
		waits->next->prev = waits;
	porch->waits = waits;
	ptah_flock_enter(porch->flock);
	(void)ptah_deadline_set(porch->how.worker, &waits->deadline, PTAH_PORCH_MS, on_deadline, waits); /* it is reserved */
	if (ptah_end_read_start(&waits->end) == 0)
		return 0;
	waits_free(waits);
	return -ENOMEM;
}

static bool
is_trusted(const struct ptah_porch *porch, const struct ptah_addr *from)
{
	for (size_t i = 0; i < porch->how.n_from; i++)
		if (ptah_prefix_has(&porch->how.from[i], from))
			return true;
	return false;
}

static void
on_accept(int fd, const struct ptah_addr *from, void *arg)
{
	struct ptah_porch *porch = arg;
	struct ptah_caller caller = { .fd = fd, .from = *from };

	if (!is_trusted(porch, from)) {
		call(porch, &caller);
		return;
	}
	if (let_wait(porch, fd, from) == 0)
		return;
	say_no_memory(porch);
	ptah_issuer_take_back(&porch->issuer);
}

/* ---- its life ------------------------------------------------------------------------ */

/* A header may have to be waited for. */
static int
trust(struct ptah_porch *porch)
{
	porch->flock = ptah_flock_of(porch->how.worker, porch->how.instance);
	return porch->flock != NULL ? ptah_deadline_reserve(porch->how.worker, PTAH_PORCH_MS) : -ENOMEM;
}

int
ptah_porch_open(struct ptah_porch *porch, const struct ptah_porch_how *how, int listen_fd)
{
	struct ptah_stats *stats = ptah_instance_stats(how->instance, how->worker);

	porch->how = *how;
	porch->issuer = (struct ptah_issuer){ how->quota, how->gate, stats };
	if (how->n_from > 0 && trust(porch) != 0) {
		if (listen_fd != -1)
			close(listen_fd);
		return -ENOMEM;
	}
	if (listen_fd == -1)
		return 0;
	porch->listener = ptah_listener_new(how->worker, listen_fd, how->quota, how->gate, on_accept, porch);
	ptah_listener_count(porch->listener, stats);
	return porch->listener != NULL ? 0 : -ENOMEM;
}

void
ptah_porch_shut(struct ptah_porch *porch, bool drain)
{
	ptah_listener_free(porch->listener, drain);
	porch->listener = NULL;
}

void
ptah_porch_clear(struct ptah_porch *porch)
{
	ptah_porch_shut(porch, false);
	while (porch->waits != NULL) {
		waits_free(porch->waits);
		ptah_issuer_take_back(&porch->issuer);
	}
}

/* ---- callers ------------------------------------------------------------------------- */

int
ptah_porch_arrive(struct ptah_porch *porch, const struct ptah_arrival *arrival)
{
	struct ptah_caller caller = {
		.fd = arrival->fd, .peer = arrival->peer != NULL ? arrival->peer : "", .arrival = arrival,
	};

	(void)ptah_addr_parse(&caller.from, caller.peer); /* else nobody knows */
	int rc = ptah_permit_take(&caller.permit, &porch->issuer, &caller.from);
	if (rc == 0)
		rc = porch->how.on_caller(&caller, porch->how.arg);
	else
		ptah_gate_reset(arrival->fd);
	if (rc != 0)
		ptah_instance_tell_plain(arrival->from, arrival->cookie, rc);
	return rc;
}

struct ptah_link *
ptah_caller_link(const struct ptah_caller *caller, struct ptah_worker *worker, struct ptah_instance *instance,
    const struct ptah_link_ops *ops, void *arg)
{
	struct ptah_link *link = ptah_link_server_new(worker, instance, caller->fd, caller->peer, ops, arg);

	if (link != NULL && caller->arrival != NULL)
		ptah_link_arrived(link, caller->arrival);
	else if (link != NULL)
		ptah_link_early(link, caller->early);
	return link;
}
