/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/inside.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "config/carry.h"
#include "config/source.h"
#include "host/cellwords.h"
#include "host/confine.h"
#include "host/crew.h"
#include "host/dispatcher.h"
#include "host/muster.h"
#include "host/process.h"
#include "loop/worker.h"
#include "proc/jail.h"
#include "stats/stats.h"
#include "transport/instance.h"
#include "transport/registry.h"
#include "transport/state.h"
#include "wire/broker.h"
#include "wire/pass.h"
#include "wire/place.h"

/* A plan with its options, at most. */
#define PLAN_MAX ((off_t)4 * 1024 * 1024)
/* The parent knows how long it waits for our end, and kills. */
#define END_MOST_S 3600
/* Longest name of an inherited socket, with its NUL. */
#define NAME_TEXT 256
/* How long the parent may let a word wait that must arrive. */
#define ROOM_MS 1000

struct inside {
	bool held; /* it takes nothing before it is released */
	int fd; /* the way to the parent */
	struct ptah_plan *plan;
	struct beginning {
		char text[PTAH_ADDR_TEXT > NAME_TEXT ? PTAH_ADDR_TEXT : NAME_TEXT]; /* address, or name */
		int fds[PTAH_WORKERS_MAX];
	} beginnings[1 + PTAH_ALSO_MAX]; /* of places */
	struct ptah_place *places[1 + PTAH_ALSO_MAX];
	unsigned n_beginnings, n_places;
	struct ptah_broker *broker;
	struct ptah_writer *writer;
	struct ptah_worker *loop;
	struct ptah_crew *crew;
	struct ptah_dispatcher *dispatcher;
	struct event *on_word;
	struct ptah_letter *rounds; /* a ping, by worker */
	atomic_uint n_round;        /* workers that it has yet to come by */
	atomic_bool starved;        /* one of them found nothing left */
	struct ptah_often hungry;
	struct ptah_letter round_over;
	struct showing {
		struct ptah_muster *muster; /* under way, or NULL */
		uint32_t number;            /* of the list that the parent wants now */
		struct ptah_mustered *links;
		size_t n, at;               /* of them, and how far they are told */
		uint64_t more;
	} showing;
	bool serves, on_round, ending;
};

/* ---- to the parent ------------------------------------------------------------------ */

/* Any thread.  What there is no room for is lost: only the log can be that much. */
static void
say_bytes(const struct inside *in, uint32_t what, uint64_t value, const void *bytes, size_t len)
{
	struct ptah_cell_word word = { .what = what, .value = value };

	if (len > sizeof(word.text))
		len = sizeof(word.text);
	memcpy(word.text, bytes, len);
	(void)ptah_pass_send(in->fd, &word, PTAH_CELL_HEAD + len, NULL, 0);
}

/* The main thread: what must arrive waits for a parent that is busy, for a while. */
static void
say(const struct inside *in, uint32_t what, const char *text)
{
	struct pollfd room = { .fd = in->fd, .events = POLLOUT };

	(void)poll(&room, 1, ROOM_MS);
	say_bytes(in, what, 0, text, strlen(text));
}

static void
on_log(int level, const char *area, const char *text, size_t len, void *arg)
{
	char both[1024];
	int n = snprintf(both, sizeof(both), "%s%c%.*s", area, '\0', (int)len, text);

	if (n > 0)
		say_bytes(arg, PTAH_CELL_LOG, (uint64_t)level, both, (size_t)n < sizeof(both) ? (size_t)n : sizeof(both) - 1);
}

static _Noreturn void
leave(const struct inside *in, const char *why)
{
	say(in, PTAH_CELL_FAILED, why);
	_exit(EX_SOFTWARE);
}

/* ---- what the dispatcher says ----------------------------------------------------------- */

