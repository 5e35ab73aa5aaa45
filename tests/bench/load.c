/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tests/bench/load.c: drive one pair of relays and say what it cost.
 *
 *	load MODE [option ...]          prints one JSON object
 *	load start [option ...] -- PROGRAM ARGUMENT ...
 *	load relay --listen-fd FD --to ADDR
 *	load --selftest
 *
 * Exit: 0 good; 1 bytes lost, changed or stuck; 2 cannot start.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cost.h"
#include "flow.h"
#include "load.h"

#define PATIENCE  30.0    /* seconds that a stream may take to come to rest */
#define MAX_PIDS  4
#define CHURN_MAX 1048576 /* largest transfer of a churned stream */

extern char **environ;

struct bench {
	struct options o;
	struct flow flow;
	struct loop *near;
	struct loop *far;
	pthread_t far_thread;
	uint32_t n_used; /* streams that were opened */
	uint32_t n_took;
	uint32_t n_done; /* streams whose near end has gone */
	double stop_at;
	double *took; /* conns: the first TOOK_MAX of them, from asking to open */
	uint64_t seed;
	struct audit audit;
};

/* ---------------------------------------------------------------- output */

static FILE *out;
static bool first_field;

static void
out_begin(const char *mode)
{
	fprintf(out, "{\"mode\": \"%s\"", mode);
	first_field = false;
}

static void
out_num(const char *name, double v)
{
	fprintf(out, "%s\"%s\": %.15g", first_field ? "" : ", ", name, v);
	first_field = false;
}

static void
out_open(const char *name)
{
	fprintf(out, ", \"%s\": {", name);
	first_field = true;
}

static void
out_close(void)
{
	fputs("}", out);
	first_field = false;
}

/* ------------------------------------------------------------------ cost */

struct snap {
	double at;
	uint64_t cpu[MAX_PIDS];
};

static struct snap
take_snap(const struct bench *b)
{
	struct snap snap = { .at = bench_now() };

	for (int i = 0; i < b->o.n_pids; i++)
		snap.cpu[i] = cost_cpu_ns(b->o.pids[i]);
	return snap;
}

/* Print seconds and processor seconds of each process since 'from'. */
static void
out_cost(const struct bench *b, const struct snap *from)
{
	struct snap to = take_snap(b);

	out_num("seconds", to.at - from->at);
	out_open("cpu");
	for (int i = 0; i < b->o.n_pids; i++)
		out_num(b->o.names[i],
		    (double)(to.cpu[i] - from->cpu[i]) * 1e-9);
	out_close();
}

static void
out_memory(const struct bench *b, const char *when)
{
	out_open(when);
	for (int i = 0; i < b->o.n_pids; i++)
		out_num(b->o.names[i],
		    (double)cost_memory(b->o.pids[i]).pss_kib);
	out_close();
}

/* --------------------------------------------------------------- streams */

static void *
run_far(void *arg)
{
	struct bench *b = arg;

	while (!b->flow.quit)
		loop_run(b->far, NULL, NULL, 3600);
	return NULL;
}

static void
bench_start(struct bench *b)
{
	struct rlimit files;
	int flags = fcntl(b->o.far_fd, F_GETFL);

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (flags == -1 ||
	    fcntl(b->o.far_fd, F_SETFL, flags | O_NONBLOCK) == -1)
		bench_die("--far-fd %d: %s", b->o.far_fd, strerror(errno));
	b->flow.n_streams = 1u << 19;
	b->flow.streams = calloc(b->flow.n_streams, sizeof(struct stream));
	if (b->flow.streams == NULL)
		bench_die("no memory");
	for (uint32_t i = 0; i < b->flow.n_streams; i++)
		b->flow.streams[i].id = i;
	b->near = loop_new(&b->flow, NEAR);
	b->far = loop_new(&b->flow, FAR);
	loop_serve(b->far, b->o.far_fd);
	if (pthread_create(&b->far_thread, NULL, run_far, b) != 0)
		bench_die("cannot start a thread");
}

static void
bench_stop(struct bench *b)
{
	b->flow.quit = 1;
	loop_wake(b->far);
	pthread_join(b->far_thread, NULL);
	loop_free(b->near);
	loop_free(b->far);
	free(b->flow.streams);
}

