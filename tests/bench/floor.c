/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tests/bench/floor.c: the barest relay that can answer a round trip: one
 * thread, one epoll, three system calls for each read that it passes on.  No
 * timers, no limits, blocking writes; it stands beside ptah and haproxy only
 * to show how much of a figure is the kernel's.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#define READ 262144

struct hop {
	struct hop *other;
	int fd;
	bool ended;
};

static int epfd;
static uint8_t scratch[READ];

static void
watch(int fd, void *who)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = who };

	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) == -1)
		bench_die("epoll_ctl: %s", strerror(errno));
}

static void
take(int listener, const struct sockaddr_in *to)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	int one = 1;

	if (fd == -1)
		return;
	struct hop *pair = calloc(2, sizeof(*pair));
	int on = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (pair == NULL || on == -1)
		bench_die("cannot take a connection: %s", strerror(errno));
	setsockopt(on, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(on, (const struct sockaddr *)to, sizeof(*to)) == -1)
		bench_die("connect: %s", strerror(errno));
	pair[0] = (struct hop){ .other = &pair[1], .fd = fd };
	pair[1] = (struct hop){ .other = &pair[0], .fd = on };
	watch(fd, &pair[0]);
	watch(on, &pair[1]);
}

static void
pass(struct hop *hop)
{
	struct hop *other = hop->other;
	ssize_t n = recv(hop->fd, scratch, sizeof(scratch), 0);

	if (n > 0 && send(other->fd, scratch, (size_t)n, MSG_NOSIGNAL) == n)
		return;
	hop->ended = true;
	shutdown(other->fd, SHUT_WR);
	if (!other->ended) {
		epoll_ctl(epfd, EPOLL_CTL_DEL, hop->fd, NULL);
		return;
	}
	close(hop->fd);
	close(other->fd);
	free(hop < other ? hop : other);
}

void
floor_run(int listener, const struct sockaddr_in *to)
{
	struct epoll_event ev;
	int one = 1;

	epfd = epoll_create1(EPOLL_CLOEXEC);
	setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epfd == -1 || listen(listener, 1024) == -1)
		bench_die("cannot listen: %s", strerror(errno));
	watch(listener, NULL);
	for (;;) {
		/* One at a time: a second event could name a pair that the first
		 * one has freed. */
		int n = epoll_wait(epfd, &ev, 1, -1);

		if (n == 1 && ev.data.ptr == NULL)
			take(listener, to);
		else if (n == 1)
			pass(ev.data.ptr);
	}
}
