/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table that modules get: each service looks at whose life it serves, and
 * passes the work on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ptah/host.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "loop/worker.h"
#include "stats/stats.h"
#include "transport/child.h"
#include "transport/ear.h"
#include "transport/home.h"
#include "transport/instance.h"
#include "transport/mail.h"
#include "transport/registry.h"
#include "transport/replay.h"
#include "transport/spawned.h"
#include "transport/state.h"
#include "transport/stream.h"
#include "transport/timers.h"

/* Longest text of a module in the log. */
#define LOG_MAX 16384

static uint64_t
now_ns(struct ptah_self *self)
{
	(void)self;
	return ptah_clock_now_ns();
}

static int64_t
wall_s(struct ptah_self *self)
{
	(void)self;
	return ptah_clock_wall_s();
}

static void
random_bytes(struct ptah_self *self, void *out, size_t len)
{
	(void)self;
	ptah_random_bytes(out, len);
}

static void
log_text(struct ptah_self *self, uint32_t level, const char *text, size_t len)
{
	int mine = level > PTAH_LOG_DEBUG ? PTAH_LOG_DEBUG : level < PTAH_LOG_ERROR ? PTAH_LOG_ERROR : (int)level;

	if (ptah_log_hears(mine))
		ptah_log(mine, AREA_MODULE, "%s: %.*s", self->instance->name, (int)(len < LOG_MAX ? len : LOG_MAX), text);
}

static void
count(struct ptah_self *self, uint32_t counter, int64_t add)
{
	struct ptah_instance *instance = self->instance;
	_Atomic(int64_t) *at;

	if (counter >= instance->n_counters)
		return;
	/* One block for each worker, written by that worker only. */
	at = &instance->counters[self->worker->index * instance->n_counters + counter];
	atomic_store_explicit(at, atomic_load_explicit(at, memory_order_relaxed) + add, memory_order_relaxed);
}

static int
replay(struct ptah_self *self, struct ptah_span scope, struct ptah_span token, uint32_t ttl_s, uint64_t cookie)
{
	struct ptah_replay *seen;

	(void)cookie;
	if (self->life == PTAH_LIFE_WORKER)
		return -EINVAL;
	seen = ptah_registry_replay(self->instance->registry);
	if (seen == NULL)
		return -ENOMEM;


	int fresh = ptah_replay_check(seen, scope, token, ttl_s, ptah_clock_now_ns() / PTAH_NS_PER_S);

	if (fresh == 0)
		ptah_stats_add(ptah_instance_stats(self->instance, self->worker), PTAH_STAT_REPLAYS, 1);
	return fresh;
}

/* ---- state ---------------------------------------------------------------- */

/* What the instance before this one has put must be on disk before it is read. */
static void
settle_state(const struct ptah_instance *instance)
{
	struct ptah_writer *writer = ptah_registry_writer(instance->registry);

	if (writer != NULL)
		ptah_writer_settle(writer);
}

static struct ptah_state *
state_of(struct ptah_instance *instance, int *rc)
{
	*rc = instance->state_folder != NULL ? 0 : -ENOENT;
	if (*rc == 0 && instance->state == NULL) {
		instance->state = ptah_instance_state(instance, instance->state_folder);
		if (instance->state == NULL)
			*rc = -ENOMEM;
		else if (instance->look == NULL && ptah_state_join(instance->state, ptah_registry_states(instance->registry),
		    instance->turn))
			settle_state(instance);
	}
	return instance->state;
}

static long
state_get(struct ptah_self *self, const char *name, struct ptah_room out)
{
	struct ptah_home *home = ptah_home_of(self);
	struct ptah_state *state;
	int rc;

	if (home == NULL || !home->opening)
		return -EINVAL;
	state = state_of(self->instance, &rc);
	if (rc < 0)
		return rc;
	if (self->instance->look != NULL)
		return ptah_state_peek(state, name, out, self->instance->look);
	return ptah_state_get(state, name, out);
}

struct written {
	struct ptah_letter letter; /* the answer, which must arrive */
	struct ptah_instance *instance; /* a reference */
	uint64_t cookie;
	int rc;
};

