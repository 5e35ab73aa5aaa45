/* SPDX-License-Identifier: BSD-3-Clause */
#include "relay/courier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "loop/worker.h"
#include "relay/layer.h"
#include "transport/check.h"
#include "transport/home.h"

/* Messages that layers may hand to one another in one turn: past it they do nothing else. */
#define TURN_MOST 1024

/* Memory around a message. */
struct space {
	struct ptah_room room;
	bool lasts; /* the owner's: good for longer than the hook's call */
};

/* A layer. */
struct hop {
	struct ptah_self self; /* self.state is the module's memory */
	struct ptah_courier *courier;
	enum phase phase;
	bool hooked;        /* 'open' was called, so 'close' must be */
	bool busy;          /* in one of its hooks */
	struct space space; /* of the message that its hook has */
};

/* A message that waits: for a layer that is not ready, or in one of its hooks; or for the plain end. */
struct held {
	struct held *next;
	int behind; /* it left this hop, */
	int from;   /* having come from this side */
	size_t len;
	char *peer, *dest; /* behind the body, or NULL */
	uint8_t body[];
};

struct ptah_courier {
	struct ptah_courier *prev, *next; /* all of the worker */
	struct ptah_worker *worker;
	struct ptah_instance *instance;
	const struct ptah_courier_ops *ops;
	void *arg;
	struct ptah_deadline deadline;
	uint8_t role, n_hops;
	bool begun, dead, open, asked, plain_done, plain_open;
	unsigned depth; /* hooks and calls that we are inside of */
	int rc, plain_rc;
	const char *reason;
	struct hop *hops; /* 0 is the top */
	struct held *held, **held_end;
	unsigned n_held;
	size_t held_bytes;
	uint64_t moved; /* hooks run and messages out, to see whether it still gets on */
	/* For its layers' birth. */
	struct ptah_args args;
	bool has_args;
	char server[PTAH_DEST_TEXT], peer[PTAH_ADDR_TEXT];
};

static void carry(struct ptah_courier *courier, int behind, int from, const struct ptah_msg *msg, const struct space *space,
    int *answer);
static int settle(struct ptah_courier *courier);

static void
count(const struct ptah_courier *courier, enum ptah_stat stat)
{
	ptah_stats_add(courier->worker->stats, stat, 1);
}

static void
die(struct ptah_courier *courier, int rc, const char *reason)
{
	if (courier->dead)
		return;
	courier->dead = true;
	courier->rc = rc;
	if (reason != NULL)
		courier->reason = reason;
}

/* ---- what waits ----------------------------------------------------------- */

static void
hold(struct ptah_courier *courier, int behind, int from, const struct ptah_msg *msg)
{
	size_t peer = msg->peer != NULL ? strlen(msg->peer) + 1 : 0, dest = msg->dest != NULL ? strlen(msg->dest) + 1 : 0;
	size_t size = sizeof(struct held) + msg->body.len + peer + dest;
	struct held *held = courier->n_held < PTAH_COURIER_HELD_MOST && size <= PTAH_COURIER_HELD_BYTES - courier->held_bytes ?
	    malloc(size) : NULL;

	if (held == NULL) {
		count(courier, PTAH_STAT_UDP_DROP_WAITING);
		return;
	}
	char *texts = (char *)held->body + msg->body.len;
	*held = (struct held){ .behind = behind, .from = from, .len = msg->body.len };
	if (msg->body.len > 0)
		memcpy(held->body, msg->body.at, msg->body.len);
	if (peer > 0)
		held->peer = memcpy(texts, msg->peer, peer);
	if (dest > 0)
		held->dest = memcpy(texts + peer, msg->dest, dest);
	*courier->held_end = held;
	courier->held_end = &held->next;
	courier->n_held++;
	courier->held_bytes += size;
}

