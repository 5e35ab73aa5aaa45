/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The codec with a host of the test's own: a clock that stands until it is
 * moved, files in memory, and wires that are cut wherever the test likes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include <ptah/host.h>

#include "vectors.h"

#include "bench.h"
#include "hello.h"
#include "home.h"
#include "link.h"
#include "options.h"
#include "seed.h"

#define ROOM ((size_t)256 * 1024)
#define MS UINT64_C(1000000)
#define WRITES 4096

extern const struct ptah_module obfs4_LTX_ptah_module;
static const struct ptah_module *const module = &obfs4_LTX_ptah_module;

struct bytes {
	uint8_t *at;
	size_t len, room;
};

/* An instance: what its links share. */
struct place {
	int life; /* first in all that is a ptah_self */
	uint32_t role;
	struct obfs4_conf conf;
	struct obfs4_args args;
	struct obfs4_home home;
	struct obfs4_bench bench;
	char state[1024], line[2048], reason[512], announced[512], logged[512];
	bool has_folder;
	int ready, put_rc;
	int64_t counts[3];
};

struct end {
	int life;
	struct place *place;
	struct obfs4_link *link;
	struct bytes wire_in, plain_in, plain_out, wire_out;
	size_t writes[WRITES], n_writes; /* lengths on the wire */
	uint64_t write_ns[WRITES];
	uint64_t timer_ns[PTAH_TIMERS];
	size_t want[2];
	uint32_t hold, manner, close_s;
	bool open, plain_ended, told, plain_finished, wire_finished, inside, more;
	size_t step; /* take no more than this of the wire at once; 0: all */
	size_t wire_room; /* what a write may take; SIZE_MAX as a rule */
	int rc;
	const char *reason;
};

#define LIFE_PLACE 1
#define LIFE_END 2

static uint64_t now_ns;
static int64_t wall_s;
static struct {
	uint8_t token[16];
} seen[64];
static unsigned n_seen;
static bool replay_by_event;
static const char *cert;

/* ---- the host ------------------------------------------------------------------ */

static struct end *
end_of(struct ptah_self *self)
{
	struct end *end = (struct end *)(void *)self;

	assert_int_equal(end->life, LIFE_END);
	return end;
}

static struct place *
place_of(struct ptah_self *self)
{
	struct end *end = (struct end *)(void *)self;

	return end->life == LIFE_END ? end->place : (struct place *)(void *)self;
}

static uint64_t
host_now(struct ptah_self *self)
{
	(void)self;
	return now_ns;
}

static int64_t
host_wall(struct ptah_self *self)
{
	(void)self;
	return wall_s;
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
	if (*(int *)(void *)self == LIFE_END)
		end_of(self)->timer_ns[which] = after_ns == 0 ? 0 : now_ns + after_ns;
	return 0;
}

static void
host_log(struct ptah_self *self, uint32_t level, const char *text, size_t len)
{
	struct place *place = place_of(self);

	(void)level;
	assert_true(len < sizeof(place->logged));
	memcpy(place->logged, text, len);
	place->logged[len] = '\0';
}

static void
host_count(struct ptah_self *self, uint32_t counter, int64_t add)
{
	assert_in_range(counter, 0, 2);
	place_of(self)->counts[counter] += add;
}

static int
look_up(struct ptah_span token)
{
	assert_int_equal(token.len, 16);
	for (unsigned i = 0; i < n_seen; i++)
		if (memcmp(seen[i].token, token.at, 16) == 0)
			return 0;
	assert_true(n_seen < sizeof(seen) / sizeof(seen[0]));
	memcpy(seen[n_seen++].token, token.at, 16);
	return 1;
}

static int replay_said;

static int
host_replay(struct ptah_self *self, struct ptah_span scope, struct ptah_span token, uint32_t ttl_s, uint64_t cookie)
{
	(void)cookie;
	(void)end_of(self);
	assert_int_equal(scope.len, OBFS4_MAC_KEY_LEN);
	assert_int_equal(ttl_s, 10800);
	replay_said = look_up(token);
	return replay_by_event ? -EINPROGRESS : replay_said;
}

static long
host_state_get(struct ptah_self *self, const char *name, struct ptah_room out)
{
	struct place *place = place_of(self);

	assert_string_equal(name, "state.json");
	if (!place->has_folder || strcmp(place->state, "-") == 0)
		return -ENOENT;
	if (strlen(place->state) > out.len)
		return -ENOSPC;
	memcpy(out.at, place->state, strlen(place->state));
	return (long)strlen(place->state);
}

static int
host_state_put(struct ptah_self *self, const char *name, struct ptah_span body, uint64_t cookie)
{
	struct place *place = place_of(self);
	char *to = strcmp(name, "state.json") == 0 ? place->state : place->line;

	assert_true(to == place->state || strcmp(name, "bridgeline.txt") == 0);
	assert_int_equal(cookie, to == place->line);
	if (!place->has_folder)
		return -ENOENT;
	assert_true(body.len < 1024);
	memcpy(to, body.at, body.len);
	to[body.len] = '\0';
	return 0;
}

