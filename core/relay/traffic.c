/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bytes of a link: what its ends say, where that goes, who may be read,
 * and when all has been said.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "loop/worker.h"
#include "relay/layer.h"
#include "stats/stats.h"
#include "transport/stream.h"

/* A link whose one end is gone still hands what it holds to the other, but not for ever. */
#define FLUSH_LOOK_MS 50
#define FLUSH_LOOKS (30000 / FLUSH_LOOK_MS)
/* So often a half-closed link is looked at before it counts as stuck. */
#define LOOKS 4
/* ... and one that is held, in PTAH_HOLD_MS: a reset of its application is heard at the next. */
#define HOLD_LOOKS 30
/* After a refused write, reads shrink to this, and grow again when writes go through. */
#define READ_LEAST_KIB 32
#define READ_MOST_KIB (PTAH_SCRATCH_LEN / 1024)

/* ---- bytes -------------------------------------------------------------------- */

/* The end on side 's' is broken.  What it sent before still goes to the other. */
static void
on_end_broken(struct ptah_link *link, int s, int rc)
{
	link->eof[s] = true;
	link->end[s].failed = true;
	link->rc = rc;
	link->aborting = true;
	link->n_still = 0;
	ptah_deadline_clear(&link->deadline);
}

int
ptah_link_out(struct ptah_link *link, int side, struct ptah_span bytes, bool finish)
{
	struct ptah_end *end = &link->end[side];

	link->believed = link->believed || (side == PLAIN && bytes.len > 0);
	if (side == PLAIN && link->ops->on_bytes != NULL) {
		ptah_link_stat(link, PTAH_STAT_PLAIN_BYTES_OUT, bytes.len);
		end->finished = end->finished || finish;
		return bytes.len > 0 ? link->ops->on_bytes(link, bytes, link->arg) : 0;
	}
	if (bytes.len > 0) {
		/* Nobody can read it any more; the other direction may still be of use. */
		if (end->failed)
			return 0;
		if (end->fd == -1 || end->finishing || end->finished)
			return -EPIPE;
		ptah_link_stat(link, side == PLAIN ? PTAH_STAT_PLAIN_BYTES_OUT : PTAH_STAT_WIRE_BYTES_OUT, bytes.len);
		int rc = ptah_end_write(end, bytes.at, bytes.len);
		if (rc == -ENOMEM)
			return rc;
		/* 'failed' is set; go on reading from there until its EOF. */
		struct ptah_end *other = &link->end[!side];
		if (rc == 1)
			other->read_kib = READ_LEAST_KIB;
		else if (rc == 0 && other->read_kib < READ_MOST_KIB)
			other->read_kib = (uint16_t)(other->read_kib * 2);
	}
	if (!finish || end->failed || end->finished || end->finishing)
		return 0;
	/* The last word of all: closing says it, too, and comes at once where no layer has anything left to do. */
	if (link->n_layers == 0 && link->eof[side] && link->end[!side].finished && ptah_end_spilled(end) == 0) {
		end->finished = true;
		return 0;
	}
	if (side == WIRE && link->half_close == PTAH_HALF_CLOSE_HOLD)
		return 0; /* ptah_link_settle() watches a link that is held */
	int rc = ptah_end_finish(end);
	return rc < 0 && !end->failed ? rc : 0;
}

static void
on_eof(struct ptah_link *link, int s)
{
	static const struct ptah_span none = { NULL, 0 };

	link->eof[s] = true;
	ptah_end_read_stop(&link->end[s]);
	int rc = ptah_layer_feed(link, s == PLAIN ? -1 : link->n_layers, s, none, 0, true);
	if (rc != 0)
		ptah_link_die(link, rc);
}

/* How much may be read for layer i, or for nobody there: as much as it may keep. */
static size_t
read_most(const struct ptah_link *link, int i, int s)
{
	size_t kept = i >= 0 && i < link->n_layers ? link->layers[i].tail[s].len : 0;

	return kept < PTAH_TAIL_MOST ? PTAH_TAIL_MOST - kept : PTAH_SCRATCH_LEN; /* of who wants more than that the link dies */
}

