/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/agent.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "loop/deadline.h"
#include "loop/worker.h"
#include "wire/pass.h"

/* Who asked has a shorter limit, and cancels; this is for one that does not. */
#define JOB_MS 120000
/* Questions taken in one turn of the loop. */
#define TAKE_MOST 32

struct job {
	struct job *next, **back;
	struct ptah_agent *agent;
	uint64_t id;
	struct ptah_dest dest;
	struct ptah_dial *dial; /* NULL: it is over, and the answer waits */
	struct ptah_deadline limit;
	int fd;
	struct ptah_broker_answer *answer;
};

struct ptah_agent {
	struct ptah_agent_how how;
	int fd;
	struct event *on_ask, *on_room;
	struct job *jobs; /* the newest first */
	unsigned n_jobs;
};

static void
job_free(struct job *job)
{
	*job->back = job->next;
	if (job->next != NULL)
		job->next->back = job->back;
	job->agent->n_jobs--;
	ptah_dial_cancel(job->dial);
	ptah_deadline_clear(&job->limit);
	if (job->fd != -1)
		close(job->fd);
	if (job->answer != NULL)
		explicit_bzero(job->answer, sizeof(*job->answer));
	free(job->answer);
	free(job);
}

/* ---- answers --------------------------------------------------------------------- */

/* Send it, or keep it until there is room. */
static void
send_answer(struct job *job)
{
	struct ptah_agent *agent = job->agent;
	int rc = ptah_pass_send(agent->fd, job->answer, sizeof(*job->answer), &job->fd, job->fd != -1 ? 1 : 0);

	if (rc == -EAGAIN && event_add(agent->on_room, NULL) == 0)
		return;
	job_free(job); /* its end is the other's, or nobody hears it */
}

static void
on_room(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_agent *agent = arg;
	struct job *job = agent->jobs, *next;

	(void)fd;
	(void)what;
	for (; job != NULL; job = next) {
		next = job->next;
		if (job->answer != NULL)
			send_answer(job);
	}
}

/* Takes: fd. */
static void
answer(struct job *job, int fd, int rc, const char *reason)
{
	const struct ptah_agent *agent = job->agent;

	job->dial = NULL;
	job->fd = fd;
	ptah_deadline_clear(&job->limit);
	job->answer = calloc(1, sizeof(*job->answer));
	if (job->answer == NULL) {
		job_free(job);
		return;
	}
	job->answer->id = job->id;
	job->answer->rc = rc;
	job->answer->secret_rc = -ENOENT;
	if (reason != NULL)
		(void)ptah_text_copy(job->answer->reason, sizeof(job->answer->reason), reason);
	if (rc == 0 && agent->how.secret != NULL)
		job->answer->secret_rc = agent->how.secret(&job->dest, job->answer->secret, agent->how.arg);
	send_answer(job);
}

static void
on_dialed(int fd, int rc, const char *reason, void *arg)
{
	answer(arg, fd, rc, reason);
}

static void
on_limit(struct ptah_deadline *deadline, void *arg)
{
	struct job *job = arg;

	(void)deadline;
	ptah_dial_cancel(job->dial);
	answer(job, -1, -ETIMEDOUT, NULL);
}

/* ---- questions ------------------------------------------------------------------- */

static struct job *
job_new(struct ptah_agent *agent, uint64_t id)
{
	struct job *job = agent->n_jobs < agent->how.most ? calloc(1, sizeof(*job)) : NULL;

	if (job == NULL)
		return NULL;
	job->agent = agent;
	job->id = id;
	job->fd = -1;
	job->next = agent->jobs;
	job->back = &agent->jobs;
	if (job->next != NULL)
		job->next->back = &job->next;
	agent->jobs = job;
	agent->n_jobs++;
	return job;
}

