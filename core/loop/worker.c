/* SPDX-License-Identifier: BSD-3-Clause */
#include "loop/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "loop/alarm.h"
#include "loop/dns.h"

/* A thread of ours calls no deep recursion; the default of 8 MiB is address
 * space that sanitizers and core dumps would have to walk. */
#define STACK_LEN ((size_t)1024 * 1024)
#define STALL_MS 60000
/* Callbacks of one turn: who asks for his own without end keeps time and sockets waiting for no more than these. */
#define CALLBACKS_MOST 1024

struct ptah_mailbox {
	pthread_mutex_t lock;
	struct ptah_letter *first, **last;
	struct ptah_letter stop;
	bool closed;
	int bell; /* eventfd */
	struct event *on_bell;
	pthread_t thread;
	bool started, stopping, joined;
};

static void
open_letters(struct ptah_worker *worker)
{
	struct ptah_mailbox *box = worker->mailbox;

	pthread_mutex_lock(&box->lock);
	struct ptah_letter *letter = box->first;
	box->first = NULL;
	box->last = &box->first;
	pthread_mutex_unlock(&box->lock);

	while (letter != NULL) {
		const struct ptah_letter open = *letter; /* 'fn' may free it, or send it again */

		if (open.on_heap)
			free(letter);
		open.fn(worker, open.arg);
		letter = open.next;
	}
}

static void
on_bell(evutil_socket_t fd, short what, void *arg)
{
	uint64_t rings;

	(void)what;
	while (read(fd, &rings, sizeof(rings)) == -1 && errno == EINTR)
		continue;
	open_letters(arg);
}

static struct event_base *
base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0 &&
	    event_config_set_max_dispatch_interval(config, NULL, CALLBACKS_MOST, 0) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

struct ptah_worker *
ptah_worker_new(unsigned index)
{
	struct ptah_worker *worker = calloc(1, sizeof(*worker));
	struct ptah_mailbox *box = calloc(1, sizeof(*box));

	if (worker == NULL || box == NULL) {
		free(worker);
		free(box);
		errno = ENOMEM;
		return NULL;
	}
	worker->index = index;
	worker->stall_ms = STALL_MS;
	worker->mailbox = box;
	pthread_mutex_init(&box->lock, NULL);
	box->last = &box->first;
	box->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int rc = box->bell == -1 ? errno : ENOMEM;
	worker->stats = calloc(1, PTAH_WORKER_STATS_LEN);
	worker->base = base_new();
	if (box->bell == -1 || worker->stats == NULL || worker->base == NULL)
		goto fail;
	rc = -ptah_deadlines_new(worker);
	if (rc != 0)
		goto fail;
	rc = ENOMEM;
	if (ptah_deadline_reserve(worker, STALL_MS) != 0)
		goto fail;
	box->on_bell = event_new(worker->base, box->bell, EV_READ | EV_PERSIST, on_bell, worker);
	if (box->on_bell == NULL || event_add(box->on_bell, NULL) == -1)
		goto fail;
	return worker;

fail:
	ptah_worker_free(worker);
	errno = rc;
	return NULL;
}

int
ptah_worker_run(struct ptah_worker *worker)
{
	return event_base_loop(worker->base, EVLOOP_NO_EXIT_ON_EMPTY) == -1 ? -EIO : 0;
}

void
ptah_worker_break(struct ptah_worker *worker)
{
	event_base_loopbreak(worker->base); /* the other way asks for memory */
}

static void *
thread_main(void *arg)
{
	struct ptah_worker *worker = arg;

	pthread_setname_np(pthread_self(), "ptah-worker");
	int rc = ptah_worker_run(worker);
	if (rc != 0)
		ptah_error_rc(AREA_LOOP, rc, "worker %u: the event loop ended", worker->index);
	return NULL;
}

