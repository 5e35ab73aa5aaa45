/* SPDX-License-Identifier: BSD-3-Clause */
#include "relay/link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "loop/worker.h"
#include "relay/layer.h"
#include "stats/stats.h"
#include "transport/stream.h"

struct ptah_relay *
ptah_relay_of(struct ptah_worker *worker)
{
	struct ptah_relay *relay = worker->rooms[PTAH_ROOM_RELAY];

	if (relay == NULL) {
		relay = worker->rooms[PTAH_ROOM_RELAY] = calloc(1, sizeof(*relay));
		if (relay != NULL)
			*relay = (struct ptah_relay){ .drained_most = PTAH_REJECTED_MOST, .drain_scale = 1 };
	}
	return relay;
}

/* ---- memory -------------------------------------------------------------- */

void
ptah_layers_free(struct ptah_link *link, int why)
{
	for (unsigned i = 0; i < link->n_layers; i++)
		ptah_layer_close(&link->layers[i], why);
	free(link->layers);
	link->layers = NULL;
	link->n_layers = 0;
}

void
ptah_link_free(struct ptah_link *link)
{
	struct ptah_flock *flock = ptah_flock_of(link->worker, link->instance);

	ptah_birth_free(link);
	ptah_layers_free(link, link->rc);
	ptah_deadline_clear(&link->deadline);
	ptah_end_close(&link->end[PLAIN]);
	ptah_end_close(&link->end[WIRE]);
	if (link->prev != NULL)
		link->prev->next = link->next;
	else
		flock->links = link->next;
	if (link->next != NULL)
		link->next->prev = link->prev;
	ptah_link_stat(link, PTAH_STAT_LINKS_CLOSED, 1);
	ptah_instance_unref(link->instance);
	free(link);
	ptah_flock_leave(flock);
}

static void on_self_event(struct ptah_self *self, struct ptah_event *event);
static void on_self_idle(struct ptah_self *self);
static int on_give(struct ptah_self *self, int fd, struct ptah_span early);

static const struct ptah_self_ops self_ops = { .deliver = on_self_event, .give = on_give, .idle = on_self_idle };

int
ptah_layers_new(struct ptah_link *link)
{
	struct ptah_instance *instance = link->instance;
	unsigned n = ptah_stack_height(instance);

	if (n > PTAH_LAYERS_MAX)
		return -E2BIG;
	link->layers = calloc(n, sizeof(*link->layers));
	if (link->layers == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++, instance = instance->below) {
		struct layer *layer = &link->layers[i];
		bool carrier = (instance->module->abilities & PTAH_IS_CARRIER) != 0;

		/* A server's carrier did its work before there was a link. */
		if (carrier && link->role == PTAH_SERVER)
			return 0;
		if (ptah_stack_life_begin(&layer->self, instance, link->worker, &self_ops) != 0)
			return -ENOMEM;
		layer->link = link;
		layer->carrier = carrier;
		if (carrier)
			layer->phase = PHASE_PASSED;
		link->n_layers++;
	}
	return 0;
}

void
ptah_link_set_half_close(struct ptah_link *link, int said)
{
	link->half_close = (uint8_t)said;
	if (link->role != PTAH_CLIENT || said != PTAH_HALF_CLOSE_AUTO)
		return;
	for (const struct ptah_instance *at = link->instance; at != NULL; at = at->below)
		if ((at->module->abilities & PTAH_HOLDS_EOF) != 0)
			link->half_close = PTAH_HALF_CLOSE_HOLD;
}

