/* SPDX-License-Identifier: BSD-3-Clause */
#include "relay/hop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loop/worker.h"
#include "transport/check.h"

void
ptah_courier_die(struct ptah_courier *courier, int rc, const char *reason)
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
		ptah_courier_count(courier, PTAH_STAT_UDP_DROP_WAITING);
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

struct held *
ptah_held_pop(struct ptah_courier *courier)
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
void
ptah_hops_release(struct ptah_courier *courier)
{
	for (unsigned n = courier->n_held; n > 0 && !courier->dead; n--) {
		struct held *held = ptah_held_pop(courier);
		const struct ptah_msg msg = {
			.size = sizeof(msg), .side = held->from == PLAIN ? PTAH_SIDE_PLAIN : PTAH_SIDE_WIRE,
			.body = { held->body, held->len }, .peer = held->peer, .dest = held->dest,
		};

		ptah_hop_carry(courier, held->behind, held->from, &msg, NULL, NULL);
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
			ptah_courier_die(courier, -EACCES, reason);
		else
			ptah_courier_count(courier, PTAH_STAT_UDP_DROP_REJECTED);
		if (answer != NULL)
			*answer = PTAH_REJECT;
		return;
	default:
		if (rc < 0) {
			ptah_courier_die(courier, rc, reason);
			return;
		}
	}
	ptah_courier_die(courier, -EPROTO, "the module gave an answer that its state does not allow");
}

void
ptah_hop_event(struct ptah_courier *courier, struct hop *hop, const struct ptah_event *event)
{
	const struct ptah_module *module = hop->self.instance->module;
	struct ptah_io io = { .size = sizeof(io) };

	if (module->event == NULL || hop->phase == PHASE_NEW || hop->phase == PHASE_PASSED)
		return;
	hop->busy = true;
	note_rc(courier, hop, module->event(hop->self.state, event, &io), io.reason, NULL);
	hop->busy = false;
}

struct ptah_open
ptah_hop_open_of(struct ptah_courier *courier, unsigned i)
{
	struct ptah_open open = ptah_stack_open_of(&courier->hops[i].self, courier->role, i, courier->has_args ? &courier->args : NULL);

	open.messages = 1;
	open.server = courier->server[0] != '\0' ? courier->server : NULL;
	open.peer = courier->peer;
	return open;
}

void
ptah_hop_open(struct ptah_courier *courier, unsigned i)
{
	struct hop *hop = &courier->hops[i];
	const struct ptah_instance *instance = hop->self.instance;
	struct ptah_io io = { .size = sizeof(io) };
	const struct ptah_open open = ptah_hop_open_of(courier, i);

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
			ptah_courier_count(courier, PTAH_STAT_UDP_DROP_FULL);
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
	ptah_stats_add(courier->stats, from == PLAIN ? PTAH_STAT_WIRE_BYTES_OUT : PTAH_STAT_PLAIN_BYTES_OUT, out.body.len);
	courier->ops->on_message(courier, &out, space != NULL && space->lasts, courier->arg);
}

/* 'space' is where the body lies, if that may be written to. */
void
ptah_hop_carry(struct ptah_courier *courier, int behind, int from, const struct ptah_msg *msg, const struct space *space, int *answer)
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
int
ptah_hop_message(struct ptah_self *self, const struct ptah_msg *msg)
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
	ptah_hop_carry(courier, (int)(hop - courier->hops), msg->side == PTAH_SIDE_WIRE ? PLAIN : WIRE, msg, space, NULL);
	return 0;
}