static struct stream *
open_stream(struct bench *b, struct plan near, struct plan far)
{
	if (b->n_used == b->flow.n_streams)
		bench_die("more than %u streams", b->flow.n_streams);
	struct stream *s = &b->flow.streams[b->n_used++];

	s->plan[NEAR] = near;
	s->plan[FAR] = far;
	loop_open(b->near, s, &b->o.by);
	return s;
}

static bool
all_gone(void *arg)
{
	const struct bench *b = arg;

	return b->flow.n_ends[NEAR] == 0 && b->flow.n_ends[FAR] == 0;
}

/* All streams but those that failed to connect are known on both sides. */
static bool
all_open(void *arg)
{
	const struct bench *b = arg;

	for (uint32_t i = 0; i < b->n_used; i++) {
		const struct stream *s = &b->flow.streams[i];

		if ((s->marks[NEAR] & (MARK_OPEN | MARK_GONE)) == 0)
			return false;
		if ((s->marks[NEAR] & MARK_GONE) == 0 &&
		    (s->marks[FAR] & MARK_OPEN) == 0)
			return false;
	}
	return true;
}

static void
settle(struct bench *b, double seconds)
{
	loop_run(b->near, NULL, NULL, seconds);
}

/* Hold one stream against its plan: what was sent must have come over. */
static void
audit_stream(struct bench *b, const struct stream *s, bool may_lose)
{
	struct audit *a = &b->audit;
	uint32_t marks = s->marks[NEAR] | s->marks[FAR];

	a->n_streams++;
	if (marks & MARK_BAD)
		a->n_changed++;
	if ((s->marks[NEAR] & MARK_OPEN) == 0)
		a->n_refused++;
	if ((s->marks[NEAR] & MARK_GONE) == 0 ||
	    ((s->marks[FAR] & MARK_OPEN) != 0 &&
		(s->marks[FAR] & MARK_GONE) == 0))
		a->n_stuck++;
	for (int from = NEAR; from <= FAR; from++) {
		uint64_t sent = s->sent[from], got = s->got[!from];

		a->n_bytes += got;
		if (got > sent)
			a->n_changed++;
		if (may_lose)
			continue;
		if (got < sent)
			a->n_lost += sent - got;
		if (s->plan[from].want != UNTIL_STOP &&
		    s->plan[from].when != SEND_ECHO &&
		    sent < s->plan[from].want)
			a->n_unsent += s->plan[from].want - sent;
	}
}

static void
out_audit(const struct bench *b)
{
	const struct audit *a = &b->audit;

	out_num("streams", (double)a->n_streams);
	out_num("carried", (double)a->n_bytes);
	out_num("lost", (double)a->n_lost);
	out_num("unsent", (double)a->n_unsent);
	out_num("changed", (double)a->n_changed);
	out_num("stuck", (double)a->n_stuck);
	out_num("refused", (double)a->n_refused);
}

/* ------------------------------------------------------------------ bulk */

static const struct plan keep = { .then = THEN_KEEP };

static void
mode_bulk(struct bench *b)
{
	struct plan sends = { .want = UNTIL_STOP, .then = THEN_SHUT };
	int from = b->o.down ? FAR : NEAR;
	uint64_t *before = calloc((size_t)b->o.n * 2, sizeof(*before));
	uint64_t least = UINT64_MAX, most = 0;

	if (before == NULL)
		bench_die("no memory");
	uint64_t *after = before + b->o.n;
	for (int i = 0; i < b->o.n; i++) {
		if (b->o.down)
			open_stream(b, keep, sends);
		else
			open_stream(b, sends, keep);
	}
	if (!loop_run(b->near, all_open, b, PATIENCE))
		bench_die("streams do not open");
	settle(b, b->o.seconds / 5); /* slow start, caches, clock of the CPU */

	struct snap from_here = take_snap(b);
	for (int i = 0; i < b->o.n; i++)
		before[i] = b->flow.streams[i].got[!from];
	uint64_t moved = 0;
	double until = from_here.at + PATIENCE;
	do { /* a busy machine may let nobody carry for so long */
		settle(b, b->o.seconds);
		moved = 0;
		for (int i = 0; i < b->o.n; i++) {
			after[i] = b->flow.streams[i].got[!from];
			moved += after[i] - before[i];
		}
	} while (moved == 0 && bench_now() < until);

	for (int i = 0; i < b->o.n; i++) {
		uint64_t n = after[i] - before[i];

		least = n < least ? n : least;
		most = n > most ? n : most;
	}
	out_begin("bulk");
	out_num("bytes", (double)moved);
	out_cost(b, &from_here);
	out_num("slowest_to_fastest",
	    most == 0 ? 0 : (double)least / (double)most);

	b->flow.stop = 1;
	loop_poke(b->near);
	loop_wake(b->far);
	loop_run(b->near, all_gone, b, PATIENCE);
	for (uint32_t i = 0; i < b->n_used; i++)
		audit_stream(b, &b->flow.streams[i], false);
	free(before);
}

