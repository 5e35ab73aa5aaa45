/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How the lives of an instance end: layer by layer from the top, of each its
 * home, that home's children, and then the lives on the workers.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "transport/home.h"

/* How far the end of an instance has come. */
struct ptah_stopping {
	struct ptah_instance *top; /* a reference */
	struct ptah_instance *at;  /* the layer that is ending */
	uint64_t deadline_ns;
	struct ptah_letter letter; /* to a home */
	atomic_uint waiting;
	void (*done)(void *arg);
	void *arg;
};

struct ptah_stopping *
ptah_stopping_new(void)
{
	return calloc(1, sizeof(struct ptah_stopping));
}

static void stop_layer(struct ptah_stopping *stopping);

static void
next_layer(struct ptah_stopping *stopping)
{
	stopping->at = stopping->at->below;
	if (stopping->at != NULL) {
		stop_layer(stopping);
		return;
	}
	/* Ours goes first, so that whoever waits gives up the last one. */
	void (*done)(void *arg) = stopping->done;
	void *arg = stopping->arg;
	ptah_instance_unref(stopping->top);
	free(stopping);
	done(arg);
}

static void
life_is_closed(struct ptah_stopping *stopping)
{
	if (atomic_fetch_sub(&stopping->waiting, 1) == 1)
		next_layer(stopping);
}

static void
close_worker_life(struct ptah_worker *worker, void *arg)
{
	struct ptah_stopping *stopping = arg;
	struct ptah_instance *layer = stopping->at;
	struct ptah_worker_life *life = &layer->lives[worker->index];

	if (life->open) {
		life->open = false;
		if (layer->module->worker_close != NULL)
			layer->module->worker_close(life->self.state);
		ptah_self_end(&life->self);
	}
	life_is_closed(stopping);
}

static void
stop_workers(struct ptah_stopping *stopping)
{
	struct ptah_instance *layer = stopping->at;
	unsigned n = ptah_lives_has(layer->module) ? layer->n_workers : 0;

	atomic_store(&stopping->waiting, n + 1);
	for (unsigned i = 0; i < n; i++) {
		int rc = ptah_worker_send(layer->workers[i], &layer->lives[i].letter, close_worker_life, stopping);

		if (rc < 0) {
			ptah_error_rc(AREA_MODULE, rc, "%s: cannot close its life on worker %u", layer->name, i);
			atomic_fetch_sub(&stopping->waiting, 1);
		}
	}
	life_is_closed(stopping);
}

void
ptah_home_ended(struct ptah_home *home)
{
	struct ptah_stopping *stopping = home->stop;

	if (stopping == NULL)
		return;
	home->stop = NULL;
	ptah_home_close(home);
	if (home->n_children > 0)
		home->left = stopping;
	else
		stop_workers(stopping);
}

void
ptah_home_child_gone(struct ptah_home *home)
{
	struct ptah_stopping *stopping = home->left;

	if (--home->n_children > 0 || stopping == NULL)
		return;
	home->left = NULL;
	stop_workers(stopping);
}

static void
on_stop_limit(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_home *home = arg;

	(void)fd;
	if ((what & EV_TIMEOUT) != 0)
		ptah_info(AREA_MODULE, "%s: its home did not finish in time", home->self.instance->name);
	ptah_home_ended(home);
}

/* This is said inside of a hook, and 'close' must not run there: let the loop come round. */
void
ptah_home_done(struct ptah_home *home)
{
	if (home->stop != NULL && home->stop_limit != NULL)
		event_active(home->stop_limit, EV_READ, 0);
}

static void
stop_home(struct ptah_worker *worker, void *arg)
{
	struct ptah_stopping *stopping = arg;
	struct ptah_home *home = stopping->at->home;
	uint64_t now = ptah_clock_now_ns();
	uint64_t left = stopping->deadline_ns > now ? stopping->deadline_ns - now : 0;
	struct timeval tv = { (time_t)(left / PTAH_NS_PER_S), (suseconds_t)(left % PTAH_NS_PER_S / 1000) };
	struct ptah_event event = { .what = PTAH_EV_STOP, .deadline_ns = stopping->deadline_ns };

	home->stop = stopping;
	if (!home->told)
		ptah_home_settle(home, -ECANCELED, "was stopped");
	if (home->open && stopping->at->module->home_event != NULL && left > 0)
		home->stop_limit = evtimer_new(worker->base, on_stop_limit, home);
	if (home->stop_limit == NULL || evtimer_add(home->stop_limit, &tv) == -1) {
		ptah_home_ended(home);
		return;
	}
	home->self.ops->deliver(&home->self, &event);
}

static void
stop_layer(struct ptah_stopping *stopping)
{
	struct ptah_instance *layer = stopping->at;
	int rc;

	if (layer->home == NULL) {
		stop_workers(stopping);
		return;
	}
	rc = ptah_worker_send(layer->home_worker, &stopping->letter, stop_home, stopping);
	if (rc < 0) {
		ptah_error_rc(AREA_MODULE, rc, "%s: cannot close its home", layer->name);
		stop_workers(stopping);
	}
}

void
ptah_instance_stop(struct ptah_instance *instance, uint64_t deadline_ns, void (*done)(void *arg), void *arg)
{
	struct ptah_stopping *stopping;

	if (!ptah_lives_any(instance)) {
		done(arg);
		return;
	}
	/* Made when it was opened, so that it can end without memory. */
	stopping = instance->stopping;
	instance->stopping = NULL;
	stopping->top = ptah_instance_ref(instance);
	stopping->at = instance;
	stopping->deadline_ns = deadline_ns;
	stopping->done = done;
	stopping->arg = arg;
	stop_layer(stopping);
}