static int
on_method(const char *name, const struct ptah_addr *bound, const char *address, const struct ptah_kv *args, void *arg)
{
	struct ptah_json *object = ptah_json_new(PTAH_JSON_OBJECT), *kv = ptah_json_from_kv(args, NULL);
	struct ptah_buf text = { 0 };
	struct inside *in = arg;
	int rc;

	in->serves = true;
	(void)name;
	(void)bound;
	rc = ptah_json_set(object, "args", kv);
	if (rc == 0)
		rc = ptah_json_set(object, "address", ptah_json_new_text(PTAH_JSON_STRING, address));
	if (rc == 0)
		rc = ptah_json_print(object, &text);
	if (rc == 0)
		say(in, PTAH_CELL_LISTENS, (const char *)text.at);
	ptah_json_free(object);
	ptah_buf_wipe(&text);
	return rc;
}

static void
on_method_error(const char *name, const char *text, void *arg)
{
	struct inside *in = arg;
	char both[1400];

	(void)name;
	snprintf(both, sizeof(both), "%.1200s%s", text, !strstr(text, ": Permission denied") ? "" :
	    "; an isolated service can read the files of its \"files\", and no others");
	leave(in, both);
}

/* A transport that is not there gets no word of its own. */
static void
on_ready(void *arg)
{
	const struct inside *in = arg;

	if (!in->serves)
		leave(in, "there is no such transport; `ptah modules` lists what there is");
}

static void
on_drained(void *arg)
{
	say(arg, PTAH_CELL_DRAINED, "");
}

static void
on_ended(void *arg)
{
	struct inside *in = arg;

	/* What is to be on disk gets there; should something hang, the parent knows how long it waits. */
	ptah_dispatcher_free(in->dispatcher);
	(void)ptah_crew_stop(in->crew, ptah_clock_now_ns() + END_MOST_S * PTAH_NS_PER_S);
	say(in, PTAH_CELL_ENDED, "");
	_exit(EX_OK);
}

static const struct ptah_dispatcher_says says = {
	.on_method = on_method,
	.on_method_error = on_method_error,
	.on_ready = on_ready,
	.on_drained = on_drained,
	.on_ended = on_ended,
};

static void
on_status(const char *text, size_t len, void *arg)
{
	(void)arg;
	ptah_info(AREA_MODULE, "status: %.*s", (int)len, text);
}

/* ---- from the parent, once it serves ------------------------------------------------------ */

static void
on_round_over(struct ptah_worker *loop, void *arg)
{
	struct inside *in = arg;
	struct ptah_stats sum = { 0 };
	uint64_t figures[PTAH_STAT_N];

	(void)loop;
	in->on_round = false;
	/* One that can take nothing new is worth no more than one that hangs, and ends as that does. */
	if (atomic_exchange(&in->starved, false)) {
		ptah_warn_often(&in->hungry, AREA_HOST, "out of memory, or of descriptors: without some soon it will be ended");
		return;
	}
	ptah_crew_stats(in->crew, &sum);
	for (int i = 0; i < PTAH_STAT_N; i++)
		figures[i] = sum.at[i];
	say_bytes(in, PTAH_CELL_PONG, 0, figures, sizeof(figures));
}

static bool
is_starved(const struct inside *in)
{
	int fds[4]; /* less than a link needs is nothing */
	void *some = malloc(PTAH_SCRATCH_LEN);
	bool starved = !some;
	size_t n = 0;

	while (n < sizeof(fds) / sizeof(fds[0]) && (fds[n] = dup(in->fd)) != -1)
		n++;
	starved = starved || n < sizeof(fds) / sizeof(fds[0]);
	while (n > 0)
		close(fds[--n]);
	free(some);
	return starved;
}

/* On each worker: that it comes here is the answer. */
static void
come_by(struct ptah_worker *worker, void *arg)
{
	struct inside *in = arg;

	(void)worker;
	if (is_starved(in))
		atomic_store(&in->starved, true);
	if (atomic_fetch_sub(&in->n_round, 1) == 1)
		(void)ptah_worker_send(in->loop, &in->round_over, on_round_over, in);
}

