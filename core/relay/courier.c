/* SPDX-License-Identifier: BSD-3-Clause */
#include "relay/courier.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "loop/worker.h"
#include "relay/hop.h"
#include "transport/check.h"

/* Messages that layers may hand to one another in one turn: past it they do nothing else. */
#define TURN_MOST 1024

/* ---- one turn -------------------------------------------------------------------- */

static struct hop *
top_hop(struct ptah_courier *courier)
{
	return &courier->hops[0];
}

static void
open_hops(struct ptah_courier *courier)
{
	for (int i = courier->n_hops - 1; i >= 0 && !courier->dead; i--) {
		struct hop *hop = &courier->hops[i];

		if (hop->phase == PHASE_NEW)
			ptah_hop_open(courier, (unsigned)i);
		if (courier->dead || hop->phase < PHASE_ADMITTED)
			return;
		/* The layer above is the plain side of this one, and it is there. */
		if (hop->phase == PHASE_ADMITTED && i > 0 && courier->hops[i - 1].phase == PHASE_NEW) {
			const struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_PLAIN };

			if (hop->self.instance->module->event == NULL)
				hop->phase = PHASE_OPEN;
			ptah_hop_event(courier, hop, &event);
		}
		if (hop->phase < PHASE_OPEN)
			return;
	}
}

static bool
all_open(const struct ptah_courier *courier)
{
	for (unsigned i = 0; i < courier->n_hops; i++)
		if (courier->hops[i].phase < PHASE_OPEN)
			return false;
	return true;
}

/* The server's plain end has come, or has not. */
static void
tell_plain(struct ptah_courier *courier)
{
	struct hop *top = top_hop(courier);
	const struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_PLAIN, .val = courier->plain_rc };
	bool asks = top->phase == PHASE_ADMITTED && top->self.instance->module->event != NULL;

	courier->plain_done = false;
	courier->plain_open = courier->plain_rc == 0;
	if (asks)
		ptah_hop_event(courier, top, &event);
	else if (courier->plain_open && top->phase == PHASE_ADMITTED)
		top->phase = PHASE_OPEN; /* it wants to know nothing */
	if (courier->dead || courier->plain_open)
		return;
	if (!asks || top->phase != PHASE_ADMITTED)
		ptah_courier_die(courier, courier->plain_rc, NULL);
	else
		top->phase = PHASE_OPENING; /* it goes on unadmitted */
}

static void
begins(struct ptah_courier *courier)
{
	ptah_deadline_clear(&courier->deadline);
	courier->open = true;
	ptah_stats_add(courier->stats, PTAH_STAT_LINKS_RELAYING, 1);
	courier->ops->on_open(courier, courier->arg);
}

static void
step(struct ptah_courier *courier)
{
	if (!courier->open) {
		open_hops(courier);
		if (courier->dead)
			return;
		if (courier->role == PTAH_SERVER && !courier->asked && top_hop(courier)->phase >= PHASE_ADMITTED) {
			courier->asked = true;
			courier->ops->on_admit(courier, courier->arg);
		}
		if (courier->plain_done)
			tell_plain(courier);
		if (!courier->dead && all_open(courier) && (courier->role == PTAH_CLIENT || courier->plain_open))
			begins(courier);
	}
	if (!courier->dead && courier->n_held > 0)
		ptah_hops_release(courier);
}

static void
courier_free(struct ptah_courier *courier)
{
	struct ptah_flock *flock = ptah_flock_of(courier->worker, courier->instance);

	for (unsigned i = 0; i < courier->n_hops; i++) {
		struct hop *hop = &courier->hops[i];
		const struct ptah_module *module = hop->self.instance->module;

		if (hop->hooked && module->close != NULL)
			module->close(hop->self.state, courier->rc);
		ptah_stack_life_end(&hop->self);
	}
	free(courier->hops);
	while (courier->n_held > 0) {
		ptah_courier_count(courier, PTAH_STAT_UDP_DROP_REFUSED);
		free(ptah_held_pop(courier));
	}
	ptah_deadline_clear(&courier->deadline);
	if (courier->has_args)
		ptah_args_free(&courier->args);
	*(courier->prev != NULL ? &courier->prev->next : &flock->couriers) = courier->next;
	if (courier->next != NULL)
		courier->next->prev = courier->prev;
	ptah_courier_count(courier, PTAH_STAT_LINKS_CLOSED);
	ptah_instance_unref(courier->instance);
	free(courier);
	ptah_flock_leave(flock);
}

