/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The codec driver: how a stack of modules is called.
 *
 * A wake-up is one read into the worker's scratch; each layer turns a span of
 * one scratch into a span of the next, and the last span is written at once.
 * What a step did not eat is kept on the heap, and put in front of the next
 * input: in the scratch's head, so that the step sees one piece.
 */
#include "relay/layer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "loop/worker.h"
#include "relay/call.h"

/* Room for what a step makes towards the side where its input comes from. */
#define SIDE_SCRATCH PTAH_LAYERS_MAX
#define ROOM_LEN (PTAH_SCRATCH_OUT_LEN - PTAH_SCRATCH_HEAD)
/* So often in a row the steps of a link may be called that only change their minds, or wait for one another. */
#define IDLE_CALLS_MOST 64

static size_t
unit_of(const struct layer *layer)
{
	return layer->self.instance->module->unit > 0 ? layer->self.instance->module->unit : 1;
}

int
ptah_layer_next(const struct ptah_link *link, int i, int s)
{
	int step = s == PLAIN ? 1 : -1;

	for (i += step; i >= 0 && i < link->n_layers; i += step)
		if (link->layers[i].phase != PHASE_PASSED || link->layers[i].tail[s].len > 0)
			break;
	return i;
}

/* How much output of layer i side 'o' takes now: its unit at least, or nothing.  No more than the neighbour may keep. */
static size_t
room_of(const struct ptah_link *link, int i, int o)
{
	int next = ptah_layer_next(link, i, !o);

	if (next >= 0 && next < link->n_layers) {
		size_t kept = link->layers[next].tail[!o].len, unit = unit_of(&link->layers[i]);

		if (link->layers[next].phase == PHASE_NEW || kept >= PTAH_TAIL_MOST / 2)
			return 0;
		return PTAH_TAIL_MOST - kept > unit ? PTAH_TAIL_MOST - kept : unit;
	}
	if (o == PLAIN && (!link->plain_open || link->ops->on_bytes != NULL))
		return link->plain_open ? ROOM_LEN : 0;
	return link->end[o].fd != -1 && ptah_end_spilled(&link->end[o]) == 0 ? ROOM_LEN : 0;
}

static bool
has_room(const struct ptah_link *link, int i, int o)
{
	return room_of(link, i, o) > 0;
}

/* ---- what a layer made, and where that goes --------------------------------- */

/* Send EOF towards side 'o' after all that this layer made. */
static int
finish(struct ptah_link *link, int i, int o)
{
	struct layer *layer = &link->layers[i];
	static const struct ptah_span none = { NULL, 0 };

	if (layer->finished[o])
		return 0;
	layer->finished[o] = true;
	return ptah_layer_feed(link, i, !o, none, 0, true);
}

/* Output towards the side where this layer's input comes from: it may not run
 * the neighbour now, whose scratch is our input, so a neighbour only keeps it. */
static int
push_back(struct ptah_link *link, int i, int o, struct ptah_span made)
{
	int next = ptah_layer_next(link, i, !o);

	if (made.len == 0)
		return 0;
	if (next < 0 || next >= link->n_layers)
		return ptah_link_out(link, o, made, false);
	link->layers[next].parked[!o] = false;
	return ptah_tail_add(&link->layers[next].tail[!o], made);
}

/* The same of an EOF: ptah_layer_kick() brings it to the neighbour. */
static int
finish_back(struct ptah_link *link, int i, int o)
{
	static const struct ptah_span none = { NULL, 0 };
	struct layer *layer = &link->layers[i];
	int next = ptah_layer_next(link, i, !o);

	if (layer->finished[o])
		return 0;
	layer->finished[o] = true;
	if (next < 0 || next >= link->n_layers)
		return ptah_link_out(link, o, none, true);
	link->layers[next].ended[!o] = true;
	link->layers[next].parked[!o] = false;
	return 0;
}

/* ---- a layer's turn ------------------------------------------------------ */

static bool
wants_call(const struct ptah_link *link, int i, int s, size_t len)
{
	const struct layer *layer = &link->layers[i];

	if (layer->parked[s])
		return false;
	/* Output needs no input: not even from a side that is held. */
	if (layer->starved[!s] && has_room(link, i, !s))
		return true;
	if (layer->hold[s])
		return false;
	/* What comes before our own handshake is over is the handshake on the
	 * wire side, and nobody's yet on the plain side. */
	if (s == PLAIN && layer->phase < PHASE_OPEN)
		return false;
	if (layer->ended[s] && (!layer->told[s] || len > 0))
		return true;
	return len > 0 && layer->want[s] != PTAH_NEVER && len >= layer->want[s];
}

