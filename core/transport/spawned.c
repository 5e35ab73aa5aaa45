/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/spawned.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "proc/child.h"
#include "transport/home.h"
#include "transport/instance.h"
#include "transport/stream.h"

struct ptah_spawned {
	struct ptah_spawned *next;
	struct ptah_home *home;
	struct ptah_proc *proc;
	uint64_t number;
};

static void
unlink_spawned(struct ptah_spawned *spawned)
{
	struct ptah_spawned **at = &spawned->home->spawned;

	while (*at != spawned)
		at = &(*at)->next;
	*at = spawned->next;
	spawned->home->n_spawned--;
}

static void
on_exit_of(struct ptah_proc *proc, int status, void *arg)
{
	struct ptah_spawned *spawned = arg;
	struct ptah_home *home = spawned->home;
	struct ptah_event event = {
		.size = sizeof(event),
		.what = PTAH_EV_EXIT,
		.from = spawned->number,
		.val = status,
	};

	unlink_spawned(spawned);
	free(spawned);
	ptah_proc_free(proc);
	home->self.ops->deliver(&home->self, &event);
}

static int
open_streams(struct ptah_self *self, const int fds[3], struct ptah_stream *stdio[3])
{
	int rc = 0;

	for (int i = 0; i < 3; i++) {
		stdio[i] = ptah_stream_new(self, fds[i]);
		if (stdio[i] == NULL)
			rc = -ENOMEM;
	}
	for (int i = 0; rc < 0 && i < 3; i++) {
		ptah_stream_drop(stdio[i]);
		stdio[i] = NULL;
	}
	return rc;
}

long
ptah_spawned_start(struct ptah_self *self, const struct ptah_spawn *how, struct ptah_stream *stdio[3])
{
	struct ptah_home *home = ptah_home_of(self);
	struct ptah_spawned *spawned;
	int fds[3], rc;

	if (home == NULL || how == NULL || how->size < sizeof(*how) || how->argv == NULL || how->argv[0] == NULL)
		return -EINVAL;
	if ((self->instance->module->abilities & PTAH_SPAWNS) == 0)
		return -EPERM;
	if (home->n_spawned >= PTAH_SPAWNED_MAX)
		return -EAGAIN;
	spawned = calloc(1, sizeof(*spawned));
	if (spawned == NULL)
		return -ENOMEM;
	spawned->proc = ptah_proc_start(self->worker->base, how->argv, how->env, (how->flags & PTAH_SPAWN_MAY_GAIN) != 0, fds,
	    on_exit_of, spawned);
	if (spawned->proc == NULL) {
		rc = -errno;
		free(spawned);
		return rc;
	}
	rc = open_streams(self, fds, stdio);
	if (rc < 0) {
		ptah_proc_free(spawned->proc);
		free(spawned);
		return rc;
	}
	spawned->home = home;
	spawned->number = ++home->last_number;
	spawned->next = home->spawned;
	home->spawned = spawned;
	home->n_spawned++;
	return (long)spawned->number;
}

int
ptah_spawned_kill(struct ptah_self *self, uint64_t process, int sig)
{
	struct ptah_home *home = ptah_home_of(self);

	if (home == NULL)
		return -EINVAL;
	for (struct ptah_spawned *spawned = home->spawned; spawned != NULL; spawned = spawned->next)
		if (spawned->number == process)
			return ptah_proc_kill(spawned->proc, sig);
	return -ESRCH;
}

void
ptah_spawned_end(struct ptah_home *home)
{
	while (home->spawned != NULL) {
		struct ptah_spawned *spawned = home->spawned;

		unlink_spawned(spawned);
		ptah_proc_free(spawned->proc);
		free(spawned);
	}
}