static struct held *
held_pop(struct ptah_courier *courier)
{
	struct held *held = courier->held;
	size_t texts = (held->peer != NULL ? strlen(held->peer) + 1 : 0) + (held->dest != NULL ? strlen(held->dest) + 1 : 0);

	courier->held = held->next;
	if (courier->held == NULL)
		courier->held_end = &courier->held;
	courier->n_held--;
	courier->held_bytes -= sizeof(*held) + held->len + texts;
	return held;
}

/* What waits may go on now, or wait again, in order. */
static void
release(struct ptah_courier *courier)
{
	for (unsigned n = courier->n_held; n > 0 && !courier->dead; n--) {
		struct held *held = held_pop(courier);
		const struct ptah_msg msg = {
			.size = sizeof(msg), .side = held->from == PLAIN ? PTAH_SIDE_PLAIN : PTAH_SIDE_WIRE,
			.body = { held->body, held->len }, .peer = held->peer, .dest = held->dest,
		};

		carry(courier, held->behind, held->from, &msg, NULL, NULL);
		free(held);
	}
}

/* ---- hooks ------------------------------------------------------------------ */

/* Has the peer shown who it is, to this layer or to one below?  One that passes has not asked. */
static bool
is_good(const struct ptah_courier *courier, const struct hop *hop)
{
	for (; hop < courier->hops + courier->n_hops; hop++)
		if (hop->phase == PHASE_ADMITTED || hop->phase == PHASE_OPEN)
			return true;
	return false;
}

/* What a hook has answered; 'answer' (may be NULL) hears of a message that was rejected. */
static void
note_rc(struct ptah_courier *courier, struct hop *hop, int rc, const char *reason, int *answer)
{
	courier->moved++;
	switch (rc) {
	case PTAH_GO:
		return;
	case PTAH_ADMIT:
		if (courier->role != PTAH_SERVER || hop->phase != PHASE_OPENING || (courier->asked && hop == courier->hops))
			break;
		hop->phase = PHASE_ADMITTED;
		return;
	case PTAH_OPEN:
	case PTAH_PASS:
		if (hop->phase >= PHASE_OPEN && !(rc == PTAH_PASS && hop->phase == PHASE_OPEN))
			break;
		hop->phase = rc == PTAH_PASS ? PHASE_PASSED : PHASE_OPEN;
		return;
	case PTAH_REJECT:
		if (!is_good(courier, hop))
			die(courier, -EACCES, reason);
		else
			count(courier, PTAH_STAT_UDP_DROP_REJECTED);
		if (answer != NULL)
			*answer = PTAH_REJECT;
		return;
	default:
		if (rc < 0) {
			die(courier, rc, reason);
			return;
		}
	}
	die(courier, -EPROTO, "the module gave an answer that its state does not allow");
}

static void
run_event(struct ptah_courier *courier, struct hop *hop, const struct ptah_event *event)
{
	const struct ptah_module *module = hop->self.instance->module;
	struct ptah_io io = { .size = sizeof(io) };

	if (module->event == NULL || hop->phase == PHASE_NEW || hop->phase == PHASE_PASSED)
		return;
	hop->busy = true;
	note_rc(courier, hop, module->event(hop->self.state, event, &io), io.reason, NULL);
	hop->busy = false;
}

static void
layer_args(const struct ptah_courier *courier, unsigned i, struct ptah_open *open)
{
	const struct ptah_instance *instance = courier->hops[i].self.instance;
	const struct ptah_args *args = courier->has_args ? &courier->args : NULL;

	for (; i > 0 && args != NULL; i--)
		args = args->below;
	open->args = args != NULL ? args->values : instance->args;
	open->settings = args != NULL ? args->settings : instance->settings;
	open->home = instance->home != NULL ? instance->home->self.state : NULL;
}

