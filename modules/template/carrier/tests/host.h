/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host.h: a host in memory, for one life of a carrier: a link of a client, or
 * the home of a server.  Its streams are here, and the test plays who is at
 * their other end.  A hook that breaks the contract ends the test.
 *
 * A service that your module asks for and that is missing here: add it.
 */
#ifndef SKETCH_TESTS_HOST_H
#define SKETCH_TESTS_HOST_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"

struct ptah_stream {
	struct fake *owner;
	uint8_t *in, *out; /* came and not eaten yet; written */
	size_t in_len, out_len, want;
	bool ended, hold, finished, dropped, given;
};

#define STREAMS_MOST 256

struct fake {
	void *home, *link, *conf, *args;
	struct ptah_stream *streams[STREAMS_MOST];
	size_t n_streams, n_given;
	uint64_t now_ns, timer_ns[PTAH_TIMERS];
	bool ready, done;
	int rc;
	const char *reason, *peer; /* of what was given */
};

/* ---- streams ------------------------------------------------------------- */

static inline struct fake *
fake_of(struct ptah_self *self)
{
	return (struct fake *)(void *)self;
}

static inline struct ptah_stream *
fake_stream(struct fake *fake)
{
	struct ptah_stream *stream = calloc(1, sizeof(*stream));

	MUST(stream != NULL && fake->n_streams < STREAMS_MOST);
	stream->owner = fake;
	fake->streams[fake->n_streams++] = stream;
	return stream;
}

static inline void
fake_add(uint8_t **at, size_t *len, const void *bytes, size_t n)
{
	if (n == 0)
		return;
	*at = realloc(*at, *len + n);
	MUST(*at != NULL);
	memcpy(*at + *len, bytes, n);
	*len += n;
}

static inline void
fake_eat(struct ptah_stream *stream, size_t n)
{
	MUST(!stream->dropped && n <= stream->in_len);
	stream->in_len -= n;
	if (n > 0)
		memmove(stream->in, stream->in + n, stream->in_len);
}

static inline size_t
fake_write(struct ptah_stream *stream, struct ptah_span bytes)
{
	MUST(!stream->dropped && !stream->given && !stream->finished);
	fake_add(&stream->out, &stream->out_len, bytes.at, bytes.len);
	return bytes.len;
}

static inline void
fake_ask(struct ptah_stream *stream, size_t want, uint32_t hold, uint32_t finish)
{
	MUST(!stream->dropped && !stream->given);
	stream->want = want;
	stream->hold = hold != 0;
	stream->finished = stream->finished || finish != 0;
}

static inline void
fake_drop(struct ptah_stream *stream)
{
	if (stream == NULL)
		return;
	MUST(!stream->dropped && !stream->given);
	stream->dropped = true;
}

static inline struct ptah_stream *
fake_dial(struct ptah_self *self, int32_t via, const char *server, const char *args)
{
	MUST(via == PTAH_OUT && server != NULL);
	(void)args;
	return fake_stream(fake_of(self));
}

static inline int
fake_give(struct ptah_self *self, struct ptah_stream *stream)
{
	MUST(!stream->dropped && !stream->given);
	stream->given = true;
	fake_of(self)->n_given++;
	return 0;
}

static inline int
fake_arrive(struct ptah_self *self, struct ptah_stream *stream, const char *peer, const char *dest, uint64_t cookie)
{
	(void)dest;
	(void)cookie;
	fake_of(self)->peer = peer;
	return fake_give(self, stream);
}

static inline int
fake_listen(struct ptah_self *self, const char *bind, uint64_t cookie, char *bound, size_t room)
{
	(void)self;
	(void)cookie;
	if (bound != NULL)
		snprintf(bound, room, "%s", bind);
	return bind != NULL ? 0 : -EINVAL;
}

/* ---- the other services -------------------------------------------------- */

static inline uint64_t
fake_now_ns(struct ptah_self *self)
{
	return fake_of(self)->now_ns;
}

static inline int
fake_timer(struct ptah_self *self, uint32_t which, uint64_t after_ns)
{
	MUST(which < PTAH_TIMERS);
	fake_of(self)->timer_ns[which] = after_ns;
	return 0;
}

static inline void
fake_ready(struct ptah_self *self, int rc, const char *advertise, const char *bridge_args, const char *reason)
{
	(void)advertise;
	(void)bridge_args;
	(void)reason;
	fake_of(self)->ready = rc == 0;
}

static inline void
fake_home_done(struct ptah_self *self)
{
	fake_of(self)->done = true;
}

static const struct ptah_host fake_host = {
	.size = sizeof(fake_host),
	.major = PTAH_ABI_MAJOR,
	.minor = PTAH_ABI_MINOR,
	.now_ns = fake_now_ns,
	.timer = fake_timer,
	.ready = fake_ready,
	.home_done = fake_home_done,
	.dial = fake_dial,
	.eat = fake_eat,
	.write = fake_write,
	.ask = fake_ask,
	.drop = fake_drop,
	.give = fake_give,
	.arrive = fake_arrive,
	.listen = fake_listen,
};