/* Nothing moved: is that fine, or will it never move again? */
static int
park(struct ptah_link *link, struct layer *layer, int s, size_t len, size_t room, size_t room_to_answer)
{
	/* In a handshake there never is room for plain bytes: what it lacks is input. */
	bool handshake = s == WIRE && layer->phase < PHASE_OPEN;
	bool boasts = room > 0 && layer->starved[!s];

	layer->parked[s] = true;
	layer->waits[s] = room_to_answer == 0 && !layer->finished[s];
	if (room == 0 && !handshake) {
		/* Where its EOF has gone it will never have room again, and need none. */
		layer->starved[!s] = !layer->finished[!s];
		return 0;
	}
	if (!boasts && (layer->ended[s] || len == 0 || layer->waits[s]))
		return 0;
	/* From half of it on no more is read than was wanted: who waits for more would wait for ever. */
	if (boasts || (len >= layer->want[s] && (layer->want[s] > 0 || len >= PTAH_TAIL_MOST / 2))) {
		link->reason = "the module took nothing and gave nothing, though it had what it wanted";
		ptah_error(AREA_MODULE, "%s: a step makes no progress; the link ends", layer->self.instance->module->name);
		return -EPROTO;
	}
	return 0;
}

static int
end_of_input(struct ptah_link *link, int i, int s)
{
	struct layer *layer = &link->layers[i];
	uint32_t abilities = layer->self.instance->module->abilities;
	bool pass = s == WIRE || (abilities & PTAH_CAN_HALF_CLOSE) != 0 ||
	    link->half_close == PTAH_HALF_CLOSE_SEND;

	/* In its handshake the end of the wire says nothing to the plain side, which must still hear why. */
	if (s == WIRE && layer->phase < PHASE_OPEN)
		return 0;
	/* A side that is held has more to say of what it took. */
	if (!layer->ended[s] || !layer->told[s] || layer->starved[!s] || layer->finished[!s] || layer->hold[s])
		return 0;
	return pass ? finish(link, i, !s) : 0;
}

/* One layer and what has come for it from one side, while it is called. */
struct run {
	struct ptah_link *link;
	struct layer *layer;
	int i, s;                 /* s: where the input comes from; what is made of it goes the other way */
	struct ptah_span in;      /* not eaten yet */
	uint8_t *scratch, *aside; /* what is made, and what is said back */
	size_t made;              /* in 'scratch' */
};

/* Pass on what it has made so far. */
static int
pass_on(struct run *run)
{
	struct ptah_span made = { run->scratch, run->made };

	run->made = 0;
	return made.len > 0 ? ptah_layer_feed(run->link, run->i, run->s, made, PTAH_SCRATCH_HEAD, false) : 0;
}

/* What the call may eat, and where it may write. */
static void
offer(struct run *run, struct ptah_side *from, struct ptah_side *to)
{
	struct layer *layer = run->layer;
	const int s = run->s, o = !s;

	from->in = run->in;
	to->in = (struct ptah_span){ layer->tail[o].at, layer->tail[o].len };
	size_t there = layer->finished[o] ? 0 : room_of(run->link, run->i, o);
	size_t back = layer->finished[s] ? 0 : room_of(run->link, run->i, s);
	if (there > run->made)
		to->out = (struct ptah_room){ run->scratch + run->made, there - run->made };
	if (back > 0)
		from->out = (struct ptah_room){ run->aside, back };
}

/* What the call has eaten and made, and whom that concerns. */
static int
take(struct run *run, const struct ptah_side *from, const struct ptah_side *to, bool flush)
{
	struct ptah_link *link = run->link;
	struct layer *layer = run->layer;
	const int i = run->i, s = run->s, o = !s;

	run->in = ptah_span_from(run->in, from->eaten);
	run->made += to->made;
	layer->starved[o] = layer->starved[o] || (to->more != 0 && !layer->finished[o]);
	layer->starved[s] = layer->starved[s] || (from->more != 0 && !layer->finished[s]);
	int rc = push_back(link, i, s, (struct ptah_span){ run->aside, from->made });
	if (to->eaten > 0 && rc == 0)
		rc = ptah_tail_set(&layer->tail[o], ptah_span_from(to->in, to->eaten));
	if (rc == 0 && flush)
		rc = pass_on(run);
	if (rc == 0 && from->finish)
		rc = finish_back(link, i, s);
	if (rc == 0 && to->finish && !layer->finished[o]) {
		rc = pass_on(run);
		if (rc == 0)
			rc = finish(link, i, o);
	}
	return rc;
}

/* The link ends in this call, with a last word: no later one would bring the neighbour that, and of the input nothing counts any more. */
static void
pass_back(const struct run *run)
{
	static const struct ptah_span none = { NULL, 0 };

	(void)ptah_layer_feed(run->link, run->i, !run->s, none, 0, false);
}