/* ----------------------------------------------------------------- conns */

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
open_conn(struct bench *b, struct stream *s)
{
	uint32_t id = s->id;

	memset(s, 0, sizeof(*s));
	s->id = id;
	s->plan[NEAR] = (struct plan){ .want = 1, .expect = 1,
		.then = THEN_CLOSE };
	loop_open(b->near, s, &b->o.by);
}

#define TOOK_MAX (1u << 20)

static void
on_conn_gone(struct loop *loop, struct stream *s, void *arg)
{
	struct bench *b = arg;

	(void)loop;
	b->n_done++;
	b->audit.n_streams++;
	if ((s->marks[NEAR] & MARK_OPEN) == 0)
		b->audit.n_refused++;
	else if (b->n_took < TOOK_MAX)
		b->took[b->n_took++] = s->opened - s->born;
	if ((s->marks[NEAR] & MARK_BAD) != 0)
		b->audit.n_changed++;
	b->audit.n_bytes += s->got[NEAR];
	b->audit.n_lost += 1 - s->got[NEAR];
	if (b->n_done % 16 != 0 || bench_now() < b->stop_at)
		open_conn(b, s);
}

static void
mode_conns(struct bench *b)
{
	b->flow.bare = true;
	b->took = calloc(TOOK_MAX, sizeof(*b->took));
	if (b->took == NULL)
		bench_die("no memory");
	b->stop_at = bench_now() + b->o.seconds;
	loop_on_gone(b->near, on_conn_gone, b);

	struct snap from_here = take_snap(b);
	for (int i = 0; i < b->o.n; i++)
		open_conn(b, &b->flow.streams[i]);
	if (!loop_run(b->near, all_gone, b, b->o.seconds + PATIENCE))
		b->audit.n_stuck += b->flow.n_ends[NEAR] + b->flow.n_ends[FAR];
	out_begin("conns");
	out_num("count", b->n_done);
	out_cost(b, &from_here);
	qsort(b->took, b->n_took, sizeof(*b->took), by_value);
	if (b->n_took > 0) {
		out_num("p50_ms", b->took[b->n_took / 2] * 1e3);
		out_num("p99_ms", b->took[b->n_took - 1 - b->n_took / 100] * 1e3);
	}
	free(b->took);
}

/* ------------------------------------------------------------------- rtt */

static bool
stream_is_even(void *arg)
{
	const struct stream *s = arg;

	return s->got[NEAR] >= s->plan[NEAR].want ||
	    (s->marks[NEAR] & (MARK_GONE | MARK_FAIL)) != 0;
}

/* Send 'n' bytes more on a stream that is echoed, and wait for them. */
static void
ping(struct bench *b, struct stream *s, uint64_t n)
{
	s->plan[NEAR].want += n;
	loop_poke_one(b->near, s);
	if (!loop_run(b->near, stream_is_even, s, PATIENCE) ||
	    (s->marks[NEAR] & MARK_GONE) != 0) {
		fprintf(stderr, "load: stream %u: %" PRIu64 " of %" PRIu64
		    " bytes came back\n", s->id, s->got[NEAR],
		    s->plan[NEAR].want);
		exit(1);
	}
}

static void
close_all(struct bench *b)
{
	for (uint32_t i = 0; i < b->n_used; i++)
		b->flow.streams[i].plan[NEAR].then = THEN_CLOSE;
	loop_poke(b->near);
	loop_run(b->near, all_gone, b, PATIENCE);
}