static void
host_ready(struct ptah_self *self, int rc, const char *advertise, const char *bridge_args, const char *reason)
{
	struct place *place = place_of(self);

	assert_null(advertise);
	assert_int_equal(place->ready, 1);
	place->ready = rc;
	snprintf(place->announced, sizeof(place->announced), "%s", bridge_args != NULL ? bridge_args : "");
	snprintf(place->reason, sizeof(place->reason), "%s", reason != NULL ? reason : "");
}

static const struct ptah_host host = {
	.size = sizeof(host),
	.now_ns = host_now,
	.wall_s = host_wall,
	.random = host_random,
	.timer = host_timer,
	.log = host_log,
	.count = host_count,
	.replay = host_replay,
	.state_get = host_state_get,
	.state_put = host_state_put,
	.ready = host_ready,
};

/* ---- places ----------------------------------------------------------------------- */

/* Opens an instance as far as it comes: ready() has been called, unless files are being written. */
static void
place_open(struct place *place, uint32_t role)
{
	struct ptah_start start = { .size = sizeof(start), .role = role, .conf = &place->conf,
		.self = (struct ptah_self *)(void *)place, .host = &host };

	place->life = LIFE_PLACE;
	place->role = role;
	place->ready = 1;
	assert_int_equal(module->home_open(&place->home, &start), 0);
	assert_int_equal(module->worker_open(&place->bench, &start), 0);
	for (uint64_t cookie = 0; cookie < 2 && place->ready == 1; cookie++) {
		struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_STATE, .val = place->put_rc, .cookie = cookie };

		assert_int_equal(module->home_event(&place->home, &event), 0);
	}
	assert_int_not_equal(place->ready, 1);
	if (role == PTAH_CLIENT && cert != NULL)
		place->args = (struct obfs4_args){ .cert = cert, .iat_mode = "0" };
}

static void
place_close(struct place *place)
{
	module->worker_close(&place->bench);
	module->home_close(&place->home);
}

/* ---- links -------------------------------------------------------------------------- */

static void
bytes_add(struct bytes *bytes, const uint8_t *at, size_t len)
{
	if (bytes->len + len > bytes->room) {
		bytes->room = 2 * (bytes->len + len);
		bytes->at = realloc(bytes->at, bytes->room);
		assert_non_null(bytes->at);
	}
	if (len > 0)
		memcpy(bytes->at + bytes->len, at, len);
	bytes->len += len;
}

static void
bytes_eat(struct bytes *bytes, size_t n)
{
	bytes->len -= n;
	if (n > 0)
		memmove(bytes->at, bytes->at + n, bytes->len);
}

/* One call of a hook, and what the host does with the answers. */
static void
call(struct end *end, int what, const struct ptah_event *event, const struct ptah_open *open)
{
	static uint8_t plain[ROOM], wire[ROOM];
	size_t some = end->step > 0 && end->step < end->wire_in.len ? end->step : end->wire_in.len;
	struct ptah_io io = {
		.size = sizeof(io),
		.plain = { .in = { end->plain_in.at, end->plain_in.len }, .out = { plain, end->open ? ROOM : 0 },
		    .ended = end->plain_ended, .want = end->want[0], .hold = end->hold },
		.wire = { .in = { end->wire_in.at, some }, .out = { wire, end->wire_room > 0 ? ROOM : 0 }, .want = end->want[1] },
	};
	int rc = open != NULL ? module->open(end->link, open, &io) : event != NULL ? module->event(end->link, event, &io) :
	    what == 0 ? module->wrap(end->link, &io) : module->unwrap(end->link, &io);

	assert_true(io.plain.eaten <= io.plain.in.len && io.wire.eaten <= io.wire.in.len);
	assert_true(io.plain.made <= io.plain.out.len && io.wire.made <= io.wire.out.len);
	end->want[0] = io.plain.want;
	end->want[1] = io.wire.want;
	end->hold = io.plain.hold;
	end->more = io.wire.more != 0;
	bytes_eat(&end->plain_in, io.plain.eaten);
	bytes_eat(&end->wire_in, io.wire.eaten);
	bytes_add(&end->plain_out, plain, io.plain.made);
	bytes_add(&end->wire_out, wire, io.wire.made);
	if (io.wire.made > 0) {
		assert_true(io.flush);
		assert_true(end->n_writes < WRITES);
		end->write_ns[end->n_writes] = now_ns;
		end->writes[end->n_writes++] = io.wire.made;
	}
	end->inside = end->inside || io.wire.finish == PTAH_FINISH_INSIDE;
	end->plain_finished = end->plain_finished || io.plain.finish;
	end->wire_finished = end->wire_finished || io.wire.finish == PTAH_FINISH_STREAM;
	if (rc == PTAH_OPEN) {
		assert_false(end->open);
		end->open = true;
	} else if (rc != PTAH_GO) {
		end->rc = rc;
		end->reason = io.reason;
		end->manner = io.manner;
		end->close_s = io.close_s;
	}
}

