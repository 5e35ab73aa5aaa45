/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * unit/codec.h: one link of a codec without a host: what comes is cut as the
 * test likes, chance is seeded, and timers ring when the test says so.
 *
 * A hook that breaks the contract aborts.
 */
#ifndef PTAH_UNIT_CODEC_H
#define PTAH_UNIT_CODEC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <ptah/host.h>

#define CODEC_ROOM ((size_t)256 * 1024)
#define CODEC_DRAWS 8

struct codec_bytes {
	uint8_t *at;
	size_t len;
};

/** A link, or a worker life. */
struct codec {
	const struct ptah_module *module;
	/* Preset where a codec needs them: another host than the one below, its home, its instance's options. */
	const struct ptah_host *host;
	const void *home, *conf;
	uint32_t role;
	uint8_t *link;
	struct codec_bytes wire_in, plain_in, wire_out, plain_out;
	size_t wire_want, plain_want, room; /* room: what an output may take; 0: all */
	size_t n_writes;
	uint64_t timer_ns[PTAH_TIMERS];
	bool wire_hold, plain_hold, wire_ended, plain_ended, wire_told, plain_told, open;
	bool wire_more; /* it has more to say */
	int rc; /* what ended it: PTAH_REJECT or -errno; 0 while it lives */
	uint32_t manner;
	const char *reason;
	uint64_t seed;
	uint32_t draws[CODEC_DRAWS]; /* answers to the next requests for 4 random bytes */
	unsigned n_draws, at_draw;
	const uint8_t *sixteen; /* answer to each request for 16 */
};

static inline void
codec_must(bool it)
{
	if (!it)
		abort();
}

static inline struct codec *
codec_of(struct ptah_self *self)
{
	return (struct codec *)(void *)self;
}

static inline void
codec_random(struct ptah_self *self, void *out, size_t len)
{
	struct codec *codec = codec_of(self);
	uint8_t *to = out;

	if (len == 4 && codec->at_draw < codec->n_draws) {
		memcpy(out, &codec->draws[codec->at_draw++], 4);
		return;
	}
	if (len == 16 && codec->sixteen != NULL) {
		memcpy(out, codec->sixteen, 16);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		codec->seed = codec->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		to[i] = (uint8_t)(codec->seed >> 56);
	}
}

static inline int
codec_timer(struct ptah_self *self, uint32_t which, uint64_t after_ns)
{
	codec_must(which < PTAH_TIMERS);
	codec_of(self)->timer_ns[which] = after_ns;
	return 0;
}

static const struct ptah_host codec_host = {
	.size = sizeof(codec_host),
	.random = codec_random,
	.timer = codec_timer,
};

static inline void
codec_add(struct codec_bytes *bytes, const uint8_t *at, size_t len)
{
	if (len == 0)
		return;
	bytes->at = realloc(bytes->at, bytes->len + len);
	codec_must(bytes->at != NULL);
	memcpy(bytes->at + bytes->len, at, len);
	bytes->len += len;
}

static inline void
codec_eat(struct codec_bytes *bytes, size_t len)
{
	codec_must(len <= bytes->len);
	bytes->len -= len;
	if (len > 0)
		memmove(bytes->at, bytes->at + len, bytes->len);
}

/* The next fair draws below n give these: for codecs that draw as chance.h does. */
static inline void
codec_draw(struct codec *codec, uint32_t n, uint32_t value)
{
	codec_must(codec->n_draws < CODEC_DRAWS && value < n);
	codec->draws[codec->n_draws++] = n + value;
}

/* One call; says whether anything moved. */
static inline bool
codec_call(struct codec *codec, int (*step)(void *, struct ptah_io *), const struct ptah_open *open,
    const struct ptah_event *event)
{
	size_t room = codec->room > 0 && codec->open ? codec->room : CODEC_ROOM;
	uint8_t *wire = malloc(room), *plain = malloc(room);
	struct ptah_io io = {
		.size = sizeof(io),
		.wire = { .in = { codec->wire_in.at, codec->wire_in.len }, .out = { wire, room }, .ended = codec->wire_ended,
		    .want = codec->wire_want, .hold = codec->wire_hold },
		.plain = { .in = { codec->plain_in.at, codec->plain_in.len }, .out = { plain, codec->open ? room : 0 },
		    .ended = codec->plain_ended && codec->open, .want = codec->plain_want, .hold = codec->plain_hold },
	};
	int rc;
	bool moved;

	codec_must(wire != NULL && plain != NULL);
	rc = open != NULL ? codec->module->open(codec->link, open, &io) :
	    event != NULL ? codec->module->event(codec->link, event, &io) : step(codec->link, &io);
	codec_must(io.wire.made <= io.wire.out.len && io.plain.made <= io.plain.out.len);
	codec_must(rc <= PTAH_REJECT && rc != PTAH_ADMIT && rc != PTAH_PASS);
	codec_must(rc != PTAH_OPEN || !codec->open);
	moved = io.wire.eaten > 0 || io.plain.eaten > 0 || io.wire.made > 0 || io.plain.made > 0 || rc != PTAH_GO ||
	    io.wire.want != codec->wire_want || io.wire.hold != codec->wire_hold || io.plain.want != codec->plain_want ||
	    io.plain.hold != codec->plain_hold;
	codec_eat(&codec->wire_in, io.wire.eaten);
	codec_eat(&codec->plain_in, io.plain.eaten);
	codec_add(&codec->wire_out, wire, io.wire.made);
	codec_add(&codec->plain_out, plain, io.plain.made);
	codec->n_writes += io.wire.made > 0;
	codec->wire_want = io.wire.want;
	codec->plain_want = io.plain.want;
	codec->wire_hold = io.wire.hold;
	codec->plain_hold = io.plain.hold;
	codec->wire_more = io.wire.more != 0;
	codec->open = codec->open || rc == PTAH_OPEN;
	if (rc < 0 || rc == PTAH_REJECT) {
		codec->rc = rc;
		codec->manner = io.manner;
		codec->reason = io.reason;
	}
	free(wire);
	free(plain);
	return moved;
}

