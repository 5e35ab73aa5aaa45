/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows: the module on the real relay.  A worker runs its links, client and
 * server of each; this thread is the application and the target.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "check/copier.h"
#include "check/pair.h"
#include "check/rows.h"
#include "check/talk.h"
#include "check/trial.h"
#include "loop/worker.h"
#include "relay/link.h"
#include "relay/through.h"
#include "transport/registry.h"
#include "wire/listen.h"

#define LINKS PTAH_TALKS
/* Nothing takes so long that is not stuck. */
#define PATIENCE_MS 30000u
#define STOP_MS 8000u

struct errand {
	struct errand *next;
	void (*fn)(void *arg);
	void *arg;
};

struct real {
	const struct ptah_subject *subject;
	struct ptah_registry *registry;
	struct ptah_worker *worker;
	struct ptah_hands hands;
	struct ptah_instance *instance[2];
	char server[PTAH_ADDR_TEXT];
	char folder[2][300];
	int listener; /* of a codec; -1 */
	pthread_mutex_t lock; /* of what both threads touch: */
	struct errand *errands;
	int far[LINKS];       /* plain ends of servers that nobody has fetched */
	unsigned n_far;
	char why[PTAH_CHECK_WHY];
	atomic_int ready[2], stopped, listening, links;
};

/* ---- between the threads ------------------------------------------------------- */

static int
on_main(void *hands_arg, void (*fn)(void *arg), void *arg)
{
	struct real *real = hands_arg;
	struct errand *errand = malloc(sizeof(*errand)), **at;

	if (errand == NULL)
		return -ENOMEM;
	*errand = (struct errand){ NULL, fn, arg };
	pthread_mutex_lock(&real->lock);
	for (at = &real->errands; *at != NULL; at = &(*at)->next)
		;
	*at = errand;
	pthread_mutex_unlock(&real->lock);
	return 0;
}

static void
run_errands(struct real *real)
{
	for (;;) {
		struct errand *errand;

		pthread_mutex_lock(&real->lock);
		errand = real->errands;
		if (errand != NULL)
			real->errands = errand->next;
		pthread_mutex_unlock(&real->lock);
		if (errand == NULL)
			return;
		errand->fn(errand->arg);
		free(errand);
	}
}

/* Is it not 0 any more, in time? */
static bool
wait_for(struct real *real, atomic_int *what)
{
	uint64_t until = ptah_clock_now_ns() + PATIENCE_MS * PTAH_NS_PER_MS;

	while (atomic_load(what) == 0) {
		run_errands(real);
		if (ptah_clock_now_ns() > until)
			return false;
		(void)poll(NULL, 0, 1);
	}
	return true;
}

static void
note_why(struct real *real, const char *reason, int rc)
{
	pthread_mutex_lock(&real->lock);
	if (real->why[0] == '\0')
		snprintf(real->why, sizeof(real->why), "%s", reason != NULL ? reason : strerror(-rc));
	pthread_mutex_unlock(&real->lock);
}

/* The first line of the log that is about something bad is the reason; what comes behind it follows from it. */
static void
on_log(int level, const char *area, const char *text, size_t len, void *arg)
{
	struct real *real = arg;

	/* Why a link has failed is for the debug log alone. */
	if (level > PTAH_LOG_WARN && strcmp(area, AREA_LINK) != 0)
		return;
	pthread_mutex_lock(&real->lock);
	if (real->why[0] == '\0')
		snprintf(real->why, sizeof(real->why), "%.*s", (int)len, text);
	pthread_mutex_unlock(&real->lock);
}

/* ---- instances -------------------------------------------------------------------- */

static void
on_ready(struct ptah_instance *instance, int rc, const char *reason, void *arg)
{
	struct real *real = arg;

	if (rc < 0)
		note_why(real, reason, rc);
	atomic_store(&real->ready[instance->role == PTAH_CLIENT ? PTAH_AT_CLIENT : PTAH_AT_SERVER], rc < 0 ? rc : 1);
}

static void
on_plain(int plain_fd, const char *peer, const char *dest, void *arg)
{
	struct real *real = arg;

	(void)peer;
	(void)dest;
	if (plain_fd == -1)
		return;
	pthread_mutex_lock(&real->lock);
	if (real->n_far < LINKS)
		real->far[real->n_far++] = plain_fd;
	else
		close(plain_fd);
	pthread_mutex_unlock(&real->lock);
}

static void
on_arrive(struct ptah_instance *instance, struct ptah_worker *worker, const struct ptah_arrival *arrival)
{
	struct real *real = instance->arg;

	(void)ptah_through_links.accept(worker, instance, arrival->fd, arrival->peer != NULL ? arrival->peer : "", arrival,
	    on_plain, real);
}

static void
on_listening(int rc, const char *bound, void *arg)
{
	struct real *real = arg;

	if (rc < 0)
		note_why(real, NULL, rc);
	else
		snprintf(real->server, sizeof(real->server), "%s", bound);
	atomic_store(&real->listening, rc < 0 ? rc : 1);
}