static void
end_open(struct end *end, struct place *place)
{
	struct ptah_open open = {
		.size = sizeof(open), .role = place->role, .conf = &place->conf, .worker = &place->bench, .args = &place->args,
		.peer = "", .self = (struct ptah_self *)(void *)end, .host = &host, .home = &place->home,
	};

	memset(end, 0, sizeof(*end));
	end->life = LIFE_END;
	end->place = place;
	end->wire_room = SIZE_MAX;
	end->link = aligned_alloc(64, (sizeof(*end->link) + 63) / 64 * 64);
	assert_non_null(end->link);
	memset(end->link, 0, sizeof(*end->link));
	call(end, 0, NULL, &open);
}

static void
end_close(struct end *end)
{
	module->close(end->link, 0);
	/* no key stays behind */
	assert_true(sodium_is_zero((const uint8_t *)&end->link->sealer, sizeof(end->link->sealer)));
	assert_true(sodium_is_zero((const uint8_t *)&end->link->opener, sizeof(end->link->opener)));
	free(end->link);
	free(end->wire_in.at);
	free(end->plain_in.at);
	free(end->plain_out.at);
	free(end->wire_out.at);
}

/* Call the steps until they want no more. */
static void
run(struct end *end)
{
	for (bool moved = true; moved && end->rc == 0;) {
		size_t before = end->wire_in.len + end->plain_in.len + end->n_writes + end->plain_out.len + end->open;

		if (end->wire_in.len > 0 && end->want[1] != PTAH_NEVER && end->wire_in.len >= end->want[1])
			call(end, 1, NULL, NULL);
		if (end->rc == 0 && end->open && !end->hold && (end->plain_in.len > 0 || (end->plain_ended && !end->told))) {
			end->told = end->plain_ended;
			call(end, 0, NULL, NULL);
		}
		if (end->rc == 0 && end->more && end->wire_room > 0)
			call(end, 0, NULL, NULL);
		moved = before != end->wire_in.len + end->plain_in.len + end->n_writes + end->plain_out.len + end->open;
	}
}

/* Bytes go from one end to the other, 'cut' at a time. */
static void
carry(struct end *from, struct end *to, size_t cut)
{
	while (from->wire_out.len > 0 && to->rc == 0) {
		size_t n = cut > 0 && cut < from->wire_out.len ? cut : from->wire_out.len;

		bytes_add(&to->wire_in, from->wire_out.at, n);
		bytes_eat(&from->wire_out, n);
		run(to);
	}
}

static void
carry_both(struct end *client, struct end *server, size_t cut)
{
	for (int i = 0; i < 10; i++) {
		run(client);
		carry(client, server, cut);
		run(server);
		carry(server, client, cut);
	}
}

/* Let the next timer of an end go off, if it has one. */
static bool
tick(struct end *end)
{
	uint32_t next = PTAH_TIMERS;

	for (uint32_t i = 0; i < PTAH_TIMERS; i++)
		if (end->timer_ns[i] != 0 && (next == PTAH_TIMERS || end->timer_ns[i] < end->timer_ns[next]))
			next = i;
	if (next == PTAH_TIMERS || end->rc != 0)
		return false;
	struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_TIMER, .val = next };
	now_ns = end->timer_ns[next];
	end->timer_ns[next] = 0;
	call(end, 0, &event, NULL);
	run(end);
	return true;
}

/* ---- a world with one bridge ----------------------------------------------------------- */

static struct place bridge, home;
static struct end client, server;

static int
begin(void **state)
{
	static struct ptah_json *config;
	static char theirs[OBFS4_CERT_LEN + 1];

	(void)state;
	assert_true(sodium_init() >= 0);
	if (config == NULL)
		config = vectors_load("obfs4_config.json");
	memset(&bridge, 0, sizeof(bridge));
	memset(&home, 0, sizeof(home));
	now_ns = 1000 * MS;
	wall_s = INT64_C(1795219200); /* the first second of an hour */
	n_seen = 0;
	replay_by_event = false;
	bridge.has_folder = true;
	strcpy(bridge.state, vectors_text(config, "state_file_text"));
	strcpy(strstr(bridge.state, "\"iat-mode\":") + 11, "0}");
	place_open(&bridge, PTAH_SERVER);
	obfs4_cert_write(&bridge.home.identity->bridge, theirs);
	cert = theirs;
	place_open(&home, PTAH_CLIENT);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	place_close(&home);
	place_close(&bridge);
	ptah_json_free(NULL);
	return 0;
}

static void
meet(size_t cut)
{
	end_open(&client, &home);
	end_open(&server, &bridge);
	/* The hello only: what goes beyond it waits for the reply. */
	carry(&client, &server, cut);
	carry(&server, &client, cut);
	assert_true(server.open);
	assert_true(client.open);
	client.n_writes = server.n_writes = 0;
}

static void
part(void)
{
	end_close(&client);
	end_close(&server);
}

static void
fill(struct bytes *bytes, size_t len)
{
	uint8_t *noise = malloc(len + 1);

	assert_non_null(noise);
	randombytes_buf(noise, len);
	bytes_add(bytes, noise, len);
	free(noise);
}

/* All of 'sent' came out at the other end. */
static void
all_came(struct end *to, const struct bytes *sent)
{
	assert_int_equal(to->plain_out.len, sent->len);
	if (sent->len > 0)
		assert_memory_equal(to->plain_out.at, sent->at, sent->len);
	to->plain_out.len = 0;
}