static void
mode_rtt(struct bench *b)
{
	size_t count = (size_t)b->o.n;
	double *took = calloc(count, sizeof(*took));
	struct plan echo = { .when = SEND_ECHO };

	if (took == NULL)
		bench_die("no memory");
	struct stream *s = open_stream(b, keep, echo);
	if (!loop_run(b->near, all_open, b, PATIENCE))
		bench_die("the stream does not open");
	for (size_t i = 0; i < count / 10; i++)
		ping(b, s, b->o.size);

	struct snap from_here = take_snap(b);
	for (size_t i = 0; i < count; i++) {
		double sent_at = bench_now();

		ping(b, s, b->o.size);
		took[i] = bench_now() - sent_at;
	}
	out_begin("rtt");
	out_num("count", (double)count);
	out_cost(b, &from_here);
	qsort(took, count, sizeof(*took), by_value);
	out_num("p50_us", took[count / 2] * 1e6);
	out_num("p99_us", took[count - 1 - count / 100] * 1e6);
	close_all(b);
	audit_stream(b, s, false);
	free(took);
}

/* ---------------------------------------------------------- idle, stalled */

/* The scratch of a relay is no part of a link: have it touched first. */
static void
warm_up(struct bench *b)
{
	struct plan echo = { .when = SEND_ECHO };
	struct stream *s = open_stream(b, keep, echo);

	if (!loop_run(b->near, all_open, b, PATIENCE))
		bench_die("the stream does not open");
	ping(b, s, 32u << 20);
	close_all(b);
	settle(b, b->o.settle);
}

/* Open n streams, few at a time so that no backlog overflows. */
static void
open_many(struct bench *b, struct plan near_even, struct plan far_even,
    struct plan near_odd, struct plan far_odd)
{
	uint32_t first = b->n_used;

	while (b->n_used - first < (uint32_t)b->o.n) {
		for (int i = 0; i < 50 && b->n_used - first <
			(uint32_t)b->o.n; i++) {
			if (b->n_used % 2 == 0)
				open_stream(b, near_even, far_even);
			else
				open_stream(b, near_odd, far_odd);
		}
		if (!loop_run(b->near, all_open, b, PATIENCE))
			bench_die("streams do not open (%u asked for)",
			    b->n_used - first);
	}
	for (uint32_t i = first; i < b->n_used; i++)
		if (b->flow.streams[i].marks[NEAR] & MARK_GONE)
			bench_die("stream %u of %d ended while idle", i - first,
			    b->o.n);
}

static void
mode_idle(struct bench *b)
{
	struct plan echo = { .when = SEND_ECHO };

	out_begin("idle");
	out_num("links", b->o.n);
	out_memory(b, "cold");
	warm_up(b);
	out_memory(b, "empty");
	open_many(b, keep, echo, keep, echo);
	settle(b, b->o.settle);
	out_memory(b, "idle");
	for (uint32_t i = 1; i < b->n_used; i++)
		ping(b, &b->flow.streams[i], b->o.size);
	settle(b, b->o.settle);
	out_memory(b, "passed");
	close_all(b);
	settle(b, b->o.settle);
	out_memory(b, "closed");
	for (uint32_t i = 0; i < b->n_used; i++)
		audit_stream(b, &b->flow.streams[i], false);
}

static uint64_t
sum_sent(const struct bench *b)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < b->n_used; i++)
		sum += b->flow.streams[i].sent[NEAR] +
		    b->flow.streams[i].sent[FAR];
	return sum;
}

/* Run until nothing has been sent for a while. */
static void
wait_for_stall(struct bench *b)
{
	double until = bench_now() + PATIENCE;
	uint64_t was;

	do {
		was = sum_sent(b);
		settle(b, 0.5);
		if (bench_now() > until)
			bench_die("streams do not stall");
	} while (sum_sent(b) != was);
}

static bool
all_even(void *arg)
{
	const struct bench *b = arg;

	for (uint32_t i = 0; i < b->n_used; i++) {
		const struct stream *s = &b->flow.streams[i];

		if (s->got[NEAR] != s->sent[FAR] ||
		    s->got[FAR] != s->sent[NEAR])
			return false;
	}
	return true;
}

/* Half of the streams fill up towards the far end, half towards the near. */
static void
mode_stall(struct bench *b)
{
	struct plan sends = { .want = UNTIL_STOP };

	out_begin("stall");
	out_num("links", b->o.n);
	out_memory(b, "cold");
	warm_up(b);
	out_memory(b, "empty");
	b->flow.hold = 1;
	open_many(b, sends, keep, keep, sends);
	wait_for_stall(b);
	out_memory(b, "stalled");
	out_num("held", (double)sum_sent(b) / b->o.n);
	b->flow.stop = 1;
	b->flow.hold = 0;
	loop_poke(b->near);
	loop_wake(b->far);
	if (!loop_run(b->near, all_even, b, PATIENCE))
		fprintf(stderr, "load: stalled streams do not drain\n");
	settle(b, b->o.settle);
	out_memory(b, "drained");
	close_all(b);
	settle(b, b->o.settle);
	out_memory(b, "closed");
	for (uint32_t i = 0; i < b->n_used; i++)
		audit_stream(b, &b->flow.streams[i], false);
}