static void
on_readable(struct ptah_end *end)
{
	struct ptah_link *link = end->arg;
	const int s = end == &link->end[PLAIN] ? PLAIN : WIRE;
	uint8_t *scratch = ptah_worker_scratch_in(link->worker);
	int first = s == PLAIN ? -1 : link->n_layers;

	if (scratch == NULL) {
		ptah_link_die(link, -ENOMEM);
		ptah_link_settle(link);
		return;
	}
	scratch += PTAH_SCRATCH_LEN;
	ssize_t n = ptah_end_read(end, scratch, read_most(link, ptah_layer_next(link, first, s), s));
	if (n == -EAGAIN)
		return;
	if (n > 0) {
		ptah_link_stat(link, s == PLAIN ? PTAH_STAT_PLAIN_BYTES_IN : PTAH_STAT_WIRE_BYTES_IN, (uint64_t)n);
		link->got[s] += (uint64_t)n;
		link->moved += (uint64_t)n;
		int rc = ptah_layer_feed(link, first, s, (struct ptah_span){ scratch, (size_t)n }, PTAH_SCRATCH_LEN, false);
		if (rc != 0)
			ptah_link_die(link, rc);
		/* A plain relay that could write it all has nothing to settle. */
		if (link->n_layers == 0 && rc == 0 && link->stage == STAGE_RELAY &&
		    ptah_end_spilled(&link->end[!s]) == 0 && !link->end[!s].failed)
			return;
	} else if (n == 0) {
		on_eof(link, s);
	} else {
		on_end_broken(link, s, (int)n);
	}
	ptah_link_settle(link);
}

static void
on_drained(struct ptah_end *end)
{
	ptah_link_settle(end->arg);
}

static void
on_failed(struct ptah_end *end, int rc)
{
	struct ptah_link *link = end->arg;

	/* It was given up, though it may still speak; else end->failed is set, and ptah_link_settle() knows what that means. */
	if (rc == -ENOBUFS) {
		link->reason = "it held memory that others need, and nobody took it";
		ptah_link_die(link, -ETIMEDOUT);
	}
	ptah_link_settle(link);
}

const struct ptah_end_ops ptah_link_end_ops = { on_readable, on_drained, on_failed };

/* Does the peer know by the top layer's own words that we have said all? */
static bool
is_said_inside(const struct ptah_link *link)
{
	int top = ptah_layer_next(link, -1, PLAIN);

	return top < link->n_layers && link->layers[top].inside;
}

/* Is that direction over: all that came from side 's' has gone out, or cannot any more? */
static bool
is_done(const struct ptah_link *link, int s)
{
	const struct ptah_end *to = &link->end[!s];

	return to->failed || (link->eof[s] && to->finished);
}

static bool
codecs_can_half_close(const struct ptah_link *link)
{
	for (unsigned i = 0; i < link->n_layers; i++)
		if (link->layers[i].phase != PHASE_PASSED &&
		    !(link->layers[i].self.instance->module->abilities & PTAH_CAN_HALF_CLOSE) &&
		    !link->layers[i].finished[WIRE])
			return false;
	return true;
}

/* Both ends have said and heard all. */
static bool
is_all_done(const struct ptah_link *link)
{
	return is_done(link, WIRE) && (is_done(link, PLAIN) || link->ops->on_bytes != NULL);
}

/* ... but what a carrier took from us may still be on its way. */
static bool
is_carrier_busy(struct ptah_link *link)
{
	for (unsigned i = 0; i < link->n_layers; i++)
		if (link->layers[i].carrier && ptah_streams_busy(&link->layers[i].self))
			return true;
	return false;
}

/* ---- a link of which one end has said all ------------------------------------------- */

/* An end at EOF is not read, so it says only when asked that it broke. */
static bool
find_broken(struct ptah_link *link)
{
	for (int s = PLAIN; s <= WIRE; s++) {
		const struct ptah_end *end = &link->end[s];
		int rc = end->fd != -1 && link->eof[s] && !end->failed ? ptah_end_error(end) : 0;

		if (rc != 0) {
			on_end_broken(link, s, rc);
			return true;
		}
	}
	return false;
}