static bool
has_tables_of(const struct end *end, const uint8_t seed[static OBFS4_SEED_LEN])
{
	struct ptah_probdist lengths;

	ptah_tables_lengths(&lengths, &obfs4_shape, seed);
	return end->link->tables != NULL && memcmp(&lengths, &end->link->tables->lengths, sizeof(lengths)) == 0;
}

/* ---- tests ------------------------------------------------------------------------------ */

static void
a_handshake_works_in_every_segmentation(void **state)
{
	static const size_t cuts[] = { 0, 1, 2, 7, 37, 64, 141, 1448, 8191 };

	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct bytes sent = { NULL, 0, 0 };

		meet(cuts[i]);
		/* the seed of the bridge has come, and is known before the first byte goes */
		assert_non_null(client.link->tables);
		assert_true(has_tables_of(&client, bridge.home.identity->seed));
		fill(&sent, 5000);
		bytes_add(&client.plain_in, sent.at, sent.len);
		bytes_add(&server.plain_in, sent.at, sent.len);
		carry_both(&client, &server, cuts[i]);
		all_came(&server, &sent);
		all_came(&client, &sent);
		free(sent.at);
		part();
	}
}

static void
messages_have_the_lengths_that_they_may_have(void **state)
{
	size_t least[2] = { SIZE_MAX, SIZE_MAX }, most[2] = { 0, 0 };

	(void)state;
	/* Within the least sixth, and the most seventh, of all lengths: not one of so many draws once in 10^13 times. */
	for (unsigned i = 0; i < 200; i++) {
		end_open(&client, &home);
		end_open(&server, &bridge);
		carry(&client, &server, 0);
		assert_int_equal(client.n_writes, 1);
		assert_int_equal(server.n_writes, 1);
		for (unsigned s = 0; s < 2; s++) {
			size_t len = s == 0 ? client.writes[0] : server.writes[0];

			assert_in_range(len, 141, 8192);
			least[s] = len < least[s] ? len : least[s];
			most[s] = len > most[s] ? len : most[s];
		}
		part();
		n_seen = 0;
	}
	for (unsigned s = 0; s < 2; s++) {
		assert_true(least[s] < 1500);
		assert_true(most[s] > 7000);
	}
}

/* Does any value of the bridge's table stand 'over' below this? */
static bool
of_table(size_t len, size_t over)
{
	return len % PTAH_FRAME_MAX >= over % PTAH_FRAME_MAX
	    ? ptah_probdist_has(&server.link->tables->lengths, (uint16_t)(len % PTAH_FRAME_MAX - over))
	    : ptah_probdist_has(&server.link->tables->lengths, (uint16_t)(len % PTAH_FRAME_MAX + PTAH_FRAME_MAX - over));
}

static void
bursts_are_32768_bytes_at_most_and_end_at_a_length_of_the_table(void **state)
{
	static const size_t sizes[] = { 1, 100, 1427, 1428, 32767, 32768 };
	struct bytes sent = { NULL, 0, 0 };

	(void)state;
	meet(0);
	for (size_t i = 0; i < 300; i++) {
		size_t len = sizes[i % 6];

		server.n_writes = 0;
		sent.len = 0;
		fill(&sent, len);
		bytes_add(&server.plain_in, sent.at, len);
		run(&server);
		assert_int_equal(server.n_writes, 1);
		size_t bare = ptah_frame_sealed_len(len), on_wire = server.writes[0];
		assert_true(on_wire >= bare && on_wire <= bare + 2 * PTAH_FRAME_MAX);
		/* where 1 to 21 bytes are missing it is 21 too long; a target of 1448 is one of 0 */
		assert_true(of_table(on_wire, 0) || of_table(on_wire, 21) ||
		    (on_wire % PTAH_FRAME_MAX == 0 && ptah_probdist_has(&server.link->tables->lengths, PTAH_FRAME_MAX)) ||
		    (on_wire % PTAH_FRAME_MAX == 21 && ptah_probdist_has(&server.link->tables->lengths, PTAH_FRAME_MAX)));
		carry(&server, &client, 0);
		all_came(&client, &sent);
	}
	/* however much comes at once */
	server.n_writes = 0;
	sent.len = 0;
	fill(&sent, 200000);
	bytes_add(&server.plain_in, sent.at, sent.len);
	run(&server);
	assert_int_equal(server.n_writes, (200000 + 32767) / 32768);
	carry(&server, &client, 999);
	all_came(&client, &sent);
	free(sent.at);
	part();
}

/* OBFS-025 */
static void
more_than_255_frames_go_over_one_link(void **state)
{
	struct bytes sent = { NULL, 0, 0 };

	(void)state;
	meet(0);
	fill(&sent, 1427 * 700);
	bytes_add(&client.plain_in, sent.at, sent.len);
	run(&client);
	carry(&client, &server, 4096);
	all_came(&server, &sent);
	free(sent.at);
	part();
}

