/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/broker.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "loop/worker.h"
#include "wire/brokerwords.h"
#include "wire/pass.h"

/* Answers taken in one turn of the loop. */
#define TAKE_MOST 32

struct channel {
	int fd;
	uint64_t last_id;
	struct ptah_broker_call *calls;   /* the newest first */
	unsigned n_unsent;                /* of the calls; they wait for room */
	bool lost;                        /* nobody answers any more */
	struct event *on_answer, *on_room; /* NULL: nothing was asked yet */
	const struct ptah_broker_answer *answer; /* while a call hears of it */
};

struct ptah_broker {
	unsigned n;
	struct channel channels[PTAH_WORKERS_MAX];
};

struct ptah_broker_call {
	struct ptah_broker_call *next, **back;
	struct channel *channel;
	uint64_t id;
	bool sent;
	char dest[PTAH_DEST_TEXT];
	ptah_dialed_fn *fn;
	void *arg;
};

struct ptah_broker *
ptah_broker_new(const int *fds, unsigned n)
{
	struct ptah_broker *broker = n <= PTAH_WORKERS_MAX ? calloc(1, sizeof(*broker)) : NULL;

	if (broker == NULL) {
		for (unsigned i = 0; i < n; i++)
			close(fds[i]);
		errno = ENOMEM;
		return NULL;
	}
	broker->n = n;
	for (unsigned i = 0; i < n; i++)
		broker->channels[i].fd = fds[i];
	return broker;
}

static void
call_free(struct ptah_broker_call *call)
{
	*call->back = call->next;
	if (call->next != NULL)
		call->next->back = call->back;
	if (!call->sent)
		call->channel->n_unsent--;
	free(call);
}

void
ptah_broker_free(struct ptah_broker *broker)
{
	if (broker == NULL)
		return;
	for (unsigned i = 0; i < broker->n; i++) {
		struct channel *channel = &broker->channels[i];

		while (channel->calls != NULL)
			call_free(channel->calls);
		if (channel->on_answer != NULL)
			event_free(channel->on_answer);
		if (channel->on_room != NULL)
			event_free(channel->on_room);
		close(channel->fd);
	}
	free(broker);
}

/* ---- answers ------------------------------------------------------------------- */

static struct ptah_broker_call *
find(const struct channel *channel, uint64_t id)
{
	struct ptah_broker_call *call = channel->calls;

	while (call != NULL && call->id != id)
		call = call->next;
	return call;
}

/* Takes: fd (-1: none). */
static void
hear(struct channel *channel, struct ptah_broker_answer *answer, int fd)
{
	struct ptah_broker_call *call = find(channel, answer->id);
	ptah_dialed_fn *fn;
	void *arg;

	if (call == NULL) { /* it was cancelled meanwhile */
		if (fd != -1)
			close(fd);
		return;
	}
	fn = call->fn;
	arg = call->arg;
	call_free(call);
	answer->reason[sizeof(answer->reason) - 1] = '\0';
	channel->answer = answer;
	fn(fd, fd != -1 ? 0 : answer->rc < 0 ? answer->rc : -ECONNABORTED,
	    answer->reason[0] != '\0' ? answer->reason : NULL, arg);
	channel->answer = NULL;
}

/* Nobody answers any more; this process is about to be told to end. */
static void
lose(struct channel *channel)
{
	channel->lost = true; /* or one that asks again as soon as it has failed would be asked for ever */
	event_del(channel->on_answer);
	event_del(channel->on_room);
	while (channel->calls != NULL) {
		struct ptah_broker_answer answer = { .id = channel->calls->id, .rc = -ECONNABORTED };

		hear(channel, &answer, -1);
	}
}

static void
on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct channel *channel = arg;

	(void)what;
	for (int i = 0; i < TAKE_MOST; i++) {
		struct ptah_broker_answer answer;
		int passed = -1;
		unsigned n = 1;
		ssize_t len = ptah_pass_receive(fd, &answer, sizeof(answer), &passed, &n);

		if (len == -EAGAIN)
			return;
		if (len <= 0) {
			lose(channel);
			return;
		}
		if (len == (ssize_t)sizeof(answer))
			hear(channel, &answer, passed);
		explicit_bzero(&answer, sizeof(answer));
	}
}

