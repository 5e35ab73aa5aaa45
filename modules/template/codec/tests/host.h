/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host.h: a host in memory, for one link of a codec.  The test says what comes
 * from each side and in which pieces; chance is seeded, timers ring when the
 * test wants.  A hook that breaks the contract ends the test.
 *
 * A service that your module asks for and that is missing here: add it.
 */
#ifndef SKETCH_TESTS_HOST_H
#define SKETCH_TESTS_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"

struct bytes {
	uint8_t *at;
	size_t len;
};

/* One direction's two ends, as the link sees a side. */
struct half {
	struct bytes in, out; /* came and not eaten yet; made */
	size_t want;
	bool ended, told, hold, more, finished;
};

struct fake {
	void *home, *link, *conf, *args;
	struct half plain, wire;
	size_t room; /* what an output may take at once; 0: plenty */
	uint64_t seed, timer_ns[PTAH_TIMERS];
	bool open, ready;
	int rc; /* what ended it: PTAH_REJECT or -errno; 0 while it lives */
	const char *reason;
};

/* ---- services ------------------------------------------------------------ */

static inline struct fake *
fake_of(struct ptah_self *self)
{
	return (struct fake *)(void *)self;
}

static inline void
fake_random(struct ptah_self *self, void *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		fake_of(self)->seed = fake_of(self)->seed * UINT64_C(6364136223846793005) + 1;
		((uint8_t *)out)[i] = (uint8_t)(fake_of(self)->seed >> 56);
	}
}

static inline int
fake_timer(struct ptah_self *self, uint32_t which, uint64_t after_ns)
{
	MUST(which < PTAH_TIMERS);
	fake_of(self)->timer_ns[which] = after_ns;
	return 0;
}

static inline void
fake_log(struct ptah_self *self, uint32_t level, const char *text, size_t len)
{
	(void)self;
	(void)level;
	fprintf(stderr, "log: %.*s\n", (int)len, text);
}

static inline void
fake_ready(struct ptah_self *self, int rc, const char *advertise, const char *bridge_args, const char *reason)
{
	(void)advertise;
	(void)bridge_args;
	(void)reason;
	fake_of(self)->ready = rc == 0;
}

static const struct ptah_host fake_host = {
	.size = sizeof(fake_host),
	.major = PTAH_ABI_MAJOR,
	.minor = PTAH_ABI_MINOR,
	.random = fake_random,
	.timer = fake_timer,
	.log = fake_log,
	.ready = fake_ready,
};

/* ---- bytes --------------------------------------------------------------- */

static inline void
bytes_add(struct bytes *bytes, const void *at, size_t len)
{
	if (len == 0)
		return;
	bytes->at = realloc(bytes->at, bytes->len + len);
	MUST(bytes->at != NULL);
	memcpy(bytes->at + bytes->len, at, len);
	bytes->len += len;
}

static inline void
bytes_eat(struct bytes *bytes, size_t len)
{
	MUST(len <= bytes->len);
	bytes->len -= len;
	if (len > 0)
		memmove(bytes->at, bytes->at + len, bytes->len);
}

/* ---- the link ------------------------------------------------------------ */

static inline void
half_take(struct half *half, const struct ptah_side *side, const uint8_t *made)
{
	MUST(side->made <= side->out.len);
	bytes_eat(&half->in, side->eaten);
	bytes_add(&half->out, made, side->made);
	half->want = side->want;
	half->hold = side->hold != 0;
	half->more = side->more != 0;
	half->finished = half->finished || side->finish != 0;
}

/* One call; says whether anything moved. */
static inline bool
fake_call(struct fake *fake, int (*step)(void *, struct ptah_io *), const struct ptah_open *open,
    const struct ptah_event *event)
{
	size_t room = fake->room > 0 ? fake->room : 65536;

	/* The unit is promised. */
	if (room < MODULE->unit)
		room = MODULE->unit;

	/* Of the very size, so that a sanitizer sees each byte too far. */
	uint8_t *wire = must_memory(room), *plain = must_memory(room);
	struct ptah_io io = {
		.size = sizeof(io),
		.wire = { .in = { fake->wire.in.at, fake->wire.in.len }, .out = { wire, room },
		    .ended = fake->wire.ended, .want = fake->wire.want, .hold = fake->wire.hold },
		.plain = { .in = { fake->plain.in.at, fake->plain.in.len }, .out = { plain, fake->open ? room : 0 },
		    .ended = fake->plain.ended, .want = fake->plain.want, .hold = fake->plain.hold },
	};
	int rc = open != NULL ? MODULE->open(fake->link, open, &io) :
	    event != NULL ? MODULE->event(fake->link, event, &io) : step(fake->link, &io);
	bool moved = io.wire.eaten + io.plain.eaten + io.wire.made + io.plain.made > 0 || rc != PTAH_GO ||
	    io.wire.want != fake->wire.want || io.plain.want != fake->plain.want;

	MUST(rc <= PTAH_REJECT && (rc != PTAH_OPEN || !fake->open));
	half_take(&fake->wire, &io.wire, wire);
	half_take(&fake->plain, &io.plain, plain);
	fake->open = fake->open || rc == PTAH_OPEN;
	if (rc < 0 || rc == PTAH_REJECT) {
		fake->rc = rc;
		fake->reason = io.reason;
	}
	free(wire);
	free(plain);
	return moved;
}

