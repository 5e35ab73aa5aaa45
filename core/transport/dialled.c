/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Streams that a module dials: to the network, to a program of this machine, or
 * through another transport.
 */
#include "transport/streambody.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/worker.h"
#include "stats/stats.h"
#include "transport/instance.h"

void
ptah_stream_forget_dial(struct ptah_stream *stream)
{
	ptah_deadline_clear(&stream->limit);
	ptah_dial_cancel(stream->dial);
	stream->dial = NULL;
	if (stream->through != NULL)
		ptah_child_forget(stream->owner->instance, stream->through);
	stream->through = NULL;
}

static void
dial_is_over(struct ptah_stream *stream, int rc)
{
	ptah_deadline_clear(&stream->limit);
	if (rc < 0) {
		ptah_stream_fail(stream, rc);
		return;
	}
	stream->dialing = false;
	stream->short_of_room = false;
	if (stream->finish)
		ptah_stream_send_eof(stream);
	ptah_stream_bring(stream, PTAH_STREAM_OPENED | PTAH_STREAM_ROOM);
}

static void
count_dial(const struct ptah_stream *stream, int rc)
{
	struct ptah_stats *stats = ptah_instance_stats(stream->owner->instance, stream->owner->worker);

	if (rc == 0)
		ptah_stats_dialed(stats, ptah_clock_now_ns() - stream->dialed_ns);
	else
		ptah_stats_add(stats, PTAH_STAT_DIALS_FAILED, 1);
}

static void
on_dialed(int fd, int rc, const char *reason, void *arg)
{
	struct ptah_stream *stream = arg;

	(void)reason;
	stream->dial = NULL;
	if (stream->dialed_ns != 0)
		count_dial(stream, rc);
	if (rc == 0)
		rc = ptah_stream_open_on(stream, fd);
	dial_is_over(stream, rc);
}

static void
on_through(int rc, void *arg)
{
	struct ptah_stream *stream = arg;

	stream->through = NULL;
	dial_is_over(stream, rc);
}

static void
on_limit(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_stream *stream = arg;

	(void)deadline;
	ptah_stream_forget_dial(stream);
	ptah_stream_fail(stream, -ETIMEDOUT);
}

static int
dial_directly(struct ptah_stream *stream, int32_t via, const char *server)
{
	static const struct ptah_dial_how directly;
	const struct ptah_dial_how *how = stream->owner->instance->dial_how;
	struct ptah_dest dest;
	int fd;

	if (ptah_dest_parse(&dest, server, false) < 0)
		return -EINVAL;
	if (via == PTAH_LOCAL) {
		if (!dest.literal || !ptah_addr_is_loopback(&dest.addr))
			return -EINVAL;
		if (how != NULL && how->broker != NULL)
			return -EACCES; /* a program of this machine is not for one that is locked up */
		how = &directly;
	}
	stream->dialed_ns = via == PTAH_LOCAL ? 0 : ptah_clock_now_ns();
	fd = ptah_dial_start(stream->owner->worker, how != NULL ? how : &directly, &dest, on_dialed, stream, &stream->dial);
	if (fd >= 0)
		on_dialed(fd, 0, NULL, stream);
	else if (fd != -EINPROGRESS && fd != -ENOMEM)
		on_dialed(-1, fd, NULL, stream);
	return fd == -ENOMEM ? fd : 0;
}

static int
dial_through(struct ptah_stream *stream, int32_t via, const char *server, const char *args)
{
	struct ptah_child *child = ptah_child_find(stream->owner->instance, via);
	int fds[2], rc;

	if (child == NULL)
		return -EINVAL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == -1)
		return -errno;
	rc = ptah_stream_open_on(stream, fds[0]);
	if (rc < 0) {
		close(fds[1]);
		return rc;
	}
	stream->through = ptah_child_dial(child, stream->owner->worker, fds[1], server, args, on_through, stream);
	return stream->through != NULL ? 0 : -errno;
}

struct ptah_stream *
ptah_stream_dial(struct ptah_self *self, int32_t via, const char *server, const char *args)
{
	struct ptah_stream *stream;
	int rc;

	if (self->life == PTAH_LIFE_WORKER || (via < 0 && server == NULL) || via < PTAH_LOCAL) {
		errno = EINVAL;
		return NULL;
	}
	stream = ptah_stream_make(self);
	if (stream == NULL)
		return NULL;
	stream->dialing = true;
	rc = ptah_deadline_set(self->worker, &stream->limit, PTAH_STREAM_DIAL_MS, on_limit, stream);
	if (rc == 0)
		rc = via >= 0 ? dial_through(stream, via, server, args) : dial_directly(stream, via, server);
	if (rc < 0) {
		ptah_stream_drop(stream);
		errno = -rc;
		return NULL;
	}
	return stream;
}