int
ptah_broker_secret(const struct ptah_broker *broker, const struct ptah_worker *worker, void *out, size_t len)
{
	const struct ptah_broker_answer *answer = broker->channels[worker->index].answer;

	if (answer == NULL || answer->secret_rc < 0)
		return answer == NULL ? -ENOENT : answer->secret_rc;
	if (len != sizeof(answer->secret))
		return -EMSGSIZE;
	memcpy(out, answer->secret, len);
	return 0;
}

/* ---- questions ------------------------------------------------------------------- */

static int
ask(const struct channel *channel, uint32_t what, uint64_t id, const char *dest)
{
	struct ptah_broker_ask ask = { .id = id, .what = what };
	size_t len = strlen(dest);

	memcpy(ask.dest, dest, len + 1);
	return ptah_pass_send(channel->fd, &ask, offsetof(struct ptah_broker_ask, dest) + len + 1, NULL, 0);
}

/* 0 also when it has to wait for room. */
static int
send_call(struct ptah_broker_call *call)
{
	struct channel *channel = call->channel;
	int rc = ask(channel, PTAH_BROKER_DIAL, call->id, call->dest);

	if (rc == 0) {
		call->sent = true;
		channel->n_unsent--;
	}
	return rc == -EAGAIN && event_add(channel->on_room, NULL) == 0 ? 0 : rc;
}

/* There is room again: the eldest first. */
static void
on_room(evutil_socket_t fd, short what, void *arg)
{
	struct channel *channel = arg;
	struct ptah_broker_call *eldest;

	(void)fd;
	(void)what;
	while (channel->n_unsent > 0) {
		eldest = NULL;
		for (struct ptah_broker_call *call = channel->calls; call != NULL; call = call->next)
			if (!call->sent)
				eldest = call;
		if (eldest == NULL || send_call(eldest) < 0 || !eldest->sent)
			return;
	}
}

static int
watch(struct channel *channel, struct ptah_worker *worker)
{
	if (channel->on_answer != NULL)
		return 0;
	channel->on_room = event_new(worker->base, channel->fd, EV_WRITE, on_room, channel);
	channel->on_answer = event_new(worker->base, channel->fd, EV_READ | EV_PERSIST, on_answer, channel);
	if (channel->on_room != NULL && channel->on_answer != NULL && event_add(channel->on_answer, NULL) == 0)
		return 0;
	if (channel->on_room != NULL)
		event_free(channel->on_room);
	if (channel->on_answer != NULL)
		event_free(channel->on_answer);
	channel->on_room = channel->on_answer = NULL;
	return -ENOMEM;
}

int
ptah_broker_dial(struct ptah_broker *broker, struct ptah_worker *worker, const struct ptah_dest *dest,
    ptah_dialed_fn *fn, void *arg, struct ptah_broker_call **out)
{
	struct channel *channel = &broker->channels[worker->index];
	struct ptah_broker_call *call;
	int rc = worker->index < broker->n ? watch(channel, worker) : -EINVAL;

	if (rc < 0)
		return rc;
	if (channel->lost)
		return -ECONNABORTED;
	call = calloc(1, sizeof(*call));
	if (call == NULL)
		return -ENOMEM;
	*call = (struct ptah_broker_call){ .channel = channel, .id = ++channel->last_id, .fn = fn, .arg = arg };
	ptah_dest_format(dest, call->dest);
	call->next = channel->calls;
	call->back = &channel->calls;
	if (call->next != NULL)
		call->next->back = &call->next;
	channel->calls = call;
	channel->n_unsent++;
	/* Behind those that wait. */
	rc = channel->n_unsent > 1 ? 0 : send_call(call);
	if (rc < 0) {
		call_free(call);
		return rc;
	}
	*out = call;
	return 0;
}

void
ptah_broker_cancel(struct ptah_broker_call *call)
{
	if (call == NULL)
		return;
	/* If there is no room for it, its answer will find nobody. */
	if (call->sent)
		(void)ask(call->channel, PTAH_BROKER_CANCEL, call->id, "");
	call_free(call);
}
