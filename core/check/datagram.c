/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One message of a party, given to a hook as relay/hop.c gives it: in memory
 * that ends where its room does, and that is gone when the hook has returned.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "check/party.h"
#include "check/trial.h"
#include "relay/courier.h"

#define CLIENT_AT "192.0.2.1:1234"
#define TARGET_AT "203.0.113.9:7000"

/* A piece that was given away, in lab->given; its bytes follow. */
struct piece {
	const uint8_t *at;
	size_t len;
};

/* ---- around a hook ------------------------------------------------------------- */

static struct ptah_msg
place(struct ptah_lab *lab, size_t head, size_t tail, const void *at, size_t len)
{
	struct ptah_guard *guard = &lab->message;
	struct ptah_msg msg = { .size = sizeof(msg) };

	ptah_guard_protect(guard, PROT_READ | PROT_WRITE);
	msg.room.at = ptah_guard_place(guard, head + len + tail, 1, 0);
	msg.room.len = head + len + tail;
	ptah_guard_paint(guard);
	msg.body = (struct ptah_span){ msg.room.at + head, len };
	if (len > 0)
		memcpy(msg.room.at + head, at, len);
	return msg;
}

/* It is sent, uncopied, when the hook has returned. */
static void
look_at_given(struct ptah_lab *lab, const char *role)
{
	const struct ptah_buf *given = &lab->given;
	struct piece piece;

	for (size_t at = 0; at < given->len; at += piece.len) {
		memcpy(&piece, given->at + at, sizeof(piece));
		at += sizeof(piece);
		if (memcmp(piece.at, given->at + at, piece.len) != 0)
			ptah_trial_fail("its %s changes a message that it has given to message(), before its hook returns", role);
	}
	ptah_buf_eat(&lab->given, given->len);
}

static void
leave(struct ptah_lab *lab, const char *role)
{
	int where = ptah_guard_look(&lab->message);

	lab->in_message = false;
	if (where != 0)
		ptah_trial_fail("its %s writes %s the room of a message", role, where < 0 ? "before" : "behind");
	look_at_given(lab, role);
	ptah_guard_protect(&lab->message, PROT_NONE);
}

/* ---- the hooks -------------------------------------------------------------------- */

int
ptah_party_message(struct ptah_party *party, int s, const void *at, size_t len)
{
	struct ptah_lab *lab = party->life.lab;
	const struct ptah_module *module = lab->module;
	bool plain = s == PTAH_PLAIN, server = party->role == PTAH_SERVER;
	struct ptah_msg msg;
	int rc;

	if (party->phase == PTAH_PHASE_OVER || (plain && (!party->plain_open || party->phase < PTAH_PHASE_OPEN)))
		return -ENOTCONN;
	if (party->phase == PTAH_PHASE_PASSED) {
		msg = (struct ptah_msg){ .size = sizeof(msg), .side = plain ? PTAH_SIDE_WIRE : PTAH_SIDE_PLAIN, .body = { at, len } };
		return ptah_party_take_message(party, &msg);
	}
	msg = place(lab, plain ? module->msg_head : 0, plain ? module->msg_tail : 0, at, len);
	msg.side = plain ? PTAH_SIDE_PLAIN : PTAH_SIDE_WIRE;
	msg.peer = !server ? NULL : plain ? TARGET_AT : CLIENT_AT;
	lab->in_message = true;
	party->n_calls++;
	ptah_lab_enter(lab);
	rc = (plain ? module->wrap_message : module->unwrap_message)(party->life.memory.at, &msg);
	ptah_lab_leave(lab);
	leave(lab, ptah_party_role(party));
	ptah_party_look_at_rc(party, rc);
	/* Of a peer that was found good a message is dropped, and no more. */
	if (rc != PTAH_REJECT || party->phase < PTAH_PHASE_ADMITTED)
		ptah_party_answer(party, rc, NULL);
	return rc;
}

int
ptah_base_key(struct ptah_base *base, const void *at, size_t len, uint8_t key[16])
{
	struct ptah_lab *lab = base->worker.lab;
	struct ptah_msg msg;
	int rc;

	if (lab->module->key == NULL)
		return PTAH_PASS;
	msg = place(lab, 0, 0, at, len);
	msg.side = PTAH_SIDE_WIRE;
	ptah_lab_enter(lab);
	rc = lab->module->key(base->conf.at, base->worker.memory.at, &msg, key);
	ptah_lab_leave(lab);
	if (len > 0 && memcmp(msg.body.at, at, len) != 0)
		ptah_trial_fail("its .key changes the datagram, which .unwrap_message gets next");
	leave(lab, "server's .key");
	return rc;
}

/* ---- the service ------------------------------------------------------------------- */

/* What lies in the room of the message that a hook has now. */
static void
note_given(struct ptah_lab *lab, struct ptah_span body)
{
	const struct ptah_guard *guard = &lab->message;
	uintptr_t at = (uintptr_t)body.at, begin = (uintptr_t)guard->at;
	const struct piece piece = { body.at, body.len };

	if (!lab->in_message || body.len == 0 || at < begin || at - begin > guard->placed || body.len > guard->placed - (at - begin))
		return;
	(void)ptah_buf_add(&lab->given, &piece, sizeof(piece));
	if (ptah_buf_add(&lab->given, body.at, body.len) < 0)
		ptah_trial_na("no memory for a message");
}

int
ptah_party_take_message(struct ptah_party *party, const struct ptah_msg *msg)
{
	struct ptah_buf *to = msg->side == PTAH_SIDE_WIRE ? &party->sent : &party->arrived;
	uint32_t len = (uint32_t)msg->body.len;

	if (msg->size < offsetof(struct ptah_msg, dest) + sizeof(msg->dest))
		ptah_trial_fail("its %s sends a message whose .size it has not set", ptah_party_role(party));
	if (msg->side != PTAH_SIDE_WIRE && msg->side != PTAH_SIDE_PLAIN)
		ptah_trial_fail("its %s sends a message to a side that does not exist: %u", ptah_party_role(party), msg->side);
	if (!party->messages)
		return -EINVAL;
	if (msg->body.len > PTAH_MESSAGE_MAX)
		return -EMSGSIZE;
	note_given(party->life.lab, msg->body);
	(void)ptah_buf_add(to, &len, sizeof(len));
	if (ptah_buf_add(to, msg->body.at, msg->body.len) < 0)
		ptah_trial_na("no memory for a message");
	return 0;
}
