/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One link, called as relay/layer.c calls a layer: what that ends a link for
 * ends the row here.
 */
#include "check/party.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "check/heap.h"
#include "check/trial.h"

/* So often in a row a step may be called that only changes its mind. */
#define IDLE_CALLS_MOST 64
/* From so many bytes on no more is read than was wanted. */
#define TAIL_MOST ((size_t)128 * 1024)
/* So much lies between two parties, as in a socket, before the one that writes has no room. */
#define OUT_MOST ((size_t)256 * 1024)

static const char *const side_names[2] = { "plain", "wire" };

const char *
ptah_party_role(const struct ptah_party *party)
{
	return party->role == PTAH_CLIENT ? "client" : "server";
}

static bool
has_room(const struct ptah_party *party, int s)
{
	const struct ptah_half *half = &party->half[s];

	return !half->finished && !half->blocked && half->out.len < OUT_MOST && (s == PTAH_WIRE || party->plain_open);
}

static size_t
room_of(const struct ptah_party *party, int s)
{
	size_t unit = party->life.lab->module->unit > 0 ? party->life.lab->module->unit : 1;
	size_t most = party->life.lab->room[s];

	return !has_room(party, s) ? 0 : most > unit ? most : unit;
}

/* ---- one call -------------------------------------------------------------- */

static void
offer(struct ptah_party *party, int s, struct ptah_side *side)
{
	struct ptah_lab *lab = party->life.lab;
	struct ptah_half *half = &party->half[s];
	size_t slack = lab->tight ? 0 : 64, room = room_of(party, s);
	bool too_early = s == PTAH_PLAIN && party->phase < PTAH_PHASE_OPEN;

	side->ended = half->ended && !(s == PTAH_PLAIN && party->phase < PTAH_PHASE_ADMITTED);
	side->want = half->want;
	side->hold = half->hold;
	if (half->in.len > 0 && !too_early) {
		side->in.at = ptah_guard_place(&lab->in[s], half->in.len, 1, slack);
		side->in.len = half->in.len;
		memcpy(ptah_guard_alias(&lab->in[s]), half->in.at, half->in.len);
	}
	if (room > 0) {
		side->out.at = ptah_guard_place(&lab->out[s], room, 1, slack);
		side->out.len = room;
		if (lab->tight)
			ptah_guard_paint(&lab->out[s]);
	}
}

void
ptah_party_look_at_rc(const struct ptah_party *party, int rc)
{
	if (rc > PTAH_REJECT)
		ptah_trial_fail("its %s gives an answer that does not exist: %d", ptah_party_role(party), rc);
	ptah_lab_look_at(&party->life, "its link");
}

static void
look_at_answers(struct ptah_party *party, const struct ptah_io *io, int rc)
{
	const struct ptah_side *sides[2] = { &io->plain, &io->wire };

	for (int s = 0; s < 2; s++) {
		const struct ptah_lab *lab = party->life.lab;
		int where = lab->tight && sides[s]->out.len > 0 ? ptah_guard_look(&lab->out[s]) : 0;

		if (sides[s]->eaten > sides[s]->in.len)
			ptah_trial_fail("its %s says that it ate %zu bytes of the %s side, where %zu were", ptah_party_role(party),
			    sides[s]->eaten, side_names[s], sides[s]->in.len);
		if (sides[s]->made > sides[s]->out.len)
			ptah_trial_fail("its %s says that it made %zu bytes for the %s side, where there was room for %zu",
			    ptah_party_role(party), sides[s]->made, side_names[s], sides[s]->out.len);
		if (where != 0)
			ptah_trial_fail("its %s has written %s the room towards the %s side, which was %zu bytes long",
			    ptah_party_role(party), where < 0 ? "before" : "behind", side_names[s], sides[s]->out.len);
	}
	if (io->manner > PTAH_NOW)
		ptah_trial_fail("its %s rejects in a manner that does not exist: %u", ptah_party_role(party), io->manner);
	ptah_party_look_at_rc(party, rc);
}

