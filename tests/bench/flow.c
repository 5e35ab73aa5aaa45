/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "flow.h"

#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * Byte p of a stream's direction is pattern[(p + start) % PERIOD].  The
 * period is a prime, so that no buffer size divides it, and the table is
 * continued by one chunk, so that a chunk is always in one piece.
 */
#define PERIOD 262147
#define CHUNK  65536
#define READ   262144

#define HEADER_LEN  16
#define HEADER_WORD 0x70746168

#define STATE_CONNECT 0
#define STATE_METHOD  1
#define STATE_LOGIN   2
#define STATE_REPLY   3
#define STATE_HEADER  4
#define STATE_OPEN    5

struct end {
	struct end *next, *prev;
	struct loop *loop;
	struct stream *s;
	struct stream own; /* a bare far end has no place in the table */
	const struct route *by;
	int fd;
	uint8_t state;
	bool shut;
	uint32_t mask;
	size_t n_said; /* bytes of the greeting or header so far */
	uint8_t said[HEADER_LEN];
};

struct loop {
	struct flow *flow;
	int side;
	int epfd;
	int wakefd;
	int listenfd;
	struct end ends; /* head of a ring */
	struct end *dead; /* freed after the turn: events may still name them */
	struct end **of; /* near: end of each stream, by id */
	flow_gone_fn *on_gone;
	void *on_gone_arg;
	uint8_t *scratch;
	uint8_t *pattern;
};

double
bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

_Noreturn void
bench_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vwarnx(fmt, ap);
	va_end(ap);
	exit(2);
}

static uint8_t *
make_pattern(void)
{
	uint8_t *p = malloc(PERIOD + READ);
	uint64_t x = 88172645463325252u;

	if (p == NULL)
		bench_die("no memory");
	for (size_t i = 0; i < PERIOD; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = (uint8_t)(x >> 32);
	}
	memcpy(p + PERIOD, p, READ);
	return p;
}

/* Where the bytes from 'from' begin in the pattern, at its position 'at'. */
static const uint8_t *
pattern_at(const struct loop *loop, const struct stream *s, int from,
    uint64_t at)
{
	uint64_t id = loop->flow->bare ? 0 : s->id;
	uint64_t start = (id * 2 + (uint64_t)from) * 7919;

	return loop->pattern + (start + at) % PERIOD;
}

struct loop *
loop_new(struct flow *flow, int side)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (loop == NULL)
		bench_die("no memory");
	loop->flow = flow;
	loop->side = side;
	loop->listenfd = -1;
	loop->ends.next = loop->ends.prev = &loop->ends;
	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	loop->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loop->scratch = malloc(READ);
	loop->pattern = make_pattern();
	loop->of = calloc(flow->n_streams, sizeof(struct end *));
	if (loop->epfd == -1 || loop->wakefd == -1 || loop->scratch == NULL ||
	    loop->of == NULL)
		bench_die("cannot make a loop: %s", strerror(errno));

	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &loop->wakefd };
	epoll_ctl(loop->epfd, EPOLL_CTL_ADD, loop->wakefd, &ev);
	return loop;
}

static void
bury(struct loop *loop)
{
	while (loop->dead != NULL) {
		struct end *e = loop->dead;

		loop->dead = e->next;
		free(e);
	}
}

void
loop_free(struct loop *loop)
{
	while (loop->ends.next != &loop->ends) {
		struct end *e = loop->ends.next;

		loop->ends.next = e->next;
		close(e->fd);
		free(e);
	}
	bury(loop);
	close(loop->epfd);
	close(loop->wakefd);
	free(loop->scratch);
	free(loop->pattern);
	free(loop->of);
	free(loop);
}

void
loop_serve(struct loop *loop, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN,
		.data.ptr = &loop->listenfd };

	loop->listenfd = fd;
	if (epoll_ctl(loop->epfd, EPOLL_CTL_ADD, fd, &ev) == -1)
		bench_die("cannot watch the listener: %s", strerror(errno));
}

