/* SPDX-License-Identifier: BSD-3-Clause */
#include "relay/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "loop/worker.h"
#include "relay/layer.h"
#include "stats/stats.h"
#include "transport/stream.h"

#define HANDSHAKE_MS 30000
/* A link whose one end is gone still hands what it holds to the other, but not for ever. */
#define FLUSH_MS 30000
/* After a refused write, reads shrink to this, and grow again when writes go through. */
#define READ_LEAST_KIB 32
#define READ_MOST_KIB (PTAH_SCRATCH_LEN / 1024)

static void settle(struct ptah_link *link);

struct ptah_relay *
ptah_relay_of(struct ptah_worker *worker)
{
	if (worker->rooms[PTAH_ROOM_RELAY] == NULL)
		worker->rooms[PTAH_ROOM_RELAY] = calloc(1, sizeof(struct ptah_relay));
	return worker->rooms[PTAH_ROOM_RELAY];
}

static void
count(const struct ptah_link *link, enum ptah_stat stat, uint64_t n)
{
	ptah_stats_add(link->worker->stats, stat, n);
}

/* ---- memory -------------------------------------------------------------- */

/* Once: the carrier that brought the stream waits for it. */
static void
tell_carrier(struct ptah_link *link, int rc)
{
	struct ptah_instance *from = link->birth->from;

	if (from == NULL)
		return;
	link->birth->from = NULL;
	ptah_instance_tell_plain(from, link->birth->cookie, rc);
	ptah_instance_unref(from);
}

static void
birth_free(struct ptah_link *link)
{
	struct birth *birth = link->birth;

	if (birth == NULL)
		return;
	ptah_dial_cancel(birth->dial);
	if (birth->has_args)
		ptah_args_free(&birth->args);
	if (birth->given)
		close(birth->given_fd);
	if (birth->plain_fd != -1)
		close(birth->plain_fd);
	tell_carrier(link, link->rc != 0 ? link->rc : -ECONNABORTED);
	for (int s = PLAIN; s <= WIRE; s++)
		free((void *)(uintptr_t)birth->early[s].at);
	free(birth);
	link->birth = NULL;
}

static void
layers_free(struct ptah_link *link, int why)
{
	for (unsigned i = 0; i < link->n_layers; i++)
		ptah_layer_close(link, &link->layers[i], why);
	free(link->layers);
	link->layers = NULL;
	link->n_layers = 0;
}

static void
link_free(struct ptah_link *link)
{
	struct ptah_relay *relay = ptah_relay_of(link->worker);

	birth_free(link);
	layers_free(link, link->rc);
	ptah_deadline_clear(&link->deadline);
	ptah_end_close(&link->end[PLAIN]);
	ptah_end_close(&link->end[WIRE]);
	if (link->prev != NULL)
		link->prev->next = link->next;
	else
		relay->links = link->next;
	if (link->next != NULL)
		link->next->prev = link->prev;
	relay->n_links--;
	count(link, PTAH_STAT_LINKS_CLOSED, 1);
	ptah_instance_unref(link->instance);
	free(link);
}

static void on_self_event(struct ptah_self *self, struct ptah_event *event);
static void on_self_idle(struct ptah_self *self);
static int on_give(struct ptah_self *self, int fd, struct ptah_span early);

static const struct ptah_self_ops self_ops = { .deliver = on_self_event, .give = on_give, .idle = on_self_idle };

static int
layers_new(struct ptah_link *link)
{
	struct ptah_instance *instance = link->instance;
	unsigned n = 0;

	for (; instance != NULL; instance = instance->below)
		n++;
	if (n > PTAH_LAYERS_MAX - 2)
		return -E2BIG;
	link->layers = calloc(n, sizeof(*link->layers));
	if (link->layers == NULL)
		return -ENOMEM;
	instance = link->instance;
	for (unsigned i = 0; i < n; i++, instance = instance->below) {
		struct layer *layer = &link->layers[i];
		size_t size = instance->module->link_size;
		bool carrier = (instance->module->abilities & PTAH_IS_CARRIER) != 0;

		/* A server's carrier did its work before there was a link. */
		if (carrier && link->role == PTAH_SERVER)
			return 0;
		if (size > 0) {
			size = (size + 63) / 64 * 64;
			layer->self.state = aligned_alloc(64, size);
			if (layer->self.state == NULL)
				return -ENOMEM;
			memset(layer->self.state, 0, size);
		}
		layer->self.life = PTAH_LIFE_LINK;
		layer->self.instance = ptah_instance_ref(instance);
		layer->self.worker = link->worker;
		layer->self.ops = &self_ops;
		layer->link = link;
		layer->carrier = carrier;
		if (carrier)
			layer->phase = PHASE_PASSED;
		link->n_layers++;
	}
	return 0;
}