static void
bury(struct ptah_courier *courier)
{
	const struct ptah_courier_ops *ops = courier->ops;
	void *arg = courier->arg;
	int rc = courier->rc;
	const char *reason = courier->reason;
	struct ptah_instance *instance = ptah_instance_ref(courier->instance); /* 'reason' may be its module's text */

	if (!courier->open && rc != 0 && rc != -ECANCELED)
		ptah_courier_count(courier, rc == -EACCES ? PTAH_STAT_REJECTED : PTAH_STAT_HANDSHAKES_FAILED);
	if (!courier->open && rc != 0)
		ptah_courier_count(courier, courier->plain_rc != 0 ? PTAH_STAT_FAILED_TARGET : ptah_stats_failure(rc));
	if (rc != 0 && rc != -ECANCELED && courier->plain_rc == 0)
		ptah_log_rc(courier->open || rc == -EACCES ? PTAH_LOG_DEBUG : PTAH_LOG_INFO, AREA_LINK, rc, "%s: a %s link of messages ended%s%s%s",
		    instance->name, courier->role == PTAH_CLIENT ? "client" : "server", courier->open ? "" : " in its handshake",
		    reason != NULL ? ": " : "", reason != NULL ? reason : "");
	courier->depth++; /* 'close' hooks send nothing */
	courier_free(courier);
	ops->on_closed(rc, reason, arg);
	ptah_instance_unref(instance);
}

/* Do what has become possible.  0, or -errno: it is over and gone. */
static int
settle(struct ptah_courier *courier)
{
	unsigned turns = 0;
	uint64_t before;

	/* Whoever called us from inside settles when it is done. */
	if (courier->depth > 0)
		return 0;
	courier->depth++;
	do {
		before = courier->moved;
		if (courier->begun && !courier->dead)
			step(courier);
		if (++turns > TURN_MOST)
			ptah_courier_die(courier, -EPROTO, "its layers do nothing but send messages to one another");
	} while (!courier->dead && courier->moved != before);
	courier->depth--;
	if (!courier->dead)
		return 0;
	int rc = courier->rc < 0 ? courier->rc : -ECANCELED;
	bury(courier);
	return rc;
}

/* ---- events of layers ----------------------------------------------------------------- */

static void
on_self_event(struct ptah_self *self, struct ptah_event *event)
{
	struct hop *hop = (struct hop *)(void *)((char *)self - offsetof(struct hop, self));
	struct ptah_courier *courier = hop->courier;

	if (courier->dead)
		return;
	courier->depth++;
	ptah_hop_event(courier, hop, event);
	courier->depth--;
	(void)settle(courier);
}

static const struct ptah_self_ops self_ops = { .deliver = on_self_event, .message = ptah_hop_message };

static void
on_deadline(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_courier *courier = arg;

	(void)deadline;
	ptah_courier_count(courier, PTAH_STAT_TIMEOUTS);
	ptah_courier_die(courier, -ETIMEDOUT, "the handshake did not end within its limit");
	(void)settle(courier);
}

/* ---- birth and death --------------------------------------------------------------------- */

unsigned
ptah_courier_handshake_ms(const struct ptah_instance *instance)
{
	unsigned most = 0;

	for (; instance != NULL; instance = instance->below) {
		unsigned ms = instance->module->handshake_ms > 0 ? instance->module->handshake_ms : PTAH_HANDSHAKE_MS;

		most = ms > most ? ms : most;
	}
	return most;
}

void
ptah_courier_margins(const struct ptah_instance *instance, size_t *head, size_t *tail)
{
	*head = *tail = 0;
	for (; instance != NULL; instance = instance->below) {
		*head += instance->module->msg_head;
		*tail += instance->module->msg_tail;
	}
}

static int
hops_new(struct ptah_courier *courier)
{
	struct ptah_instance *instance = courier->instance;
	unsigned n = ptah_stack_height(instance);

	courier->hops = calloc(n, sizeof(*courier->hops));
	if (courier->hops == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++, instance = instance->below) {
		struct hop *hop = &courier->hops[i];

		if (ptah_stack_life_begin(&hop->self, instance, courier->worker, &self_ops) != 0)
			return -ENOMEM;
		hop->courier = courier;
		courier->n_hops++;
	}
	return 0;
}