/* Nothing is kept for it, so where there is no room for the answer either, its own limit ends it. */
static void
refuse(const struct ptah_agent *agent, uint64_t id, int rc, const char *reason)
{
	struct ptah_broker_answer no = { .id = id, .rc = rc, .secret_rc = -ENOENT };

	if (reason != NULL)
		(void)ptah_text_copy(no.reason, sizeof(no.reason), reason);
	(void)ptah_pass_send(agent->fd, &no, sizeof(no), NULL, 0);
}

static void
dial(struct ptah_agent *agent, const struct ptah_broker_ask *ask)
{
	struct ptah_dest dest;
	struct job *job;
	int fd;

	if (ptah_dest_parse(&dest, ask->dest, false) < 0) {
		refuse(agent, ask->id, -EINVAL, NULL);
		return;
	}
	if (!agent->how.may(&dest, agent->how.arg)) {
		agent->how.refused(&dest, agent->how.arg);
		refuse(agent, ask->id, -EACCES, "the configuration does not let it go there");
		return;
	}
	job = job_new(agent, ask->id);
	if (job == NULL) {
		refuse(agent, ask->id, -EAGAIN, NULL);
		return;
	}
	job->dest = dest;
	(void)ptah_deadline_set(agent->how.loop, &job->limit, JOB_MS, on_limit, job); /* it is reserved */
	fd = ptah_dial_start(agent->how.loop, agent->how.dial, &job->dest, on_dialed, job, &job->dial);
	if (fd != -EINPROGRESS)
		answer(job, fd >= 0 ? fd : -1, fd >= 0 ? 0 : fd, NULL);
}

static void
cancel(struct ptah_agent *agent, uint64_t id)
{
	struct job *job = agent->jobs;

	while (job != NULL && job->id != id)
		job = job->next;
	if (job != NULL)
		job_free(job);
}

static void
hear(struct ptah_agent *agent, struct ptah_broker_ask *ask, size_t len)
{
	if (len <= offsetof(struct ptah_broker_ask, dest))
		return;
	((char *)ask)[len < sizeof(*ask) ? len : sizeof(*ask) - 1] = '\0';
	if (ask->what == PTAH_BROKER_DIAL)
		dial(agent, ask);
	else if (ask->what == PTAH_BROKER_CANCEL)
		cancel(agent, ask->id);
}

static void
on_ask(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_agent *agent = arg;

	(void)what;
	for (int i = 0; i < TAKE_MOST; i++) {
		struct ptah_broker_ask ask;
		unsigned none = 0;
		ssize_t len = ptah_pass_receive(fd, &ask, sizeof(ask), NULL, &none);

		if (len == -EAGAIN)
			return;
		if (len <= 0) {
			event_del(agent->on_ask); /* whoever watches that process will end us */
			return;
		}
		hear(agent, &ask, (size_t)len);
	}
}

/* ---- birth and death -------------------------------------------------------------- */

struct ptah_agent *
ptah_agent_new(const struct ptah_agent_how *how, int fd)
{
	struct ptah_agent *agent = ptah_deadline_reserve(how->loop, JOB_MS) == 0 ? calloc(1, sizeof(*agent)) : NULL;

	if (agent == NULL) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	agent->how = *how;
	agent->fd = fd;
	agent->on_ask = event_new(how->loop->base, fd, EV_READ | EV_PERSIST, on_ask, agent);
	agent->on_room = event_new(how->loop->base, fd, EV_WRITE, on_room, agent);
	if (agent->on_ask != NULL && agent->on_room != NULL && event_add(agent->on_ask, NULL) == 0)
		return agent;
	ptah_agent_free(agent);
	errno = ENOMEM;
	return NULL;
}

void
ptah_agent_free(struct ptah_agent *agent)
{
	if (agent == NULL)
		return;
	while (agent->jobs != NULL)
		job_free(agent->jobs);
	if (agent->on_ask != NULL)
		event_free(agent->on_ask);
	if (agent->on_room != NULL)
		event_free(agent->on_room);
	close(agent->fd);
	free(agent);
}