void
loop_on_gone(struct loop *loop, flow_gone_fn *fn, void *arg)
{
	loop->on_gone = fn;
	loop->on_gone_arg = arg;
}

static void
mark(struct end *e, uint32_t marks)
{
	if (e->s != NULL)
		atomic_fetch_or(&e->s->marks[e->loop->side], marks);
}

static bool
marked(const struct end *e, uint32_t marks)
{
	return (atomic_load_explicit(&e->s->marks[e->loop->side],
		memory_order_relaxed) & marks) != 0;
}

static struct end *
end_new(struct loop *loop, int fd, struct stream *s)
{
	struct end *e = calloc(1, sizeof(*e));

	if (e == NULL)
		bench_die("no memory");
	e->loop = loop;
	e->fd = fd;
	e->s = s;
	e->next = &loop->ends;
	e->prev = loop->ends.prev;
	e->prev->next = e->next->prev = e;
	atomic_fetch_add(&loop->flow->n_ends[loop->side], 1);

	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return e;
}

static void
end_watch(struct end *e, uint32_t mask)
{
	struct epoll_event ev = { .events = mask, .data.ptr = e };
	int op = e->mask == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	mask |= EPOLLERR; /* always reported; keeps a watched mask from being 0 */
	if (mask == e->mask)
		return;
	if (epoll_ctl(e->loop->epfd, op, e->fd, &ev) == -1)
		bench_die("epoll_ctl: %s", strerror(errno));
	e->mask = mask;
}

static void
end_close(struct end *e, bool reset)
{
	struct loop *loop = e->loop;

	if (e->fd == -1)
		return;
	if (reset) {
		struct linger now = { .l_onoff = 1, .l_linger = 0 };

		setsockopt(e->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	}
	close(e->fd);
	e->fd = -1;
	e->prev->next = e->next;
	e->next->prev = e->prev;
	e->next = loop->dead;
	loop->dead = e;
	if (loop->side == NEAR)
		loop->of[e->s->id] = NULL;
	else if (e->s == NULL)
		atomic_fetch_add(&loop->flow->n_strangers, 1);
	else
		atomic_fetch_add(&loop->flow->n_served, 1);
	mark(e, MARK_GONE);
	atomic_fetch_sub(&loop->flow->n_ends[loop->side], 1);
	if (e->s != NULL && loop->on_gone != NULL)
		loop->on_gone(loop, e->s, loop->on_gone_arg);
}

static void
end_fail(struct end *e)
{
	mark(e, MARK_FAIL);
	end_close(e, false);
}

/* How far this side may send by now. */
static uint64_t
goal(const struct end *e)
{
	int side = e->loop->side;
	const struct plan *plan = &e->s->plan[side];

	if (plan->when == SEND_ECHO)
		return e->s->got[side];
	if (plan->when == SEND_LAST && !marked(e, MARK_END))
		return 0;
	if (plan->want == UNTIL_STOP && e->loop->flow->stop)
		return e->s->sent[side];
	return plan->want;
}

/* Send one chunk, and do what comes after the last one. */
static void
end_send(struct end *e)
{
	struct stream *s = e->s;
	int side = e->loop->side;
	const struct plan *plan = &s->plan[side];
	uint64_t sent = s->sent[side];
	uint64_t to = goal(e);

	if (e->fd == -1)
		return;
	if (sent < to) {
		size_t n = to - sent < CHUNK ? to - sent : CHUNK;
		ssize_t rc = send(e->fd,
		    pattern_at(e->loop, s, side, sent), n, MSG_NOSIGNAL);

		if (rc == -1 && errno != EAGAIN && errno != EINTR) {
			end_fail(e);
			return;
		}
		if (rc > 0)
			s->sent[side] = sent += (uint64_t)rc;
	}
	if (sent >= to && s->got[side] >= plan->expect &&
	    (plan->when != SEND_LAST || marked(e, MARK_END))) {
		if (plan->then == THEN_CLOSE || plan->then == THEN_RESET) {
			end_close(e, plan->then == THEN_RESET);
			return;
		}
		if (plan->then == THEN_SHUT && !e->shut) {
			shutdown(e->fd, SHUT_WR);
			e->shut = true;
		}
		if (marked(e, MARK_END)) {
			end_close(e, false);
			return;
		}
	}

	uint32_t mask = sent < to ? EPOLLOUT : 0;
	if (!e->loop->flow->hold && !marked(e, MARK_END))
		mask |= EPOLLIN;
	end_watch(e, mask);
}

static void
end_read(struct end *e)
{
	struct stream *s = e->s;
	int side = e->loop->side;
	ssize_t n = recv(e->fd, e->loop->scratch, READ, 0);

	if (n == -1) {
		if (errno != EAGAIN && errno != EINTR)
			end_fail(e);
		return;
	}
	if (n == 0) {
		mark(e, MARK_END);
		return;
	}
	if (memcmp(e->loop->scratch,
		pattern_at(e->loop, s, !side, s->got[side]), (size_t)n) != 0)
		mark(e, MARK_BAD);
	s->got[side] += (uint64_t)n;
}

/* Far: which stream is this?  A 16-byte header says it. */
static void
read_header(struct end *e)
{
	struct flow *flow = e->loop->flow;
	ssize_t n = recv(e->fd, e->said + e->n_said, HEADER_LEN - e->n_said, 0);
	uint32_t word[4];

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end_close(e, false);
		return;
	}
	e->n_said += (size_t)n;
	if (e->n_said < HEADER_LEN)
		return;
	memcpy(word, e->said, sizeof(word));
	if (word[0] != HEADER_WORD || word[1] >= flow->n_streams ||
	    word[2] != ~word[1] || word[3] != HEADER_WORD) {
		end_close(e, false);
		return;
	}
	e->s = &flow->streams[word[1]];
	e->state = STATE_OPEN;
	mark(e, MARK_OPEN);
	end_send(e);
}

