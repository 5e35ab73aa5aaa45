/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a link comes to its relay: a client dials, layers shake hands from the
 * bottom up, a server asks for its plain end.  What only that needs is freed
 * when it is over.
 */
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
#include "transport/check.h"
#include "transport/stream.h"

/* Places that a link tries at the very most: a module might never run out of them. */
#define ATTEMPTS_MOST 64u

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

void
ptah_birth_free(struct ptah_link *link)
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

static unsigned
handshake_ms(const struct ptah_link *link)
{
	unsigned most = 0;

	for (unsigned i = 0; i < link->n_layers; i++) {
		unsigned ms = link->layers[i].self.instance->module->handshake_ms;

		if (ms == 0)
			ms = PTAH_HANDSHAKE_MS;
		if (ms > most)
			most = ms;
	}
	return most;
}

/* How long a dial may take: a carrier makes as many as it likes, and may have said what it needs for them. */
static unsigned
dial_limit_ms(const struct ptah_link *link)
{
	const struct ptah_module *bottom = link->layers[link->n_layers - 1].self.instance->module;

	return (bottom->abilities & PTAH_IS_CARRIER) != 0 && bottom->handshake_ms > link->birth->dial_ms ?
	    bottom->handshake_ms : link->birth->dial_ms;
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

int
ptah_birth_keep_early(struct ptah_link *link, int s, struct ptah_span early)
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

/* Its plain side is there, or (-errno) is not.  Who wants to hear of nothing is open then. */
static int
tell_layer_plain(struct ptah_link *link, struct layer *layer, int plain_rc)
{
	struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_PLAIN, .val = plain_rc };
	int rc = ptah_layer_event(link, layer, &event);

	if (rc == 0 && plain_rc == 0 && layer->phase == PHASE_ADMITTED && layer->self.instance->module->event == NULL)
		layer->phase = PHASE_OPEN;
	return rc;
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
			int rc = tell_layer_plain(link, layer, 0);

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
	ptah_layers_free(link, 0);
}

static void
relay_begins(struct ptah_link *link)
{
	ptah_deadline_clear(&link->deadline);
	link->stage = STAGE_RELAY;
	link->plain_open = true;
	ptah_link_stat(link, PTAH_STAT_LINKS_RELAYING, 1);
	int rc = feed_early(link, WIRE);
	if (rc == 0)
		rc = feed_early(link, PLAIN);
	if (rc != 0)
		ptah_link_die(link, rc);
	ptah_birth_free(link);
	forget_layers(link);
}

static void
client_opens(struct ptah_link *link)
{
	struct ptah_span reply = link->ops->on_open(link, link->arg);

	/* From here on it is open for its owner, so it can only be closed. */
	link->stage = STAGE_RELAY;
	if (reply.len > 0 && ptah_end_write(&link->end[PLAIN], reply.at, reply.len) == -ENOMEM)
		ptah_link_die(link, -ENOMEM);
	else
		relay_begins(link);
}

/* The server's plain end has come, or has not. */
static int
server_plain(struct ptah_link *link)
{
	struct birth *birth = link->birth;
	int rc = 0;

	link->plain_wait = false;
	birth->plain_done = false;
	if (link->n_layers > 0)
		ptah_link_limit(link, handshake_ms(link));
	if (birth->plain_fd != -1) {
		rc = ptah_end_open(&link->end[PLAIN], link->worker, birth->plain_fd, &ptah_link_end_ops, link);
		if (rc != 0)
			return rc;
		birth->plain_fd = -1;
	}
	if (top_phase(link) == PHASE_ADMITTED)
		rc = tell_layer_plain(link, &link->layers[0], birth->plain_rc);
	tell_carrier(link, birth->plain_rc);
	if (rc != 0 || birth->plain_rc == 0)
		return rc;
	/* A codec that wants to go on without may: it has a page to show, say. */
	if (top_phase(link) != PHASE_ADMITTED || link->layers[0].self.instance->module->event == NULL)
		return birth->plain_rc;
	link->layers[0].phase = PHASE_OPENING;
	ptah_link_limit(link, handshake_ms(link));
	return 0;
}

static void
server_asks(struct ptah_link *link)
{
	const struct birth *birth = link->birth;

	link->asked = link->plain_wait = true;
	link->birth->dialed_ns = ptah_clock_now_ns();
	ptah_deadline_clear(&link->deadline); /* whoever opens the plain end has a deadline of its own */
	link->ops->on_admit(link, birth->has_dest ? birth->dest : NULL, birth->peer, link->arg);
}

