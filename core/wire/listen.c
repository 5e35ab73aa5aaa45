/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/listen.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "config/bounds.h"
#include "loop/deadline.h"
#include "loop/worker.h"
#include "stats/stats.h"
#include "wire/gate.h"
#include "wire/keepalive.h"

#define BACKLOG 1024
/* Where a file says nothing: net.core.somaxconn is less. */
#define BACKLOG_MOST INT_MAX
/* Connections taken in one turn of the loop, so that live links get theirs. */
#define TAKE_MOST 32
/* How soon a resting listener looks again. */
#define REST_MS 100
/* At a gate a link ends, or a moment passes, and all is well. */
#define GATE_REST_MS 20

struct ptah_listener {
	struct ptah_worker *worker;
	struct ptah_stats *stats;
	int fd;
	struct event *event;
	struct ptah_quota *quota;
	struct ptah_gate *gate;
	bool at_gate; /* somebody waits before it, and has been counted */
	struct ptah_deadline rest;
	struct ptah_often said;
	ptah_accept_fn *fn;
	void *arg;
};

static int
set(int fd, int level, int option)
{
	int on = 1;

	return setsockopt(fd, level, option, &on, sizeof(on)) == -1 ? -errno : 0;
}

int
ptah_listen_narrow(int fd, const struct ptah_addr *addr, const struct ptah_bounds *bounds)
{
	const char *interface = bounds != NULL ? bounds->interface : "";

	if (interface[0] != '\0' &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) == -1)
		return -errno;
	if (bounds != NULL && bounds->family == AF_INET6 && addr->sa.sa_family == AF_INET6)
		return set(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	return 0;
}

static int
backlog_of(const struct ptah_bounds *bounds)
{
	if (bounds == NULL)
		return BACKLOG;
	return bounds->backlog > 0 ? (int)bounds->backlog : BACKLOG_MOST;
}

int
ptah_listen_again(int fd, const struct ptah_bounds *bounds)
{
	/* Whoever comes before a listener takes the socket is to have it, too. */
	if (bounds != NULL)
		ptah_keepalive_set(fd, bounds->keep_alive_s);
	return listen(fd, backlog_of(bounds)) == -1 ? -errno : 0;
}

void
ptah_listen_tidy(int fd)
{
	static const struct linger no;

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &no, sizeof(no));
	(void)set(fd, IPPROTO_TCP, TCP_NODELAY);
}

static int
open_one(const struct ptah_bounds *bounds, const struct ptah_addr *addr, bool shared, int *out)
{
	int rc = 0;
	int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -errno;
	rc = set(fd, SOL_SOCKET, SO_REUSEADDR);
	if (rc == 0 && shared)
		rc = set(fd, SOL_SOCKET, SO_REUSEPORT);
	/* Accepted sockets inherit this one, and so cost no call each. */
	if (rc == 0)
		rc = set(fd, IPPROTO_TCP, TCP_NODELAY);
	if (rc == 0)
		rc = ptah_listen_narrow(fd, addr, bounds);
	if (rc == 0 && bind(fd, &addr->sa, ptah_addr_len(addr)) == -1)
		rc = -errno;
	if (rc == 0 && !shared)
		rc = set(fd, SOL_SOCKET, SO_REUSEPORT);
	if (rc == 0)
		rc = ptah_listen_again(fd, bounds);
	if (rc != 0) {
		close(fd);
		return rc;
	}
	*out = fd;
	return 0;
}

int
ptah_listen_open_within(const struct ptah_bounds *bounds, const struct ptah_addr *addr, int *fds, unsigned n,
    struct ptah_addr *bound)
{
	unsigned made;
	int rc = open_one(bounds, addr, false, &fds[0]);

	if (rc != 0)
		return rc;
	rc = ptah_addr_of_socket(bound, fds[0]);
	for (made = 1; rc == 0 && made < n; made++) {
		rc = open_one(bounds, bound, true, &fds[made]);
		if (rc != 0)
			break;
	}
	while (rc != 0 && made > 0)
		close(fds[--made]);
	return rc;
}

int
ptah_listen_open(const struct ptah_addr *addr, int *fds, unsigned n, struct ptah_addr *bound)
{
	return ptah_listen_open_within(NULL, addr, fds, n, bound);
}

static void on_rested(struct ptah_deadline *deadline, void *arg);

static void
rest_for(struct ptah_listener *listener, unsigned ms)
{
	event_del(listener->event);
	(void)ptah_deadline_set(listener->worker, &listener->rest, ms, on_rested, listener); /* it is reserved */
}

static void
rest(struct ptah_listener *listener, const char *why)
{
	ptah_stats_add(listener->stats, PTAH_STAT_ACCEPT_WAITS, 1);
	ptah_warn_often(&listener->said, AREA_WIRE, "new connections wait: %s", why);
	rest_for(listener, REST_MS);
}

static bool
somebody_waits(const struct ptah_listener *listener)
{
	struct pollfd waits = { .fd = listener->fd, .events = POLLIN };

	return poll(&waits, 1, 0) == 1;
}