struct ptah_link *
ptah_link_new(struct ptah_worker *worker, struct ptah_instance *instance, uint8_t role,
    const struct ptah_link_ops *ops, void *arg)
{
	struct ptah_flock *flock = ptah_flock_of(worker, instance);
	struct ptah_link *link = calloc(1, sizeof(*link));
	struct birth *birth = calloc(1, sizeof(*birth));

	if (flock == NULL || link == NULL || birth == NULL) {
		free(link);
		free(birth);
		errno = ENOMEM;
		return NULL;
	}
	link->worker = worker;
	link->stats = ptah_instance_stats(instance, worker);
	link->instance = ptah_instance_ref(instance);
	link->role = role;
	ptah_link_set_half_close(link, instance->half_close);
	link->ops = ops;
	link->arg = arg;
	link->end[PLAIN].fd = link->end[WIRE].fd = -1;
	link->birth = birth;
	birth->plain_fd = -1;
	link->born_ns = ptah_clock_now_ns();
	link->next = flock->links;
	if (link->next != NULL)
		link->next->prev = link;
	flock->links = link;
	ptah_flock_enter(flock);
	ptah_link_stat(link, PTAH_STAT_LINKS_OPENED, 1);
	if (ptah_layers_new(link) != 0) {
		ptah_link_free(link);
		errno = ENOMEM;
		return NULL;
	}
	return link;
}

/* ---- the end of a link ----------------------------------------------------- */

void
ptah_link_die(struct ptah_link *link, int rc)
{
	if (link->dead)
		return;
	link->dead = true;
	link->rc = rc;
}

/* Where bytes are missing an EOF would say that there were no more. */
static void
abort_ends(struct ptah_link *link)
{
	for (int s = PLAIN; s <= WIRE; s++)
		if (link->end[s].failed)
			ptah_end_abort(&link->end[s]);
	if (link->rc == 0 || link->rc == -ECANCELED || link->stage != STAGE_RELAY)
		return;
	ptah_end_abort(&link->end[PLAIN]);
	/* On the wire a reset tells a censor something, so only where no codec can tell the peer that it was cut off. */
	if (link->rc == -ENOMEM || link->n_layers == 0)
		ptah_end_abort(&link->end[WIRE]);
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
	ptah_link_free(link);
	if (failed)
		ops->on_failed(plain_fd, rc, reason, arg);
	else
		ops->on_closed(rc, arg);
	ptah_instance_unref(instance);
}

/* It was not a relay yet. */
static void
count_failure(struct ptah_link *link, int rc)
{
	enum ptah_stat why = ptah_stats_failure(rc);

	if (link->stage == STAGE_DIAL && rc != -ECANCELED)
		why = PTAH_STAT_FAILED_DIAL;
	else if (link->birth->plain_rc != 0)
		why = PTAH_STAT_FAILED_TARGET;
	ptah_link_stat(link, PTAH_STAT_HANDSHAKES_FAILED, 1);
	ptah_link_stat(link, why, 1);
}

static void
bury(struct ptah_link *link)
{
	const struct ptah_link_ops *ops = link->ops;
	void *arg = link->arg;
	int rc = link->rc;

	if (rc != 0 && link->stage != STAGE_RELAY)
		count_failure(link, rc);
	/* Why there is no plain end, its owner has said. */
	bool told = rc == -ECANCELED || (link->birth != NULL && link->birth->plain_rc != 0);
	if (rc != 0 && !told)
		ptah_log_rc(link->stage == STAGE_RELAY ? PTAH_LOG_DEBUG : PTAH_LOG_INFO, AREA_LINK, rc, "%s: a %s link ended%s%s%s",
		    link->instance->name, link->role == PTAH_CLIENT ? "client" : "server",
		    link->stage == STAGE_RELAY ? "" : " in its handshake",
		    link->reason != NULL ? ": " : "", link->reason != NULL ? link->reason : "");
	abort_ends(link);
	if (link->role == PTAH_CLIENT) {
		bury_client(link);
		return;
	}
	if (link->rejected && link->end[WIRE].fd != -1) {
		ptah_link_stat(link, PTAH_STAT_REJECTED, 1);
		const struct ptah_rejection how = {
			.stats = link->stats, .born_ns = link->born_ns, .manner = link->manner, .close_s = link->close_s,
			.asked = link->asked, .believed = link->believed,
		};
		ptah_drain_begin(link->worker, ptah_end_take_fd(&link->end[WIRE]), &how);
	}
	ptah_link_free(link);
	ops->on_closed(rc, arg);
}

/* ---- deadlines --------------------------------------------------------------- */