struct ptah_courier *
ptah_courier_new(struct ptah_worker *worker, const struct ptah_courier_how *how, const struct ptah_courier_ops *ops, void *arg)
{
	struct ptah_flock *flock = ptah_flock_of(worker, how->instance);
	struct ptah_courier *courier = flock != NULL ? calloc(1, sizeof(*courier)) : NULL;

	if (courier == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	courier->worker = worker;
	courier->stats = ptah_instance_stats(how->instance, worker);
	courier->instance = ptah_instance_ref(how->instance);
	courier->role = how->role;
	courier->ops = ops;
	courier->arg = arg;
	courier->born_ns = ptah_clock_now_ns();
	courier->held_end = &courier->held;
	courier->next = flock->couriers;
	if (courier->next != NULL)
		courier->next->prev = courier;
	flock->couriers = courier;
	ptah_flock_enter(flock);
	ptah_courier_count(courier, PTAH_STAT_LINKS_OPENED);
	(void)ptah_text_copy(courier->server, sizeof(courier->server), how->server != NULL ? how->server : "");
	(void)ptah_text_copy(courier->peer, sizeof(courier->peer), how->peer != NULL ? how->peer : "");
	if (hops_new(courier) != 0 ||
	    ptah_deadline_set(worker, &courier->deadline, ptah_courier_handshake_ms(how->instance), on_deadline, courier) != 0) {
		courier_free(courier);
		errno = ENOMEM;
		return NULL;
	}
	if (how->args != NULL) {
		courier->args = *how->args;
		courier->has_args = true;
	}
	return courier;
}

int
ptah_courier_find_server(struct ptah_courier *courier, struct ptah_dest *server)
{
	const struct ptah_module *bottom = courier->hops[courier->n_hops - 1].self.instance->module;
	int rc = 0;

	if (bottom->endpoint != NULL) {
		const struct ptah_open open = ptah_hop_open_of(courier, courier->n_hops - 1u);
		char text[PTAH_DEST_TEXT] = "";

		rc = bottom->endpoint(&open, text, sizeof(text));
		if (rc != 0)
			return rc < 0 ? rc : -EPROTO;
		rc = ptah_text_copy(courier->server, sizeof(courier->server), text);
	}
	if (rc < 0 || courier->server[0] == '\0')
		return -EDESTADDRREQ;
	rc = ptah_dest_parse(server, courier->server, false);
	if (rc == 0 && server->literal)
		ptah_addr_format(&server->addr, courier->peer);
	return rc;
}

int
ptah_courier_go(struct ptah_courier *courier)
{
	courier->begun = true;
	return settle(courier);
}

int
ptah_courier_take(struct ptah_courier *courier, const struct ptah_msg *msg)
{
	const struct space space = { msg->room, true };
	int from = msg->side == PTAH_SIDE_PLAIN ? PLAIN : WIRE, answer = PTAH_GO, rc;

	ptah_stats_add(courier->stats, from == PLAIN ? PTAH_STAT_PLAIN_BYTES_IN : PTAH_STAT_WIRE_BYTES_IN, msg->body.len);
	courier->got[from] += msg->body.len;
	courier->depth++;
	ptah_hop_carry(courier, from == PLAIN ? -1 : courier->n_hops, from, msg, &space, &answer);
	courier->depth--;
	/* The usual case: nothing to settle. */
	if (courier->open && !courier->dead && courier->n_held == 0)
		return answer;
	rc = settle(courier);
	return rc < 0 ? rc : answer;
}

int
ptah_courier_plain_opened(struct ptah_courier *courier, int rc)
{
	courier->plain_rc = rc;
	courier->plain_done = true;
	courier->moved++;
	return settle(courier);
}

bool
ptah_courier_is_open(const struct ptah_courier *courier)
{
	return courier->open;
}

bool
ptah_courier_is_admitted(const struct ptah_courier *courier)
{
	return courier->asked;
}

void
ptah_courier_end(struct ptah_courier *courier, int rc)
{
	ptah_courier_die(courier, rc, NULL);
	(void)settle(courier);
}
