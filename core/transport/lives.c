/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/home.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "transport/announce.h"
#include "transport/child.h"
#include "transport/chunk.h"
#include "transport/ear.h"
#include "transport/loader.h"
#include "transport/spawned.h"
#include "wire/dial.h"

/* What all layers of an instance that is being opened wait for. */
struct ptah_opening {
	struct ptah_instance *top; /* a reference */
	ptah_ready_fn *fn;
	void *arg;
	atomic_uint waiting;
	struct ptah_letter letter;
	pthread_mutex_t lock; /* of the two below */
	int rc;
	char *reason;
};

static void deliver_home(struct ptah_self *self, struct ptah_event *event);
static void deliver_worker(struct ptah_self *self, struct ptah_event *event);

static const struct ptah_self_ops home_ops = { .deliver = deliver_home };
static const struct ptah_self_ops worker_ops = { .deliver = deliver_worker };

static bool
has_home(const struct ptah_module *module)
{
	return module->home_open != NULL;
}

bool
ptah_lives_has(const struct ptah_module *module)
{
	return module->worker_open != NULL || module->worker_size > 0;
}

struct ptah_home *
ptah_home_of(struct ptah_self *self)
{
	return self->life == PTAH_LIFE_HOME ? self->instance->home : NULL;
}

/* ---- memory --------------------------------------------------------------- */

static int
make_home(struct ptah_instance *instance)
{
	struct ptah_home *home = calloc(1, sizeof(*home));

	if (home == NULL)
		return -ENOMEM;
	instance->home = home;
	home->self.life = PTAH_LIFE_HOME;
	home->self.instance = instance;
	home->self.worker = instance->home_worker;
	home->self.ops = &home_ops;
	home->guests.most = PTAH_GUESTS_MAX;
	home->self.state = ptah_life_new(instance->module->home_size);
	return home->self.state != NULL ? 0 : -ENOMEM;
}

static int
make_workers(struct ptah_instance *instance)
{
	unsigned n = instance->n_workers;

	instance->lives = calloc(n, sizeof(*instance->lives));
	instance->worker_state = calloc(n, sizeof(*instance->worker_state));
	if (instance->lives == NULL || instance->worker_state == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		struct ptah_self *self = &instance->lives[i].self;

		self->life = PTAH_LIFE_WORKER;
		self->instance = instance;
		self->worker = instance->workers[i];
		self->ops = &worker_ops;
		self->state = ptah_life_new(instance->module->worker_size);
		if (self->state == NULL)
			return -ENOMEM;
		instance->worker_state[i] = self->state;
	}
	return 0;
}

int
ptah_lives_make(struct ptah_instance *instance)
{
	int rc = has_home(instance->module) ? make_home(instance) : 0;

	if (rc == 0 && ptah_lives_has(instance->module))
		rc = make_workers(instance);
	return rc;
}

bool
ptah_lives_free(struct ptah_instance *instance)
{
	bool over = instance->home == NULL || !instance->home->open;

	/* One that memory was too short to close keeps what it has: its code may still use it. */
	if (instance->home != NULL && over) {
		ptah_children_free(instance->home);
		ptah_life_free(instance->home->self.state, instance->module->home_size);
		free(instance->home);
	}
	for (unsigned i = 0; instance->lives != NULL && i < instance->n_workers; i++) {
		if (instance->lives[i].open) {
			over = false;
			continue;
		}
		ptah_life_free(instance->lives[i].self.state, instance->module->worker_size);
	}
	free(instance->lives);
	free(instance->worker_state);
	free(instance->stopping);
	return over;
}

/* ---- birth ---------------------------------------------------------------- */

static void
tell_ready(struct ptah_worker *worker, void *arg)
{
	struct ptah_opening *opening = arg;

	(void)worker;
	ptah_instance_forget_secrets(opening->top);
	opening->fn(opening->top, opening->rc, opening->reason, opening->arg);
	ptah_instance_unref(opening->top);
	pthread_mutex_destroy(&opening->lock);
	free(opening->reason);
	free(opening);
}