static struct ptah_link *
link_new(struct ptah_worker *worker, struct ptah_instance *instance, uint8_t role,
    const struct ptah_link_ops *ops, void *arg)
{
	struct ptah_relay *relay = ptah_relay_of(worker);
	struct ptah_link *link = calloc(1, sizeof(*link));
	struct birth *birth = calloc(1, sizeof(*birth));

	if (relay == NULL || link == NULL || birth == NULL) {
		free(link);
		free(birth);
		errno = ENOMEM;
		return NULL;
	}
	link->worker = worker;
	link->instance = ptah_instance_ref(instance);
	link->role = role;
	link->half_close = (uint8_t)instance->half_close;
	link->ops = ops;
	link->arg = arg;
	link->end[PLAIN].fd = link->end[WIRE].fd = -1;
	link->birth = birth;
	birth->plain_fd = -1;
	link->born_ns = ptah_clock_now_ns();
	link->next = relay->links;
	if (link->next != NULL)
		link->next->prev = link;
	relay->links = link;
	relay->n_links++;
	count(link, PTAH_STAT_LINKS_OPENED, 1);
	if (layers_new(link) != 0) {
		link_free(link);
		errno = ENOMEM;
		return NULL;
	}
	return link;
}

/* ---- the end of a link ----------------------------------------------------- */

static void
die(struct ptah_link *link, int rc)
{
	if (link->dead)
		return;
	link->dead = true;
	link->rc = rc;
}

static void
bury_client(struct ptah_link *link)
{
	const struct ptah_link_ops *ops = link->ops;
	void *arg = link->arg;
	int rc = link->rc, plain_fd = -1;
	const char *reason = link->reason;
	struct ptah_instance *instance = ptah_instance_ref(link->instance); /* 'reason' is its module's text */

	bool failed = link->stage != STAGE_RELAY;
	if (failed && link->end[PLAIN].fd != -1)
		plain_fd = ptah_end_take_fd(&link->end[PLAIN]);
	link_free(link);
	if (failed)
		ops->on_failed(plain_fd, rc, reason, arg);
	else
		ops->on_closed(rc, arg);
	ptah_instance_unref(instance);
}

static void
bury(struct ptah_link *link)
{
	const struct ptah_link_ops *ops = link->ops;
	void *arg = link->arg;
	int rc = link->rc;

	if (rc != 0 && link->stage != STAGE_RELAY)
		count(link, PTAH_STAT_HANDSHAKES_FAILED, 1);
	if (rc != 0 && rc != -ECANCELED)
		ptah_log_rc(link->stage == STAGE_RELAY ? PTAH_LOG_DEBUG : PTAH_LOG_INFO, AREA_LINK, rc, "%s: a %s link ended%s%s%s",
		    link->instance->name, link->role == PTAH_CLIENT ? "client" : "server",
		    link->stage == STAGE_RELAY ? "" : " in its handshake",
		    link->reason != NULL ? ": " : "", link->reason != NULL ? link->reason : "");
	if (link->role == PTAH_CLIENT) {
		bury_client(link);
		return;
	}
	if (link->rejected && link->end[WIRE].fd != -1) {
		count(link, PTAH_STAT_REJECTED, 1);
		ptah_drain_begin(link->worker, ptah_end_take_fd(&link->end[WIRE]), link->born_ns, link->manner, link->close_s);
	}
	link_free(link);
	ops->on_closed(rc, arg);
}

/* ---- deadlines --------------------------------------------------------------- */