static void
go_round(struct inside *in)
{
	if (in->on_round)
		return; /* the last one has not come back: nor does this one */
	in->on_round = true;
	atomic_store(&in->n_round, in->crew->n_workers);
	for (unsigned i = 0; i < in->crew->n_workers; i++)
		(void)ptah_worker_send(in->crew->workers[i], &in->rounds[i], come_by, in);
}

/* The next piece of the list, or word that there is none. */
static void
show_on(struct inside *in)
{
	struct showing *showing = &in->showing;
	struct pollfd room = { .fd = in->fd, .events = POLLOUT };
	size_t n = showing->n - showing->at, most = PTAH_CELL_TEXT / sizeof(*showing->links);

	if (n > most)
		n = most;
	(void)poll(&room, 1, ROOM_MS);
	say_bytes(in, PTAH_CELL_LINKS, PTAH_CELL_LINKS_VALUE(showing->number, showing->more), showing->links + showing->at,
	    n * sizeof(*showing->links));
	showing->at += n;
	if (n > 0)
		return;
	free(showing->links);
	showing->links = NULL;
}

static void
on_muster(const struct ptah_mustered *links, size_t n, uint64_t more, int rc, void *arg)
{
	struct inside *in = arg;
	struct showing *showing = &in->showing;

	showing->muster = NULL;
	showing->links = rc == 0 ? malloc((n + 1) * sizeof(*links)) : NULL;
	if (!showing->links)
		return; /* the parent does not wait for ever */
	memcpy(showing->links, links, n * sizeof(*links));
	showing->n = n;
	showing->more = more;
	show_on(in);
}

static void
show(struct inside *in, uint64_t value)
{
	struct showing *showing = &in->showing;
	const struct ptah_flock *flocks = ptah_dispatcher_flocks(in->dispatcher);

	ptah_muster_forget(showing->muster);
	free(showing->links);
	*showing = (struct showing){ .number = PTAH_CELL_NUMBER(value) };
	showing->muster = ptah_muster_call(in->crew, &flocks, 1, PTAH_CELL_LIST_MOST(value), PTAH_CELL_LIST_ADDRESSES(value),
	    on_muster, in);
}

static void
drain(struct inside *in, bool is_last)
{
	/* Who holds a place lets it go on without us. */
	while (is_last && in->n_places > 0)
		(void)ptah_place_drop(in->places[--in->n_places]);
	ptah_writer_mute(in->writer);
	ptah_dispatcher_drain(in->dispatcher);
}

static void
end(struct inside *in, uint64_t ms)
{
	if (in->ending)
		return;
	in->ending = true;
	event_del(in->on_word);
	ptah_dispatcher_end(in->dispatcher, ptah_clock_now_ns() + ms * PTAH_NS_PER_MS);
}

static void
release(struct inside *in)
{
	in->crew->held = false;
	ptah_dispatcher_release(in->dispatcher);
}

static void
on_word(evutil_socket_t fd, short what, void *arg)
{
	struct inside *in = arg;
	struct ptah_cell_word word;
	unsigned none = 0;
	ssize_t len = ptah_pass_receive(fd, &word, sizeof(word), NULL, &none);

	(void)what;
	if (len == -EAGAIN)
		return;
	if (len < (ssize_t)PTAH_CELL_HEAD)
		_exit(EX_OK); /* the parent has gone */
	if (word.what == PTAH_CELL_PING)
		go_round(in);
	else if (word.what == PTAH_CELL_LIST)
		show(in, word.value);
	else if (word.what == PTAH_CELL_GO_ON && in->showing.links && PTAH_CELL_NUMBER(word.value) == in->showing.number)
		show_on(in);
	else if (word.what == PTAH_CELL_RELEASE)
		release(in);
	else if (word.what == PTAH_CELL_DRAIN)
		drain(in, word.value != 0);
	else if (word.what == PTAH_CELL_END)
		end(in, word.value);
}

/* ---- birth ---------------------------------------------------------------------------------- */