static int
wire_opens(struct ptah_link *link, int fd)
{
	int rc = ptah_end_open(&link->end[WIRE], link->worker, fd, &ptah_link_end_ops, link);

	if (rc != 0) {
		close(fd);
		return rc;
	}
	link->stage = STAGE_LAYERS;
	link->reason = NULL; /* of the attempts before this one */
	link->rc = 0;
	if (link->role == PTAH_CLIENT && link->n_layers > 0)
		ptah_link_limit(link, handshake_ms(link));
	return 0;
}

/* One pass of what may have become possible; 1 if it should be looked at again. */
int
ptah_birth_step(struct ptah_link *link)
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

/* ---- clients --------------------------------------------------------------------------- */

static int dial(struct ptah_link *link);

/* Does its transport name the place, and perhaps another one?  A carrier makes its own streams: to dial in its place would show what it hides. */
static bool
has_places(const struct ptah_link *link)
{
	const struct ptah_module *bottom = ptah_instance_bottom(link->instance)->module;

	return bottom->endpoint != NULL && (bottom->abilities & PTAH_IS_CARRIER) == 0;
}

/* A dial has failed.  A transport that chooses its address may have another one. */
static bool
may_try_again(struct ptah_link *link, int rc, const char *reason)
{
	ptah_link_stat(link, PTAH_STAT_DIALS_FAILED, 1);
	link->reason = reason;
	link->rc = rc;
	return rc != -ENOMEM && has_places(link) && ++link->birth->attempt < ATTEMPTS_MOST;
}

/* Takes: fd, also on failure. */
static int
dialed(struct ptah_link *link, int fd)
{
	ptah_stats_dialed(link->stats, ptah_clock_now_ns() - link->birth->dialed_ns);
	return wire_opens(link, fd);
}

static void
on_dialed(int fd, int rc, const char *reason, void *arg)
{
	struct ptah_link *link = arg;

	link->birth->dial = NULL;
	if (rc == 0)
		rc = dialed(link, fd);
	else if (may_try_again(link, rc, reason))
		rc = dial(link);
	if (rc != 0)
		ptah_link_die(link, rc);
	ptah_link_settle(link);
}

/* Ask the bottom layer where to dial; 1 if it has said so, 0 if it leaves that to us, -errno. */
static int
endpoint(struct ptah_link *link)
{
	const struct ptah_module *bottom = link->layers[link->n_layers - 1].self.instance->module;
	struct birth *birth = link->birth;
	char text[PTAH_DEST_TEXT] = "", server[PTAH_DEST_TEXT] = "";

	if (bottom->endpoint == NULL)
		return 0;
	struct ptah_open open = ptah_layer_open_of(link, link->n_layers - 1u);
	open.server = birth->has_server ? ptah_dest_format(&birth->server, server) : NULL;
	open.dest = birth->has_dest ? birth->dest : NULL;
	int rc = bottom->endpoint(&open, text, sizeof(text));
	if (rc != 0)
		return rc;
	if (ptah_dest_parse(&birth->server, text, false) != 0) {
		link->reason = "the module named an address that is none";
		return -EPROTO;
	}
	birth->has_server = true;
	return 1;
}

/* A descriptor, -EINPROGRESS, or the -errno of the last place there was. */
static int
dial_somewhere(struct ptah_link *link)
{
	struct birth *birth = link->birth;
	int rc;

	do {
		rc = endpoint(link);
		if (rc == -ENOENT && birth->attempt > 0)
			return link->rc; /* the last failure says more */
		if (rc < 0)
			return rc;
		if (!birth->has_server) {
			link->reason = "no server address";
			return -EDESTADDRREQ;
		}
		birth->dialed_ns = ptah_clock_now_ns();
		rc = ptah_dial_start(link->worker, birth->how, &birth->server, on_dialed, link, &birth->dial);
	} while (rc < 0 && rc != -EINPROGRESS && may_try_again(link, rc, NULL));
	return rc;
}

/* 0: it is under way, or there already. */
static int
dial(struct ptah_link *link)
{
	int rc = dial_somewhere(link);

	if (rc == -EINPROGRESS)
		return 0;
	return rc < 0 ? rc : dialed(link, rc);
}

/*
 * From the beginning: no byte of the application has gone anywhere, and of this
 * attempt nothing is left but why it failed.
 */