/* One of those that were waited for is there, or is not. */
static void
opened(struct ptah_opening *opening, int rc, const char *reason)
{
	pthread_mutex_lock(&opening->lock);
	if (rc < 0 && opening->rc == 0) {
		opening->rc = rc;
		opening->reason = strdup(reason != NULL ? reason : strerror(-rc));
	}
	pthread_mutex_unlock(&opening->lock);
	if (atomic_fetch_sub(&opening->waiting, 1) != 1)
		return;
	/* Never from inside a hook. */
	if (ptah_worker_send(opening->top->home_worker, &opening->letter, tell_ready, opening) < 0)
		tell_ready(opening->top->home_worker, opening);
}

void
ptah_home_settle(struct ptah_home *home, int rc, const char *reason)
{
	struct ptah_opening *opening = home->waiting;

	if (home->told)
		return;
	home->said = home->said || rc == 0;
	if (rc == 0 && home->n_opening > 0)
		return;
	home->told = true;
	home->waiting = NULL;
	ptah_deadline_clear(&home->limit);
	opened(opening, rc, reason);
}

static void
on_ready_limit(struct ptah_deadline *deadline, void *arg)
{
	char reason[64];

	(void)deadline;
	snprintf(reason, sizeof(reason), "was not ready within %u s", PTAH_READY_MS / 1000);
	ptah_home_settle(arg, -ETIMEDOUT, reason);
}

static int
take_announcement(struct ptah_instance *instance, const char *advertise, const char *bridge_args,
    char *why, size_t why_room)
{
	struct ptah_addr addr;

	if (advertise != NULL) {
		if (ptah_addr_parse(&addr, advertise) < 0) {
			snprintf(why, why_room, "the address that it announces is no ip:port");
			return -EINVAL;
		}
		instance->advertise = strdup(advertise);
		if (instance->advertise == NULL) {
			snprintf(why, why_room, "out of memory");
			return -ENOMEM;
		}
	}
	if (bridge_args == NULL)
		return 0;
	return ptah_announce_read(bridge_args, strlen(bridge_args), &instance->bridge_args, why, why_room);
}

void
ptah_home_ready(struct ptah_home *home, int rc, const char *advertise, const char *bridge_args, const char *reason)
{
	char why[PTAH_WHY_TEXT];

	if (home->told || home->said)
		return;
	if (rc >= 0) {
		rc = take_announcement(home->self.instance, advertise, bridge_args, why, sizeof(why));
		if (rc < 0)
			reason = why;
	}
	ptah_home_settle(home, rc < 0 ? rc : 0, reason);
}

void
ptah_home_child_told(struct ptah_home *home, int rc, const char *reason)
{
	home->n_opening--;
	if (rc < 0)
		ptah_home_settle(home, rc, reason);
	else if (home->said)
		ptah_home_settle(home, 0, NULL);
}

static struct ptah_start
start_of(struct ptah_self *self)
{
	const struct ptah_instance *instance = self->instance;

	return (struct ptah_start){
		.size = sizeof(struct ptah_start),
		.role = instance->role,
		.conf = instance->conf,
		.name = instance->name,
		.settings = instance->settings,
		.bind = instance->bind,
		.folder = instance->state_folder,
		.self = self,
		.host = &ptah_host_services,
	};
}

/* The upstream proxy's URI, or NULL. */
static const char *
proxy_of(const struct ptah_instance *instance, char text[static PTAH_PROXY_TEXT])
{
	const struct ptah_proxy *proxy = instance->dial_how != NULL ? instance->dial_how->proxy : NULL;

	return proxy != NULL && proxy->scheme != PTAH_PROXY_NONE ? ptah_proxy_format(proxy, text) : NULL;
}