int
ptah_worker_start(struct ptah_worker *worker)
{
	pthread_attr_t attr;
	sigset_t all, old;

	if (pthread_attr_init(&attr) != 0)
		return -ENOMEM;
	pthread_attr_setstacksize(&attr, STACK_LEN);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&worker->mailbox->thread, &attr, thread_main, worker);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	worker->mailbox->started = rc == 0;
	return -rc;
}

void
ptah_worker_turn_here(struct ptah_worker *worker)
{
	if (!worker->mailbox->started)
		(void)event_base_loop(worker->base, EVLOOP_NONBLOCK);
}

static int
put(struct ptah_worker *worker, struct ptah_letter *letter)
{
	struct ptah_mailbox *box = worker->mailbox;
	uint64_t one = 1;
	int rc = 0;

	pthread_mutex_lock(&box->lock);
	bool was_empty = box->first == NULL;
	if (box->closed) {
		rc = -ESHUTDOWN;
	} else {
		*box->last = letter;
		box->last = &letter->next;
	}
	pthread_mutex_unlock(&box->lock);
	if (rc == 0 && was_empty)
		while (write(box->bell, &one, sizeof(one)) == -1 && errno == EINTR)
			continue;
	return rc;
}

int
ptah_worker_post(struct ptah_worker *worker, ptah_worker_fn *fn, void *arg)
{
	struct ptah_letter *letter = malloc(sizeof(*letter));
	int rc;

	if (letter == NULL)
		return -ENOMEM;
	*letter = (struct ptah_letter){ .fn = fn, .arg = arg, .on_heap = true };
	rc = put(worker, letter);
	if (rc != 0)
		free(letter);
	return rc;
}

int
ptah_worker_send(struct ptah_worker *worker, struct ptah_letter *letter, ptah_worker_fn *fn, void *arg)
{
	*letter = (struct ptah_letter){ .fn = fn, .arg = arg };
	return put(worker, letter);
}

static void
on_stop(struct ptah_worker *worker, void *arg)
{
	(void)arg;
	ptah_worker_break(worker);
}

int
ptah_worker_stop(struct ptah_worker *worker, unsigned limit_ms)
{
	struct ptah_mailbox *box = worker->mailbox;
	struct timespec until;

	if (!box->started || box->joined)
		return 0;
	if (!box->stopping)
		(void)ptah_worker_send(worker, &box->stop, on_stop, NULL);
	box->stopping = true; /* the letter may still lie there when we are asked again */
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += limit_ms / 1000;
	until.tv_nsec += (long)(limit_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	int rc = pthread_timedjoin_np(box->thread, NULL, &until);
	box->joined = rc == 0;
	return -rc;
}

void
ptah_worker_free(struct ptah_worker *worker)
{
	if (worker == NULL)
		return;

	struct ptah_mailbox *box = worker->mailbox;

	pthread_mutex_lock(&box->lock);
	box->closed = true;
	pthread_mutex_unlock(&box->lock);
	if (worker->base != NULL)
		open_letters(worker); /* they may hold what must be freed */
	ptah_dns_free(worker);
	ptah_deadline_clear(&worker->trim);
	ptah_deadlines_free(worker);
	ptah_alarms_free(worker);
	if (box->on_bell != NULL)
		event_free(box->on_bell);
	if (box->bell != -1)
		close(box->bell);
	pthread_mutex_destroy(&box->lock);
	free(box);
	if (worker->base != NULL)
		event_base_free(worker->base);
	for (size_t i = 0; i <= PTAH_LAYERS_MAX; i++)
		free(worker->scratch[i]);
	free(worker->scratch_in);
	free(worker->stats);
	free(worker);
}

uint8_t *
ptah_worker_scratch(struct ptah_worker *worker, unsigned i)
{
	if (worker->scratch[i] == NULL)
		worker->scratch[i] = malloc(PTAH_SCRATCH_OUT_LEN);
	return worker->scratch[i];
}

uint8_t *
ptah_worker_scratch_in(struct ptah_worker *worker)
{
	if (worker->scratch_in == NULL)
		worker->scratch_in = malloc(2 * PTAH_SCRATCH_LEN);
	return worker->scratch_in;
}