static struct ptah_open
open_of(struct ptah_courier *courier, unsigned i)
{
	const struct ptah_instance *instance = courier->hops[i].self.instance;
	struct ptah_open open = {
		.size = sizeof(open), .role = courier->role, .messages = 1, .layer = i,
		.conf = instance->conf,
		.worker = instance->worker_state != NULL ? instance->worker_state[courier->worker->index] : NULL,
		.server = courier->server[0] != '\0' ? courier->server : NULL,
		.peer = courier->peer, .self = &courier->hops[i].self, .host = &ptah_host_services,
	};

	layer_args(courier, i, &open);
	return open;
}

static void
run_open(struct ptah_courier *courier, unsigned i)
{
	struct hop *hop = &courier->hops[i];
	const struct ptah_instance *instance = hop->self.instance;
	struct ptah_io io = { .size = sizeof(io) };
	const struct ptah_open open = open_of(courier, i);

	hop->phase = PHASE_OPENING;
	hop->hooked = hop->busy = true;
	int rc = instance->module->open != NULL ? instance->module->open(hop->self.state, &open, &io) : PTAH_OPEN;
	note_rc(courier, hop, rc, io.reason, NULL);
	hop->busy = false;
}

/* ---- a message's way ---------------------------------------------------------- */

/* The first hop behind 'behind' (exclusive) that a message from side 'from' must go through; -1 or n_hops: the end. */
static int
next_hop(const struct ptah_courier *courier, int behind, int from)
{
	int step = from == PLAIN ? 1 : -1;

	for (behind += step; behind >= 0 && behind < courier->n_hops; behind += step)
		if (courier->hops[behind].phase != PHASE_PASSED)
			break;
	return behind;
}

/* Is there room around the body for all that the layers from hop i down will add? */
static bool
has_margins(const struct ptah_courier *courier, int i, struct ptah_span body, const struct ptah_room *room)
{
	size_t head = 0, tail = 0;

	for (; i < courier->n_hops; i++) {
		head += courier->hops[i].self.instance->module->msg_head;
		tail += courier->hops[i].self.instance->module->msg_tail;
	}
	size_t before = (size_t)(body.at - room->at);
	return before >= head && room->len - before - body.len >= tail;
}

static bool
lies_in(struct ptah_span body, const struct ptah_room *room)
{
	uintptr_t at = (uintptr_t)body.at, start = (uintptr_t)room->at;

	return body.at != NULL && room->at != NULL && at >= start && at - start <= room->len &&
	    body.len <= room->len - (at - start);
}

/* Where a body lies that no hook may write to, or without room around it: a scratch is its hop's while the hook runs. */
static int
copy_to_scratch(struct ptah_courier *courier, int i, struct ptah_span *body, struct space *space)
{
	uint8_t *scratch = ptah_worker_scratch(courier->worker, (unsigned)i);

	if (scratch == NULL)
		return -ENOMEM;
	*space = (struct space){ { scratch, PTAH_SCRATCH_OUT_LEN }, false };
	if (body->len > 0)
		memcpy(scratch + PTAH_MSG_ROOM_LIMIT, body->at, body->len);
	body->at = scratch + PTAH_MSG_ROOM_LIMIT;
	return 0;
}

static void
run_message(struct ptah_courier *courier, int i, int from, const struct ptah_msg *msg, const struct space *space, int *answer)
{
	struct hop *hop = &courier->hops[i];
	const struct ptah_module *module = hop->self.instance->module;
	int (*hook)(void *, const struct ptah_msg *) = from == PLAIN ? module->wrap_message : module->unwrap_message;
	struct ptah_msg in = *msg;

	in.size = sizeof(in);
	in.side = from == PLAIN ? PTAH_SIDE_PLAIN : PTAH_SIDE_WIRE;
	if (space == NULL || (from == PLAIN && !has_margins(courier, i, in.body, &space->room))) {
		if (copy_to_scratch(courier, i, &in.body, &hop->space) != 0) {
			count(courier, PTAH_STAT_UDP_DROP_FULL);
			return;
		}
	} else {
		hop->space = *space;
	}
	in.room = hop->space.room;
	hop->busy = true;
	note_rc(courier, hop, hook(hop->self.state, &in), NULL, answer);
	hop->busy = false;
	hop->space = (struct space){ { NULL, 0 }, false };
}