bool
ptah_birth_again(struct ptah_link *link)
{
	const char *reason = link->reason;
	const int why = link->rc;
	int rc = why;

	if (link->role != PTAH_CLIENT || link->stage != STAGE_LAYERS || rc == 0 || rc == -ENOMEM || rc == -ECANCELED ||
	    !has_places(link) || ++link->birth->attempt >= ATTEMPTS_MOST)
		return false;
	ptah_layers_free(link, rc);
	ptah_end_close(&link->end[WIRE]);
	free((void *)(uintptr_t)link->birth->early[WIRE].at);
	link->birth->early[WIRE] = (struct ptah_span){ NULL, 0 };
	link->eof[WIRE] = link->dead = link->aborting = false;
	link->stage = STAGE_DIAL;
	rc = ptah_layers_new(link);
	if (rc == 0) {
		ptah_link_limit(link, dial_limit_ms(link));
		link->busy++;
		rc = dial(link);
		link->busy--;
	}
	if (rc != 0) {
		ptah_link_die(link, rc);
		return false;
	}
	ptah_link_stat(link, PTAH_STAT_HANDSHAKES_FAILED, 1);
	ptah_link_stat(link, ptah_stats_failure(why), 1);
	ptah_log_rc(PTAH_LOG_INFO, AREA_LINK, why, "%s: a handshake failed, and another place is tried%s%s",
	    link->instance->name, reason != NULL ? ": " : "", reason != NULL ? reason : "");
	return !link->dead;
}

struct ptah_link *
ptah_link_client_new(struct ptah_worker *worker, const struct ptah_link_client *how,
    const struct ptah_link_ops *ops, void *arg)
{
	struct ptah_link *link = ptah_link_new(worker, how->instance, PTAH_CLIENT, ops, arg);
	int rc = 0;

	if (link == NULL)
		return NULL;
	struct birth *birth = link->birth;
	birth->how = how->how;
	birth->dial_ms = how->dial_ms;
	if (ptah_birth_keep_early(link, PLAIN, how->early) != 0 ||
	    (how->plain_fd != -1 && ptah_end_open(&link->end[PLAIN], worker, how->plain_fd, &ptah_link_end_ops, link) != 0)) {
		ptah_link_free(link);
		errno = ENOMEM;
		return NULL;
	}
	if (how->args != NULL) {
		birth->args = *how->args;
		ptah_link_set_half_close(link, how->args->half_close);
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
	ptah_link_limit(link, dial_limit_ms(link));
	struct layer *bottom = &link->layers[link->n_layers - 1];
	if (bottom->carrier && !link->dead) {
		rc = ptah_layer_open(link, link->n_layers - 1u);
		bottom->phase = PHASE_PASSED;
	} else if (!link->dead) {
		rc = dial(link);
	}
	if (rc != 0)
		ptah_link_die(link, rc);
	link->busy--;
	return link;
}

/* ---- servers ----------------------------------------------------------------------------- */

struct ptah_link *
ptah_link_server_new(struct ptah_worker *worker, struct ptah_instance *instance, int wire_fd,
    const char *peer, const struct ptah_link_ops *ops, void *arg)
{
	struct ptah_link *link = ptah_link_new(worker, instance, PTAH_SERVER, ops, arg);

	if (link == NULL) {
		close(wire_fd);
		errno = ENOMEM;
		return NULL;
	}
	(void)ptah_text_copy(link->birth->peer, sizeof(link->birth->peer), peer);
	int rc = wire_opens(link, wire_fd);
	if (rc != 0) {
		ptah_link_free(link);
		errno = ENOMEM;
		return NULL;
	}
	if (link->n_layers > 0)
		ptah_link_limit(link, handshake_ms(link));
	return link;
}

void
ptah_link_early(struct ptah_link *link, struct ptah_span early)
{
	if (ptah_birth_keep_early(link, WIRE, early) != 0) {
		link->rc = -ENOMEM;
		link->dead = true;
	}
}

void
ptah_link_arrived(struct ptah_link *link, const struct ptah_arrival *arrival)
{
	struct birth *birth = link->birth;

	birth->from = ptah_instance_ref(arrival->from);
	birth->cookie = arrival->cookie;
	ptah_link_early(link, arrival->early);
	/* The plain side of a carrier with layers on it is the lowest of them, and that is there. */
	if (!link->dead && link->n_layers > 0)
		tell_carrier(link, 0);
}

void
ptah_link_plain_opened(struct ptah_link *link, int fd, struct ptah_span early)
{
	if (ptah_birth_keep_early(link, PLAIN, early) != 0)
		ptah_link_die(link, -ENOMEM);
	ptah_stats_dialed(link->stats, ptah_clock_now_ns() - link->birth->dialed_ns);
	link->birth->plain_fd = fd;
	link->birth->plain_done = true;
	ptah_link_settle(link);
}

void
ptah_link_plain_failed(struct ptah_link *link, int rc)
{
	link->birth->plain_rc = rc;
	link->birth->plain_done = true;
	ptah_link_settle(link);
}