/* The plan is in a file that only we and the parent ever had.  Takes: fd. */
static struct ptah_plan *
read_plan(int fd)
{
	struct ptah_plan *plan = NULL;
	struct stat st;
	char *text;

	if (fstat(fd, &st) == -1 || st.st_size <= 0 || st.st_size > PLAN_MAX) {
		close(fd);
		return NULL;
	}
	text = calloc(1, (size_t)st.st_size);
	if (text && pread(fd, text, (size_t)st.st_size, 0) == (ssize_t)st.st_size)
		plan = ptah_plan_carried(text, (size_t)st.st_size);
	if (text)
		explicit_bzero(text, (size_t)st.st_size);
	free(text);
	close(fd);
	return plan;
}

/* Takes: fds. */
static void
take_word(struct inside *in, const struct ptah_cell_word *word, const int *fds, unsigned n)
{
	int rc = 0;

	if (word->what == PTAH_CELL_PLAN && n == 1 && !in->plan) {
		in->plan = read_plan(fds[0]);
		if (!in->plan)
			leave(in, "its plan cannot be read");
		ptah_log_unsafe(in->plan->log_unsafe);
		rc = ptah_log_add((int)word->value, on_log, in);
	} else if (word->what == PTAH_CELL_CHANNELS && in->plan && n == in->plan->workers) {
		in->broker = ptah_broker_new(fds, n);
	} else if (word->what == PTAH_CELL_PLACE && in->plan && n == in->plan->workers &&
	    in->n_beginnings <= PTAH_ALSO_MAX) {
		struct beginning *beginning = &in->beginnings[in->n_beginnings++];

		rc = ptah_text_copy(beginning->text, sizeof(beginning->text), word->text);
		memcpy(beginning->fds, fds, n * sizeof(*fds));
	} else {
		rc = -EPROTO;
	}
	if (rc < 0)
		leave(in, strerror(-rc));
}

/* All that comes before GO. */
static void
hear_beginning(struct inside *in)
{
	for (;;) {
		struct ptah_cell_word word;
		int fds[PTAH_PASS_MOST];
		unsigned n = PTAH_PASS_MOST;
		ssize_t len = ptah_pass_receive(in->fd, &word, sizeof(word) - 1, fds, &n);

		if (len < (ssize_t)PTAH_CELL_HEAD)
			_exit(EX_OK);
		((char *)&word)[len] = '\0';
		in->held = word.what == PTAH_CELL_GO && word.value == 1;
		if (word.what == PTAH_CELL_GO)
			return;
		take_word(in, &word, fds, n);
	}
}

static void
lock_up(struct inside *in, char *envp[])
{
	char why[256] = "", text[400];
	int rc = ptah_confine_cell(in->plan, ptah_env_get(envp, "LD_LIBRARY_PATH"), why, sizeof(why));

	if (rc == 0)
		return;
	snprintf(text, sizeof(text), "it cannot be isolated: %s", why[0] ? why : strerror(-rc));
	leave(in, text);
}

/* Where the dispatcher will look for them. */
static int
set_place(struct inside *in, const struct beginning *beginning)
{
	struct ptah_addr addr;
	const struct ptah_place_want want = { .addr = &addr, .name = in->plan->label, .bounds = &in->plan->bounds };
	int rc;

	if (in->plan->activation) { /* they are all the same one */
		for (unsigned i = 1; i < in->crew->n_workers; i++)
			close(beginning->fds[i]);
		return ptah_places_adopt(in->crew->places, beginning->text, beginning->fds[0]);
	}
	rc = ptah_addr_parse(&addr, beginning->text);
	if (rc == 0)
		rc = ptah_places_preset(in->crew->places, &want, beginning->fds, &in->places[in->n_places]);
	if (rc == 0)
		in->n_places++;
	return rc;
}

static int
set_places(struct inside *in)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < in->n_beginnings; i++)
		rc = set_place(in, &in->beginnings[i]);
	return rc;
}