/* OBFS-009 */
static void
mode_1_writes_1448_bytes_and_rests(void **state)
{
	struct bytes sent = { NULL, 0, 0 };

	(void)state;
	home.args.iat_mode = "1";
	meet(0);
	fill(&sent, 12000);
	bytes_add(&client.plain_in, sent.at, sent.len);
	run(&client);
	assert_true(client.hold);
	assert_int_equal(client.n_writes, 1);
	while (tick(&client))
		;
	assert_false(client.hold);
	assert_null(client.link->pieces.at);
	assert_true(client.n_writes >= 9);
	for (size_t i = 0; i < client.n_writes; i++) {
		if (i + 1 < client.n_writes)
			assert_int_equal(client.writes[i], 1448);
		if (i > 0) {
			uint64_t rest = client.write_ns[i] - client.write_ns[i - 1];

			assert_true(rest <= 10 * MS);
			assert_true(rest <= 1 || rest % 100000 == 0);
		}
	}
	carry(&client, &server, 0);
	all_came(&server, &sent);
	free(sent.at);
	part();
}

/* OBFS-010 */
static void
mode_2_cuts_at_lengths_of_the_table(void **state)
{
	struct bytes sent = { NULL, 0, 0 };

	(void)state;
	home.args.iat_mode = "2";
	meet(0);
	for (size_t len = 1; len < 60000; len = len * 3 + 1) {
		client.n_writes = 0;
		sent.len = 0;
		fill(&sent, len);
		bytes_add(&client.plain_in, sent.at, len);
		run(&client);
		while (tick(&client))
			;
		for (size_t i = 0; i < client.n_writes; i++) {
			assert_in_range(client.writes[i], 1, 1448);
			assert_true(ptah_probdist_has(&client.link->tables->lengths, (uint16_t)client.writes[i]));
		}
		carry(&client, &server, 0);
		all_came(&server, &sent);
	}
	free(sent.at);
	part();
}

/* Let the client have a table of this length alone, and say so many bytes. */
static void
mode_2_with_one_length(uint16_t length, size_t size)
{
	struct bytes sent = { NULL, 0, 0 };
	uint8_t seed[OBFS4_SEED_LEN] = { 0 };

	home.args.iat_mode = "2";
	meet(0);
	struct ptah_tables *only = ptah_tables_get(&home.bench.cache, seed);
	only->lengths.n = 1;
	only->lengths.value[0] = length;
	only->lengths.cut[0] = UINT64_C(1) << 53;
	only->lengths.alias[0] = 0;
	ptah_tables_unref(client.link->tables);
	client.link->tables = only;
	fill(&sent, size);
	bytes_add(&client.plain_in, sent.at, sent.len);
	run(&client);
	while (tick(&client)) /* fewer than WRITES times */
		;
	carry(&client, &server, 0);
	all_came(&server, &sent);
	free(sent.at);
	part();
}

/* OBFS-115: {0} alone is the worst that a bridge can send. */
static void
mode_2_survives_a_table_of_zeros(void **state)
{
	(void)state;
	mode_2_with_one_length(0, 10000);
}

/* Where padding to a length adds a frame, after which there is as much too little as before. */
static void
mode_2_comes_to_an_end_with_every_length(void **state)
{
	static const uint16_t never[] = { 4, 26, 30, 49, 297, 739 };

	(void)state;
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		mode_2_with_one_length(never[i], 1500);
	for (uint16_t length = 1; length <= 1448; length = (uint16_t)(length + 1 + length / 8))
		mode_2_with_one_length(length, 1500);
}

static void
a_full_wire_stops_the_pieces_and_they_go_on_later(void **state)
{
	struct bytes sent = { NULL, 0, 0 };

	(void)state;
	for (unsigned mode = 0; mode < 3; mode++) {
		static const char *const words[] = { "0", "1", "2" };

		home.args.iat_mode = words[mode];
		meet(0);
		sent.len = 0;
		fill(&sent, 70000);
		bytes_add(&client.plain_in, sent.at, sent.len);
		for (unsigned i = 0; i < 5000 && (i < 200 || client.plain_in.len > 0 || client.link->pieces.at != NULL); i++) {
			client.wire_room = i % 3 == 0 ? SIZE_MAX : 0;
			if (client.more && client.wire_room > 0)
				run(&client);
			else if (!tick(&client) && client.wire_room > 0)
				run(&client);
		}
		carry(&client, &server, 0);
		all_came(&server, &sent);
		part();
	}
	free(sent.at);
}

static void
expect_silence(struct end *refused, const char *says)
{
	assert_int_equal(refused->rc, PTAH_REJECT);
	assert_int_equal(refused->manner, PTAH_SILENT);
	assert_int_equal(refused->close_s, 0);
	assert_int_equal(refused->n_writes, 0);
	assert_non_null(strstr(refused->reason, says));
}

/* OBFS-102 */
static void
a_hello_is_good_once(void **state)
{
	struct end again;
	struct bytes hello = { NULL, 0, 0 };

	(void)state;
	for (unsigned by_event = 0; by_event < 2; by_event++) {
		replay_by_event = by_event;
		end_open(&client, &home);
		hello.len = 0;
		bytes_add(&hello, client.wire_out.at, client.wire_out.len);
		for (unsigned i = 0; i < 5; i++) {
			end_open(&again, &bridge);
			bytes_add(&again.wire_in, hello.at, hello.len);
			run(&again);
			if (by_event) {
				struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_REPLAY, .val = replay_said };

				assert_false(again.open);
				run(&again);
				call(&again, 0, &event, NULL);
			}
			if (i == 0) {
				assert_true(again.open);
				assert_int_equal(again.n_writes, 1);
			} else {
				expect_silence(&again, "before");
			}
			end_close(&again);
		}
		end_close(&client);
	}
	assert_int_equal(bridge.counts[OBFS4_COUNT_REPLAYED], 8);
	free(hello.at);
}