static void
on_deadline(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_link *link = arg;

	(void)deadline;
	count(link, PTAH_STAT_TIMEOUTS, 1);
	if (link->stage == STAGE_DIAL && link->birth->dial != NULL) {
		link->reason = "no answer within the dial limit";
	} else if (link->stage == STAGE_LAYERS) {
		link->reason = "the handshake did not end within its limit";
		/* A peer that never said who it is must learn nothing from when we give up. */
		if (link->role == PTAH_SERVER && !link->asked)
			link->rejected = true;
	}
	die(link, -ETIMEDOUT);
	settle(link);
}

static void
limit(struct ptah_link *link, unsigned ms)
{
	if (ptah_deadline_set(link->worker, &link->deadline, ms, on_deadline, link) != 0)
		die(link, -ENOMEM);
}

static unsigned
handshake_ms(const struct ptah_link *link)
{
	unsigned most = 0;

	for (unsigned i = 0; i < link->n_layers; i++) {
		unsigned ms = link->layers[i].self.instance->module->handshake_ms;

		if (ms == 0)
			ms = HANDSHAKE_MS;
		if (ms > most)
			most = ms;
	}
	return most;
}

/* Half-closed and held: alive as long as bytes come. */
static void
on_hold(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_link *link = arg;

	(void)deadline;
	if (link->moved != 0) {
		link->moved = 0;
		if (ptah_deadline_set(link->worker, &link->deadline, PTAH_HOLD_MS, on_hold, link) == 0)
			return;
	}
	die(link, 0);
	settle(link);
}

/* ---- bytes -------------------------------------------------------------------- */

/* The end on side 's' is broken.  What it sent before still goes to the other. */
static void
on_end_broken(struct ptah_link *link, int s, int rc)
{
	link->eof[s] = true;
	link->end[s].failed = true;
	link->rc = rc;
	link->aborting = true;
	if (ptah_end_spilled(&link->end[!s]) > 0)
		limit(link, FLUSH_MS);
}