static void
leave(struct ptah_courier *courier, int behind, int from, const struct ptah_msg *msg, const struct space *space)
{
	/* The plain end is there when the relay begins. */
	if (from == WIRE && !courier->open) {
		hold(courier, behind, from, msg);
		return;
	}
	struct ptah_msg out = *msg;

	out.size = sizeof(out);
	out.side = from == PLAIN ? PTAH_SIDE_WIRE : PTAH_SIDE_PLAIN;
	courier->moved++;
	ptah_stats_add(courier->worker->stats, from == PLAIN ? PTAH_STAT_WIRE_BYTES_OUT : PTAH_STAT_PLAIN_BYTES_OUT, out.body.len);
	courier->ops->on_message(courier, &out, space != NULL && space->lasts, courier->arg);
}

/* 'space' is where the body lies, if that may be written to. */
static void
carry(struct ptah_courier *courier, int behind, int from, const struct ptah_msg *msg, const struct space *space, int *answer)
{
	int i = next_hop(courier, behind, from);

	if (i < 0 || i >= courier->n_hops) {
		leave(courier, behind, from, msg, space);
		return;
	}
	const struct hop *hop = &courier->hops[i];
	/* No hook runs inside of another one of the same layer. */
	if (hop->busy || hop->phase < (from == PLAIN ? PHASE_OPEN : PHASE_OPENING))
		hold(courier, behind, from, msg);
	else
		run_message(courier, i, from, msg, space, answer);
}

/* A layer sends a message. */
static int
on_self_message(struct ptah_self *self, const struct ptah_msg *msg)
{
	struct hop *hop = (struct hop *)(void *)((char *)self - offsetof(struct hop, self));
	struct ptah_courier *courier = hop->courier;

	if (courier->dead)
		return -ECONNRESET;
	if (msg->size < offsetof(struct ptah_msg, dest) + sizeof(msg->dest) || hop->phase == PHASE_NEW ||
	    (msg->side != PTAH_SIDE_PLAIN && msg->side != PTAH_SIDE_WIRE))
		return -EINVAL;
	if (msg->body.len > PTAH_MESSAGE_MAX)
		return -EMSGSIZE;
	const struct space *space = lies_in(msg->body, &hop->space.room) ? &hop->space : NULL;
	carry(courier, (int)(hop - courier->hops), msg->side == PTAH_SIDE_WIRE ? PLAIN : WIRE, msg, space, NULL);
	return 0;
}

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
			run_open(courier, (unsigned)i);
		if (courier->dead || hop->phase < PHASE_ADMITTED)
			return;
		/* The layer above is the plain side of this one, and it is there. */
		if (hop->phase == PHASE_ADMITTED && i > 0 && courier->hops[i - 1].phase == PHASE_NEW) {
			const struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_PLAIN };

			if (hop->self.instance->module->event == NULL)
				hop->phase = PHASE_OPEN;
			run_event(courier, hop, &event);
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
		run_event(courier, top, &event);
	else if (courier->plain_open && top->phase == PHASE_ADMITTED)
		top->phase = PHASE_OPEN; /* it wants to know nothing */
	if (courier->dead || courier->plain_open)
		return;
	if (!asks || top->phase != PHASE_ADMITTED)
		die(courier, courier->plain_rc, NULL);
	else
		top->phase = PHASE_OPENING; /* it goes on unadmitted */
}

static void
begins(struct ptah_courier *courier)
{
	ptah_deadline_clear(&courier->deadline);
	courier->open = true;
	ptah_stats_add(courier->worker->stats, PTAH_STAT_LINKS_RELAYING, 1);
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
		release(courier);
}

