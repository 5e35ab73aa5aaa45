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
#include "transport/instance.h"
#include "wire/gate.h"

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
	ptah_issuer_take_back(porch->how.issuer);
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
	int rc = ptah_pass_accepted(&caller->pass, porch->how.issuer, &caller->from);

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

void
ptah_porch_enter(struct ptah_porch *porch, int fd, const struct ptah_addr *from)
{
	struct ptah_caller caller = { .fd = fd, .from = *from };

	if (!is_trusted(porch, from)) {
		call(porch, &caller);
		return;
	}
	if (let_wait(porch, fd, from) == 0)
		return;
	say_no_memory(porch);
	ptah_issuer_take_back(porch->how.issuer);
}

int
ptah_porch_init(struct ptah_porch *porch, const struct ptah_porch_how *how)
{
	porch->how = *how;
	if (how->n_from == 0)
		return 0;
	porch->flock = ptah_flock_of(how->worker, how->instance);
	return porch->flock != NULL ? ptah_deadline_reserve(how->worker, PTAH_PORCH_MS) : -ENOMEM;
}

void
ptah_porch_clear(struct ptah_porch *porch)
{
	while (porch->waits != NULL) {
		waits_free(porch->waits);
		ptah_issuer_take_back(porch->how.issuer);
	}
}

int
ptah_porch_admit(struct ptah_issuer *issuer, const struct ptah_arrival *arrival, struct ptah_caller *caller)
{
	*caller = (struct ptah_caller){ .fd = arrival->fd };
	(void)ptah_addr_parse(&caller->from, arrival->peer != NULL ? arrival->peer : ""); /* else nobody knows */
	int rc = ptah_pass_take(&caller->pass, issuer, &caller->from);
	if (rc != 0)
		ptah_gate_reset(arrival->fd);
	return rc;
}