int
ptah_link_out(struct ptah_link *link, int side, struct ptah_span bytes, bool finish)
{
	struct ptah_end *end = &link->end[side];

	if (side == PLAIN && link->ops->on_bytes != NULL) {
		count(link, PTAH_STAT_PLAIN_BYTES_OUT, bytes.len);
		end->finished = end->finished || finish;
		return bytes.len > 0 ? link->ops->on_bytes(link, bytes, link->arg) : 0;
	}
	if (bytes.len > 0) {
		/* Nobody can read it any more; the other direction may still be of use. */
		if (end->failed)
			return 0;
		if (end->fd == -1 || end->finishing || end->finished)
			return -EPIPE;
		count(link, side == PLAIN ? PTAH_STAT_PLAIN_BYTES_OUT : PTAH_STAT_WIRE_BYTES_OUT, bytes.len);
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
	if (side == WIRE && link->half_close == PTAH_HALF_CLOSE_HOLD)
		return 0; /* settle() watches a link that is held */
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
		die(link, rc);
}

static void
on_readable(struct ptah_end *end)
{
	struct ptah_link *link = end->arg;
	const int s = end == &link->end[PLAIN] ? PLAIN : WIRE;
	uint8_t *scratch = ptah_worker_scratch_in(link->worker);
	int first = s == PLAIN ? -1 : link->n_layers;

	if (scratch == NULL) {
		die(link, -ENOMEM);
		settle(link);
		return;
	}
	scratch += PTAH_SCRATCH_LEN;
	ssize_t n = ptah_end_read(end, scratch, PTAH_SCRATCH_LEN);
	if (n == -EAGAIN)
		return;
	if (n > 0) {
		count(link, s == PLAIN ? PTAH_STAT_PLAIN_BYTES_IN : PTAH_STAT_WIRE_BYTES_IN, (uint64_t)n);
		link->moved += (uint64_t)n;
		int rc = ptah_layer_feed(link, first, s, (struct ptah_span){ scratch, (size_t)n }, PTAH_SCRATCH_LEN, false);
		if (rc != 0)
			die(link, rc);
		/* A plain relay that could write it all has nothing to settle. */
		if (link->n_layers == 0 && rc == 0 && link->stage == STAGE_RELAY &&
		    ptah_end_spilled(&link->end[!s]) == 0 && !link->end[!s].failed)
			return;
	} else if (n == 0) {
		on_eof(link, s);
	} else {
		on_end_broken(link, s, (int)n);
	}
	settle(link);
}

static void
on_drained(struct ptah_end *end)
{
	settle(end->arg);
}

static void
on_failed(struct ptah_end *end, int rc)
{
	struct ptah_link *link = end->arg;

	(void)rc; /* end->failed is set, and settle() knows what that means */
	settle(link);
}

static const struct ptah_end_ops end_ops = { on_readable, on_drained, on_failed };

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

/* Both ends have said and heard all; but what a carrier took from us may still be on its way. */
static void
end_after_carrier(struct ptah_link *link)
{
	bool busy = false;

	for (unsigned i = 0; i < link->n_layers; i++)
		busy = busy || (link->layers[i].carrier && ptah_streams_busy(&link->layers[i].self));
	if (!busy || (!ptah_deadline_is_set(&link->deadline) &&
	    ptah_deadline_set(link->worker, &link->deadline, PTAH_HOLD_MS, on_hold, link) != 0))
		die(link, 0);
}

static void
look_whether_over(struct ptah_link *link)
{
	if (link->aborting) {
		if (ptah_end_spilled(&link->end[PLAIN]) == 0 && ptah_end_spilled(&link->end[WIRE]) == 0)
			die(link, link->rc);
		return;
	}
	if (is_done(link, WIRE) && (is_done(link, PLAIN) || link->ops->on_bytes != NULL))
		end_after_carrier(link);
	/* An end that can neither be written to nor read from any more, and all that it said is passed on. */
	else if ((link->end[WIRE].failed && link->eof[WIRE] && ptah_end_spilled(&link->end[PLAIN]) == 0) ||
	    (link->end[PLAIN].failed && link->eof[PLAIN] && ptah_end_spilled(&link->end[WIRE]) == 0))
		die(link, 0);
	/* The peer has closed, and this transport has no half-close: it cannot want our bytes any more. */
	else if (is_done(link, WIRE) && (!codecs_can_half_close(link) || link->half_close == PTAH_HALF_CLOSE_HOLD))
		die(link, 0);
	/* We have said all, and may not say EOF: wait for the peer's. */
	else if (link->eof[PLAIN] && !link->end[WIRE].finished && !link->end[WIRE].finishing &&
	    ptah_end_spilled(&link->end[WIRE]) == 0 && !ptah_deadline_is_set(&link->deadline)) {
		link->moved = 0;
		if (ptah_deadline_set(link->worker, &link->deadline, PTAH_HOLD_MS, on_hold, link) != 0)
			die(link, -ENOMEM);
	}
}

/* ---- who reads ------------------------------------------------------------------ */

static bool
may_read(const struct ptah_link *link, int s)
{
	int first = ptah_layer_next(link, s == PLAIN ? -1 : link->n_layers, s);

	if (link->end[s].fd == -1 || link->eof[s] || link->aborting)
		return false;
	for (unsigned i = 0; i < link->n_layers; i++)
		if (link->layers[i].hold[s] && link->layers[i].phase != PHASE_PASSED)
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

static void
set_readers(struct ptah_link *link)
{
	for (int s = PLAIN; s <= WIRE; s++) {
		if (!may_read(link, s))
			ptah_end_read_stop(&link->end[s]);
		else if (ptah_end_read_start(&link->end[s]) != 0)
			die(link, -ENOMEM);
	}
}

/* ---- the way to the relay --------------------------------------------------------- */

/* Deliver bytes that came before their reader was there. */
static int
feed_early(struct ptah_link *link, int s)
{
	struct ptah_span early = link->birth->early[s];
	int rc;

	if (early.len == 0)
		return 0;
	link->birth->early[s] = (struct ptah_span){ NULL, 0 };
	rc = ptah_layer_feed(link, s == PLAIN ? -1 : link->n_layers, s, early, 0, false);
	free((void *)(uintptr_t)early.at);
	return rc;
}

static int
keep_early(struct ptah_link *link, int s, struct ptah_span early)
{
	uint8_t *copy;

	if (early.len == 0)
		return 0;
	copy = malloc(early.len);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, early.at, early.len);
	link->birth->early[s] = (struct ptah_span){ copy, early.len };
	return 0;
}

/* From the bottom up, open each layer whose lower one lets bytes through. */
static int
open_layers(struct ptah_link *link)
{
	/* What a carrier's stream had said already goes to who stands on it; without layers, to the plain end later. */
	int early = ptah_layer_next(link, link->n_layers, WIRE) >= 0 ? feed_early(link, WIRE) : 0;

	if (early != 0)
		return early;
	for (int i = link->n_layers - 1; i >= 0; i--) {
		struct layer *layer = &link->layers[i];

		if (layer->phase == PHASE_NEW) {
			int rc = ptah_layer_open(link, (unsigned)i);

			if (rc != 0)
				return rc;
		}
		if (layer->phase < PHASE_ADMITTED)
			return 0;
		/* The layer above is the plain side of this one, and it is there. */
		if (layer->phase == PHASE_ADMITTED && i > 0 && link->layers[i - 1].phase == PHASE_NEW) {
			struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_PLAIN };
			int rc = ptah_layer_event(link, layer, &event);

			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

static enum phase
top_phase(const struct ptah_link *link)
{
	for (unsigned i = 0; i < link->n_layers; i++)
		if (!link->layers[i].carrier)
			return link->layers[i].phase;
	return PHASE_PASSED;
}

static bool
all_layers_open(const struct ptah_link *link)
{
	for (unsigned i = 0; i < link->n_layers; i++)
		if (link->layers[i].phase < PHASE_OPEN)
			return false;
	return true;
}

/* Layers that have stepped aside and hold nothing need not be remembered. */
static void
forget_layers(struct ptah_link *link)
{
	for (unsigned i = 0; i < link->n_layers; i++) {
		const struct layer *layer = &link->layers[i];

		if (layer->phase != PHASE_PASSED || layer->tail[PLAIN].len > 0 || layer->tail[WIRE].len > 0 ||
		    layer->self.instance->module->close != NULL || layer->self.timers != NULL || layer->self.id != 0 ||
		    layer->self.streams != NULL || (layer->ended[WIRE] && !layer->finished[PLAIN]) ||
		    (layer->ended[PLAIN] && !layer->finished[WIRE]))
			return;
	}
	layers_free(link, 0);
}

static void
relay_begins(struct ptah_link *link)
{
	ptah_deadline_clear(&link->deadline);
	link->stage = STAGE_RELAY;
	link->plain_open = true;
	count(link, PTAH_STAT_LINKS_RELAYING, 1);
	int rc = feed_early(link, WIRE);
	if (rc == 0)
		rc = feed_early(link, PLAIN);
	if (rc != 0)
		die(link, rc);
	birth_free(link);
	forget_layers(link);
}

static void
client_opens(struct ptah_link *link)
{
	struct ptah_span reply = link->ops->on_open(link, link->arg);

	if (reply.len > 0 && ptah_end_write(&link->end[PLAIN], reply.at, reply.len) == -ENOMEM)
		die(link, -ENOMEM);
	else
		relay_begins(link);
}

/* The server's plain end has come, or has not. */
static int
server_plain(struct ptah_link *link)
{
	struct birth *birth = link->birth;
	struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_PLAIN, .val = birth->plain_rc };
	int rc = 0;

	link->plain_wait = false;
	birth->plain_done = false;
	if (link->n_layers > 0)
		limit(link, handshake_ms(link));
	if (birth->plain_fd != -1) {
		rc = ptah_end_open(&link->end[PLAIN], link->worker, birth->plain_fd, &end_ops, link);
		if (rc != 0)
			return rc;
		birth->plain_fd = -1;
	}
	if (top_phase(link) == PHASE_ADMITTED) {
		struct layer *top = &link->layers[0];

		rc = ptah_layer_event(link, top, &event);
		if (rc == 0 && event.val == 0 && top->phase == PHASE_ADMITTED && top->self.instance->module->event == NULL)
			top->phase = PHASE_OPEN; /* it wanted to know nothing */
	}
	tell_carrier(link, birth->plain_rc);
	if (rc != 0 || birth->plain_rc == 0)
		return rc;
	/* A codec that wants to go on without may: it has a page to show, say. */
	if (top_phase(link) != PHASE_ADMITTED || link->layers[0].self.instance->module->event == NULL)
		return birth->plain_rc;
	link->layers[0].phase = PHASE_OPENING;
	limit(link, handshake_ms(link));
	return 0;
}

static void
server_asks(struct ptah_link *link)
{
	const struct birth *birth = link->birth;

	link->asked = link->plain_wait = true;
	ptah_deadline_clear(&link->deadline); /* whoever opens the plain end has a deadline of its own */
	link->ops->on_admit(link, birth->has_dest ? birth->dest : NULL, birth->peer, link->arg);
}

static int
wire_opens(struct ptah_link *link, int fd)
{
	int rc = ptah_end_open(&link->end[WIRE], link->worker, fd, &end_ops, link);

	if (rc != 0) {
		close(fd);
		return rc;
	}
	link->stage = STAGE_LAYERS;
	if (link->role == PTAH_CLIENT && link->n_layers > 0)
		limit(link, handshake_ms(link));
	return 0;
}

/* One pass of what may have become possible; 1 if it should be looked at again. */
static int
step_forward(struct ptah_link *link)
{
	struct birth *birth = link->birth;
	int rc;

	if (birth != NULL && birth->given) {
		birth->given = false;
		rc = wire_opens(link, birth->given_fd);
		return rc != 0 ? rc : 1;
	}
	if (link->stage == STAGE_DIAL)
		return 0;
	if (link->stage == STAGE_LAYERS) {
		rc = open_layers(link);
		if (rc != 0)
			return rc;
		if (link->role == PTAH_SERVER && !link->asked && top_phase(link) >= PHASE_ADMITTED) {
			server_asks(link);
			return 1;
		}
		if (birth->plain_done) {
			rc = server_plain(link);
			return rc != 0 ? rc : 1;
		}
		if (all_layers_open(link) && !link->plain_wait) {
			if (link->role == PTAH_CLIENT)
				client_opens(link);
			else if (link->asked)
				relay_begins(link);
			return 1;
		}
	}
	return ptah_layer_kick(link);
}

static void
settle(struct ptah_link *link)
{
	int rc = 1;

	/* An op that calls us back is settled by the call that it runs in. */
	if (link->busy > 0)
		return;
	link->busy++;
	while (!link->dead && !link->aborting && rc > 0)
		rc = step_forward(link);
	if (rc < 0)
		die(link, rc);
	if (!link->dead && (link->stage == STAGE_RELAY || link->aborting))
		look_whether_over(link);
	/* The peer is gone before it came to a relay, and has heard all that a codec had to say. */
	if (!link->dead && link->stage == STAGE_LAYERS && (link->eof[WIRE] || link->end[WIRE].failed) &&
	    (!link->asked || (link->birth->plain_rc != 0 && !link->plain_wait)) && ptah_end_spilled(&link->end[WIRE]) == 0)
		die(link, -ECONNRESET);
	if (!link->dead)
		set_readers(link);
	link->busy--;
	if (link->dead)
		bury(link);
}

/* ---- events of layers ---------------------------------------------------------------- */

static void
on_self_event(struct ptah_self *self, struct ptah_event *event)
{
	struct layer *layer = (struct layer *)(void *)((char *)self - offsetof(struct layer, self));
	struct ptah_link *link = layer->link;

	if (link->dead)
		return;
	link->busy++;
	link->moved++;
	int rc = ptah_layer_event(link, layer, event);
	if (rc != 0)
		die(link, rc);
	link->busy--;
	settle(link);
}

static void
on_self_idle(struct ptah_self *self)
{
	struct layer *layer = (struct layer *)(void *)((char *)self - offsetof(struct layer, self));

	settle(layer->link);
}

static int
on_give(struct ptah_self *self, int fd, struct ptah_span early)
{
	struct layer *layer = (struct layer *)(void *)((char *)self - offsetof(struct layer, self));
	struct ptah_link *link = layer->link;

	if (!layer->carrier || link->birth == NULL || link->birth->given || link->end[WIRE].fd != -1)
		return -EINVAL;
	if (keep_early(link, WIRE, early) != 0)
		return -ENOMEM;
	link->birth->given_fd = fd;
	link->birth->given = true;
	settle(link); /* runs later, if we are inside a hook */
	return 0;
}

/* ---- clients --------------------------------------------------------------------------- */

static void dial(struct ptah_link *link);

static void
on_dialed(int fd, int rc, const char *reason, void *arg)
{
	struct ptah_link *link = arg;

	link->birth->dial = NULL;
	if (rc == 0) {
		rc = wire_opens(link, fd);
	} else {
		count(link, PTAH_STAT_DIALS_FAILED, 1);
		link->reason = reason;
		/* A transport that chooses its address may have another one. */
		if (ptah_instance_bottom(link->instance)->module->endpoint != NULL) {
			link->birth->attempt++;
			link->rc = rc;
			dial(link);
			settle(link);
			return;
		}
	}
	if (rc != 0)
		die(link, rc);
	settle(link);
}

/* Ask the bottom layer where to dial; 1 if it has said so, 0 if it leaves that to us, -errno. */
static int
endpoint(struct ptah_link *link)
{
	const struct layer *bottom = &link->layers[link->n_layers - 1];
	const struct ptah_instance *instance = bottom->self.instance;
	struct birth *birth = link->birth;
	char text[PTAH_DEST_TEXT] = "", server[PTAH_DEST_TEXT] = "";

	if (instance->module->endpoint == NULL)
		return 0;
	struct ptah_open open = {
		.size = sizeof(open),
		.role = PTAH_CLIENT,
		.layer = link->n_layers - 1u,
		.attempt = birth->attempt,
		.conf = instance->conf,
		.worker = instance->worker_state != NULL ? instance->worker_state[link->worker->index] : NULL,
		.server = birth->has_server ? ptah_dest_format(&birth->server, server) : NULL,
		.dest = birth->has_dest ? birth->dest : NULL,
		.peer = "",
		.self = (struct ptah_self *)(uintptr_t)&bottom->self,
		.host = &ptah_host_services,
	};
	ptah_layer_args(link, link->n_layers - 1u, &open);
	int rc = instance->module->endpoint(&open, text, sizeof(text));
	if (rc != 0)
		return rc;
	if (ptah_dest_parse(&birth->server, text, false) != 0) {
		link->reason = "the module named an address that is none";
		return -EPROTO;
	}
	birth->has_server = true;
	return 1;
}

static void
dial(struct ptah_link *link)
{
	struct birth *birth = link->birth;
	int rc = endpoint(link);

	if (rc == -ENOENT && birth->attempt > 0)
		rc = link->rc != 0 ? link->rc : -ENOENT; /* the last failure says more */
	if (rc >= 0 && !birth->has_server) {
		link->reason = "no server address";
		rc = -EDESTADDRREQ;
	}
	if (rc >= 0)
		rc = ptah_dial_start(link->worker, birth->how, &birth->server, on_dialed, link, &birth->dial);
	if (rc == -EINPROGRESS)
		return;
	if (rc >= 0)
		rc = wire_opens(link, rc);
	else
		count(link, PTAH_STAT_DIALS_FAILED, 1);
	if (rc != 0)
		die(link, rc);
}

struct ptah_link *
ptah_link_client_new(struct ptah_worker *worker, const struct ptah_link_client *how,
    const struct ptah_link_ops *ops, void *arg)
{
	struct ptah_link *link = link_new(worker, how->instance, PTAH_CLIENT, ops, arg);
	int rc = 0;

	if (link == NULL)
		return NULL;
	struct birth *birth = link->birth;
	birth->how = how->how;
	birth->dial_ms = how->dial_ms;
	if (keep_early(link, PLAIN, how->early) != 0 ||
	    (how->plain_fd != -1 && ptah_end_open(&link->end[PLAIN], worker, how->plain_fd, &end_ops, link) != 0)) {
		link_free(link);
		errno = ENOMEM;
		return NULL;
	}
	if (how->args != NULL) {
		birth->args = *how->args;
		link->half_close = (uint8_t)how->args->half_close;
		birth->has_args = true;
	}
	if (how->server != NULL) {
		birth->server = *how->server;
		birth->has_server = true;
		ptah_addr_format(&birth->server.addr, birth->peer);
	}
	if (how->dest != NULL && ptah_text_copy(birth->dest, sizeof(birth->dest), how->dest) == 0)
		birth->has_dest = true;

	/* What fails from here on is told through on_failed, but not inside this call. */
	link->busy++;
	limit(link, how->dial_ms);
	struct layer *bottom = &link->layers[link->n_layers - 1];
	if (bottom->carrier) {
		rc = ptah_layer_open(link, link->n_layers - 1u);
		bottom->phase = PHASE_PASSED;
		if (rc != 0)
			die(link, rc);
	} else {
		dial(link);
	}
	link->busy--;
	return link;
}

void
ptah_link_go(struct ptah_link *link)
{
	settle(link);
}

int
ptah_link_push(struct ptah_link *link, struct ptah_span bytes)
{
	int first = ptah_layer_next(link, -1, PLAIN);
	size_t waits = ptah_end_spilled(&link->end[WIRE]);

	if (first < link->n_layers)
		waits += link->layers[first].tail[PLAIN].len;
	if (link->stage != STAGE_RELAY || link->busy > 0 || waits + bytes.len > PTAH_PUSH_MOST)
		return -EAGAIN;
	count(link, PTAH_STAT_PLAIN_BYTES_IN, bytes.len);
	link->busy++;
	int rc = ptah_layer_feed(link, -1, PLAIN, bytes, 0, false);
	if (rc != 0)
		die(link, rc);
	link->busy--;
	if (link->n_layers > 0 || link->dead || link->end[WIRE].failed)
		settle(link);
	return 0;
}

void
ptah_link_own(struct ptah_link *link, const struct ptah_link_ops *ops, void *arg)
{
	link->ops = ops;
	link->arg = arg;
}

/* ---- servers ----------------------------------------------------------------------------- */

struct ptah_link *
ptah_link_server_new(struct ptah_worker *worker, struct ptah_instance *instance, int wire_fd,
    const char *peer, const struct ptah_link_ops *ops, void *arg)
{
	struct ptah_link *link = link_new(worker, instance, PTAH_SERVER, ops, arg);

	if (link == NULL) {
		close(wire_fd);
		errno = ENOMEM;
		return NULL;
	}
	(void)ptah_text_copy(link->birth->peer, sizeof(link->birth->peer), peer);
	int rc = wire_opens(link, wire_fd);
	if (rc != 0) {
		link_free(link);
		errno = ENOMEM;
		return NULL;
	}
	if (link->n_layers > 0)
		limit(link, handshake_ms(link));
	return link;
}

void
ptah_link_arrived(struct ptah_link *link, const struct ptah_arrival *arrival)
{
	struct birth *birth = link->birth;

	birth->from = ptah_instance_ref(arrival->from);
	birth->cookie = arrival->cookie;
	if (keep_early(link, WIRE, arrival->early) != 0) {
		link->rc = -ENOMEM;
		link->dead = true;
	}
	/* The plain side of a carrier with layers on it is the lowest of them, and that is there. */
	else if (link->n_layers > 0)
		tell_carrier(link, 0);
}

void
ptah_link_plain_opened(struct ptah_link *link, int fd, struct ptah_span early)
{
	if (keep_early(link, PLAIN, early) != 0)
		die(link, -ENOMEM);
	link->birth->plain_fd = fd;
	link->birth->plain_done = true;
	settle(link);
}

void
ptah_link_plain_failed(struct ptah_link *link, int rc)
{
	link->birth->plain_rc = rc;
	link->birth->plain_done = true;
	settle(link);
}

/* ---- all of them ---------------------------------------------------------------------------- */

void
ptah_link_end(struct ptah_link *link, int rc)
{
	die(link, rc);
	settle(link);
}

void
ptah_links_end_all(struct ptah_worker *worker, int rc)
{
	struct ptah_relay *relay = worker->rooms[PTAH_ROOM_RELAY];

	while (relay != NULL && relay->links != NULL)
		ptah_link_end(relay->links, rc);
	if (relay != NULL)
		ptah_drain_end_all(worker);
}

unsigned
ptah_links_count(const struct ptah_worker *worker)
{
	const struct ptah_relay *relay = worker->rooms[PTAH_ROOM_RELAY];

	return relay != NULL ? relay->n_links : 0;
}

void
ptah_links_free(struct ptah_worker *worker)
{
	ptah_links_end_all(worker, -ECANCELED);
	free(worker->rooms[PTAH_ROOM_RELAY]);
	worker->rooms[PTAH_ROOM_RELAY] = NULL;
}