static void
open_home(struct ptah_worker *worker, void *arg)
{
	struct ptah_home *home = arg;
	struct ptah_instance *instance = home->self.instance;
	struct ptah_start start = start_of(&home->self);
	char proxy[PTAH_PROXY_TEXT];
	int rc;

	if (instance->role == PTAH_CLIENT)
		start.proxy = proxy_of(instance, proxy);
	home->open = true;
	home->opening = true;
	rc = instance->module->home_open(home->self.state, &start);
	home->opening = false;
	if (start.proxy != NULL)
		explicit_bzero(proxy, sizeof(proxy));
	if (rc < 0)
		ptah_home_settle(home, rc, NULL);
	else if (!home->told && ptah_deadline_set(worker, &home->limit, PTAH_READY_MS, on_ready_limit, home) < 0)
		ptah_home_settle(home, -ENOMEM, NULL);
}

static void
open_worker_life(struct ptah_worker *worker, void *arg)
{
	struct ptah_opening *opening = arg;
	const char *reason = NULL;
	int rc = 0;

	for (struct ptah_instance *layer = opening->top; rc == 0 && layer != NULL; layer = layer->below) {
		struct ptah_worker_life *life;

		if (!ptah_lives_has(layer->module))
			continue;
		life = &layer->lives[worker->index];
		life->open = true;
		if (layer->module->worker_open != NULL) {
			struct ptah_start start = start_of(&life->self);

			rc = layer->module->worker_open(life->self.state, &start);
		}
	}
	opened(opening, rc < 0 ? rc : 0, reason);
}

/* Does any layer have a life on each worker? */
static bool
any_lives(const struct ptah_instance *layer)
{
	while (layer != NULL && !ptah_lives_has(layer->module))
		layer = layer->below;
	return layer != NULL;
}

bool
ptah_lives_any(const struct ptah_instance *top)
{
	const struct ptah_instance *layer = top;

	while (layer != NULL && !has_home(layer->module))
		layer = layer->below;
	return layer != NULL || any_lives(top);
}

static struct ptah_opening *
opening_new(struct ptah_instance *top, ptah_ready_fn *fn, void *arg)
{
	struct ptah_opening *opening = calloc(1, sizeof(*opening));

	if (opening == NULL)
		return NULL;
	opening->top = ptah_instance_ref(top);
	opening->fn = fn;
	opening->arg = arg;
	pthread_mutex_init(&opening->lock, NULL);
	atomic_init(&opening->waiting, 1); /* ours, until all are begun */
	return opening;
}

int
ptah_lives_open(struct ptah_instance *top, ptah_ready_fn *on_ready, void *arg)
{
	struct ptah_opening *opening;
	unsigned n = any_lives(top) ? top->n_workers : 0;

	if (!ptah_lives_any(top)) {
		ptah_instance_forget_secrets(top);
		on_ready(top, 0, NULL, arg);
		return 0;
	}
	top->stopping = ptah_stopping_new();
	opening = top->stopping != NULL ? opening_new(top, on_ready, arg) : NULL;
	if (opening == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		atomic_fetch_add(&opening->waiting, 1);
		if (ptah_worker_post(top->workers[i], open_worker_life, opening) < 0)
			opened(opening, -ENOMEM, NULL);
	}
	for (struct ptah_instance *layer = top; layer != NULL; layer = layer->below) {
		if (!has_home(layer->module))
			continue;
		atomic_fetch_add(&opening->waiting, 1);
		layer->home->waiting = opening;
		if (ptah_worker_post(layer->home_worker, open_home, layer->home) < 0) {
			layer->home->told = true;
			opened(opening, -ENOMEM, NULL);
		}
	}
	opened(opening, 0, NULL);
	return 0;
}

/* ---- events of a home ------------------------------------------------------ */

void
ptah_home_close(struct ptah_home *home)
{
	struct ptah_instance *instance = home->self.instance;

	if (!home->open)
		return;
	home->open = false;
	ptah_deadline_clear(&home->limit);
	if (home->stop_limit != NULL) {
		event_free(home->stop_limit);
		home->stop_limit = NULL;
	}
	if (instance->module->home_close != NULL)
		instance->module->home_close(home->self.state);
	ptah_self_end(&home->self);
	ptah_ears_end(home);
	ptah_spawned_end(home);
	ptah_children_end(home);
}

