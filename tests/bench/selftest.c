/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tests/bench/selftest.c: a meter that sees no loss must be shown to see one.
 *
 * Each mode runs direct and through an honest relay, which must be clean, and
 * through a relay that damages every stream at one place, which must not.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#define FAULT_NONE     0
#define FAULT_FLIP     1 /* a byte is changed */
#define FAULT_DROP     2 /* a byte is left out */
#define FAULT_TWICE    3 /* a byte comes twice */
#define FAULT_CUT      4 /* the end comes too early */
#define FAULT_TAIL     5 /* what is read last is thrown away */
#define FAULT_EOF_BOTH 6 /* an end one way ends the other too */

#define FAULT_AT 40000

struct relay {
	int fault;
	int side; /* from which side it damages */
	int listener;
	struct sockaddr_in to;
};

struct carried {
	struct relay *relay;
	int fd[2];
};

static bool
write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t rc = send(fd, p, n, MSG_NOSIGNAL);

		if (rc <= 0)
			return false;
		p += rc;
		n -= (size_t)rc;
	}
	return true;
}

/* Carry one read from one side to the other; false when that side is over. */
static bool
carry(const struct carried *c, int from, uint64_t *at)
{
	uint8_t buf[16384 + 1];
	int fault = c->relay->side == from ? c->relay->fault : FAULT_NONE;
	ssize_t n = recv(c->fd[from], buf, sizeof(buf) - 1, 0);
	bool here = n > 0 && *at <= FAULT_AT && *at + (uint64_t)n > FAULT_AT;
	size_t i = here ? FAULT_AT - *at : 0;

	if (n <= 0)
		return false;
	*at += (uint64_t)n;
	if (fault == FAULT_TAIL && *at > FAULT_AT) {
		struct pollfd p = { .fd = c->fd[from], .events = POLLIN };
		uint8_t peek;

		poll(&p, 1, 20);
		if (recv(c->fd[from], &peek, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
			return false;
	}
	if (here && fault == FAULT_FLIP)
		buf[i] ^= 1;
	if (here && fault == FAULT_DROP) {
		memmove(buf + i, buf + i + 1, (size_t)n - i - 1);
		n--;
	}
	if (here && fault == FAULT_TWICE) {
		memmove(buf + i + 1, buf + i, (size_t)n - i);
		n++;
	}
	if (here && fault == FAULT_CUT) {
		write_all(c->fd[!from], buf, i);
		return false;
	}
	return write_all(c->fd[!from], buf, (size_t)n);
}

static void *
run_carried(void *arg)
{
	struct carried *c = arg;
	struct pollfd p[2] = { { .fd = c->fd[0], .events = POLLIN },
		{ .fd = c->fd[1], .events = POLLIN } };
	uint64_t at[2] = { 0, 0 };

	while (p[0].fd != -1 || p[1].fd != -1) {
		if (poll(p, 2, 10000) <= 0)
			break;
		for (int from = 0; from < 2; from++) {
			if (p[from].revents == 0 || carry(c, from, &at[from]))
				continue;
			p[from].fd = -1;
			p[from].revents = 0;
			shutdown(c->fd[!from], SHUT_WR);
			if (c->relay->fault == FAULT_EOF_BOTH ||
			    c->relay->fault == FAULT_CUT)
				p[!from].fd = -1;
		}
	}
	close(c->fd[0]);
	close(c->fd[1]);
	free(c);
	return NULL;
}

static void *
run_relay(void *arg)
{
	struct relay *relay = arg;
	int fd;

	while ((fd = accept(relay->listener, NULL, NULL)) != -1) {
		struct carried *c = calloc(1, sizeof(*c));
		pthread_t thread;

		if (c == NULL)
			bench_die("no memory");
		c->relay = relay;
		c->fd[NEAR] = fd;
		c->fd[FAR] = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(c->fd[FAR], (struct sockaddr *)&relay->to,
			sizeof(relay->to)) == -1 ||
		    pthread_create(&thread, NULL, run_carried, c) != 0)
			bench_die("relay: %s", strerror(errno));
		pthread_detach(thread);
	}
	return NULL;
}

static int
listen_somewhere(struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(addr, 0, sizeof(*addr));
	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || bind(fd, (struct sockaddr *)addr, len) == -1 ||
	    listen(fd, 1024) == -1 ||
	    getsockname(fd, (struct sockaddr *)addr, &len) == -1)
		bench_die("cannot listen: %s", strerror(errno));
	return fd;
}

static int n_failed;

/* Run a mode through a relay with a fault, or direct (fault -1).  Was it clean? */
static bool
is_clean(const char *mode, int fault, int side, double seconds,
    struct audit *audit)
{
	struct options o = { .n = 4, .seconds = seconds, .settle = 0.1,
		.size = 200000, .seed = 1, .down = side == FAR,
		.quiet = true };
	struct relay relay = { .fault = fault, .side = side };
	pthread_t thread;

	o.far_fd = listen_somewhere(&o.by.to);
	if (fault >= 0) {
		relay.to = o.by.to;
		relay.listener = listen_somewhere(&o.by.to);
		if (pthread_create(&thread, NULL, run_relay, &relay) != 0)
			bench_die("cannot start a thread");
	}
	bool clean = load_run(mode, &o, audit) == 0;
	if (fault >= 0) {
		shutdown(relay.listener, SHUT_RDWR);
		pthread_join(thread, NULL);
		close(relay.listener);
	}
	close(o.far_fd);
	return clean;
}

/* In a short run on a busy machine no stream may have come to the fault's place. */
static void
check(const char *mode, int fault, int side, bool want_clean)
{
	struct audit audit = { 0 };
	double seconds = 0.1;
	bool clean = is_clean(mode, fault, side, seconds, &audit);

	while (clean && !want_clean && seconds < 10) {
		seconds *= 4;
		clean = is_clean(mode, fault, side, seconds, &audit);
	}
	bool good = clean == want_clean && audit.n_streams > 0;
	n_failed += !good;
	printf("%s: %s, fault %d from side %d: %s\n", good ? "ok" : "FAILED",
	    mode, fault, side, clean ? "clean" : "fault seen");
}

int
load_selftest(void)
{
	static const char *const modes[] = { "bulk", "conns", "rtt", "idle",
		"stall", "churn" };

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		check(modes[i], -1, NEAR, true);
		check(modes[i], FAULT_NONE, NEAR, true);
	}
	for (int side = NEAR; side <= FAR; side++) {
		check("bulk", -1, side, true);
		for (int fault = FAULT_FLIP; fault <= FAULT_CUT; fault++)
			check("bulk", fault, side, false);
		check("churn", FAULT_TAIL, side, false);
	}
	check("churn", FAULT_EOF_BOTH, NEAR, false);
	printf("selftest: %s\n", n_failed == 0 ? "passed" : "FAILED");
	return n_failed == 0 ? 0 : 1;
}
