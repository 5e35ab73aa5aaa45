/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * shadow.h: two links of shadow with a host of the test's own, on wires that
 * are cut wherever the test likes.  Include it after cmocka.h.
 */
#ifndef PTAH_TESTS_SHADOW_H
#define PTAH_TESTS_SHADOW_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "link.h"

#define ROOM ((size_t)512 * 1024)
#define PSK_16 "AAECAwQFBgcICQoLDA0ODw=="
#define PSK_32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define STREAM_MAX ((size_t)256 * 1024)

extern const struct ptah_module shadow_LTX_ptah_module;
static const struct ptah_module *const module = &shadow_LTX_ptah_module;

struct bytes {
	uint8_t at[2 * STREAM_MAX];
	size_t len;
};

struct end {
	struct shadow_link link;
	struct shadow_options options;
	struct bytes wire_in, plain_in, plain_out, wire_out;
	size_t want;
	uint32_t hold[2];
	bool open, admitted, plain_ended, wire_ended, told, wire_finished, timer, more;
	size_t n_writes;
	int rc;
	uint32_t manner;
	const char *reason;
	char dest[SHADOW_DEST_TEXT];
};

static struct end client, server;
static struct {
	uint8_t salt[64];
	size_t len;
	int64_t until_s;
} seen[1024];
static size_t n_seen;
static bool by_event;
static int event_says;
static int64_t counts[4];
static int64_t wall_s = 1700000000;
static unsigned n_logged;

/* ---- the host ----------------------------------------------------------- */

static struct end *
end_of(struct ptah_self *self)
{
	return (struct end *)(void *)self;
}

static void
host_random(struct ptah_self *self, void *out, size_t len)
{
	(void)self;
	randombytes_buf(out, len);
}

static int
host_timer(struct ptah_self *self, uint32_t which, uint64_t after_ns)
{
	assert_int_equal(which, 0);
	end_of(self)->timer = after_ns != 0;
	return 0;
}

static void
host_count(struct ptah_self *self, uint32_t counter, int64_t add)
{
	(void)self;
	assert_in_range(counter, 0, 3);
	counts[counter] += add;
}

static int
host_replay(struct ptah_self *self, struct ptah_span scope, struct ptah_span token, uint32_t ttl_s, uint64_t cookie)
{
	uint8_t all[64];

	(void)self;
	(void)cookie;
	assert_true(scope.len + token.len <= sizeof(all));
	memcpy(all, scope.at, scope.len);
	memcpy(all + scope.len, token.at, token.len);
	event_says = 1;
	for (size_t i = 0; i < n_seen; i++)
		if (seen[i].until_s > wall_s && seen[i].len == scope.len + token.len && memcmp(seen[i].salt, all, seen[i].len) == 0)
			event_says = 0;
	if (event_says == 1) {
		assert_true(n_seen < sizeof(seen) / sizeof(seen[0]));
		memcpy(seen[n_seen].salt, all, scope.len + token.len);
		seen[n_seen].until_s = ttl_s == 0 ? INT64_MAX : wall_s + ttl_s;
		seen[n_seen++].len = scope.len + token.len;
	}
	return by_event ? -EINPROGRESS : event_says;
}

static uint64_t
host_now_ns(struct ptah_self *self)
{
	(void)self;
	return (uint64_t)wall_s * 1000000000u;
}

static int64_t
host_wall_s(struct ptah_self *self)
{
	(void)self;
	return wall_s;
}

static void
host_log(struct ptah_self *self, uint32_t level, const char *text, size_t len)
{
	(void)self;
	(void)level;
	assert_true(len > 0 && len == strlen(text));
	n_logged++;
}

static const struct ptah_host host = {
	.size = sizeof(host),
	.now_ns = host_now_ns,
	.wall_s = host_wall_s,
	.log = host_log,
	.random = host_random,
	.timer = host_timer,
	.count = host_count,
	.replay = host_replay,
};

/* ---- links -------------------------------------------------------------- */

static inline void
add(struct bytes *bytes, const uint8_t *at, size_t len)
{
	assert_true(bytes->len + len <= sizeof(bytes->at));
	if (len > 0)
		memcpy(bytes->at + bytes->len, at, len);
	bytes->len += len;
}

static inline void
eat(struct bytes *bytes, size_t n)
{
	assert_true(n <= bytes->len);
	bytes->len -= n;
	memmove(bytes->at, bytes->at + n, bytes->len);
}