static void
tell_written(struct ptah_worker *worker, void *arg)
{
	struct written *written = arg;
	struct ptah_instance *instance = written->instance;
	struct ptah_event event = {
		.size = sizeof(event),
		.what = PTAH_EV_STATE,
		.cookie = written->cookie,
		.val = written->rc,
	};

	(void)worker;
	free(written);
	if (instance->home->open)
		instance->home->self.ops->deliver(&instance->home->self, &event);
	ptah_instance_unref(instance);
}

static void
on_written(int rc, void *arg)
{
	struct written *written = arg;
	struct ptah_instance *instance = written->instance;

	if (rc < 0)
		ptah_warn_rc(AREA_MODULE, rc, "%s: cannot write its state", instance->name);
	written->rc = rc;
	/* The worker is gone: then so is the home. */
	if (ptah_worker_send(instance->home_worker, &written->letter, tell_written, written) < 0) {
		free(written);
		ptah_instance_unref(instance);
	}
}

/* Hand it to the writer, who answers; who may only look has it dropped, and an answer. */
static int
put(struct written *written, struct ptah_state *state, const char *name, struct ptah_span body)
{
	struct ptah_instance *instance = written->instance;
	struct ptah_writer *writer;

	if (instance->look != NULL) {
		instance->look->n_dropped++;
		return ptah_worker_send(instance->home_worker, &written->letter, tell_written, written);
	}
	writer = ptah_registry_writer(instance->registry);
	return writer != NULL ? ptah_writer_put(writer, state, name, body, on_written, written) : -ENOMEM;
}

static int
state_put(struct ptah_self *self, const char *name, struct ptah_span body, uint64_t cookie)
{
	struct ptah_instance *instance = self->instance;
	struct ptah_state *state;
	struct written *written;
	int rc;

	if (self->life != PTAH_LIFE_HOME)
		return -EINVAL;
	state = state_of(instance, &rc);
	if (rc == 0 && instance->look == NULL)
		rc = ptah_state_prepare(state, name);
	if (rc < 0)
		return rc;
	written = calloc(1, sizeof(*written));
	if (written == NULL)
		return -ENOMEM;
	written->instance = ptah_instance_ref(instance);
	written->cookie = cookie;
	rc = put(written, state, name, body);
	if (rc < 0) {
		ptah_instance_unref(instance);
		free(written);
	}
	return rc;
}

/* ---- the life of an instance ----------------------------------------------- */

static void
ready(struct ptah_self *self, int rc, const char *advertise, const char *bridge_args, const char *reason)
{
	struct ptah_home *home = ptah_home_of(self);

	if (home != NULL)
		ptah_home_ready(home, rc, advertise, bridge_args, reason);
}

static void
home_done(struct ptah_self *self)
{
	struct ptah_home *home = ptah_home_of(self);

	if (home != NULL)
		ptah_home_done(home);
}

static int
message(struct ptah_self *self, const struct ptah_msg *msg)
{
	return self->ops->message != NULL ? self->ops->message(self, msg) : -EINVAL;
}

static void
status(struct ptah_self *self, const char *text, size_t len)
{
	const struct ptah_hands *hands = ptah_registry_hands(self->instance->registry);

	if (ptah_home_of(self) != NULL && hands != NULL && hands->status != NULL)
		hands->status(hands->arg, text, len);
}

void
ptah_self_end(struct ptah_self *self)
{
	ptah_timers_free(self);
	ptah_streams_end(self);
	ptah_mail_forget(self);
}

const struct ptah_host ptah_host_services = {
	.size = sizeof(struct ptah_host),
	.major = PTAH_ABI_MAJOR,
	.minor = PTAH_ABI_MINOR,
	.now_ns = now_ns,
	.wall_s = wall_s,
	.random = random_bytes,
	.timer = ptah_timers_set,
	.log = log_text,
	.count = count,
	.id = ptah_mail_id,
	.mail = ptah_mail_send,
	.replay = replay,
	.state_get = state_get,
	.state_put = state_put,
	.ready = ready,
	.home_done = home_done,
	.dial = ptah_stream_dial,
	.pipe = ptah_stream_pipe,
	.eat = ptah_stream_eat,
	.write = ptah_stream_write,
	.ask = ptah_stream_ask,
	.drop = ptah_stream_drop,
	.give = ptah_stream_give,
	.arrive = ptah_stream_arrive,
	.listen = ptah_ear_listen,
	.child = ptah_child_open,
	.spawn = ptah_spawned_start,
	.kill = ptah_spawned_kill,
	.message = message,
	.status = status,
};