/* The gate is shut.  It is no matter as long as nobody stands before it. */
static void
rest_at_gate(struct ptah_listener *listener, int bound)
{
	if (!somebody_waits(listener))
		return;
	/* One that waits is counted once, however often we look. */
	if (!listener->at_gate)
		ptah_gate_waits(listener->gate, listener->stats, bound);
	listener->at_gate = true;
	rest_for(listener, GATE_REST_MS);
}

static void
on_rested(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_listener *listener = arg;

	(void)deadline;
	if (event_add(listener->event, NULL) == -1)
		(void)ptah_deadline_set(listener->worker, &listener->rest, REST_MS, on_rested, listener);
}

void
ptah_quota_add(struct ptah_quota *quota)
{
	atomic_fetch_add_explicit(&quota->used, 1, memory_order_relaxed);
}

static size_t
spilled_most(const struct ptah_quota *quota)
{
	return quota->spilled_most > 0 ? quota->spilled_most : PTAH_SPILLED_MOST;
}

static bool
quota_take(struct ptah_quota *quota)
{
	if (atomic_fetch_add_explicit(&quota->used, 1, memory_order_relaxed) <
	    atomic_load_explicit(&quota->most, memory_order_relaxed))
		return true;
	ptah_quota_release(quota);
	return false;
}

void
ptah_quota_release(struct ptah_quota *quota)
{
	atomic_fetch_sub_explicit(&quota->used, 1, memory_order_relaxed);
}

/* 1: took one; 0: there is none; -errno. */
static int
take_one(struct ptah_listener *listener)
{
	union {
		struct sockaddr sa;
		struct sockaddr_storage room;
	} from;
	socklen_t len = sizeof(from);
	struct ptah_addr peer;

	int fd = accept4(listener->fd, &from.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
	ptah_addr_from_sockaddr(&peer, &from.sa);
	listener->fn(fd, &peer, listener->arg);
	return 1;
}

/* Nobody came. */
static void
undo(struct ptah_listener *listener)
{
	ptah_gate_undo(listener->gate);
	ptah_quota_release(listener->quota);
}

static void
on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_listener *listener = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < TAKE_MOST; i++) {
		/* To enter for nobody would shut the gate for who stands before it at another worker. */
		if (i > 0 && listener->gate != NULL && !somebody_waits(listener))
			return;
		if (listener->worker->spilled > spilled_most(listener->quota)) {
			listener->worker->spilled_most = spilled_most(listener->quota);
			rest(listener, "stalled links hold too much memory");
			return;
		}
		if (!quota_take(listener->quota)) {
			rest(listener, "as many connections are open as the descriptor limit allows");
			return;
		}
		int bound = ptah_gate_enter(listener->gate);
		if (bound != 0) {
			ptah_quota_release(listener->quota);
			rest_at_gate(listener, bound);
			return;
		}
		int rc = take_one(listener);
		listener->at_gate = false;
		if (rc == 1)
			continue;
		undo(listener);
		switch (rc) {
		case 0:
			return;
		case -EMFILE:
		case -ENFILE:
			rest(listener, "out of file descriptors (raise the limit: ulimit -n, LimitNOFILE=)");
			return;
		case -ENOBUFS:
		case -ENOMEM:
			rest(listener, "the kernel is out of memory");
			return;
		default:
			continue; /* that one went away before it was taken */
		}
	}
}

struct ptah_listener *
ptah_listener_new(struct ptah_worker *worker, int fd, struct ptah_quota *quota, struct ptah_gate *gate,
    ptah_accept_fn *fn, void *arg)
{
	struct ptah_listener *listener = calloc(1, sizeof(*listener));

	ptah_keepalive_set(fd, ptah_gate_gone_s(gate, worker->gone_s)); /* accepted sockets inherit that, too */
	if (listener != NULL) {
		*listener = (struct ptah_listener){
			.worker = worker, .stats = worker->stats, .fd = fd, .quota = quota, .gate = gate, .fn = fn, .arg = arg,
		};
		listener->event = event_new(worker->base, fd, EV_READ | EV_PERSIST, on_connection, listener);
		if (listener->event != NULL && ptah_deadline_reserve(worker, REST_MS) == 0 &&
		    ptah_deadline_reserve(worker, GATE_REST_MS) == 0 &&
		    event_add(listener->event, NULL) == 0)
			return listener;
		if (listener->event != NULL)
			event_free(listener->event);
	}
	free(listener);
	close(fd);
	errno = ENOMEM;
	return NULL;
}

void
ptah_listener_count(struct ptah_listener *listener, struct ptah_stats *stats)
{
	if (listener != NULL)
		listener->stats = stats;
}

void
ptah_listener_free(struct ptah_listener *listener, bool drain)
{
	if (listener == NULL)
		return;
	/* They stand in our queue and in no other, so they need not wait for a gate any more. */
	while (drain && quota_take(listener->quota)) {
		ptah_gate_add(listener->gate);
		if (take_one(listener) == 1)
			continue;
		ptah_gate_leave(listener->gate);
		ptah_quota_release(listener->quota);
		break;
	}
	ptah_deadline_clear(&listener->rest);
	event_free(listener->event);
	close(listener->fd);
	free(listener);
}