static void
on_deadline(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_link *link = arg;

	(void)deadline;
	ptah_link_stat(link, PTAH_STAT_TIMEOUTS, 1);
	if (link->stage == STAGE_DIAL && link->birth->dial != NULL) {
		ptah_link_stat(link, PTAH_STAT_DIALS_FAILED, 1);
		link->reason = "no answer within the dial limit";
	} else if (link->stage == STAGE_LAYERS) {
		link->reason = "the handshake did not end within its limit";
		/* A peer that never said who it is must learn nothing from when we give up. */
		if (link->role == PTAH_SERVER && !link->asked)
			link->rejected = true;
	}
	ptah_link_die(link, -ETIMEDOUT);
	ptah_link_settle(link);
}

void
ptah_link_limit(struct ptah_link *link, unsigned ms)
{
	if (ptah_deadline_set(link->worker, &link->deadline, ms, on_deadline, link) != 0)
		ptah_link_die(link, -ENOMEM);
}

/* ---- one turn --------------------------------------------------------------- */

static void
do_what_can_be_done(struct ptah_link *link)
{
	int rc = 1;

	link->busy++;
	while (!link->dead && !link->aborting && rc > 0)
		rc = ptah_birth_step(link);
	if (rc < 0)
		ptah_link_die(link, rc);
	if (!link->dead && (link->stage == STAGE_RELAY || link->aborting))
		ptah_link_look_whether_over(link);
	/* The peer is gone before it came to a relay, and has heard all that a codec had to say. */
	if (!link->dead && link->stage == STAGE_LAYERS && (link->eof[WIRE] || link->end[WIRE].failed) &&
	    (!link->asked || (link->birth->plain_rc != 0 && !link->plain_wait)) && ptah_end_spilled(&link->end[WIRE]) == 0)
		ptah_link_die(link, -ECONNRESET);
	if (!link->dead)
		ptah_link_set_readers(link);
	link->n_idle = 0;
	link->busy--;
}

void
ptah_link_settle(struct ptah_link *link)
{
	/* An op that calls us back is settled by the call that it runs in. */
	if (link->busy > 0)
		return;
	do
		do_what_can_be_done(link);
	while (link->dead && ptah_birth_again(link));
	if (link->dead)
		bury(link);
}

void
ptah_link_go(struct ptah_link *link)
{
	ptah_link_settle(link);
}

void
ptah_link_own(struct ptah_link *link, const struct ptah_link_ops *ops, void *arg)
{
	link->ops = ops;
	link->arg = arg;
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
		ptah_link_die(link, rc);
	link->busy--;
	ptah_link_settle(link);
}

static void
on_self_idle(struct ptah_self *self)
{
	struct layer *layer = (struct layer *)(void *)((char *)self - offsetof(struct layer, self));

	ptah_link_settle(layer->link);
}

static int
on_give(struct ptah_self *self, int fd, struct ptah_span early)
{
	struct layer *layer = (struct layer *)(void *)((char *)self - offsetof(struct layer, self));
	struct ptah_link *link = layer->link;

	if (!layer->carrier || link->birth == NULL || link->birth->given || link->end[WIRE].fd != -1)
		return -EINVAL;
	if (ptah_birth_keep_early(link, WIRE, early) != 0)
		return -ENOMEM;
	link->birth->given_fd = fd;
	link->birth->given = true;
	ptah_link_settle(link); /* runs later, if we are inside a hook */
	return 0;
}

/* ---- all of them ---------------------------------------------------------------------------- */

void
ptah_link_end(struct ptah_link *link, int rc)
{
	ptah_link_die(link, rc);
	ptah_link_settle(link);
}

void
ptah_links_end_all(struct ptah_worker *worker, int rc)
{
	struct ptah_relay *relay = worker->rooms[PTAH_ROOM_RELAY];

	if (relay == NULL)
		return;
	ptah_flock_end(&relay->own, rc);
	ptah_drain_end_all(worker);
}

unsigned
ptah_links_count(const struct ptah_worker *worker)
{
	const struct ptah_relay *relay = worker->rooms[PTAH_ROOM_RELAY];

	return relay != NULL ? relay->own.n : 0;
}

void
ptah_links_free(struct ptah_worker *worker)
{
	ptah_links_end_all(worker, -ECANCELED);
	free(worker->rooms[PTAH_ROOM_RELAY]);
	worker->rooms[PTAH_ROOM_RELAY] = NULL;
}