/* ----------------------------------------------------------------- churn */

#define CHURN_BOTH       0 /* both send, each shuts when done */
#define CHURN_NEAR_HALF  1 /* near shuts, far answers after that */
#define CHURN_FAR_HALF   2
#define CHURN_NEAR_CLOSE 3
#define CHURN_FAR_CLOSE  4
#define CHURN_NEAR_RESET 5 /* in the middle of what the other one sends */
#define CHURN_FAR_RESET  6
#define CHURN_KINDS      7

static uint64_t
draw(struct bench *b)
{
	b->seed ^= b->seed << 13;
	b->seed ^= b->seed >> 7;
	b->seed ^= b->seed << 17;
	return b->seed;
}

/* A size of 0 to 1 MiB, small ones as likely as large ones. */
static uint64_t
draw_size(struct bench *b)
{
	uint64_t limit = CHURN_MAX >> draw(b) % 21;

	return draw(b) % (limit + 1);
}

static void
open_churn(struct bench *b)
{
	struct plan p[2] = {
		{ .want = draw_size(b), .then = THEN_SHUT },
		{ .want = draw_size(b), .then = THEN_SHUT },
	};
	uint32_t kind = (uint32_t)(draw(b) % CHURN_KINDS);

	switch (kind) {
	case CHURN_NEAR_HALF:
		p[FAR].when = SEND_LAST;
		p[FAR].then = THEN_CLOSE;
		break;
	case CHURN_FAR_HALF:
		p[NEAR].when = SEND_LAST;
		p[NEAR].then = THEN_CLOSE;
		break;
	case CHURN_NEAR_CLOSE:
		p[NEAR].then = THEN_CLOSE;
		p[FAR] = keep;
		break;
	case CHURN_FAR_CLOSE:
		p[FAR].then = THEN_CLOSE;
		p[NEAR] = keep;
		break;
	case CHURN_NEAR_RESET:
		p[NEAR].then = THEN_RESET;
		p[FAR].then = THEN_KEEP;
		break;
	case CHURN_FAR_RESET:
		p[FAR].then = THEN_RESET;
		p[NEAR].then = THEN_KEEP;
		break;
	default:
		break;
	}
	b->flow.streams[b->n_used].kind = kind;
	open_stream(b, p[NEAR], p[FAR]);
}

static void
on_churn_gone(struct loop *loop, struct stream *s, void *arg)
{
	struct bench *b = arg;

	(void)loop;
	(void)s;
	if (bench_now() < b->stop_at && b->n_used < b->flow.n_streams)
		open_churn(b);
}

static void
mode_churn(struct bench *b)
{
	uint32_t n_half = 0, n_answered = 0;

	b->stop_at = bench_now() + b->o.seconds;
	loop_on_gone(b->near, on_churn_gone, b);
	struct snap from_here = take_snap(b);
	for (int i = 0; i < b->o.n; i++)
		open_churn(b);
	loop_run(b->near, all_gone, b, b->o.seconds + PATIENCE);
	out_begin("churn");
	out_cost(b, &from_here);
	for (uint32_t i = 0; i < b->n_used; i++) {
		const struct stream *s = &b->flow.streams[i];
		int asks = s->kind == CHURN_NEAR_HALF ? NEAR : FAR;

		audit_stream(b, s, s->kind >= CHURN_NEAR_RESET ||
		    (b->o.whole && s->kind <= CHURN_FAR_HALF));
		if (s->kind != CHURN_NEAR_HALF && s->kind != CHURN_FAR_HALF)
			continue;
		n_half++;
		if (s->got[asks] == s->plan[!asks].want &&
		    (s->marks[asks] & MARK_END) != 0)
			n_answered++;
	}
	out_num("half_closes", n_half);
	out_num("answered", n_answered);
	b->audit.n_unanswered = n_half - n_answered;
}

/* ----------------------------------------------------------------- start */

/* A descriptor that is bound and does not listen yet. */
static int
bound_socket(int as)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || bind(fd, (struct sockaddr *)&any, sizeof(any)) == -1)
		bench_die("cannot bind: %s", strerror(errno));
	if (as != -1 && as != fd) {
		if (dup2(fd, as) == -1)
			bench_die("dup2: %s", strerror(errno));
		close(fd);
		fd = as;
	}
	return fd;
}