static void
bytes_that_come_while_the_filter_thinks_spoil_a_hello(void **state)
{
	struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_REPLAY, .val = 1 };

	(void)state;
	replay_by_event = true;
	end_open(&client, &home);
	end_open(&server, &bridge);
	carry(&client, &server, 0);
	bytes_add(&server.wire_in, (const uint8_t *)"x", 1);
	call(&server, 0, &event, NULL);
	expect_silence(&server, "behind");
	part();
}

/* OBFS-101, OBFS-107, OBFS-119 */
static void
what_is_no_hello_is_refused_in_silence(void **state)
{
	(void)state;
	/* another hour: said once, with the cure */
	for (unsigned i = 0; i < 3; i++) {
		bridge.logged[0] = '\0';
		end_open(&client, &home);
		wall_s += 2 * 3600;
		end_open(&server, &bridge);
		carry(&client, &server, 0);
		expect_silence(&server, "another hour");
		if (i == 0)
			assert_non_null(strstr(bridge.logged, "2 hours behind"));
		else
			assert_string_equal(bridge.logged, "");
		wall_s -= 2 * 3600;
		part();
	}
	/* noise, and too much of it */
	end_open(&server, &bridge);
	fill(&server.wire_in, 8191);
	run(&server);
	assert_int_equal(server.rc, 0);
	fill(&server.wire_in, 1);
	run(&server);
	expect_silence(&server, "no hello");
	end_close(&server);
	/* nothing */
	end_open(&server, &bridge);
	uint64_t before = now_ns;
	assert_true(tick(&server));
	assert_int_equal(now_ns - before, 30000 * MS);
	expect_silence(&server, "30 s");
	end_close(&server);
	/* a link that is open does not mind that timer */
	meet(0);
	assert_false(tick(&server));
	part();
}

static void
a_link_may_close_as_obfs4proxys_do(void **state)
{
	(void)state;
	bridge.conf.compat = 1;
	end_open(&server, &bridge);
	fill(&server.wire_in, 9000);
	run(&server);
	assert_int_equal(server.rc, PTAH_REJECT);
	assert_int_equal(server.close_s, 30 + 18); /* what its seed gives */
	end_close(&server);
}

/* OBFS-112: what came before in the same read is delivered. */
static void
a_broken_frame_ends_the_link(void **state)
{
	struct bytes sent = { NULL, 0, 0 };

	(void)state;
	for (unsigned at_server = 0; at_server < 2; at_server++) {
		struct end *from = at_server ? &client : &server, *to = at_server ? &server : &client;

		meet(0);
		sent.len = 0;
		fill(&sent, 3 * 1427);
		bytes_add(&from->plain_in, sent.at, sent.len);
		run(from);
		to->n_writes = 0;
		from->wire_out.at[2 * 1448 + 100] ^= 4;
		carry(from, to, 0);
		assert_int_equal(to->plain_out.len, 2 * 1427);
		assert_memory_equal(to->plain_out.at, sent.at, to->plain_out.len);
		if (at_server)
			expect_silence(to, "not authentic");
		else
			assert_int_equal(to->rc, -EBADMSG);
		assert_int_equal(to->place->counts[OBFS4_COUNT_BROKEN], 1);
		part();
	}
	free(sent.at);
}

/* OBFS-113: a length that cannot be fails only when as much has come as some length says. */
static void
a_wrong_length_fails_late(void **state)
{
	size_t least = SIZE_MAX, most = 0;

	(void)state;
	/* As many as it takes for an eighth of all lengths to be met but once in 10^11 times. */
	for (unsigned i = 0; i < 200; i++) {
		uint8_t wrong[2] = { 0 };
		size_t n = 2;

		meet(0);
		/* try masks until the length is out of range: half of all are far above */
		wrong[0] = (uint8_t)(i * 37);
		bytes_add(&server.wire_in, wrong, 2);
		run(&server);
		while (server.rc == 0 && n < 2000) {
			fill(&server.wire_in, 1);
			n++;
			run(&server);
		}
		assert_int_equal(server.rc, PTAH_REJECT);
		assert_in_range(n, 2 + 16, 2 + 1446);
		least = n < least ? n : least;
		most = n > most ? n : most;
		part();
		n_seen = 0;
	}
	assert_true(least < 200);
	assert_true(most > 1200);
}

static void
seal_packet(struct end *from, uint8_t type, const void *payload, size_t len, size_t padding)
{
	uint8_t frame[PTAH_FRAME_MAX];
	ssize_t n = ptah_sealer_packet(&from->link->sealer, from->place->bench.boxer, type,
	    (struct ptah_span){ payload, len }, padding, (struct ptah_room){ frame, sizeof(frame) });

	assert_true(n > 0);
	bytes_add(&from->wire_out, frame, (size_t)n);
}

