/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Streams that become the end of a link: a client's, or one that arrives.
 */
#include "transport/streambody.h"

#include <errno.h>
#include <unistd.h>

#include "transport/instance.h"

/* Take the descriptor; what was not eaten stays for the caller to pass on before he drops the stream.  -errno. */
static int
take_fd(struct ptah_self *self, struct ptah_stream *stream, struct ptah_span *early)
{
	if (stream->owner != self || stream->dialing || stream->stranger || stream->end.fd == -1 ||
	    (stream->news & PTAH_STREAM_FAILED) != 0)
		return -EINVAL;
	if (ptah_end_spilled(&stream->end) > 0 || stream->finish)
		return -EBUSY;
	/* It stays where it lies: an event of this stream may run, and its module look at it. */
	*early = ptah_span_from((struct ptah_span){ stream->tail, stream->len }, stream->ate);
	return ptah_end_take_fd(&stream->end);
}

int
ptah_stream_give(struct ptah_self *self, struct ptah_stream *stream)
{
	struct ptah_span early;
	int fd, rc;

	if (self->ops->give == NULL)
		return -EINVAL;
	fd = take_fd(self, stream, &early);
	if (fd < 0)
		return fd;
	rc = self->ops->give(self, fd, early);
	if (rc == 0) {
		ptah_stream_drop(stream);
		return 0;
	}
	/* It stays whose it was. */
	int open = ptah_stream_open_on(stream, fd);
	if (open < 0)
		ptah_stream_fail(stream, open);
	else if (!stream->telling)
		ptah_stream_set_reader(stream);
	return rc;
}

int
ptah_stream_arrive(struct ptah_self *self, struct ptah_stream *stream, const char *peer, const char *dest,
    uint64_t cookie)
{
	struct ptah_instance *top = self->instance;
	struct ptah_arrival arrival = { .peer = peer, .dest = dest, .from = self->instance, .cookie = cookie };

	while (top->above != NULL)
		top = top->above;
	if (self->life != PTAH_LIFE_HOME || top->role != PTAH_SERVER || top->on_arrive == NULL)
		return -EINVAL;
	arrival.fd = take_fd(self, stream, &arrival.early);
	if (arrival.fd < 0)
		return arrival.fd;
	top->on_arrive(top, self->worker, &arrival);
	ptah_stream_drop(stream);
	return 0;
}