static bool
listens(int fd)
{
	int yes = 0;
	socklen_t len = sizeof(yes);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 &&
	    yes != 0;
}

/* Read what the program says until it says 'word'. */
static bool
wait_word(int fd, const char *word, double until)
{
	char text[8192];
	size_t len = 0;

	while (len < sizeof(text) - 1) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int left = (int)((until - bench_now()) * 1000);

		if (left <= 0 || poll(&p, 1, left) <= 0)
			return false;
		ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);
		if (n <= 0)
			return false;
		len += (size_t)n;
		text[len] = '\0';
		if (strstr(text, word) != NULL)
			return true;
	}
	return false;
}

static bool
wait_listen(int fd, double until)
{
	const struct timespec nap = { .tv_nsec = 50000 };

	while (!listens(fd)) {
		if (bench_now() > until)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

/* Start once; answer milliseconds from exec to ready. */
static double
start_once(const struct options *o, char **argv, struct memory *memory)
{
	posix_spawn_file_actions_t files;
	const struct timespec rest = { .tv_nsec = 200000000 };
	int in[2], said[2], listener = -1;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) == -1 || pipe2(said, O_CLOEXEC) == -1)
		bench_die("pipe: %s", strerror(errno));
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in[0], 0);
	posix_spawn_file_actions_adddup2(&files, said[1], 1);
	if (o->listen_fd != -1) {
		listener = bound_socket(o->listen_fd);
		fcntl(listener, F_SETFD, 0);
	}

	double began = bench_now();
	int rc = posix_spawnp(&pid, argv[0], &files, NULL, argv, environ);
	if (rc != 0)
		bench_die("%s: %s", argv[0], strerror(rc));
	bool ready = listener != -1 ? wait_listen(listener, began + 10) :
				      wait_word(said[0], o->word, began + 10);
	double took = (bench_now() - began) * 1e3;
	if (ready) {
		nanosleep(&rest, NULL);
		*memory = cost_memory(pid);
	}
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	posix_spawn_file_actions_destroy(&files);
	close(in[0]);
	close(in[1]);
	close(said[0]);
	close(said[1]);
	if (listener != -1)
		close(listener);
	if (!ready)
		bench_die("%s is not ready after 10 s", argv[0]);
	return took;
}

static void
mode_start(const struct options *o, char **argv)
{
	double *took = calloc((size_t)o->n, sizeof(*took));
	struct memory memory = { 0 };

	if (took == NULL || argv[0] == NULL)
		bench_die("start: nothing to start");
	for (int i = 0; i < o->n; i++)
		took[i] = start_once(o, argv, &memory);
	qsort(took, (size_t)o->n, sizeof(*took), by_value);
	out = stdout;
	out_begin("start");
	out_num("ready_ms", took[o->n / 2]);
	out_num("ready_ms_least", took[0]);
	out_num("rss_kib", (double)memory.rss_kib);
	out_num("pss_kib", (double)memory.pss_kib);
	fputs("}\n", out);
	free(took);
}

/* ------------------------------------------------------------------ main */

static const struct {
	const char *name;
	void (*run)(struct bench *b);
} modes[] = {
	{ "bulk", mode_bulk },
	{ "conns", mode_conns },
	{ "rtt", mode_rtt },
	{ "idle", mode_idle },
	{ "stall", mode_stall },
	{ "churn", mode_churn },
};

int
load_run(const char *mode, const struct options *o, struct audit *audit)
{
	struct bench b = { .o = *o, .seed = 0x9e3779b97f4a7c15u ^ o->seed };
	size_t i = 0, n = sizeof(modes) / sizeof(modes[0]);

	while (i < n && strcmp(modes[i].name, mode) != 0)
		i++;
	if (i == n)
		bench_die("no mode %s", mode);
	out = o->quiet ? fopen("/dev/null", "we") : stdout;
	if (out == NULL)
		bench_die("/dev/null: %s", strerror(errno));
	bench_start(&b);
	modes[i].run(&b);
	out_audit(&b);
	fputs("}\n", out);
	if (o->quiet)
		fclose(out);
	bench_stop(&b);
	if (audit != NULL)
		*audit = b.audit;
	return b.audit.n_lost + b.audit.n_unsent + b.audit.n_changed +
		b.audit.n_stuck + b.audit.n_refused + b.audit.n_unanswered == 0 ?
	    0 : 1;
}