static inline bool
codec_wants(size_t len, size_t want, bool hold, bool ended, bool told)
{
	return !hold && ((ended && (!told || len > 0)) || (len > 0 && want != PTAH_NEVER && len >= want));
}

/* Call it as long as that changes anything. */
static inline void
codec_run(struct codec *codec)
{
	bool moved = true;

	while (moved && codec->rc == 0) {
		moved = codec->wire_more && codec_call(codec, codec->module->wrap, NULL, NULL);
		if (codec_wants(codec->wire_in.len, codec->wire_want, codec->wire_hold, codec->wire_ended, codec->wire_told)) {
			codec->wire_told = codec->wire_ended;
			bool took = codec_call(codec, codec->module->unwrap, NULL, NULL);

			/* Bytes that it wanted and does not take would lie there for ever; at 0 it only looks. */
			codec_must(took || codec->wire_in.len == 0 || codec->wire_ended || codec->wire_want == 0);
			moved = took || moved;
		}
		if (codec->rc == 0 && codec->open &&
		    codec_wants(codec->plain_in.len, codec->plain_want, codec->plain_hold, codec->plain_ended, codec->plain_told)) {
			codec->plain_told = codec->plain_ended;
			moved = codec_call(codec, codec->module->wrap, NULL, NULL) || moved;
		}
	}
}

/** 'worker': the module's, from codec_worker_open().  Preset 'draws' and such before. */
static inline void
codec_open(struct codec *codec, const struct ptah_module *module, uint32_t role, void *worker, const void *args)
{
	struct ptah_open open = { .size = sizeof(open), .role = role, .worker = worker, .args = args, .server = "192.0.2.1:1",
		.peer = "192.0.2.2:2", .self = (struct ptah_self *)(void *)codec,
		.host = codec->host != NULL ? codec->host : &codec_host, .home = codec->home, .conf = codec->conf };

	codec->module = module;
	codec->role = role;
	codec->link = calloc(1, module->link_size);
	codec_must(codec->link != NULL);
	(void)codec_call(codec, NULL, &open, NULL);
	codec_run(codec);
}

static inline void
codec_close(struct codec *codec)
{
	codec->module->close(codec->link, codec->rc);
	free(codec->link);
	free(codec->wire_in.at);
	free(codec->wire_out.at);
	free(codec->plain_in.at);
	free(codec->plain_out.at);
	memset(codec, 0, sizeof(*codec));
}

/** Bytes from the wire, in pieces of so many (0: at once). */
static inline void
codec_hear(struct codec *codec, const uint8_t *at, size_t len, size_t piece)
{
	while (len > 0 && codec->rc == 0) {
		size_t n = piece > 0 && piece < len ? piece : len;

		codec_add(&codec->wire_in, at, n);
		codec_run(codec);
		at += n;
		len -= n;
	}
}

static inline void
codec_hear_eof(struct codec *codec)
{
	codec->wire_ended = true;
	codec_run(codec);
}

/** Bytes from the plain side. */
static inline void
codec_say(struct codec *codec, const uint8_t *at, size_t len)
{
	codec_add(&codec->plain_in, at, len);
	codec_run(codec);
}

/** An event that is not a timer's. */
static inline void
codec_tell(struct codec *codec, const struct ptah_event *event)
{
	codec_must(codec->rc == 0);
	(void)codec_call(codec, NULL, NULL, event);
	codec_run(codec);
}

static inline void
codec_ring(struct codec *codec, uint32_t timer)
{
	struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_TIMER, .val = timer };

	codec_must(codec->timer_ns[timer] > 0 && codec->rc == 0);
	codec->timer_ns[timer] = 0;
	(void)codec_call(codec, NULL, NULL, &event);
	codec_run(codec);
}

/** A worker life; 'self' must outlive it. */
static inline void *
codec_worker_open(struct codec *self, const struct ptah_module *module)
{
	struct ptah_start start = { .size = sizeof(start), .role = self->role != 0 ? self->role : PTAH_CLIENT,
		.self = (struct ptah_self *)(void *)self, .host = self->host != NULL ? self->host : &codec_host };
	void *worker = calloc(1, module->worker_size);

	codec_must(worker != NULL && module->worker_open(worker, &start) == 0);
	return worker;
}

static inline void
codec_worker_close(const struct ptah_module *module, void *worker)
{
	module->worker_close(worker);
	free(worker);
}

/** Carry what both have said to one another, in pieces, until neither says more. */
static inline void
codec_talk(struct codec *a, struct codec *b, size_t piece)
{
	while (a->wire_out.len > 0 || b->wire_out.len > 0) {
		struct codec_bytes from_a = a->wire_out, from_b = b->wire_out;

		a->wire_out = b->wire_out = (struct codec_bytes){ NULL, 0 };
		codec_hear(b, from_a.at, from_a.len, piece);
		codec_hear(a, from_b.at, from_b.len, piece);
		free(from_a.at);
		free(from_b.at);
	}
}

#endif
