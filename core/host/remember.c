/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/remember.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/deadline.h"
#include "transport/registry.h"
#include "transport/replay.h"
#include "transport/state.h"

#define PTNAME "ptah"
#define NAME "replay"
#define EACH_MS 30000

struct ptah_remember {
	struct ptah_registry *registry;
	struct ptah_worker *loop;
	struct ptah_replay *replay;
	struct ptah_state *state; /* NULL: there is no file that is ours */
	struct ptah_deadline timer;
	uint64_t saved;           /* ptah_replay_count() when it was last written */
	atomic_bool writing, failed;
	struct ptah_often said;   /* of the writer's thread */
};

static uint64_t
now_s(void)
{
	return ptah_clock_now_ns() / PTAH_NS_PER_S;
}

/* On the writer's thread. */
static void
on_written(int rc, void *arg)
{
	struct ptah_remember *remember = arg;

	if (rc < 0)
		ptah_warn_often(&remember->said, AREA_HOST, "-replayState: cannot write " PTNAME "_" NAME ": %s", strerror(-rc));
	atomic_store(&remember->failed, rc < 0);
	atomic_store(&remember->writing, false);
}

static void
save(struct ptah_remember *remember)
{
	uint64_t count = ptah_replay_count(remember->replay);
	uint8_t *text = NULL;
	size_t len = 0;
	int rc;

	if (count == remember->saved && !atomic_load(&remember->failed))
		return;
	remember->saved = count;
	rc = ptah_replay_save(remember->replay, now_s(), ptah_clock_wall_s(), &text, &len);
	if (rc == 0) {
		atomic_store(&remember->writing, true);
		rc = ptah_writer_put(ptah_registry_writer(remember->registry), remember->state, NAME,
		    (struct ptah_span){ text, len }, on_written, remember);
	}
	if (rc < 0) {
		ptah_warn_rc(AREA_HOST, rc, "-replayState: cannot write " PTNAME "_" NAME);
		atomic_store(&remember->failed, true);
		atomic_store(&remember->writing, false);
	}
	free(text);
}

static void
on_time(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_remember *remember = arg;

	(void)deadline;
	if (!atomic_load(&remember->writing))
		save(remember);
	(void)ptah_deadline_set(remember->loop, &remember->timer, EACH_MS, on_time, remember); /* it is reserved */
}

/* 0 also when there is nothing to read, or nothing good. */
static int
load(struct ptah_remember *remember)
{
	struct ptah_room room = { malloc(PTAH_STATE_MAX), PTAH_STATE_MAX };
	const char *why = "it is longer than such a file can be";
	long n = room.at != NULL ? ptah_state_get(remember->state, NAME, room) : -ENOMEM;
	int rc = n < 0 ? (int)n : ptah_replay_load(remember->replay, (struct ptah_span){ room.at, (size_t)n }, now_s(),
	    ptah_clock_wall_s(), &why);

	free(room.at);
	if (rc == -EBADMSG || rc == -ENOSPC || rc == -EFBIG) {
		ptah_warn(AREA_HOST, "-replayState: " PTNAME "_" NAME " is damaged (%s), so what came before this start "
		    "is not known; it will be written anew", why);
		rc = 0;
	}
	return rc == -ENOENT ? 0 : rc;
}

static void
say_failed(int rc)
{
	if (rc == -EBUSY)
		ptah_warn(AREA_HOST, "-replayState: another ptah writes " PTNAME "_" NAME " in this state folder, so this one "
		    "remembers until its end only: give it a folder of its own (-state)");
	else
		ptah_warn_rc(AREA_HOST, rc, "-replayState: cannot use " PTNAME "_" NAME " in the state folder, so what came is "
		    "remembered until the end only");
}

struct ptah_remember *
ptah_remember_begin(struct ptah_registry *registry, struct ptah_worker *loop, const char *folder)
{
	struct ptah_remember *remember = calloc(1, sizeof(*remember));
	int rc;

	if (remember == NULL)
		return NULL;
	remember->registry = registry;
	remember->loop = loop;
	remember->replay = ptah_registry_replay(registry);
	remember->state = ptah_state_new(folder, PTNAME);
	if (remember->replay == NULL || remember->state == NULL || ptah_registry_writer(registry) == NULL ||
	    ptah_deadline_reserve(loop, EACH_MS) != 0) {
		ptah_remember_end(remember);
		errno = ENOMEM;
		return NULL;
	}
	if (ptah_registry_guards_state(registry))
		ptah_state_guard(remember->state);
	(void)ptah_state_join(remember->state, ptah_registry_states(registry), 0);
	rc = ptah_state_prepare(remember->state, NAME);
	if (rc == 0)
		rc = load(remember);
	if (rc == 0) {
		remember->saved = ptah_replay_count(remember->replay);
		(void)ptah_deadline_set(loop, &remember->timer, EACH_MS, on_time, remember);
	} else {
		say_failed(rc);
		ptah_state_free(remember->state);
		remember->state = NULL;
	}
	return remember;
}

void
ptah_remember_now(struct ptah_remember *remember)
{
	if (remember != NULL && remember->state != NULL)
		save(remember);
}

void
ptah_remember_last(struct ptah_remember *remember)
{
	if (remember == NULL || remember->state == NULL)
		return;
	ptah_deadline_clear(&remember->timer);
	save(remember);
}

void
ptah_remember_end(struct ptah_remember *remember)
{
	if (remember == NULL)
		return;
	ptah_deadline_clear(&remember->timer);
	ptah_state_free(remember->state);
	free(remember);
}