/* OBFS-011 */
static void
packets_that_mean_nothing_are_ignored(void **state)
{
	static uint8_t zeros[PTAH_PACKET_MAX];
	uint8_t seed[OBFS4_SEED_LEN] = { 7 };

	(void)state;
	meet(0);
	seal_packet(&server, 2, "what", 4, 10);
	seal_packet(&server, 255, zeros, 1427, 0);
	seal_packet(&server, 0, NULL, 0, 0);
	seal_packet(&server, 0, NULL, 0, 1427);
	seal_packet(&server, 0, "a", 1, 1426);
	seal_packet(&server, 1, seed, 23, 0);
	seal_packet(&server, 1, zeros, 25, 0);
	carry(&server, &client, 5);
	assert_int_equal(client.rc, 0);
	assert_true(has_tables_of(&client, bridge.home.identity->seed));
	assert_int_equal(client.plain_out.len, 1);
	/* a second seed counts */
	seal_packet(&server, 1, seed, 24, 30);
	seal_packet(&server, 0, zeros, 1427, 0);
	carry(&server, &client, 0);
	assert_true(has_tables_of(&client, seed));
	assert_int_equal(client.plain_out.len, 1428);
	/* a server has its own */
	seal_packet(&client, 1, seed, 24, 0);
	seal_packet(&client, 0, "b", 1, 0);
	carry(&client, &server, 0);
	assert_int_equal(server.plain_out.len, 1);
	assert_false(has_tables_of(&server, seed));
	part();
}

static void
a_counter_that_runs_out_ends_the_link(void **state)
{
	(void)state;
	meet(0);
	client.link->sealer.key.counter = UINT64_MAX - 1;
	bytes_add(&client.plain_in, (const uint8_t *)"x", 1);
	for (unsigned i = 0; i < 3 && client.rc == 0; i++) {
		bytes_add(&client.plain_in, (const uint8_t *)"x", 1);
		run(&client);
	}
	assert_int_equal(client.rc, -EOVERFLOW);
	assert_non_null(client.reason);
	part();
}

/* Both tell one another by packets that obfs4proxy ignores; the stream ends when both have. */
static void
half_closes_go_through(void **state)
{
	static const char *const words[] = { "0", "1", "2" };
	struct bytes sent = { NULL, 0, 0 };

	(void)state;
	fill(&sent, 40000);
	for (unsigned mode = 0; mode < 3; mode++) {
		home.args.iat_mode = words[mode];
		meet(0);
		bytes_add(&client.plain_in, sent.at, sent.len);
		client.plain_ended = true;
		run(&client);
		while (tick(&client))
			;
		carry_both(&client, &server, 333);
		all_came(&server, &sent);
		assert_true(server.plain_finished);
		assert_false(client.plain_finished || client.wire_finished || server.wire_finished);
		/* the word for it waits a little for the other EOF */
		assert_false(client.inside);
		assert_true(tick(&server));
		carry_both(&client, &server, 0);
		assert_true(client.inside);
		/* the other direction lives as long as it likes */
		for (unsigned i = 0; i < 3; i++) {
			bytes_add(&server.plain_in, sent.at, sent.len);
			carry_both(&client, &server, 0);
			all_came(&client, &sent);
		}
		server.plain_ended = true;
		carry_both(&client, &server, 0);
		assert_true(client.plain_finished && client.wire_finished && server.wire_finished);
		assert_int_equal(client.rc, 0);
		assert_int_equal(server.rc, 0);
		part();
	}
	free(sent.at);
}

static void
both_may_half_close_at_once(void **state)
{
	(void)state;
	meet(0);
	client.plain_ended = server.plain_ended = true;
	run(&client);
	run(&server);
	assert_int_equal(client.n_writes, 1);
	assert_true(ptah_probdist_has(&client.link->tables->lengths, (uint16_t)client.writes[0]));
	carry_both(&client, &server, 1);
	assert_true(client.plain_finished && client.wire_finished);
	assert_true(server.plain_finished && server.wire_finished);
	part();
}