static void
deliver_home(struct ptah_self *self, struct ptah_event *event)
{
	struct ptah_home *home = ptah_home_of(self);
	const struct ptah_module *module = self->instance->module;
	int rc;

	if (!home->open || module->home_event == NULL)
		return;
	event->size = sizeof(*event);
	rc = module->home_event(self->state, event);
	if (rc >= 0 || !home->open)
		return;
	/* Its links live on without it; what they mail is dropped. */
	ptah_error_rc(AREA_MODULE, rc, "%s: its home failed", self->instance->name);
	ptah_home_close(home);
	if (!home->told)
		ptah_home_settle(home, rc, NULL);
	ptah_home_ended(home);
}

static void
deliver_worker(struct ptah_self *self, struct ptah_event *event)
{
	const struct ptah_instance *instance = self->instance;
	int rc = 0;

	event->size = sizeof(*event);
	if (instance->lives[self->worker->index].open && instance->module->worker_event != NULL)
		rc = instance->module->worker_event(self->state, event);
	if (rc < 0)
		ptah_error_rc(AREA_MODULE, rc, "%s: its life on worker %u failed", instance->name, self->worker->index);
}

struct plain_news {
	struct ptah_instance *carrier; /* a reference */
	uint64_t cookie;
	int rc;
};

static void
bring_plain_news(struct ptah_worker *worker, void *arg)
{
	struct plain_news *news = arg;
	struct ptah_event event = { .what = PTAH_EV_PLAIN, .cookie = news->cookie, .val = news->rc };

	(void)worker;
	deliver_home(&news->carrier->home->self, &event);
	ptah_instance_unref(news->carrier);
	free(news);
}

void
ptah_instance_tell_plain(struct ptah_instance *carrier, uint64_t cookie, int rc)
{
	struct plain_news *news = malloc(sizeof(*news));
	int posted = -ENOMEM;

	if (news != NULL) {
		*news = (struct plain_news){ ptah_instance_ref(carrier), cookie, rc };
		posted = ptah_worker_post(carrier->home_worker, bring_plain_news, news);
	}
	if (posted == 0)
		return;
	if (news != NULL)
		ptah_instance_unref(carrier);
	free(news);
	/* After the workers' end nobody is left to hear it. */
	if (posted != -ESHUTDOWN)
		ptah_error_rc(AREA_MODULE, posted, "%s: its home is not told of a plain end", carrier->name);
}

/* ---- listening ------------------------------------------------------------- */

struct listening {
	struct ptah_instance *instance; /* a reference */
	char *bind;
	ptah_listening_fn *fn;
	void *arg;
};

static void
listen_at_home(struct ptah_worker *worker, void *arg)
{
	struct listening *listening = arg;
	struct ptah_instance *instance = listening->instance;
	struct ptah_home *home = instance->home;
	int rc = home->open ? 0 : -ECANCELED;

	(void)worker;
	if (rc == 0)
		rc = instance->module->listen(home->self.state, listening->bind);
	listening->fn(rc < 0 ? rc : 0, home->bound[0] != '\0' ? home->bound : listening->bind, listening->arg);
	ptah_instance_unref(instance);
	free(listening->bind);
	free(listening);
}

int
ptah_instance_listen(struct ptah_instance *instance, const char *bind, ptah_listening_fn *fn, void *arg)
{
	struct listening *listening;
	int rc;

	if (instance->home == NULL || instance->module->listen == NULL)
		return -EINVAL;
	listening = calloc(1, sizeof(*listening));
	if (listening == NULL)
		return -ENOMEM;
	listening->bind = strdup(bind);
	listening->fn = fn;
	listening->arg = arg;
	listening->instance = ptah_instance_ref(instance);
	rc = listening->bind != NULL ? ptah_worker_post(instance->home_worker, listen_at_home, listening) : -ENOMEM;
	if (rc < 0) {
		ptah_instance_unref(instance);
		free(listening->bind);
		free(listening);
	}
	return rc;
}