static inline void
call(struct end *end, bool wire_side, const struct ptah_event *event, const struct ptah_open *open)
{
	static uint8_t plain[ROOM], wire[ROOM];
	struct ptah_io io = {
		.size = sizeof(io),
		.plain = { .in = { end->plain_in.at, end->plain_in.len }, .out = { end->open ? plain : NULL, end->open ? ROOM : 0 },
		    .ended = end->plain_ended, .hold = end->hold[0] },
		.wire = { .in = { end->wire_in.at, end->wire_in.len }, .out = { wire, ROOM }, .want = end->want,
		    .ended = end->wire_ended, .hold = end->hold[1] },
	};
	int rc = open != NULL ? module->open(&end->link, open, &io) : event != NULL ? module->event(&end->link, event, &io) :
	    wire_side ? module->unwrap(&end->link, &io) : module->wrap(&end->link, &io);

	end->want = io.wire.want;
	end->hold[0] = io.plain.hold;
	end->hold[1] = io.wire.hold;
	end->more = io.plain.more != 0;
	end->n_writes += io.wire.made > 0;
	eat(&end->plain_in, io.plain.eaten);
	eat(&end->wire_in, io.wire.eaten);
	add(&end->plain_out, plain, io.plain.made);
	add(&end->wire_out, wire, io.wire.made);
	end->wire_finished = end->wire_finished || io.wire.finish;
	if (io.dest != NULL)
		strcpy(end->dest, io.dest);
	if (rc == PTAH_OPEN)
		end->open = true;
	else if (rc == PTAH_ADMIT)
		end->admitted = true;
	else if (rc != PTAH_GO)
		end->rc = rc;
	end->manner = io.manner;
	end->reason = io.reason;
}

static inline void
end_open(struct end *end, uint32_t role, const struct shadow_options *options, const char *dest)
{
	static struct shadow_worker worker;
	struct ptah_open open = {
		.size = sizeof(open), .role = role, .worker = &worker, .conf = &end->options, .args = &end->options, .dest = dest, .peer = "",
		.self = (struct ptah_self *)(void *)end, .host = &host,
	};

	memset(end, 0, sizeof(*end));
	end->options = *options;
	call(end, false, NULL, &open);
}

static inline void
tell(struct end *end, uint32_t what, int64_t val)
{
	struct ptah_event event = { .size = sizeof(event), .what = what, .val = val, .cookie = 1 };

	call(end, false, &event, NULL);
}

/* Call the steps until they want no more. */
static inline void
run(struct end *end)
{
	for (bool moved = true; moved && end->rc == 0;) {
		size_t before = end->wire_in.len + end->plain_in.len + end->plain_out.len + end->open;
		bool held = end->hold[1] != 0;

		if (end->hold[1] && by_event)
			tell(end, PTAH_EV_REPLAY, event_says);
		if (end->rc == 0 && !end->hold[1] && (end->more || (end->wire_in.len > 0 && end->wire_in.len >= end->want)))
			call(end, true, NULL, NULL);
		if (end->admitted && !end->open && end->rc == 0)
			tell(end, PTAH_EV_PLAIN, 0);
		if (end->rc == 0 && end->open && (end->plain_in.len > 0 || (end->plain_ended && !end->told))) {
			end->told = end->plain_ended;
			call(end, false, NULL, NULL);
		}
		moved = before != end->wire_in.len + end->plain_in.len + end->plain_out.len + end->open || end->more ||
		    held != (end->hold[1] != 0);
	}
}

static inline void
carry(struct end *from, struct end *to, size_t cut)
{
	while (from->wire_out.len > 0 && to->rc == 0) {
		size_t n = cut < from->wire_out.len ? cut : from->wire_out.len;

		add(&to->wire_in, from->wire_out.at, n);
		eat(&from->wire_out, n);
		run(to);
	}
}

static inline void
say(struct end *end, const uint8_t *at, size_t len)
{
	add(&end->plain_in, at, len);
	run(end);
}

static inline struct shadow_options
options_of(const char *cipher, uint32_t profile)
{
	const struct shadow_cipher *one = shadow_cipher_find(cipher);
	const char *password = one == NULL || !one->modern ? "barfoo!" : one->key_len == 16 ? PSK_16 : PSK_32;

	return (struct shadow_options){ .password = password, .cipher = cipher, .profile = profile };
}

static inline void
open_both(const char *cipher, uint32_t profile)
{
	const struct shadow_options options = options_of(cipher, profile);

	n_seen = 0;
	memset(counts, 0, sizeof(counts));
	end_open(&client, PTAH_CLIENT, &options, "192.0.2.1:443");
	end_open(&server, PTAH_SERVER, &options, NULL);
	assert_true(client.open);
	assert_false(server.open);
}

static inline void
close_both(void)
{
	module->close(&client.link, 0);
	module->close(&server.link, 0);
}

static uint8_t stream[STREAM_MAX];

static inline int
start_links(void **state)
{
	(void)state;
	if (sodium_init() < 0)
		return -1;
	randombytes_buf(stream, sizeof(stream));
	return 0;
}

#endif