void
ptah_party_answer(struct ptah_party *party, int rc, const char *reason)
{
	if (rc == PTAH_GO)
		return;
	if (rc < 0 || rc == PTAH_REJECT) {
		party->phase = PTAH_PHASE_OVER;
		party->rc = rc;
		party->reason = reason;
		party->was_rejected = rc == PTAH_REJECT;
		return;
	}
	if (rc == PTAH_ADMIT) {
		if (party->role != PTAH_SERVER)
			ptah_trial_fail("its client answers ADMIT, which is a server's word");
		if (party->phase != PTAH_PHASE_OPENING || party->plain_asked)
			ptah_trial_fail("its server answers ADMIT twice, or after OPEN");
		party->phase = PTAH_PHASE_ADMITTED;
		return;
	}
	if (party->phase >= PTAH_PHASE_OPEN && !(rc == PTAH_PASS && party->phase == PTAH_PHASE_OPEN))
		ptah_trial_fail("its %s answers %s twice", ptah_party_role(party), rc == PTAH_OPEN ? "OPEN" : "PASS");
	party->phase = rc == PTAH_PASS ? PTAH_PHASE_PASSED : PTAH_PHASE_OPEN;
	party->was_open = true;
	if (party->role == PTAH_CLIENT)
		party->plain_open = true;
}

static bool
take_side(struct ptah_party *party, int s, const struct ptah_side *side)
{
	struct ptah_half *half = &party->half[s];
	uint32_t finish = s == PTAH_WIRE && side->finish == PTAH_FINISH_INSIDE ? 0 : side->finish;
	bool moved = side->eaten > 0 || side->made > 0 || (finish != 0 && !half->finished) ||
	    half->hold != (side->hold != 0) || half->want != side->want;

	if (side->finish == PTAH_FINISH_INSIDE && s == PTAH_WIRE)
		half->finish = PTAH_FINISH_INSIDE;
	half->hold = side->hold != 0;
	half->want = side->want;
	ptah_buf_eat(&half->in, side->eaten);
	if (side->made > 0)
		ptah_buf_add(&half->out, side->out.at, side->made);
	party->made[s] += side->made;
	if (half->out.rc < 0)
		ptah_trial_na("no memory for what it makes");
	if (side->more != 0 && !half->finished)
		half->starved = true;
	if (finish != 0)
		half->finished = true;
	return moved;
}

/* Nothing moved: is that fine, or will it never move again? */
static void
park(struct ptah_party *party, int s, size_t len, size_t room, size_t room_to_answer)
{
	struct ptah_half *from = &party->half[s], *to = &party->half[!s];
	bool handshake = s == PTAH_WIRE && party->phase < PTAH_PHASE_OPEN;
	bool boasts = room > 0 && to->starved;

	from->parked = true;
	from->waits = room_to_answer == 0 && !from->finished;
	if (room == 0 && !handshake) {
		to->starved = !to->finished;
		return;
	}
	if (!boasts && (from->ended || len == 0 || from->waits))
		return;
	if (boasts)
		ptah_trial_fail("its %s said that it had more for the %s side, and with room for %zu bytes it makes nothing",
		    ptah_party_role(party), side_names[!s], room);
	if (len >= from->want && (from->want > 0 || len >= TAIL_MOST))
		ptah_trial_fail("its %s wanted %zu bytes of the %s side, has %zu of them and room for %zu, and takes and gives nothing",
		    ptah_party_role(party), from->want, side_names[s], len, room);
}

static int
run_hook(struct ptah_party *party, int s, const struct ptah_event *event, const struct ptah_open *open, struct ptah_io *io)
{
	const struct ptah_module *module = party->life.lab->module;
	int (*step)(void *, struct ptah_io *) = s == PTAH_PLAIN ? module->wrap : module->unwrap;
	void *link = party->life.memory.at;

	if (open != NULL)
		return module->open != NULL ? module->open(link, open, io) : PTAH_OPEN;
	if (event != NULL)
		return module->event != NULL ? module->event(link, event, io) : PTAH_GO;
	if (step == NULL)
		ptah_trial_fail("its %s is called for the %s side and has no .%s: answer PASS, or write it", ptah_party_role(party),
		    side_names[s], s == PTAH_PLAIN ? "wrap" : "unwrap");
	return step(link, io);
}

static void
call(struct ptah_party *party, int s, const struct ptah_event *event, const struct ptah_open *open)
{
	struct ptah_io io = { .size = sizeof(io) };
	struct ptah_half *from = &party->half[s], *to = &party->half[!s];
	struct ptah_side *sides[2] = { &io.plain, &io.wire };
	bool moved;

	if (from->ended)
		from->told = true;
	if (!party->messages) {
		offer(party, PTAH_PLAIN, &io.plain);
		offer(party, PTAH_WIRE, &io.wire);
	}
	if (event == NULL && open == NULL)
		to->starved = false;
	party->n_calls++;
	ptah_lab_enter(party->life.lab);
	int rc = run_hook(party, s, event, open, &io);
	ptah_lab_leave(party->life.lab);
	if (party->messages) {
		ptah_party_look_at_rc(party, rc);
		ptah_party_answer(party, rc, io.reason);
		return;
	}
	look_at_answers(party, &io, rc);
	moved = take_side(party, PTAH_PLAIN, &io.plain);
	moved = take_side(party, PTAH_WIRE, &io.wire) || moved || rc != PTAH_GO;
	ptah_party_answer(party, rc, io.reason);
	if (party->phase == PTAH_PHASE_OVER)
		return;
	if (!moved)
		park(party, s, from->in.len, sides[!s]->out.len, sides[s]->out.len);
	party->idle = io.plain.eaten + io.plain.made + io.wire.eaten + io.wire.made > 0 || event != NULL ? 0 : party->idle + 1;
	if (party->idle > IDLE_CALLS_MOST)
		ptah_trial_fail("its %s neither takes nor gives anything, and wants to be called again, for ever", ptah_party_role(party));
}