/* The options of a role, with the copier above or below. */
static struct ptah_json *
options_of(const struct ptah_subject *subject, int who, int place)
{
	struct ptah_json *own = subject->options[who] != NULL ? ptah_json_copy(subject->options[who]) :
	    ptah_json_new(PTAH_JSON_OBJECT), *whole;

	if (place <= 0 || own == NULL)
		return own;
	whole = ptah_json_new(PTAH_JSON_OBJECT);
	if (whole == NULL || ptah_json_set(own, "module", ptah_json_new_text(PTAH_JSON_STRING, subject->module->name)) < 0 ||
	    ptah_json_set(whole, "over", own) < 0)
		ptah_trial_na("no memory");
	return whole;
}

static void
open_instance(struct real *real, int who, int place)
{
	char name[300], why[PTAH_WHY_TEXT] = "";
	struct ptah_json *options = options_of(real->subject, who, place);
	struct ptah_instance_wish wish = {
		.name = name, .role = ptah_subject_role(who), .options = options, .state_folder = real->folder[who],
		.bind = who == PTAH_AT_SERVER ? "127.0.0.1:0" : NULL, .workers = &real->worker, .n_workers = 1,
		.on_arrive = on_arrive,
	};

	snprintf(name, sizeof(name), "%s%s", place > 0 ? ptah_copier.name : real->subject->module->name,
	    place < 0 ? "+copier" : "");
	ptah_trial_step("opening the %s", who == PTAH_AT_CLIENT ? "client" : "server");
	real->instance[who] = ptah_instance_open(real->registry, &wish, on_ready, real, why, sizeof(why));
	ptah_json_free(options);
	if (real->instance[who] == NULL)
		ptah_trial_fail("%s", why);
	if (!wait_for(real, &real->ready[who]))
		ptah_trial_fail("it is not ready after %u s", PATIENCE_MS / 1000);
	if (atomic_load(&real->ready[who]) < 0)
		ptah_trial_fail("it is not ready: %s", real->why);
}

static void
listen_codec(struct real *real)
{
	struct ptah_addr any, bound;

	if (ptah_addr_parse(&any, "127.0.0.1:0") < 0 || ptah_listen_open(&any, &real->listener, 1, &bound) < 0)
		ptah_trial_na("no port to listen on");
	ptah_addr_format(&bound, real->server);
}

static void
listen_carrier(struct real *real)
{
	struct ptah_instance *bottom = ptah_instance_bottom(real->instance[PTAH_AT_SERVER]);

	if (ptah_instance_listen(bottom, "127.0.0.1:0", on_listening, real) < 0 || !wait_for(real, &real->listening))
		ptah_trial_fail("it does not listen");
	if (atomic_load(&real->listening) < 0)
		ptah_trial_fail("it cannot listen: %s", real->why);
	/* A program of its own may be who listens. */
	if (bottom->advertise != NULL)
		snprintf(real->server, sizeof(real->server), "%s", bottom->advertise);
}

/* ---- links --------------------------------------------------------------------------- */

struct call {
	struct real *real;
	int fd;
};

static void
on_dialed(int rc, void *arg)
{
	struct real *real = arg;

	if (rc < 0)
		note_why(real, NULL, rc);
}

static void
begin_client(struct ptah_worker *worker, void *arg)
{
	struct call *call = arg;
	struct real *real = call->real;

	if (ptah_through_links.dial(worker, real->instance[PTAH_AT_CLIENT], call->fd, real->server, NULL, on_dialed, real) == NULL)
		note_why(real, NULL, -errno);
	free(call);
}

static void
begin_server(struct ptah_worker *worker, void *arg)
{
	struct call *call = arg;

	(void)ptah_through_links.accept(worker, call->real->instance[PTAH_AT_SERVER], call->fd, "127.0.0.1:1234", NULL, on_plain,
	    call->real);
	free(call);
}

static void
post_call(struct real *real, ptah_worker_fn *fn, int fd)
{
	struct call *call = malloc(sizeof(*call));

	if (call == NULL)
		ptah_trial_na("no memory");
	*call = (struct call){ real, fd };
	if (ptah_worker_post(real->worker, fn, call) < 0)
		ptah_trial_na("no memory");
}