/* Near: a greeting of a few bytes always fits an empty socket. */
static void
say(struct end *e, const void *bytes, size_t len)
{
	if (send(e->fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		end_fail(e);
}

static void
begin(struct end *e)
{
	uint32_t id = e->s->id;
	uint32_t word[4] = { HEADER_WORD, id, ~id, HEADER_WORD };

	e->state = STATE_OPEN;
	e->s->opened = bench_now();
	mark(e, MARK_OPEN);
	if (!e->loop->flow->bare)
		say(e, word, sizeof(word));
	if (e->fd != -1)
		end_send(e);
}

static void
say_request(struct end *e)
{
	uint8_t request[10] = { 5, 1, 0, 1 };

	memcpy(request + 4, &e->by->target.sin_addr, 4);
	memcpy(request + 8, &e->by->target.sin_port, 2);
	e->state = STATE_REPLY;
	e->n_said = 0;
	say(e, request, sizeof(request));
}

/* Arguments travel in user name and password, which hold 255 bytes each. */
static void
say_login(struct end *e)
{
	uint8_t login[3 + 255 + 255] = { 1 };
	size_t len = strlen(e->by->args);
	size_t first = len < 255 ? len : 255;
	size_t rest = len - first;

	login[1] = (uint8_t)first;
	memcpy(login + 2, e->by->args, first);
	login[2 + first] = rest == 0 ? 1 : (uint8_t)rest;
	if (rest != 0)
		memcpy(login + 3 + first, e->by->args + first, rest);
	e->state = STATE_LOGIN;
	e->n_said = 0;
	say(e, login, 3 + first + (rest == 0 ? 1 : rest));
}

/* SOCKS5 (RFC 1928, 1929), one answer at a time as applications do it. */
static void
read_answer(struct end *e)
{
	size_t len = e->state == STATE_REPLY ? 10 : 2;
	ssize_t n = recv(e->fd, e->said + e->n_said, len - e->n_said, 0);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end_fail(e);
		return;
	}
	e->n_said += (size_t)n;
	if (e->n_said < len)
		return;
	if (e->state == STATE_METHOD && e->said[1] == 2)
		say_login(e);
	else if (e->said[1] != 0)
		end_fail(e);
	else if (e->state == STATE_REPLY)
		begin(e);
	else
		say_request(e);
}

static void
on_connected(struct end *e)
{
	const uint8_t hello[3] = { 5, 1, e->by->args != NULL ? 2 : 0 };
	int rc = 0;
	socklen_t len = sizeof(rc);

	if (getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &rc, &len) == -1 ||
	    rc != 0) {
		end_fail(e);
		return;
	}
	if (!e->by->socks) {
		begin(e);
		return;
	}
	e->state = STATE_METHOD;
	end_watch(e, EPOLLIN);
	say(e, hello, sizeof(hello));
}