/* ---- turns ------------------------------------------------------------------ */

static bool
wants_call(const struct ptah_party *party, int s)
{
	const struct ptah_half *half = &party->half[s];

	if (half->parked || party->phase >= PTAH_PHASE_PASSED)
		return false;
	if (party->half[!s].starved && has_room(party, !s))
		return true;
	if (half->hold || (s == PTAH_PLAIN && party->phase < PTAH_PHASE_OPEN))
		return false;
	if (half->ended && (!half->told || half->in.len > 0))
		return true;
	return half->in.len > 0 && half->want != PTAH_NEVER && half->in.len >= half->want;
}

/* The host passes an EOF on for a codec that has no word for it. */
static void
pass_end(struct ptah_party *party, int s)
{
	uint32_t can = party->life.lab->module->abilities;
	bool holds = (can & PTAH_HOLDS_EOF) != 0 && party->role == PTAH_CLIENT;
	bool pass = s == PTAH_WIRE || ((can & PTAH_CAN_HALF_CLOSE) != 0 && !holds);
	struct ptah_half *half = &party->half[s];

	if (s == PTAH_WIRE && party->phase < PTAH_PHASE_OPEN)
		return;
	if (pass && half->ended && half->told && !party->half[!s].starved && !half->hold)
		party->half[!s].finished = true;
}

/* It has stepped aside: what comes goes straight on. */
static bool
pass_by(struct ptah_party *party)
{
	bool moved = false;

	for (int s = 0; s < 2; s++) {
		struct ptah_half *from = &party->half[s], *to = &party->half[!s];

		if (!has_room(party, !s))
			continue;
		if (from->in.len > 0) {
			ptah_buf_add(&to->out, from->in.at, from->in.len);
			party->made[!s] += from->in.len;
			ptah_buf_eat(&from->in, from->in.len);
			moved = true;
		}
		if (from->ended && !to->finished)
			moved = to->finished = true;
	}
	return moved;
}

/* The owner of a server's link opens its plain end. */
static bool
open_plain(struct ptah_party *party)
{
	struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_PLAIN, .val = party->plain_rc };

	if (party->role != PTAH_SERVER || party->phase < PTAH_PHASE_ADMITTED || party->phase == PTAH_PHASE_OVER)
		return false;
	if (party->plain_asked) {
		if (party->plain_open || party->phase < PTAH_PHASE_OPEN || party->plain_rc != 0)
			return false;
		party->plain_open = true;
		return true;
	}
	party->plain_asked = true;
	if (party->phase != PTAH_PHASE_ADMITTED) {
		if (party->plain_rc != 0) {
			party->phase = PTAH_PHASE_OVER;
			party->rc = party->plain_rc;
		}
		return true;
	}
	if (party->life.lab->module->event == NULL) {
		party->phase = party->plain_rc == 0 ? PTAH_PHASE_OPEN : PTAH_PHASE_OVER;
		party->rc = party->plain_rc;
		party->was_open = party->plain_rc == 0;
		return true;
	}
	ptah_party_event(party, &event);
	if (party->plain_rc != 0 && party->phase == PTAH_PHASE_ADMITTED)
		party->phase = PTAH_PHASE_OPENING; /* it goes on without: it has a page to show, say */
	return true;
}

bool
ptah_party_turn(struct ptah_party *party)
{
	bool moved = open_plain(party);

	for (int s = 0; s < 2; s++) {
		struct ptah_half *half = &party->half[s];

		if (party->half[!s].starved && has_room(party, !s))
			half->parked = false;
		if (half->waits && has_room(party, s))
			half->waits = half->parked = false;
		while (wants_call(party, s)) {
			call(party, s, NULL, NULL);
			moved = true;
		}
		if (party->phase < PTAH_PHASE_PASSED)
			pass_end(party, s);
	}
	if (party->phase == PTAH_PHASE_PASSED)
		moved = pass_by(party) || moved;
	return moved;
}