/* Such a module would fail at its first program, and say something else. */
static void
refuse_programs(const struct inside *in)
{
	const struct ptah_plan *plan = in->plan;
	char bind[PTAH_ADDR_TEXT], why[400];
	struct ptah_tried tried = { 0 };
	const struct ptah_instance_wish wish = {
		.name = plan->services[0].name, .role = (uint32_t)plan->role, .options = plan->services[0].options,
		.state_folder = plan->state_dir,
		.bind = plan->role == PTAH_ROLE_CLIENT ? NULL : ptah_addr_format(&plan->services[0].listen, bind),
		.has_proxy = plan->proxy.scheme != PTAH_PROXY_NONE, .alone = plan->mode != PTAH_MODE_SOCKS5,
	};

	/* What is wrong with it the dispatcher will say. */
	if (ptah_instance_try(in->crew->registry, &wish, &tried, why, sizeof(why)) == 0 && tried.spawns)
		leave(in, "it starts programs, which a service that is isolated may not do: leave \"isolate\" out");
}

/* Threads first, then the last lock, and only then a module. */
static int
start(struct inside *in)
{
	const struct ptah_crew_how how = {
		.n_workers = in->plan->workers, .peer_timeout_s = in->plan->peer_timeout_s,
		.module_path = in->plan->module_path, .module_dir = in->plan->module_dir,
		.replay_folder = in->plan->replay_state ? in->plan->state_dir : NULL,
		.descriptors = ptah_process_raise_descriptors(), .serves = in->plan->role == PTAH_ROLE_SERVER,
		.on_status = on_status, .arg = in, .broker = in->broker, .guarded = true,
	};
	int rc;

	in->crew = ptah_crew_start(&how, in->loop);
	if (!in->crew)
		return -errno;
	in->crew->held = in->held;
	in->writer = ptah_registry_writer(in->crew->registry);
	rc = in->writer ? ptah_writer_start(in->writer) : -ENOMEM;
	if (rc == 0)
		rc = set_places(in);
	if (rc == 0)
		rc = ptah_jail_close_cell();
	if (rc != 0)
		return rc;
	in->rounds = calloc(in->crew->n_workers, sizeof(*in->rounds));
	in->on_word = event_new(in->loop->base, in->fd, EV_READ | EV_PERSIST, on_word, in);
	if (!in->rounds || !in->on_word || event_add(in->on_word, NULL) == -1)
		return -ENOMEM;
	refuse_programs(in);
	in->dispatcher = ptah_dispatcher_start(in->crew, in->plan, &says, in);
	return in->dispatcher ? 0 : -errno;
}

bool
ptah_inside_is(int argc, char *const argv[])
{
	return argc == 2 && strcmp(argv[1], PTAH_CELL_WORD) == 0;
}

void
ptah_inside(char *envp[])
{
	static struct inside in; /* threads have it until the last moment */
	unsigned n = 1;
	char byte;
	int rc;

	if (ptah_pass_receive(STDIN_FILENO, &byte, 1, &in.fd, &n) != 1 || n != 1) {
		fprintf(stderr, "ptah: \"" PTAH_CELL_WORD "\" is for ptah itself, which starts isolated services by it\n");
		_exit(EX_USAGE);
	}
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		leave(&in, "cannot take signals");
	/* It was started as /proc/self/exe, and "exe" is what lists of processes would call it. */
	(void)prctl(PR_SET_NAME, "ptah", 0, 0, 0);
	ptah_process_hear_libevent();
	hear_beginning(&in);
	if (fcntl(in.fd, F_SETFL, O_NONBLOCK) == -1)
		leave(&in, strerror(errno));
	if (!in.plan || !in.broker)
		leave(&in, "its beginning is incomplete");
	lock_up(&in, envp);
	in.loop = ptah_worker_new(0);
	if (!in.loop)
		leave(&in, strerror(errno));
	rc = start(&in);
	if (rc != 0)
		leave(&in, strerror(-rc));
	(void)ptah_worker_run(in.loop);
	_exit(EX_SOFTWARE);
}
