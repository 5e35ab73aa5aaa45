/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bytes of a stream: what has come and was not eaten, what was written, and
 * when it is read.
 */
#include "transport/streambody.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loop/worker.h"

/* ---- what is kept ----------------------------------------------------------------- */

void
ptah_stream_forget_tail(struct ptah_stream *stream)
{
	if (stream->tail != NULL)
		explicit_bzero(stream->tail, stream->len);
	free(stream->tail);
	stream->tail = NULL;
	stream->len = stream->room = 0;
}

void
ptah_stream_take_eaten(struct ptah_stream *stream)
{
	if (stream->ate == 0)
		return;
	memmove(stream->tail, stream->tail + stream->ate, stream->len - stream->ate);
	stream->len -= stream->ate;
	stream->ate = 0;
	if (stream->len == 0)
		ptah_stream_forget_tail(stream);
}

/* Read on, or rest? */
void
ptah_stream_set_reader(struct ptah_stream *stream)
{
	if (stream->end.fd == -1 || stream->dialing || stream->stranger || stream->hold || stream->eof ||
	    stream->len >= PTAH_STREAM_KEPT)
		ptah_end_read_stop(&stream->end);
	else if (ptah_end_read_start(&stream->end) < 0) {
		stream->rc = -ENOMEM;
		ptah_stream_bring(stream, PTAH_STREAM_FAILED);
	}
}

bool
ptah_stream_has_input(const struct ptah_stream *stream)
{
	if (stream->hold || stream->want == PTAH_NEVER)
		return false;
	return stream->eof || (stream->len > 0 && stream->len >= stream->want);
}

/* ---- reading -------------------------------------------------------------------- */

static int
make_room(struct ptah_stream *stream)
{
	size_t room = stream->len + PTAH_STREAM_READ_LEN < PTAH_STREAM_KEPT ? stream->len + PTAH_STREAM_READ_LEN : PTAH_STREAM_KEPT;
	uint8_t *more;

	if (stream->room >= room)
		return 0;
	more = realloc(stream->tail, room);
	if (more == NULL)
		return -ENOMEM;
	stream->tail = more;
	stream->room = room;
	return 0;
}

static void
on_readable(struct ptah_end *end)
{
	struct ptah_stream *stream = end->arg;
	ssize_t n = make_room(stream);

	if (n == 0)
		n = ptah_end_read(end, stream->tail + stream->len, stream->room - stream->len);
	if (n == -EAGAIN) {
		if (stream->len == 0)
			ptah_stream_forget_tail(stream);
		return;
	}
	if (n < 0) {
		ptah_stream_fail(stream, (int)n);
		return;
	}
	stream->len += (size_t)n;
	stream->eof = n == 0;
	if (stream->eof && stream->write_rc != 0)
		ptah_stream_fail(stream, stream->write_rc);
	else if (!ptah_stream_has_input(stream))
		ptah_stream_set_reader(stream);
	else if (ptah_stream_tell(stream, PTAH_EV_STREAM, PTAH_STREAM_INPUT))
		ptah_stream_look_if_idle(stream);
}

void
ptah_stream_eat(struct ptah_stream *stream, size_t n)
{
	size_t left = stream->len - stream->ate;

	stream->ate += n < left ? n : left;
	if (stream->telling)
		return;
	ptah_stream_take_eaten(stream);
	ptah_stream_set_reader(stream);
	if (stream->len > 0 && ptah_stream_has_input(stream))
		ptah_stream_bring(stream, PTAH_STREAM_INPUT);
}

/* ---- writing --------------------------------------------------------------------- */

static void
on_drained(struct ptah_end *end)
{
	struct ptah_stream *stream = end->arg;

	if (stream->short_of_room) {
		stream->short_of_room = false;
		if (!ptah_stream_tell(stream, PTAH_EV_STREAM, PTAH_STREAM_ROOM))
			return;
	}
	ptah_stream_look_if_idle(stream);
}

/* A peer that closed may have said something before: read that first. */
static void
fail_writing(struct ptah_stream *stream, int rc)
{
	stream->finish = true;
	stream->write_rc = rc;
	if (rc == -ENOMEM || rc == -ENOBUFS || stream->eof || stream->hold || stream->want == PTAH_NEVER || stream->len >= PTAH_STREAM_KEPT)
		ptah_stream_fail(stream, rc == -ENOBUFS ? -ETIMEDOUT : rc);
}

static void
on_write_failed(struct ptah_end *end, int rc)
{
	fail_writing(end->arg, rc);
}

size_t
ptah_stream_write(struct ptah_stream *stream, struct ptah_span bytes)
{
	size_t kept, n;
	int rc;

	if (stream->finish || (stream->news & PTAH_STREAM_FAILED) != 0)
		return 0;
	if (stream->dialing || stream->end.fd == -1) {
		stream->short_of_room = true;
		return 0;
	}
	kept = ptah_end_spilled(&stream->end);
	n = bytes.len < PTAH_STREAM_KEPT - kept ? bytes.len : PTAH_STREAM_KEPT - kept;
	rc = n > 0 ? ptah_end_write(&stream->end, bytes.at, n) : 0;
	if (rc < 0) {
		fail_writing(stream, rc);
		return 0;
	}
	if (n < bytes.len)
		stream->short_of_room = true;
	return n;
}

void
ptah_stream_send_eof(struct ptah_stream *stream)
{
	int rc = ptah_end_finish(&stream->end);

	if (rc < 0)
		ptah_stream_fail(stream, rc);
	else if (rc == 1)
		stream->short_of_room = true;
	else
		ptah_stream_bring(stream, PTAH_STREAM_ROOM);
}

void
ptah_stream_ask(struct ptah_stream *stream, size_t want, uint32_t hold, uint32_t finish)
{
	bool more = (stream->hold && hold == 0) || want < stream->want || stream->want == PTAH_NEVER;

	/* More than is ever kept would be waited for in vain. */
	stream->want = want != PTAH_NEVER && want > PTAH_STREAM_KEPT ? PTAH_STREAM_KEPT : want;
	stream->hold = hold != 0;
	if (finish != 0 && !stream->finish) {
		stream->finish = true;
		if (!stream->dialing && stream->end.fd != -1)
			ptah_stream_send_eof(stream);
	}
	if (!stream->telling)
		ptah_stream_set_reader(stream);
	if (more && ptah_stream_has_input(stream))
		ptah_stream_bring(stream, PTAH_STREAM_INPUT);
}

const struct ptah_end_ops ptah_stream_end_ops = { on_readable, on_drained, on_write_failed };