bool
ptah_party_reads(const struct ptah_party *party, int s)
{
	const struct ptah_half *half = &party->half[s];
	size_t most = half->want != PTAH_NEVER && half->want > TAIL_MOST ? half->want : TAIL_MOST;

	if (party->phase == PTAH_PHASE_OVER || half->ended || half->hold || half->in.len >= most)
		return false;
	if (s == PTAH_PLAIN && !party->plain_open)
		return false;
	if (party->half[!s].starved && half->parked)
		return false;
	return !(s == PTAH_WIRE && party->plain_asked && !party->plain_open && party->plain_rc == 0);
}

void
ptah_party_feed(struct ptah_party *party, int s, const void *at, size_t len)
{
	struct ptah_half *half = &party->half[s];

	if (ptah_buf_add(&half->in, at, len) < 0)
		ptah_trial_na("no memory for what it is sent");
	half->parked = false;
	party->idle = 0;
}

void
ptah_party_end(struct ptah_party *party, int s)
{
	party->half[s].ended = true;
	party->half[s].parked = false;
}

void
ptah_party_event(struct ptah_party *party, struct ptah_event *event)
{
	if (party->phase >= PTAH_PHASE_PASSED || !party->hooked)
		return;
	event->size = sizeof(*event);
	party->half[PTAH_PLAIN].parked = party->half[PTAH_WIRE].parked = false;
	call(party, PTAH_PLAIN, event, NULL);
}

/* ---- birth and death -------------------------------------------------------------- */

static void
open_it(struct ptah_party *party, int who)
{
	struct ptah_lab *lab = party->life.lab;
	struct ptah_base *base = &lab->base[who];
	struct ptah_guard *args = &lab->args, *guard = &lab->open;
	struct ptah_open *open;

	ptah_guard_protect(args, PROT_READ | PROT_WRITE);
	ptah_guard_protect(guard, PROT_READ | PROT_WRITE);
	ptah_guard_place(args, lab->module->args_size, 64, 0);
	if (lab->module->args_size > 0)
		memcpy(args->at, base->filling.args.values, lab->module->args_size);
	open = (struct ptah_open *)(void *)ptah_guard_place(guard, sizeof(*open), 64, 0);
	*open = (struct ptah_open){
		.size = sizeof(*open), .role = party->role, .messages = party->messages,
		.conf = base->conf.at, .worker = base->worker.memory.at, .args = args->at,
		.settings = base->filling.settings, .server = who == PTAH_AT_CLIENT ? "127.0.0.1:4000" : NULL,
		.peer = who == PTAH_AT_CLIENT ? "127.0.0.1:4000" : "192.0.2.1:1234",
		.self = (struct ptah_self *)&party->life, .host = &ptah_lab_services, .home = base->home.memory.at,
	};
	party->hooked = true;
	call(party, PTAH_WIRE, NULL, open);
	if (lab->tight) {
		ptah_guard_protect(args, PROT_NONE);
		ptah_guard_protect(guard, PROT_NONE);
	}
}

struct ptah_party *
ptah_party_new(struct ptah_lab *lab, int who, bool messages)
{
	struct ptah_party *party = calloc(1, sizeof(*party));

	if (party == NULL)
		ptah_trial_na("no memory for a link");
	party->role = ptah_subject_role(who);
	party->messages = messages;
	party->life.kind = PTAH_LAB_LINK;
	party->life.base = &lab->base[who];
	party->life.party = party;
	party->life.open = true;
	ptah_lab_life_make(lab, &party->life, "the memory of its link", lab->module->link_size);
	party->next = lab->parties;
	lab->parties = party;
	open_it(party, who);
	return party;
}

void
ptah_party_free(struct ptah_party *party, int why)
{
	struct ptah_lab *lab;
	struct ptah_party **at;

	if (party == NULL)
		return;
	lab = party->life.lab;
	if (lab->module->close != NULL) {
		ptah_lab_enter(lab);
		lab->module->close(party->life.memory.at, why);
		ptah_lab_leave(lab);
		ptah_lab_look_at(&party->life, "its link");
	}
	for (at = &lab->parties; *at != party; at = &(*at)->next)
		;
	*at = party->next;
	for (int s = 0; s < 2; s++) {
		ptah_buf_clear(&party->half[s].in);
		ptah_buf_clear(&party->half[s].out);
	}
	ptah_buf_clear(&party->sent);
	ptah_buf_clear(&party->arrived);
	ptah_guard_free(&party->life.memory);
	free(party);
}