/* For too long nothing came, and nothing that waits went. */
static bool
is_stuck(struct ptah_link *link)
{
	size_t waits = ptah_end_waiting(&link->end[PLAIN]) + ptah_end_waiting(&link->end[WIRE]);

	if (waits == 0 || waits != link->waited || link->moved != 0) {
		link->waited = waits < UINT32_MAX ? (uint32_t)waits : UINT32_MAX;
		link->n_still = 0;
		return false;
	}
	return ++link->n_still == LOOKS;
}

static void on_look(struct ptah_deadline *deadline, void *arg);

static void
look_again(struct ptah_link *link)
{
	if (ptah_deadline_set(link->worker, &link->deadline, PTAH_HOLD_MS / HOLD_LOOKS, on_look, link) != 0)
		ptah_link_die(link, -ENOMEM);
}

/* An application that is gone looks as one that only waits for its answer, until it says that it was reset. */
static void
look_at_held(struct ptah_link *link)
{
	if (!is_all_done(link) && find_broken(link))
		return;
	link->n_still = link->moved == 0 ? link->n_still + 1 : 0;
	if (link->n_still == HOLD_LOOKS)
		ptah_link_die(link, 0);
	else
		look_again(link);
}

static void
on_look(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_link *link = arg;

	(void)deadline;
	if (link->held) {
		look_at_held(link);
	} else if (link->worker->gone_s > 0 && !find_broken(link) && is_stuck(link)) {
		link->reason = "one side has said all, and takes nothing more";
		ptah_link_die(link, -ETIMEDOUT);
	}
	link->moved = 0;
	ptah_link_settle(link);
}

/* It ends unless a byte comes. */
static void
hold(struct ptah_link *link)
{
	if (link->held)
		return;
	link->held = true;
	link->moved = 0;
	link->n_still = 0;
	look_again(link);
}

/* It may be slow, and it may be silent while nothing waits; but both its ends must be there. */
static void
watch(struct ptah_link *link)
{
	if (link->held) {
		link->held = false;
		link->n_still = 0;
	}
	if (link->worker->gone_s > 0 && !ptah_deadline_is_set(&link->deadline) &&
	    ptah_deadline_set(link->worker, &link->deadline, link->worker->gone_s * 1000 / LOOKS, on_look, link) != 0)
		ptah_link_die(link, -ENOMEM);
}

/* ---- when it is over ----------------------------------------------------------------- */

static void
on_flush_look(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_link *link = arg;

	(void)deadline;
	if (++link->n_still == FLUSH_LOOKS)
		ptah_link_die(link, link->rc);
	ptah_link_settle(link);
}

/* One end is broken.  The other will hear a reset, which would take what it has not got yet with it. */
static void
look_whether_flushed(struct ptah_link *link)
{
	for (int s = PLAIN; s <= WIRE; s++) {
		const struct ptah_end *end = &link->end[s];

		if (end->fd == -1 || end->failed || ptah_end_is_flushed(end))
			continue;
		if (!ptah_deadline_is_set(&link->deadline) &&
		    ptah_deadline_set(link->worker, &link->deadline, FLUSH_LOOK_MS, on_flush_look, link) != 0)
			break;
		return;
	}
	ptah_link_die(link, link->rc);
}

/* Is something that came from side 's' still in a layer's hands? */
static bool
is_under_way(const struct ptah_link *link, int s)
{
	for (unsigned i = 0; i < link->n_layers; i++) {
		const struct layer *layer = &link->layers[i];

		if (layer->carrier)
			continue;
		if (layer->tail[s].len > 0 || (layer->phase != PHASE_PASSED && layer->ended[s] && (!layer->told[s] || layer->hold[s])))
			return true;
	}
	return false;
}

static bool
is_gone(const struct ptah_link *link, int s)
{
	return link->end[s].failed && link->eof[s] && ptah_end_spilled(&link->end[!s]) == 0 && !is_under_way(link, s);
}

/* Has a plain end whose EOF is held back said all, and the wire taken it? */
static bool
is_held(const struct ptah_link *link)
{
	return link->half_close == PTAH_HALF_CLOSE_HOLD && link->eof[PLAIN] && !is_under_way(link, PLAIN) &&
	    ptah_end_spilled(&link->end[WIRE]) == 0;
}

