/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * unit/onelink.h: one link with its worker, for tests that are the application
 * on one side of it and a bare socket on the other.
 *
 * A link that hangs its worker would hang the test: an alarm ends it then.
 */
#ifndef PTAH_UNIT_ONELINK_H
#define PTAH_UNIT_ONELINK_H

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/worker.h"

#include "linkends.h"

struct one {
	struct ptah_worker *worker;
	struct ptah_instance instances[3];
	struct ptah_dial_how how;
	int listener, app, peer, plain;
	bool open, over;
	int rc;
};

static inline struct ptah_span
one_on_open(struct ptah_link *link, void *arg)
{
	struct one *one = arg;

	(void)link;
	one->open = true;
	return (struct ptah_span){ NULL, 0 };
}

static inline void
one_on_failed(int fd, int rc, const char *reason, void *arg)
{
	struct one *one = arg;

	(void)reason;
	close(fd);
	one->over = true;
	one->rc = rc;
}

static inline void
one_on_admit(struct ptah_link *link, const char *dest, const char *peer, void *arg)
{
	struct one *one = arg;

	(void)dest;
	(void)peer;
	one->open = true;
	ptah_link_plain_opened(link, one->plain, (struct ptah_span){ NULL, 0 });
}

static inline void
one_on_closed(int rc, void *arg)
{
	struct one *one = arg;

	one->over = true;
	one->rc = rc;
}

static const struct ptah_link_ops one_ops = {
	.on_open = one_on_open, .on_failed = one_on_failed, .on_admit = one_on_admit, .on_closed = one_on_closed,
};

static inline void
turn(struct one *one)
{
	turn_worker(one->worker, one->listener, &one->peer);
}

static inline void
one_new(struct one *one, uint32_t role, const struct ptah_module *const *modules)
{
	int fds[2];

	alarm(2 * LIMIT_S);
	memset(one, 0, sizeof(*one));
	one->peer = -1;
	stack_instances(one->instances, role, modules);
	one->worker = ptah_worker_new(0);
	assert_non_null(one->worker);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	one->app = fds[0];
	one->plain = fds[1];
}

static inline void
client_begin(struct one *one, const struct ptah_module *const *modules)
{
	struct ptah_addr bound;

	one_new(one, PTAH_CLIENT, modules);
	one->listener = listen_somewhere(&bound);
	client_goes(one->worker, &bound,
	    (struct ptah_link_client){ .instance = &one->instances[0], .how = &one->how, .plain_fd = one->plain }, &one_ops, one);
}

static inline void
server_begin(struct one *one, const struct ptah_module *const *modules)
{
	int fds[2];

	one_new(one, PTAH_SERVER, modules);
	one->listener = -1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	one->peer = fds[0];
	struct ptah_link *link = ptah_link_server_new(one->worker, &one->instances[0], fds[1], "192.0.2.1:1", &one_ops, one);
	assert_non_null(link);
	ptah_link_go(link);
}

static inline void
one_close(struct one *one)
{
	close(one->app);
	if (one->peer != -1)
		close(one->peer);
	if (one->listener != -1)
		close(one->listener);
	ptah_links_free(one->worker);
	ptah_worker_free(one->worker);
	alarm(0);
}

/* All of 'want', and no more, comes out of 'fd'. */
static inline void
comes_out(struct one *one, int fd, const char *want)
{
	char got[64];
	size_t came = 0, len = strlen(want);
	ssize_t n;

	assert_true(len < sizeof(got));
	TURN_UNTIL(one, (n = recv(fd, got + came, sizeof(got) - came, 0), came += n > 0 ? (size_t)n : 0, came >= len || n == 0));
	assert_int_equal(came, len);
	assert_memory_equal(got, want, len);
	turn(one);
	assert_true(recv(fd, got, 1, 0) <= 0);
}

static inline int
wrap_copying(void *link, struct ptah_io *io)
{
	size_t n = io->plain.in.len < io->wire.out.len ? io->plain.in.len : io->wire.out.len;

	(void)link;
	if (n > 0)
		memcpy(io->wire.out.at, io->plain.in.at, n);
	io->plain.eaten = io->wire.made = n;
	return PTAH_GO;
}

static const struct ptah_module copy = {
	.head = PTAH_HEAD(0),
	.name = "copy",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE,
	.open = open_at_once,
	.wrap = wrap_copying,
	.unwrap = unwrap_copying,
};

#endif