static void
accept_all(struct real *real)
{
	int fd;

	while (real->listener != -1 &&
	    (fd = accept4(real->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1)
		post_call(real, begin_server, fd);
}

static void
fetch_far(struct real *real, struct ptah_talks *talks)
{
	pthread_mutex_lock(&real->lock);
	while (real->n_far > 0)
		ptah_talks_add_far(talks, real->far[--real->n_far]);
	pthread_mutex_unlock(&real->lock);
}

static void
carry(struct real *real)
{
	struct ptah_talks *talks = ptah_talks_new(real->why);
	uint64_t until = ptah_clock_now_ns() + PATIENCE_MS * PTAH_NS_PER_MS;

	for (unsigned i = 0; i < LINKS; i++) {
		int fds[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == -1)
			ptah_trial_na("no sockets");
		ptah_talks_add_near(talks, fds[0]);
		post_call(real, begin_client, fds[1]);
	}
	ptah_trial_step("%u links at once", LINKS);
	while (!ptah_talks_are_over(talks)) {
		run_errands(real);
		accept_all(real);
		fetch_far(real, talks);
		ptah_talks_turn(talks, real->listener, 5);
		if (ptah_clock_now_ns() > until)
			ptah_talks_say_where(talks);
	}
	ptah_talks_free(talks);
}

/* ---- the end --------------------------------------------------------------------------- */

static void
count_links(struct ptah_worker *worker, void *arg)
{
	struct real *real = arg;

	atomic_store(&real->links, 1 + (int)ptah_links_count(worker));
}

static void
on_stopped(void *arg)
{
	struct real *real = arg;

	atomic_store(&real->stopped, 1);
}

static void
wait_for_links(struct real *real)
{
	uint64_t until = ptah_clock_now_ns() + PATIENCE_MS * PTAH_NS_PER_MS;

	ptah_trial_step("after both plain ends of all links were closed");
	do {
		atomic_store(&real->links, 0);
		if (ptah_worker_post(real->worker, count_links, real) < 0 || !wait_for(real, &real->links))
			ptah_trial_fail("a hook of it hangs");
		if (ptah_clock_now_ns() > until)
			ptah_trial_fail("%d links live on", atomic_load(&real->links) - 1);
	} while (atomic_load(&real->links) > 1);
}

static void
end_all(struct ptah_worker *worker, void *arg)
{
	(void)arg;
	ptah_links_end_all(worker, -ECANCELED);
}

static void
stop(struct real *real)
{
	for (int who = 0; who < 2; who++) {
		ptah_trial_step("stopping the %s", who == PTAH_AT_CLIENT ? "client" : "server");
		atomic_store(&real->stopped, 0);
		ptah_instance_stop(real->instance[who], ptah_clock_now_ns() + STOP_MS * PTAH_NS_PER_MS, on_stopped, real);
		if (!wait_for(real, &real->stopped))
			ptah_trial_fail("its home does not end");
	}
	(void)ptah_worker_post(real->worker, end_all, NULL);
	run_errands(real);
	if (ptah_worker_stop(real->worker, STOP_MS) < 0)
		ptah_trial_fail("a hook of it hangs");
}

static void
prepare(struct real *real, const struct ptah_subject *subject)
{
	const char *path = subject->wish->path, *slash = strrchr(path, '/');
	char folder[4096], why[PTAH_WHY_TEXT];

	memset(real, 0, sizeof(*real));
	real->subject = subject;
	real->listener = -1;
	pthread_mutex_init(&real->lock, NULL);
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	for (int who = 0; who < 2; who++) {
		snprintf(real->folder[who], sizeof(real->folder[who]), "%s/%s-%ld", subject->wish->folder,
		    who == PTAH_AT_CLIENT ? "client" : "server", (long)getpid());
		if (mkdir(real->folder[who], 0700) == -1)
			ptah_trial_na("no folder for its state: %s", strerror(errno));
	}
	(void)ptah_log_add(PTAH_LOG_DEBUG, on_log, real);
	real->registry = ptah_registry_new(folder, NULL);
	real->worker = ptah_worker_new(0);
	if (real->registry == NULL || real->worker == NULL ||
	    ptah_registry_link(real->registry, &ptah_copier, why, sizeof(why)) < 0 || ptah_worker_start(real->worker) < 0)
		ptah_trial_na("no memory for a worker");
	real->hands = (struct ptah_hands){ .through = &ptah_through_links, .on_main = on_main, .arg = real };
	ptah_registry_set_hands(real->registry, &real->hands);
}

/* 'place' of the copier: -1 below the module, 1 above it, 0 nowhere. */
static void
run_real(const struct ptah_subject *subject, int place)
{
	const uint32_t can = subject->module->abilities;
	struct real real;

	if ((can & PTAH_CAN_STREAM) == 0)
		ptah_trial_na("it carries messages only");
	if (place < 0 && (can & PTAH_IS_CARRIER) != 0)
		ptah_trial_na("it is a carrier: it makes its own streams, and stands on nothing");
	prepare(&real, subject);
	open_instance(&real, PTAH_AT_SERVER, place);
	if ((can & PTAH_IS_CARRIER) != 0)
		listen_carrier(&real);
	else
		listen_codec(&real);
	open_instance(&real, PTAH_AT_CLIENT, place);
	carry(&real);
	wait_for_links(&real);
	stop(&real);
	ptah_trial_pass("%u links: half of them whole, a quarter half-closed, a quarter broken off", LINKS);
}

void
ptah_row_relay(const struct ptah_subject *subject)
{
	run_real(subject, 0);
}

void
ptah_row_above(const struct ptah_subject *subject)
{
	run_real(subject, -1);
}

void
ptah_row_below(const struct ptah_subject *subject)
{
	run_real(subject, 1);
}