void
ptah_link_look_whether_over(struct ptah_link *link)
{
	if (link->aborting) {
		look_whether_flushed(link);
		return;
	}
	if (is_all_done(link)) {
		if (is_carrier_busy(link))
			hold(link);
		else
			ptah_link_die(link, 0);
	}
	/* An end that can neither be written to nor read from any more, and all that it said is passed on. */
	else if (is_gone(link, WIRE) || is_gone(link, PLAIN))
		ptah_link_die(link, 0);
	/* The peer has closed, and this transport has no half-close: it cannot want our bytes any more. */
	else if (is_done(link, WIRE) && !(link->end[PLAIN].failed && is_under_way(link, PLAIN)) && (!codecs_can_half_close(link) || is_held(link)))
		ptah_link_die(link, 0);
	/* We have said all, and may not say EOF: wait for the peer's. */
	else if (link->eof[PLAIN] && !link->end[WIRE].finished && !link->end[WIRE].finishing && !is_said_inside(link) &&
	    ptah_end_spilled(&link->end[WIRE]) == 0)
		hold(link);
	else if (link->eof[PLAIN] || link->eof[WIRE])
		watch(link);
}

/* ---- who reads ------------------------------------------------------------------ */

static bool
may_read(const struct ptah_link *link, int s)
{
	int first = ptah_layer_next(link, s == PLAIN ? -1 : link->n_layers, s);

	if (link->end[s].fd == -1 || link->eof[s] || link->aborting)
		return false;
	/* A layer may hold its reader; one that has passed cannot, but what it kept goes first. */
	for (unsigned i = 0; i < link->n_layers; i++)
		if (link->layers[i].phase != PHASE_PASSED ? link->layers[i].hold[s] : link->layers[i].tail[s].len > 0)
			return false;
	if (s == PLAIN && !link->plain_open)
		return false;
	if (link->end[!s].failed)
		return true; /* to see its EOF; the bytes go nowhere */
	if (link->end[!s].fd != -1 && ptah_end_spilled(&link->end[!s]) > 0)
		return false;
	if (first < 0 || first >= link->n_layers) /* no layer in between */
		return link->stage == STAGE_RELAY;
	const struct layer *layer = &link->layers[first];
	size_t most = PTAH_SCRATCH_LEN / 2, want = layer->want[s];
	if (want != PTAH_NEVER && want > most)
		most = want;
	if (layer->tail[s].len >= most || (layer->starved[!s] && layer->parked[s]))
		return false;
	/* Between the peer's admission and the plain end's opening there is nothing to read for. */
	return !(s == WIRE && link->plain_wait);
}

void
ptah_link_set_readers(struct ptah_link *link)
{
	for (int s = PLAIN; s <= WIRE; s++) {
		if (!may_read(link, s))
			ptah_end_read_stop(&link->end[s]);
		else if (ptah_end_read_start(&link->end[s]) != 0)
			ptah_link_die(link, -ENOMEM);
	}
}

size_t
ptah_link_push_room(const struct ptah_link *link)
{
	int first = ptah_layer_next(link, -1, PLAIN);
	size_t waits = ptah_end_spilled(&link->end[WIRE]);

	if (first < link->n_layers)
		waits += link->layers[first].tail[PLAIN].len;
	return link->stage == STAGE_RELAY && link->busy == 0 && waits < PTAH_PUSH_MOST ? PTAH_PUSH_MOST - waits : 0;
}

int
ptah_link_push(struct ptah_link *link, struct ptah_span bytes)
{
	if (bytes.len > ptah_link_push_room(link))
		return -EAGAIN;
	ptah_link_stat(link, PTAH_STAT_PLAIN_BYTES_IN, bytes.len);
	link->got[PLAIN] += bytes.len;
	link->busy++;
	int rc = ptah_layer_feed(link, -1, PLAIN, bytes, 0, false);
	if (rc != 0)
		ptah_link_die(link, rc);
	link->busy--;
	if (link->n_layers > 0 || link->dead || link->end[WIRE].failed)
		ptah_link_settle(link);
	return 0;
}