static struct sockaddr_in
parse_address(const char *text)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	char host[64];
	unsigned port;

	if (sscanf(text, "%63[0-9.]:%u", host, &port) != 2 || port > 65535 ||
	    inet_pton(AF_INET, host, &addr.sin_addr) != 1)
		bench_die("%s: no IPv4 address with a port", text);
	addr.sin_port = htons((uint16_t)port);
	return addr;
}

static void
parse_pid(struct options *o, char *text)
{
	char *is = strchr(text, '=');

	if (is == NULL || o->n_pids == MAX_PIDS)
		bench_die("--pid wants NAME=PID, at most %d times", MAX_PIDS);
	*is = '\0';
	o->names[o->n_pids] = text;
	o->pids[o->n_pids++] = (pid_t)strtol(is + 1, NULL, 10);
}

static const struct option long_options[] = {
	{ "to", required_argument, NULL, 't' },
	{ "socks-target", required_argument, NULL, 'T' },
	{ "socks-args", required_argument, NULL, 'a' },
	{ "far-fd", required_argument, NULL, 'f' },
	{ "pid", required_argument, NULL, 'p' },
	{ "n", required_argument, NULL, 'n' },
	{ "down", no_argument, NULL, 'd' },
	{ "whole", no_argument, NULL, 'w' },
	{ "seconds", required_argument, NULL, 's' },
	{ "settle", required_argument, NULL, 'S' },
	{ "size", required_argument, NULL, 'z' },
	{ "seed", required_argument, NULL, 'e' },
	{ "ready", required_argument, NULL, 'r' },
	{ "listen-fd", required_argument, NULL, 'l' },
	{ "selftest", no_argument, NULL, 'x' },
	{ 0 },
};

static const char usage[] =
    "load bulk|conns|rtt|idle|stall|churn --to ADDR --far-fd FD\n"
    "     [--socks-target ADDR [--socks-args TEXT]] [--pid NAME=PID]...\n"
    "     [--n STREAMS] [--down] [--seconds S] [--settle S] [--size BYTES]\n"
    "     [--seed N] [--whole]\n"
    "load start [--n TIMES] [--ready WORD | --listen-fd FD] -- PROGRAM ...\n"
    "load relay --listen-fd FD --to ADDR\n"
    "load --selftest";

int
main(int argc, char **argv)
{
	struct options o = { .far_fd = -1, .listen_fd = -1, .n = 1,
		.seconds = 1, .settle = 2, .size = 64, .seed = 1,
		.word = "METHODS DONE" };
	int c;

	signal(SIGPIPE, SIG_IGN);
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 't':
			o.by.to = parse_address(optarg);
			break;
		case 'T':
			o.by.socks = true;
			o.by.target = parse_address(optarg);
			break;
		case 'a':
			o.by.args = optarg;
			break;
		case 'f':
			o.far_fd = (int)strtol(optarg, NULL, 10);
			break;
		case 'p':
			parse_pid(&o, optarg);
			break;
		case 'n':
			o.n = (int)strtol(optarg, NULL, 10);
			break;
		case 'd':
			o.down = true;
			break;
		case 'w':
			o.whole = true;
			break;
		case 's':
			o.seconds = strtod(optarg, NULL);
			break;
		case 'S':
			o.settle = strtod(optarg, NULL);
			break;
		case 'z':
			o.size = strtoull(optarg, NULL, 10);
			break;
		case 'e':
			o.seed = strtoull(optarg, NULL, 10);
			break;
		case 'r':
			o.word = optarg;
			break;
		case 'l':
			o.listen_fd = (int)strtol(optarg, NULL, 10);
			break;
		case 'x':
			return load_selftest();
		default:
			bench_die("usage:\n%s", usage);
		}
	}
	if (optind == argc || o.n < 1 || o.n > 100000)
		bench_die("usage:\n%s", usage);
	if (strcmp(argv[optind], "start") == 0) {
		mode_start(&o, argv + optind + 1);
		return 0;
	}
	if (strcmp(argv[optind], "relay") == 0)
		floor_run(o.listen_fd, &o.by.to);
	if (o.far_fd == -1 || o.by.to.sin_port == 0)
		bench_die("--to and --far-fd are needed");
	return load_run(argv[optind], &o, NULL);
}
