/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * unit/stage.h: workers and a registry of linked-in modules, for tests of
 * instances and of what they do for modules.
 */
#ifndef PTAH_UNIT_STAGE_H
#define PTAH_UNIT_STAGE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/clock.h"
#include "transport/instance.h"
#include "transport/registry.h"

#define STAGE_WORKERS 4
/* No test waits longer than this for anything. */
#define STAGE_LIMIT_S 30

struct stage {
	struct ptah_registry *registry;
	struct ptah_worker *workers[STAGE_WORKERS];
	unsigned n_workers;
	const char *state_folder;
	bool has_proxy;
	ptah_arrive_fn *on_arrive;
	unsigned stop_ms; /* 0: 5 s */
	/* How the last stage_open() failed. */
	int rc;
	char why[1024];
	/* What on_ready heard; with the lock, unless it came from inside stage_open(). */
	pthread_mutex_t lock;
	pthread_cond_t change;
	unsigned n_ready;
	int ready_rc;
	char reason[1024];
	bool stopped;
};

static inline void
stage_set(struct stage *stage, const struct ptah_module *const modules[], unsigned n_workers)
{
	char why[1024];

	memset(stage, 0, sizeof(*stage));
	pthread_mutex_init(&stage->lock, NULL);
	pthread_cond_init(&stage->change, NULL);
	stage->registry = ptah_registry_new(NULL, NULL);
	assert_non_null(stage->registry);
	for (size_t i = 0; modules[i] != NULL; i++)
		if (ptah_registry_link(stage->registry, modules[i], why, sizeof(why)) < 0)
			fail_msg("%s: %s", modules[i]->name, why);
	stage->n_workers = n_workers;
	for (unsigned i = 0; i < n_workers; i++) {
		stage->workers[i] = ptah_worker_new(i);
		assert_non_null(stage->workers[i]);
		assert_int_equal(ptah_worker_start(stage->workers[i]), 0);
	}
}

static inline void
stage_clear(struct stage *stage)
{
	for (unsigned i = 0; i < stage->n_workers; i++)
		assert_int_equal(ptah_worker_stop(stage->workers[i], STAGE_LIMIT_S * 1000), 0);
	ptah_registry_free(stage->registry);
	for (unsigned i = 0; i < stage->n_workers; i++)
		ptah_worker_free(stage->workers[i]);
	pthread_cond_destroy(&stage->change);
	pthread_mutex_destroy(&stage->lock);
}

static inline void
stage_wait(struct stage *stage, const bool *what, const unsigned *number)
{
	struct timespec limit; /* by a clock that nobody sets */

	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += STAGE_LIMIT_S;
	pthread_mutex_lock(&stage->lock);
	while (!(what != NULL && *what) && !(number != NULL && *number > 0))
		assert_int_equal(pthread_cond_clockwait(&stage->change, &stage->lock, CLOCK_MONOTONIC, &limit), 0);
	pthread_mutex_unlock(&stage->lock);
}

static inline void
stage_on_ready(struct ptah_instance *instance, int rc, const char *reason, void *arg)
{
	struct stage *stage = arg;

	(void)instance;
	pthread_mutex_lock(&stage->lock);
	stage->n_ready++;
	stage->ready_rc = rc;
	snprintf(stage->reason, sizeof(stage->reason), "%s", reason != NULL ? reason : "");
	pthread_cond_broadcast(&stage->change);
	pthread_mutex_unlock(&stage->lock);
}

/* Open one; NULL with stage->rc and why when that is refused at once. */
static inline struct ptah_instance *
stage_open(struct stage *stage, const char *name, uint32_t role, const char *options)
{
	char why[256];
	struct ptah_json *json = ptah_json_parse(options, strlen(options), 0, why, sizeof(why));
	struct ptah_instance_wish wish = {
		.name = name,
		.role = role,
		.options = json,
		.state_folder = stage->state_folder,
		.has_proxy = stage->has_proxy,
		.workers = stage->workers,
		.n_workers = stage->n_workers,
		.on_arrive = stage->on_arrive,
	};
	struct ptah_instance *instance;

	assert_non_null(json);
	stage->n_ready = 0;
	stage->ready_rc = 1;
	stage->stopped = false;
	instance = ptah_instance_open(stage->registry, &wish, stage_on_ready, stage, stage->why, sizeof(stage->why));
	stage->rc = instance == NULL ? errno : 0;
	ptah_json_free(json);
	return instance;
}

static inline void
stage_wait_ready(struct stage *stage)
{
	stage_wait(stage, NULL, &stage->n_ready);
}

static inline void
stage_on_stopped(void *arg)
{
	struct stage *stage = arg;

	pthread_mutex_lock(&stage->lock);
	stage->stopped = true;
	pthread_cond_broadcast(&stage->change);
	pthread_mutex_unlock(&stage->lock);
}

/* Stop it, wait for that, and give up the reference. */
static inline void
stage_close(struct stage *stage, struct ptah_instance *instance)
{
	uint64_t ms = stage->stop_ms != 0 ? stage->stop_ms : 5000;

	ptah_instance_stop(instance, ptah_clock_now_ns() + ms * PTAH_NS_PER_MS, stage_on_stopped, stage);
	stage_wait(stage, &stage->stopped, NULL);
	ptah_instance_unref(instance);
}

#endif