/* One call.  0 or -errno; 'broken': it said more than was offered, and none of that counts. */
static int
call_once(struct run *run, const struct ptah_event *event, const struct ptah_open *open, bool *broken)
{
	struct layer *layer = run->layer;
	const int s = run->s, o = !s;
	struct call call = { .rc = 0 };
	struct ptah_side *from = s == PLAIN ? &call.io.plain : &call.io.wire;
	struct ptah_side *to = s == PLAIN ? &call.io.wire : &call.io.plain;

	offer(run, from, to);
	if (layer->ended[s])
		layer->told[s] = true;
	if (event == NULL && open == NULL)
		layer->starved[o] = false;
	int rc = ptah_call_hook(run->link, layer, s, event, open, &call);

	*broken = from->eaten > run->in.len || to->made > to->out.len || from->made > from->out.len ||
	    to->eaten > to->in.len;
	if (*broken)
		return rc;
	/* Even of a call that ended the link: a codec may say why to its peer. */
	int also = take(run, from, to, call.io.flush);
	if (rc < 0 && (from->made > 0 || from->finish))
		pass_back(run);
	if (rc == 0)
		rc = also;
	if (rc == 0 && !call.moved)
		rc = park(run->link, layer, s, run->in.len, to->out.len, from->out.len);
	/* It changes its mind and nothing else. */
	if (from->eaten + from->made + to->eaten + to->made > 0) {
		run->link->n_idle = 0;
	} else if (++run->link->n_idle > IDLE_CALLS_MOST && rc == 0) {
		run->link->reason = "the module neither takes nor gives anything, and wants to be called again";
		rc = -EPROTO;
	}
	return rc;
}

/*
 * Call layer i for input from side s until it wants no more.  'in' is either
 * its tail or lies in a scratch with 'head' bytes before it.
 */
static int
run(struct ptah_link *link, int i, int s, struct ptah_span in, const struct ptah_event *event, const struct ptah_open *open)
{
	struct layer *layer = &link->layers[i];
	struct run run = { .link = link, .layer = layer, .i = i, .s = s, .in = in,
		.scratch = ptah_worker_scratch(link->worker, (unsigned)i),
		.aside = ptah_worker_scratch(link->worker, SIDE_SCRATCH) };
	bool broken = false;
	int rc = 0;

	if (run.scratch == NULL || run.aside == NULL)
		return -ENOMEM;
	run.scratch += PTAH_SCRATCH_HEAD;
	while (rc == 0 && !broken && layer->phase != PHASE_PASSED &&
	    (event != NULL || open != NULL || wants_call(link, i, s, run.in.len))) {
		if (run.made > 0 && room_of(link, i, !s) < run.made + unit_of(layer)) {
			rc = pass_on(&run);
			continue;
		}
		rc = call_once(&run, event, open, &broken);
		event = NULL;
		open = NULL;
	}
	if (run.made > 0 && (rc == 0 || layer->phase >= PHASE_OPENING)) {
		int also = pass_on(&run);

		if (rc == 0)
			rc = also;
	}
	if (rc == 0 && layer->phase == PHASE_PASSED && run.in.len > 0 && run.in.len <= room_of(link, i, !s)) {
		/* It stepped aside in the middle of this input: the rest goes on without it. */
		rc = ptah_layer_feed(link, i, s, run.in, 0, false);
		run.in.len = 0;
	}
	if (rc == 0)
		rc = ptah_tail_set(&layer->tail[s], run.in);
	if (rc == 0 && layer->phase != PHASE_PASSED)
		rc = end_of_input(link, i, s);
	return rc;
}

int
ptah_layer_feed(struct ptah_link *link, int i, int s, struct ptah_span in, size_t head, bool ended)
{
	int next = ptah_layer_next(link, i, s);

	if (next < 0 || next >= link->n_layers)
		return ptah_link_out(link, !s, in, ended);

	struct layer *layer = &link->layers[next];
	struct ptah_tail *tail = &layer->tail[s];

	if (ended)
		layer->ended[s] = true;
	layer->parked[s] = false;
	if (tail->len > 0 && tail->len <= head) {
		in.at -= tail->len;
		in.len += tail->len;
		memcpy((uint8_t *)(uintptr_t)in.at, tail->at, tail->len);
		ptah_tail_clear(tail);
	} else if (tail->len > 0) {
		int rc = ptah_tail_add(tail, in);

		if (rc != 0)
			return rc;
		in = (struct ptah_span){ tail->at, tail->len };
	}
	if (layer->phase == PHASE_NEW || layer->phase == PHASE_PASSED)
		return ptah_tail_set(tail, in);
	return run(link, next, s, in, NULL, NULL);
}

