/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/streambody.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/worker.h"

static void on_soon(evutil_socket_t fd, short what, void *arg);

/* ---- birth and death --------------------------------------------------------- */

struct ptah_stream *
ptah_stream_make(struct ptah_self *self)
{
	struct ptah_stream *stream = calloc(1, sizeof(*stream));

	if (stream == NULL)
		return NULL;
	stream->owner = self;
	stream->end.fd = -1;
	if (evtimer_assign(&stream->soon, self->worker->base, on_soon, stream) == -1) {
		free(stream);
		errno = ENOMEM;
		return NULL;
	}
	stream->next = self->streams;
	if (self->streams != NULL)
		self->streams->prev = stream;
	self->streams = stream;
	return stream;
}

static void
unlink_stream(struct ptah_stream *stream)
{
	if (stream->owner == NULL)
		return;
	if (stream->prev != NULL)
		stream->prev->next = stream->next;
	else
		stream->owner->streams = stream->next;
	if (stream->next != NULL)
		stream->next->prev = stream->prev;
	stream->owner = NULL;
}

/* Everything but the memory, which a hook above us may still look at. */
static void
shut(struct ptah_stream *stream)
{
	ptah_stream_forget_dial(stream);
	if (stream->owner != NULL && stream->owner->broken)
		ptah_end_abort(&stream->end);
	unlink_stream(stream);
	event_del(&stream->soon);
	ptah_end_close(&stream->end);
	if (stream->gone != NULL)
		stream->gone(stream->gone_arg);
	stream->gone = NULL;
}

static void
free_memory(struct ptah_stream *stream)
{
	ptah_stream_forget_tail(stream);
	free(stream->peer);
	free(stream->dest);
	free(stream);
}

void
ptah_stream_drop(struct ptah_stream *stream)
{
	if (stream == NULL || stream->dropped)
		return;
	shut(stream);
	stream->dropped = true;
	if (!stream->telling)
		free_memory(stream);
}

void
ptah_streams_end(struct ptah_self *self)
{
	while (self->streams != NULL)
		ptah_stream_drop(self->streams);
}

/* ---- news ---------------------------------------------------------------------- */

void
ptah_stream_bring(struct ptah_stream *stream, uint32_t news)
{
	stream->news |= news;
	event_active(&stream->soon, EV_TIMEOUT, 0);
}

/* Call the owner; false: the stream is gone. */
bool
ptah_stream_tell(struct ptah_stream *stream, uint32_t what, uint32_t bits)
{
	struct ptah_self *owner = stream->owner;

	/* That there is no more is true of every later event, too. */
	if (what == PTAH_EV_STREAM && stream->eof && !stream->hold)
		bits |= PTAH_STREAM_ENDED;
	struct ptah_event event = {
		.size = sizeof(event),
		.what = what,
		.val = what == PTAH_EV_ACCEPT ? stream->via : (int64_t)bits,
		.cookie = stream->cookie,
		.stream = stream,
		.body = { stream->tail, stream->len },
		.peer = stream->peer,
		.dest = stream->dest,
		.rc = (bits & PTAH_STREAM_FAILED) != 0 ? stream->rc : 0,
	};

	stream->telling = true;
	owner->ops->deliver(owner, &event);
	stream->telling = false;
	if ((bits & PTAH_STREAM_FAILED) != 0 && !stream->dropped) {
		shut(stream);
		stream->dropped = true;
	}
	if (stream->dropped) {
		free_memory(stream);
		return false;
	}
	ptah_stream_take_eaten(stream);
	ptah_stream_set_reader(stream);
	return true;
}

static bool
is_busy(const struct ptah_stream *stream)
{
	return !stream->eof || stream->len > stream->ate || !stream->end.finished || stream->news != 0;
}

bool
ptah_streams_busy(const struct ptah_self *self)
{
	for (const struct ptah_stream *stream = self->streams; stream != NULL; stream = stream->next)
		if (is_busy(stream))
			return true;
	return false;
}

/* The owner may be waiting for that; the stream may be gone after. */
void
ptah_stream_look_if_idle(struct ptah_stream *stream)
{
	struct ptah_self *owner = stream->owner;

	if (owner->ops->idle != NULL && !ptah_streams_busy(owner))
		owner->ops->idle(owner);
}

static void
on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_stream *stream = arg;
	uint32_t news;

	(void)fd;
	(void)what;
	if (stream->stranger) {
		/* Nobody was told of it yet, so nobody need hear how it ended. */
		if ((stream->news & PTAH_STREAM_FAILED) != 0) {
			ptah_stream_drop(stream);
			return;
		}
		stream->stranger = false;
		if (!ptah_stream_tell(stream, PTAH_EV_ACCEPT, 0))
			return;
	}
	news = stream->news;
	stream->news = 0;
	if ((news & PTAH_STREAM_INPUT) != 0 && !ptah_stream_has_input(stream))
		news &= ~(uint32_t)PTAH_STREAM_INPUT;
	if (news == 0 || ptah_stream_tell(stream, PTAH_EV_STREAM, news))
		ptah_stream_look_if_idle(stream);
}

void
ptah_stream_fail(struct ptah_stream *stream, int rc)
{
	stream->rc = rc;
	stream->eof = true;
	ptah_end_read_stop(&stream->end);
	ptah_stream_bring(stream, PTAH_STREAM_FAILED);
}

/* ---- where streams come from ------------------------------------------------------ */

/* The descriptor is there.  -errno, and it is closed. */
int
ptah_stream_open_on(struct ptah_stream *stream, int fd)
{
	int rc = ptah_end_open(&stream->end, stream->owner->worker, fd, &ptah_stream_end_ops, stream);

	if (rc < 0) {
		close(fd);
		stream->end.fd = -1;
		return rc;
	}
	stream->end.read_kib = PTAH_STREAM_READ_LEN / 1024;
	return 0;
}

struct ptah_stream *
ptah_stream_new(struct ptah_self *self, int fd)
{
	struct ptah_stream *stream = ptah_stream_make(self);

	if (stream == NULL) {
		close(fd);
		return NULL;
	}
	if (ptah_stream_open_on(stream, fd) < 0) {
		ptah_stream_drop(stream);
		errno = ENOMEM;
		return NULL;
	}
	ptah_stream_set_reader(stream);
	return stream;
}

int
ptah_stream_introduce(struct ptah_stream *stream, int32_t via, uint64_t cookie, const char *peer, const char *dest,
    void (*gone)(void *arg), void *arg)
{
	stream->via = via;
	stream->cookie = cookie;
	stream->peer = peer != NULL ? strdup(peer) : NULL;
	stream->dest = dest != NULL ? strdup(dest) : NULL;
	if ((peer != NULL && stream->peer == NULL) || (dest != NULL && stream->dest == NULL))
		return -ENOMEM;
	stream->gone = gone;
	stream->gone_arg = arg;
	stream->stranger = true;
	ptah_stream_set_reader(stream);
	ptah_stream_bring(stream, 0);
	return 0;
}

struct ptah_stream *
ptah_stream_pipe(struct ptah_self *self, struct ptah_stream **other)
{
	struct ptah_stream *one, *two;
	int fds[2];

	*other = NULL;
	if (self->life == PTAH_LIFE_WORKER) {
		errno = EINVAL;
		return NULL;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == -1)
		return NULL;
	one = ptah_stream_new(self, fds[0]);
	two = ptah_stream_new(self, fds[1]);
	if (one == NULL || two == NULL) {
		ptah_stream_drop(one);
		ptah_stream_drop(two);
		errno = ENOMEM;
		return NULL;
	}
	*other = two;
	return one;
}