static void
on_end(struct end *e, uint32_t events)
{
	if (e->fd == -1)
		return;
	switch (e->state) {
	case STATE_CONNECT:
		on_connected(e);
		break;
	case STATE_HEADER:
		read_header(e);
		break;
	case STATE_OPEN:
		if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
			end_read(e);
		if (e->fd != -1)
			end_send(e);
		break;
	default:
		read_answer(e);
	}
}

static void
on_listener(struct loop *loop)
{
	for (int i = 0; i < 64; i++) {
		int fd = accept4(loop->listenfd, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd == -1) {
			if (errno == EMFILE || errno == ENFILE)
				bench_die("accept: %s", strerror(errno));
			return;
		}
		struct end *e = end_new(loop, fd, NULL);
		if (loop->flow->bare) {
			e->s = &e->own;
			e->own.plan[FAR].when = SEND_ECHO;
			e->state = STATE_OPEN;
		} else {
			e->state = STATE_HEADER;
		}
		end_watch(e, EPOLLIN);
	}
}

void
loop_open(struct loop *loop, struct stream *s, const struct route *by)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		bench_die("socket: %s", strerror(errno));
	struct end *e = end_new(loop, fd, s);
	e->by = by;
	loop->of[s->id] = e;
	s->born = bench_now();
	if (connect(fd, (const struct sockaddr *)&by->to, sizeof(by->to)) ==
		-1 && errno != EINPROGRESS) {
		end_fail(e);
		return;
	}
	end_watch(e, EPOLLOUT);
}

void
loop_poke(struct loop *loop)
{
	for (struct end *e = loop->ends.next, *next; e != &loop->ends;
	    e = next) {
		next = e->next;
		if (e->state == STATE_OPEN)
			end_send(e);
	}
}

void
loop_poke_one(struct loop *loop, struct stream *s)
{
	struct end *e = loop->of[s->id];

	if (e != NULL && e->state == STATE_OPEN)
		end_send(e);
}

void
loop_wake(struct loop *loop)
{
	uint64_t one = 1;

	if (write(loop->wakefd, &one, sizeof(one)) != sizeof(one))
		bench_die("cannot wake a loop: %s", strerror(errno));
}

bool
loop_run(struct loop *loop, flow_test_fn *test, void *arg, double seconds)
{
	struct epoll_event evs[64];
	double until = bench_now() + seconds;
	/* Only a test that looks at the other thread needs the short wait. */
	int turns = 0;

	while (!loop->flow->quit) {
		if (test != NULL && test(arg))
			return true;
		if (++turns % 16 == 0 && bench_now() > until)
			return false;

		int n = epoll_wait(loop->epfd, evs, 64, test == NULL ? 200 : 1);
		if (n == 0 && bench_now() > until)
			return false;
		for (int i = 0; i < n; i++) {
			void *who = evs[i].data.ptr;
			uint64_t count;

			if (who == &loop->listenfd)
				on_listener(loop);
			else if (who != &loop->wakefd)
				on_end(who, evs[i].events);
			else if (read(loop->wakefd, &count, sizeof(count)) > 0)
				loop_poke(loop);
		}
		bury(loop);
	}
	return false;
}