/* ---- the life ------------------------------------------------------------ */

static inline void
fake_event(struct fake *fake, bool home, const struct ptah_event *event)
{
	struct ptah_io io = { .size = sizeof(io) };
	int rc;

	if (fake->rc != 0)
		return;
	rc = home ? MODULE->home_event(fake->home, event) : MODULE->event(fake->link, event, &io);
	MUST(rc <= 0);
	fake->rc = rc;
	fake->reason = io.reason;
}

/* Memory; set its options now, then dial or listen. */
static inline void
fake_new(struct fake *fake)
{
	*fake = (struct fake){ .now_ns = 1 };
	fake->conf = must_memory(MODULE->conf_size);
	fake->args = must_memory(MODULE->args_size);
	fake->home = must_memory(MODULE->home_size);
	fake->link = must_memory(MODULE->link_size);
}

static inline void
fake_open_home(struct fake *fake, uint32_t role)
{
	const struct ptah_start start = { .size = sizeof(start), .role = role, .conf = fake->conf, .name = MODULE->name,
		.self = (struct ptah_self *)(void *)fake, .host = &fake_host };

	MUST(MODULE->home_open(fake->home, &start) == 0 && fake->ready);
}

/* A server; its strangers come by fake_meet(). */
static inline void
fake_serve(struct fake *fake)
{
	fake_open_home(fake, PTAH_SERVER);
	MUST(MODULE->listen(fake->home, "127.0.0.1:0") == 0);
}

static inline struct ptah_stream *
fake_meet(struct fake *fake, const char *peer)
{
	struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_ACCEPT, .val = PTAH_OUT,
		.stream = fake_stream(fake), .peer = peer };

	fake_event(fake, true, &event);
	return event.stream;
}

/* A client's link, and the stream that it dialled. */
static inline struct ptah_stream *
fake_call(struct fake *fake)
{
	struct ptah_self *self = (struct ptah_self *)(void *)fake;
	const struct ptah_open open = { .size = sizeof(open), .role = PTAH_CLIENT, .conf = fake->conf, .args = fake->args,
		.server = "192.0.2.1:1", .self = self, .host = &fake_host, .home = fake->home };
	struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_STREAM, .val = PTAH_STREAM_OPENED };
	struct ptah_io io = { .size = sizeof(io) };

	fake_open_home(fake, PTAH_CLIENT);
	MUST(MODULE->dial(fake->link, &open, &io) == 0 && fake->n_streams > 0);
	event.stream = fake->streams[0];
	fake_event(fake, false, &event);
	return event.stream;
}

/* Bytes come to a stream, in pieces of so many (0: at once); then, perhaps, the end. */
static inline void
fake_hear(struct ptah_stream *stream, bool home, const void *at, size_t len, size_t piece, bool end)
{
	for (size_t done = 0; (done < len || end) && !stream->dropped && !stream->given && stream->owner->rc == 0;) {
		size_t n = piece > 0 && piece < len - done ? piece : len - done;
		struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_STREAM, .val = PTAH_STREAM_INPUT,
			.stream = stream };

		fake_add(&stream->in, &stream->in_len, (const uint8_t *)at + done, n);
		done += n;
		if (end && done == len) {
			end = false;
			event.val |= PTAH_STREAM_ENDED;
			stream->ended = true;
		}
		event.body = (struct ptah_span){ stream->in, stream->in_len };
		if (stream->ended || (!stream->hold && stream->in_len >= stream->want))
			fake_event(stream->owner, home, &event);
	}
}

static inline void
fake_ring(struct fake *fake, uint32_t timer)
{
	const struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_TIMER, .val = timer };

	MUST(fake->timer_ns[timer] > 0);
	fake->now_ns += fake->timer_ns[timer];
	fake->timer_ns[timer] = 0;
	fake_event(fake, true, &event);
}

/* The host stops a home: it must say that it is done, and keep no stream. */
static inline void
fake_stop(struct fake *fake)
{
	const struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_STOP, .deadline_ns = fake->now_ns };

	fake_event(fake, true, &event);
	MUST(fake->done);
	for (size_t i = 0; i < fake->n_streams; i++)
		MUST(fake->streams[i]->dropped || fake->streams[i]->given);
}

static inline void
fake_close(struct fake *fake)
{
	for (size_t i = 0; i < fake->n_streams; i++) {
		free(fake->streams[i]->in);
		free(fake->streams[i]->out);
		free(fake->streams[i]);
	}
	free(fake->link);
	free(fake->home);
	free(fake->args);
	free(fake->conf);
}

#endif