static inline bool
half_is_due(struct half *half)
{
	bool due = !half->hold && ((half->ended && !half->told) || half->more ||
	    (half->in.len > 0 && half->want != PTAH_NEVER && half->in.len >= half->want));

	half->told = half->told || (due && half->ended);
	return due;
}

/* Call it as long as that changes anything. */
static inline void
fake_run(struct fake *fake)
{
	bool moved = true;

	while (moved && fake->rc == 0) {
		moved = half_is_due(&fake->wire) && fake_call(fake, MODULE->unwrap, NULL, NULL);
		if (fake->rc == 0 && fake->open && half_is_due(&fake->plain))
			moved = fake_call(fake, MODULE->wrap, NULL, NULL) || moved;
	}
	/* An EOF that means nothing to the module is the host's to pass on. */
	if (fake->rc == 0 && (MODULE->abilities & PTAH_CAN_HALF_CLOSE) != 0) {
		fake->wire.finished = fake->wire.finished || (fake->plain.ended && fake->plain.in.len == 0);
		fake->plain.finished = fake->plain.finished || (fake->wire.ended && fake->wire.in.len == 0);
	}
}

/* Memory for a link; set its options now, then call fake_open(). */
static inline void
fake_new(struct fake *fake, uint64_t seed)
{
	*fake = (struct fake){ .seed = seed };
	fake->conf = must_memory(MODULE->conf_size);
	fake->args = must_memory(MODULE->args_size);
	fake->home = must_memory(MODULE->home_size);
	fake->link = must_memory(MODULE->link_size);
}

static inline void
fake_open(struct fake *fake, uint32_t role)
{
	struct ptah_self *self = (struct ptah_self *)(void *)fake;
	const struct ptah_start start = { .size = sizeof(start), .role = role, .conf = fake->conf, .name = MODULE->name,
		.self = self, .host = &fake_host };
	const struct ptah_open open = { .size = sizeof(open), .role = role, .conf = fake->conf, .args = fake->args,
		.server = role == PTAH_CLIENT ? "192.0.2.1:1" : NULL, .peer = "192.0.2.2:2", .self = self, .host = &fake_host,
		.home = fake->home };

	if (MODULE->home_open != NULL)
		MUST(MODULE->home_open(fake->home, &start) == 0 && fake->ready);
	(void)fake_call(fake, NULL, &open, NULL);
	fake_run(fake);
}

static inline void
fake_close(struct fake *fake)
{
	if (MODULE->close != NULL)
		MODULE->close(fake->link, fake->rc);
	if (MODULE->home_close != NULL && MODULE->home_open != NULL)
		MODULE->home_close(fake->home);
	free(fake->link);
	free(fake->home);
	free(fake->args);
	free(fake->conf);
	free(fake->plain.in.at);
	free(fake->plain.out.at);
	free(fake->wire.in.at);
	free(fake->wire.out.at);
}

/* Bytes come from a side, in pieces of so many; 0: at once. */
static inline void
fake_hear(struct fake *fake, struct half *from, const void *at, size_t len, size_t piece)
{
	for (size_t done = 0; done < len && fake->rc == 0;) {
		size_t n = piece > 0 && piece < len - done ? piece : len - done;

		bytes_add(&from->in, (const uint8_t *)at + done, n);
		fake_run(fake);
		done += n;
	}
}

static inline void
fake_end(struct fake *fake, struct half *from)
{
	from->ended = true;
	fake_run(fake);
}

static inline void
fake_ring(struct fake *fake, uint32_t timer)
{
	const struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_TIMER, .val = timer };

	MUST(fake->timer_ns[timer] > 0 && fake->rc == 0);
	fake->timer_ns[timer] = 0;
	(void)fake_call(fake, NULL, NULL, &event);
	fake_run(fake);
}

/* Carry what both have made for the wire to one another, until neither makes more. */
static inline void
fake_talk(struct fake *a, struct fake *b, size_t piece)
{
	while (a->wire.out.len > 0 || b->wire.out.len > 0) {
		struct bytes from_a = a->wire.out, from_b = b->wire.out;

		a->wire.out = b->wire.out = (struct bytes){ NULL, 0 };
		fake_hear(b, &b->wire, from_a.at, from_a.len, piece);
		fake_hear(a, &a->wire, from_b.at, from_b.len, piece);
		free(from_a.at);
		free(from_b.at);
	}
	if (a->wire.finished && !b->wire.ended)
		fake_end(b, &b->wire);
	if (b->wire.finished && !a->wire.ended)
		fake_end(a, &a->wire);
}

#endif