static void
courier_free(struct ptah_courier *courier)
{
	struct ptah_relay *relay = ptah_relay_of(courier->worker);

	for (unsigned i = 0; i < courier->n_hops; i++) {
		struct hop *hop = &courier->hops[i];
		struct ptah_instance *instance = hop->self.instance;

		if (hop->hooked && instance->module->close != NULL)
			instance->module->close(hop->self.state, courier->rc);
		ptah_self_end(&hop->self);
		if (hop->self.state != NULL) {
			explicit_bzero(hop->self.state, instance->module->link_size);
			free(hop->self.state);
		}
		ptah_instance_unref(instance);
	}
	free(courier->hops);
	while (courier->n_held > 0) {
		count(courier, PTAH_STAT_UDP_DROP_REFUSED);
		free(held_pop(courier));
	}
	ptah_deadline_clear(&courier->deadline);
	if (courier->has_args)
		ptah_args_free(&courier->args);
	*(courier->prev != NULL ? &courier->prev->next : &relay->couriers) = courier->next;
	if (courier->next != NULL)
		courier->next->prev = courier->prev;
	relay->n_couriers--;
	count(courier, PTAH_STAT_LINKS_CLOSED);
	ptah_instance_unref(courier->instance);
	free(courier);
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
		count(courier, rc == -EACCES ? PTAH_STAT_REJECTED : PTAH_STAT_HANDSHAKES_FAILED);
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
			die(courier, -EPROTO, "its layers do nothing but send messages to one another");
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
	run_event(courier, hop, event);
	courier->depth--;
	(void)settle(courier);
}

static const struct ptah_self_ops self_ops = { .deliver = on_self_event, .message = on_self_message };

static void
on_deadline(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_courier *courier = arg;

	(void)deadline;
	count(courier, PTAH_STAT_TIMEOUTS);
	die(courier, -ETIMEDOUT, "the handshake did not end within its limit");
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
	unsigned n = 0;

	for (; instance != NULL; instance = instance->below)
		n++;
	courier->hops = calloc(n, sizeof(*courier->hops));
	if (courier->hops == NULL)
		return -ENOMEM;
	instance = courier->instance;
	for (unsigned i = 0; i < n; i++, instance = instance->below) {
		struct hop *hop = &courier->hops[i];
		size_t size = (instance->module->link_size + 63) / 64 * (size_t)64;

		if (size > 0) {
			hop->self.state = aligned_alloc(64, size);
			if (hop->self.state == NULL)
				return -ENOMEM;
			memset(hop->self.state, 0, size);
		}
		hop->self.life = PTAH_LIFE_LINK;
		hop->self.instance = ptah_instance_ref(instance);
		hop->self.worker = courier->worker;
		hop->self.ops = &self_ops;
		hop->courier = courier;
		courier->n_hops++;
	}
	return 0;
}

struct ptah_courier *
ptah_courier_new(struct ptah_worker *worker, const struct ptah_courier_how *how, const struct ptah_courier_ops *ops, void *arg)
{
	struct ptah_relay *relay = ptah_relay_of(worker);
	struct ptah_courier *courier = relay != NULL ? calloc(1, sizeof(*courier)) : NULL;

	if (courier == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	courier->worker = worker;
	courier->instance = ptah_instance_ref(how->instance);
	courier->role = how->role;
	courier->ops = ops;
	courier->arg = arg;
	courier->held_end = &courier->held;
	courier->next = relay->couriers;
	if (courier->next != NULL)
		courier->next->prev = courier;
	relay->couriers = courier;
	relay->n_couriers++;
	count(courier, PTAH_STAT_LINKS_OPENED);
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
		const struct ptah_open open = open_of(courier, courier->n_hops - 1u);
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

	ptah_stats_add(courier->worker->stats, from == PLAIN ? PTAH_STAT_PLAIN_BYTES_IN : PTAH_STAT_WIRE_BYTES_IN, msg->body.len);
	courier->depth++;
	carry(courier, from == PLAIN ? -1 : courier->n_hops, from, msg, &space, &answer);
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
	die(courier, rc, NULL);
	(void)settle(courier);
}