/* A layer that has passed may still hold what it did not eat: as much of it as there is room for goes on. */
static int
let_go(struct ptah_link *link, int i, int s)
{
	struct ptah_tail *tail = &link->layers[i].tail[s], kept = *tail;
	struct ptah_span all = { kept.at, kept.len };
	size_t room = room_of(link, i, !s), n = kept.len < room ? kept.len : room;

	*tail = (struct ptah_tail){ NULL, 0, NULL };
	int rc = ptah_layer_feed(link, i, s, (struct ptah_span){ all.at, n }, 0, false);
	if (rc == 0)
		rc = ptah_tail_set(tail, ptah_span_from(all, n));
	free(kept.base);
	return rc;
}

int
ptah_layer_kick(struct ptah_link *link)
{
	int moved = 0;

	for (int i = 0; i < link->n_layers; i++)
		for (int s = PLAIN; s <= WIRE; s++) {
			struct layer *layer = &link->layers[i];
			struct ptah_tail *tail = &layer->tail[s];
			int rc = 0;

			if (layer->phase == PHASE_NEW || layer->carrier)
				continue;
			if (layer->phase == PHASE_PASSED) {
				bool owes_eof = layer->ended[s] && !layer->finished[!s];

				if ((tail->len == 0 && !owes_eof) || !has_room(link, i, !s))
					continue;
				if (tail->len > 0)
					rc = let_go(link, i, s);
				if (rc == 0 && owes_eof && tail->len == 0)
					rc = finish(link, i, !s);
				moved = 1;
			} else {
				if (layer->starved[!s] && has_room(link, i, !s))
					layer->parked[s] = false;
				if (layer->waits[s] && has_room(link, i, s))
					layer->waits[s] = layer->parked[s] = false;
				if (!wants_call(link, i, s, tail->len)) {
					rc = end_of_input(link, i, s);
					if (rc != 0)
						return rc;
					continue;
				}
				rc = run(link, i, s, (struct ptah_span){ tail->at, tail->len }, NULL, NULL);
				moved = 1;
			}
			if (rc != 0)
				return rc;
		}
	return moved;
}

/* Of a carrier's io only the reason counts. */
static int
carrier_answer(struct ptah_link *link, int rc, const struct ptah_io *io)
{
	if (rc < 0 && io->reason != NULL)
		link->reason = io->reason;
	return rc < 0 ? rc : 0;
}

int
ptah_layer_event(struct ptah_link *link, struct layer *layer, const struct ptah_event *event)
{
	int i = (int)(layer - link->layers);

	if (layer->carrier) {
		const struct ptah_module *module = layer->self.instance->module;
		struct ptah_io io = { .size = sizeof(io) };

		return module->event != NULL ? carrier_answer(link, module->event(layer->self.state, event, &io), &io) : 0;
	}
	if (layer->phase == PHASE_NEW || layer->phase == PHASE_PASSED)
		return 0;
	layer->parked[PLAIN] = layer->parked[WIRE] = false;
	return run(link, i, PLAIN, (struct ptah_span){ layer->tail[PLAIN].at, layer->tail[PLAIN].len }, event, NULL);
}

/* ---- birth and death ------------------------------------------------------ */

struct ptah_open
ptah_layer_open_of(struct ptah_link *link, unsigned i)
{
	const struct birth *birth = link->birth;
	struct ptah_open open = ptah_stack_open_of(&link->layers[i].self, link->role, i, birth->has_args ? &birth->args : NULL);

	open.attempt = birth->attempt;
	return open;
}

int
ptah_layer_open(struct ptah_link *link, unsigned i)
{
	struct layer *layer = &link->layers[i];
	const struct ptah_module *module = layer->self.instance->module;
	const struct birth *birth = link->birth;
	char server[PTAH_DEST_TEXT] = "";
	struct ptah_open open = ptah_layer_open_of(link, i);

	open.peer = birth->peer;
	if (birth->has_server)
		open.server = ptah_dest_format(&birth->server, server);
	if (link->role == PTAH_CLIENT && birth->has_dest)
		open.dest = birth->dest;
	layer->phase = PHASE_OPENING;
	layer->hooked = true;
	if (layer->carrier) {
		struct ptah_io io = { .size = sizeof(io) };

		return module->dial == NULL ? -ENOSYS :
		    carrier_answer(link, module->dial(layer->self.state, &open, &io), &io);
	}
	return run(link, (int)i, WIRE, (struct ptah_span){ layer->tail[WIRE].at, layer->tail[WIRE].len }, NULL, &open);
}

void
ptah_layer_close(struct layer *layer, int why)
{
	const struct ptah_instance *instance = layer->self.instance;

	if (instance == NULL)
		return;
	if (layer->hooked && instance->module->close != NULL)
		instance->module->close(layer->self.state, why);
	layer->self.broken = why == -ENOMEM;
	ptah_stack_life_end(&layer->self);
	for (int s = PLAIN; s <= WIRE; s++)
		ptah_tail_clear(&layer->tail[s]);
}