/* OBFS-014 */
static void
who_speaks_first_nudges_the_client(void **state)
{
	static const uint8_t some[4096];

	(void)state;
	meet(0);
	bytes_add(&server.plain_in, (const uint8_t *)"220 hello", 9);
	run(&server);
	assert_int_equal(server.n_writes, 1);
	assert_true(tick(&server));
	assert_int_equal(server.n_writes, 2);
	assert_int_equal(server.write_ns[1] - server.write_ns[0], 200 * MS);
	carry(&server, &client, 0);
	assert_int_equal(client.plain_out.len, 9);
	/* two more, where nothing comes back: even that one may have come together with the rest */
	assert_true(tick(&server));
	assert_int_equal(server.write_ns[2] - server.write_ns[1], 800 * MS);
	assert_true(tick(&server));
	assert_int_equal(server.write_ns[3] - server.write_ns[2], 3200 * MS);
	assert_int_equal(server.n_writes, 4);
	assert_false(tick(&server));
	part();
	/* none after an answer */
	meet(0);
	bytes_add(&server.plain_in, (const uint8_t *)"220 hello", 9);
	run(&server);
	assert_true(tick(&server));
	carry(&server, &client, 0);
	bytes_add(&client.plain_in, (const uint8_t *)"HELO", 4);
	run(&client);
	carry(&client, &server, 0);
	while (tick(&server))
		;
	assert_int_equal(server.n_writes, 2);
	part();
	/* what one says after that may be no answer */
	meet(0);
	bytes_add(&server.plain_in, (const uint8_t *)"220 hello", 9);
	run(&server);
	bytes_add(&client.plain_in, (const uint8_t *)"HELO", 4);
	run(&client);
	carry(&client, &server, 0);
	assert_true(tick(&server));
	assert_int_equal(server.n_writes, 2);
	part();
	/* one that spoke before has read all that came before */
	meet(0);
	bytes_add(&client.plain_in, (const uint8_t *)"HELO", 4);
	run(&client);
	carry(&client, &server, 0);
	bytes_add(&server.plain_in, (const uint8_t *)"220 hello", 9);
	run(&server);
	assert_false(tick(&server));
	part();
	/* of more than one read it has heard already, and nothing comes between bursts */
	meet(0);
	for (size_t n = 0; n <= 8192; n += 4096) {
		bytes_add(&server.plain_in, some, 4096);
		run(&server);
	}
	assert_int_equal(server.n_writes, 3);
	(void)tick(&server);
	assert_int_equal(server.n_writes, 3);
	part();
}

static void
fresh(struct place *place)
{
	memset(place, 0, sizeof(*place));
	place->has_folder = true;
	strcpy(place->state, "-");
}

/* OBFS-017, OBFS-118 */
static void
a_server_finds_or_makes_its_identity(void **state)
{
	static struct place one, two;
	char kept[1024];

	(void)state;
	fresh(&one);
	place_open(&one, PTAH_SERVER);
	assert_int_equal(one.ready, 0);
	assert_non_null(strstr(one.line, "\nBridge obfs4 <IP ADDRESS>:<PORT> <FINGERPRINT> cert="));
	assert_non_null(strstr(one.announced, "\"iat-mode\": \"0\""));
	strcpy(kept, one.state);
	/* the same, with another mode, which is kept */
	fresh(&two);
	strcpy(two.state, kept);
	two.conf.iat_mode = "2";
	place_open(&two, PTAH_SERVER);
	assert_memory_equal(&two.home.identity->bridge, &one.home.identity->bridge, sizeof(struct obfs4_bridge));
	assert_non_null(strstr(two.state, "\"iat-mode\":2}"));
	assert_non_null(strstr(two.announced, "\"iat-mode\": \"2\""));
	place_close(&one);
	place_close(&two);
	/* damaged, and left alone */
	fresh(&one);
	strcpy(one.state, "{\"node-id\":");
	place_open(&one, PTAH_SERVER);
	assert_int_equal(one.ready, -EBADMSG);
	assert_non_null(strstr(one.reason, "damaged"));
	assert_string_equal(one.state, "{\"node-id\":");
	place_close(&one);
	/* a disk that is full */
	fresh(&one);
	one.put_rc = -ENOSPC;
	place_open(&one, PTAH_SERVER);
	assert_int_equal(one.ready, -ENOSPC);
	place_close(&one);
	/* no folder: it works, and says what that means */
	fresh(&one);
	one.has_folder = false;
	place_open(&one, PTAH_SERVER);
	assert_int_equal(one.ready, 0);
	assert_non_null(strstr(one.logged, "no state folder"));
	place_close(&one);
}

/* OBFS-007 */
static void
keys_look_like_noise(void **state)
{
	unsigned tops[4] = { 0 };
	struct ptah_ell2 pair;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_TIMER };

		obfs4_bench_take(&home.bench, &pair);
		if (i % 3 == 0)
			assert_int_equal(module->worker_event(&home.bench, &event), 0);
		tops[pair.repr[31] >> 6]++;
	}
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(tops[i], 500 - 110, 500 + 110); /* 5.7 sigma: once in 10^7 times */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(a_handshake_works_in_every_segmentation),
		TEST(messages_have_the_lengths_that_they_may_have),
		TEST(bursts_are_32768_bytes_at_most_and_end_at_a_length_of_the_table),
		TEST(more_than_255_frames_go_over_one_link),
		TEST(mode_1_writes_1448_bytes_and_rests),
		TEST(mode_2_cuts_at_lengths_of_the_table),
		TEST(mode_2_survives_a_table_of_zeros),
		TEST(mode_2_comes_to_an_end_with_every_length),
		TEST(a_full_wire_stops_the_pieces_and_they_go_on_later),
		TEST(a_hello_is_good_once),
		TEST(bytes_that_come_while_the_filter_thinks_spoil_a_hello),
		TEST(what_is_no_hello_is_refused_in_silence),
		TEST(a_link_may_close_as_obfs4proxys_do),
		TEST(a_broken_frame_ends_the_link),
		TEST(a_wrong_length_fails_late),
		TEST(packets_that_mean_nothing_are_ignored),
		TEST(a_counter_that_runs_out_ends_the_link),
		TEST(half_closes_go_through),
		TEST(both_may_half_close_at_once),
		TEST(who_speaks_first_nudges_the_client),
		TEST(a_server_finds_or_makes_its_identity),
		TEST(keys_look_like_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
