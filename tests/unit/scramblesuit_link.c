/* SPDX-License-Identifier: BSD-3-Clause */
/* Links of ScrambleSuit with their homes: tickets, keys that turn, lengths and pauses. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "codec.h"
#include "vectors.h"

#include "bench.h"
#include "home.h"
#include "link.h"
#include "options.h"

#define DAY_S INT64_C(86400)
#define MS UINT64_C(1000000)
#define PASSWORD "WCWGC5UQTYHT4MDUDO66TYRFACA3TUQZ"
#define LETTERS 64
#define SEEN 4096

extern const struct ptah_module scramblesuit_LTX_ptah_module;
static const struct ptah_module *const module = &scramblesuit_LTX_ptah_module;

/* An instance; its codec is what home and bench call themselves. */
struct place {
	struct codec self;
	struct scramble_conf conf;
	void *home;
	struct scramble_bench *bench;
	char *file;
	bool has_folder;
	int put_rc, ready;
	char announced[128], reason[256];
};

struct letter {
	struct place *to_home;
	struct codec *to_link, *from;
	uint8_t body[1024];
	size_t len;
	uint64_t cookie; /* of a file, with 'rc': no letter */
	bool is_file;
	int rc;
};

static struct letter letters[LETTERS];
static unsigned n_letters;
static int64_t wall_s;
static uint8_t seen[SEEN][48];
static unsigned n_seen, n_counted[4];
static struct place server, client;
static char logged[512]; /* last */

/* ---- the host ----------------------------------------------------------------------- */

static struct place *
place_of(struct ptah_self *self)
{
	struct codec *codec = codec_of(self);

	return codec == &server.self || codec->role == PTAH_SERVER ? &server : &client;
}

static struct letter *
new_letter(void)
{
	codec_must(n_letters < LETTERS);
	memset(&letters[n_letters], 0, sizeof(letters[0]));
	return &letters[n_letters++];
}

static int
host_mail(struct ptah_self *self, uint64_t to, struct ptah_span body)
{
	struct letter *letter = new_letter();

	codec_must(body.len <= sizeof(letter->body));
	letter->from = codec_of(self);
	if (to == PTAH_HOME)
		letter->to_home = place_of(self);
	else
		letter->to_link = (struct codec *)(uintptr_t)to;
	memcpy(letter->body, body.at, body.len);
	letter->len = body.len;
	return 0;
}

static int64_t
host_wall(struct ptah_self *self)
{
	(void)self;
	return wall_s;
}

static void
host_log(struct ptah_self *self, uint32_t level, const char *text, size_t len)
{
	(void)self;
	(void)level;
	codec_must(len == strlen(text));
	snprintf(logged, sizeof(logged), "%s", text);
}

static void
host_count(struct ptah_self *self, uint32_t counter, int64_t add)
{
	(void)self;
	codec_must(counter < 4);
	n_counted[counter] += (unsigned)add;
}

static int
host_replay(struct ptah_self *self, struct ptah_span scope, struct ptah_span token, uint32_t ttl_s, uint64_t cookie)
{
	uint8_t key[48];

	(void)self;
	(void)cookie;
	codec_must(scope.len == 32 && token.len == 16 && ttl_s == 10800);
	memcpy(key, scope.at, 32);
	memcpy(key + 32, token.at, 16);
	for (unsigned i = 0; i < n_seen; i++)
		if (memcmp(seen[i], key, sizeof(key)) == 0)
			return 0;
	codec_must(n_seen < SEEN);
	memcpy(seen[n_seen++], key, sizeof(key));
	return 1;
}

static long
host_state_get(struct ptah_self *self, const char *name, struct ptah_room out)
{
	struct place *place = place_of(self);

	codec_must(strcmp(name, place == &server ? "state.json" : "tickets.json") == 0);
	if (!place->has_folder || place->file == NULL)
		return -ENOENT;
	if (strlen(place->file) > out.len)
		return -ENOSPC;
	memcpy(out.at, place->file, strlen(place->file));
	return (long)strlen(place->file);
}

static int
host_state_put(struct ptah_self *self, const char *name, struct ptah_span body, uint64_t cookie)
{
	struct place *place = place_of(self);
	struct letter *letter;

	(void)name;
	if (!place->has_folder)
		return -ENOENT;
	free(place->file);
	place->file = strndup((const char *)body.at, body.len);
	letter = new_letter();
	letter->to_home = place;
	letter->is_file = true;
	letter->cookie = cookie;
	letter->rc = place->put_rc;
	return 0;
}

static void
host_ready(struct ptah_self *self, int rc, const char *advertise, const char *bridge_args, const char *reason)
{
	struct place *place = place_of(self);

	codec_must(advertise == NULL && place->ready == 1);
	place->ready = rc;
	snprintf(place->announced, sizeof(place->announced), "%s", bridge_args != NULL ? bridge_args : "");
	snprintf(place->reason, sizeof(place->reason), "%s", reason != NULL ? reason : "");
}

static const struct ptah_host host = {
	.size = sizeof(host),
	.random = codec_random,
	.timer = codec_timer,
	.wall_s = host_wall,
	.log = host_log,
	.count = host_count,
	.mail = host_mail,
	.replay = host_replay,
	.state_get = host_state_get,
	.state_put = host_state_put,
	.ready = host_ready,
};

/* All that is under way arrives, and what it leads to. */
static void
deliver(void)
{
	for (unsigned i = 0; i < n_letters; i++) {
		struct letter letter = letters[i];
		struct ptah_event event = { .size = sizeof(event), .what = letter.is_file ? PTAH_EV_STATE : PTAH_EV_MAIL,
			.body = { letter.body, letter.len }, .from = (uintptr_t)letter.from, .cookie = letter.cookie, .val = letter.rc };

		if (letter.to_home != NULL)
			assert_int_equal(module->home_event(letter.to_home->home, &event), 0);
		else if (letter.to_link->link != NULL)
			codec_tell(letter.to_link, &event);
	}
	n_letters = 0;
}

/* ---- instances and links ---------------------------------------------------------------- */

static void
place_open(struct place *place, uint32_t role)
{
	struct ptah_start start = { .size = sizeof(start), .role = role, .conf = &place->conf,
		.self = (struct ptah_self *)(void *)&place->self, .host = &host };

	place->self.role = role;
	place->self.host = &host;
	place->self.seed += role;
	place->ready = 1;
	place->home = calloc(1, module->home_size);
	assert_non_null(place->home);
	assert_int_equal(module->home_open(place->home, &start), 0);
	deliver();
	assert_int_not_equal(place->ready, 1);
	place->bench = codec_worker_open(&place->self, module);
}

static void
place_close(struct place *place)
{
	codec_worker_close(module, place->bench);
	module->home_close(place->home);
	free(place->home);
	place->home = NULL;
}

static void
place_reopen(struct place *place)
{
	uint32_t role = place->self.role;

	place_close(place);
	place_open(place, role);
}

static int
set_up(void **state)
{
	(void)state;
	memset(&server, 0, sizeof(server));
	memset(&client, 0, sizeof(client));
	server.conf.password = PASSWORD;
	server.has_folder = client.has_folder = true;
	wall_s = 1795215293;
	n_seen = n_letters = 0;
	memset(n_counted, 0, sizeof(n_counted));
	place_open(&server, PTAH_SERVER);
	place_open(&client, PTAH_CLIENT);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	place_close(&server);
	place_close(&client);
	free(server.file);
	free(client.file);
	return 0;
}

static uint64_t next_seed = 7;

static void
link_open(struct codec *link, struct place *place)
{
	static const struct scramble_args args = { .password = PASSWORD };
	static const struct scramble_args slow = { .password = PASSWORD, .timing = 1 };

	memset(link, 0, sizeof(*link));
	link->host = &host;
	link->home = place->home;
	link->conf = &place->conf;
	link->seed = next_seed += UINT64_C(0x9e3779b97f4a7c15);
	codec_open(link, module, place->self.role, place->bench, place->conf.timing ? &slow : &args);
	deliver();
}

struct pair {
	struct codec client, server;
	size_t n_hello; /* what the client said first */
};

static void
pair_open(struct pair *pair)
{
	link_open(&pair->server, &server);
	link_open(&pair->client, &client);
	pair->n_hello = pair->client.wire_out.len;
}

static void
pair_talk(struct pair *pair, size_t piece)
{
	codec_talk(&pair->client, &pair->server, piece);
	deliver();
}

static void
pair_close(struct pair *pair)
{
	codec_close(&pair->client);
	codec_close(&pair->server);
}

static uint8_t text[200000];

/* Both ways, to the byte. */
static void
pair_carries(struct pair *pair, size_t len, size_t piece)
{
	codec_say(&pair->client, text, len);
	codec_say(&pair->server, text + 1, len);
	pair_talk(pair, piece);
	assert_int_equal(pair->client.rc, 0);
	assert_int_equal(pair->server.rc, 0);
	assert_int_equal(pair->client.plain_out.len, len);
	assert_int_equal(pair->server.plain_out.len, len);
	assert_memory_equal(pair->server.plain_out.at, text, len);
	assert_memory_equal(pair->client.plain_out.at, text + 1, len);
	pair->client.plain_out.len = pair->server.plain_out.len = 0;
}

static bool
has_ticket(void)
{
	return client.file != NULL && strstr(client.file, "192.0.2.1:1") != NULL;
}

/* ---- tickets ------------------------------------------------------------------------------- */

static void
obfs_020_first_uniformdh_then_tickets(void **state)
{
	char *before;
	struct pair pair;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		before = strdup(client.file != NULL ? client.file : "");
		pair_open(&pair);
		assert_int_equal(pair.client.open, i > 0); /* a ticket waits for no answer */
		assert_false(has_ticket()); /* it is gone before it is shown */
		pair_talk(&pair, 0);
		assert_true(pair.client.open && pair.server.open);
		assert_int_equal(n_counted[SCRAMBLE_COUNT_REDEEMED], i);
		assert_true(has_ticket());
		assert_string_not_equal(client.file, before);
		pair_carries(&pair, 4000, 0);
		pair_close(&pair);
		free(before);
	}
}

static void
says_at_once_what_the_application_does_behind_a_ticket(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	pair_talk(&pair, 0);
	pair_close(&pair);
	pair_open(&pair);
	codec_say(&pair.client, text, 3000);
	pair_talk(&pair, 100);
	assert_int_equal(pair.server.plain_out.len, 3000);
	assert_memory_equal(pair.server.plain_out.at, text, 3000);
	pair.server.plain_out.len = 0;
	pair_carries(&pair, 0, 0);
	pair_close(&pair);
}

static void
obfs_021_tickets_end_and_keys_turn(void **state)
{
	struct pair pair;
	unsigned redeemed = 0;

	(void)state;
	pair_open(&pair);
	pair_talk(&pair, 0);
	pair_close(&pair);

	/* a week later it is not even shown */
	wall_s += 7 * DAY_S;
	pair_open(&pair);
	assert_false(pair.client.open);
	pair_talk(&pair, 0);
	assert_true(pair.client.open);
	pair_close(&pair);
	assert_int_equal(n_counted[SCRAMBLE_COUNT_REDEEMED], redeemed);

	/* six days later the keys have turned once, by the other clock of the server's, and it is good */
	wall_s += 6 * DAY_S;
	pair_open(&pair);
	pair_talk(&pair, 0);
	assert_int_equal(n_counted[SCRAMBLE_COUNT_REDEEMED], ++redeemed);
	pair_close(&pair);
	wall_s += 2 * DAY_S;
	pair_open(&pair);
	assert_true(server.bench->ring->has_old);
	assert_non_null(strstr(server.file, "old-ticket-aes-key"));
	pair_talk(&pair, 0);
	assert_int_equal(n_counted[SCRAMBLE_COUNT_REDEEMED], ++redeemed);
	pair_close(&pair);

	/* of a server that has turned its keys twice it gets silence, and nothing else */
	struct scramble_ring *ring = ((struct scramble_home *)server.home)->ring;
	memset(&ring->now, 1, sizeof(ring->now));
	memset(&ring->old, 2, sizeof(ring->old));
	server.bench->has_ring = false;
	pair_open(&pair);
	assert_true(pair.client.open);
	pair_talk(&pair, 0);
	codec_say(&pair.client, text, 5000);
	pair_talk(&pair, 0);
	assert_int_equal(pair.server.rc, PTAH_REJECT);
	assert_int_equal(pair.server.manner, PTAH_SILENT);
	assert_int_equal(pair.server.n_writes, 0);
	pair_close(&pair);
	/* ... once: the ticket is gone, so the next is UniformDH */
	pair_open(&pair);
	pair_talk(&pair, 0);
	assert_true(pair.server.open && pair.client.open);
	pair_close(&pair);
}

static void
obfs_021_tickets_outlive_a_restart_of_either_side(void **state)
{
	struct pair pair;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		pair_open(&pair);
		pair_talk(&pair, 0);
		pair_carries(&pair, 100, 0);
		assert_int_equal(n_counted[SCRAMBLE_COUNT_REDEEMED], i);
		pair_close(&pair);
		place_reopen(i % 2 == 0 ? &server : &client);
	}
}

static void
obfs_126_a_ticket_handshake_is_good_once(void **state)
{
	struct pair pair;
	struct codec again;
	uint8_t *hello;

	(void)state;
	for (unsigned by_ticket = 0; by_ticket < 2; by_ticket++) {
		pair_open(&pair);
		hello = malloc(pair.n_hello);
		memcpy(hello, pair.client.wire_out.at, pair.n_hello);
		pair_talk(&pair, 0);
		link_open(&again, &server);
		codec_hear(&again, hello, pair.n_hello, 0);
		assert_int_equal(again.rc, PTAH_REJECT);
		assert_int_equal(again.manner, PTAH_SILENT);
		assert_int_equal(again.n_writes, 0);
		assert_int_equal(n_counted[SCRAMBLE_COUNT_REPLAYED], by_ticket + 1);
		codec_close(&again);
		pair_close(&pair);
		free(hello);
	}
}

static void
obfs_105_nothing_may_stand_behind_a_uniformdh(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	codec_add(&pair.client.wire_out, (const uint8_t *)"x", 1);
	pair_talk(&pair, 0);
	assert_int_equal(pair.server.rc, PTAH_REJECT);
	assert_int_equal(pair.server.n_writes, 0);
	pair_close(&pair);
}

static void
a_ticket_that_cannot_be_taken_from_the_file_is_not_used(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	pair_talk(&pair, 0);
	pair_close(&pair);
	client.put_rc = -EIO;
	pair_open(&pair);
	assert_false(pair.client.open);
	client.put_rc = 0;
	pair_talk(&pair, 0);
	assert_true(pair.client.open);
	pair_close(&pair);
}

/* Twenty at once: two turns of the disk, and a ticket for each. */
static void
many_links_share_a_turn_of_the_disk(void **state)
{
	enum { LINKS = 20 };
	static const struct scramble_args args = { .password = PASSWORD };
	static struct codec links[LINKS];
	unsigned n_open = 0;
	struct pair pair;
	uint64_t before;

	(void)state;
	pair_open(&pair);
	pair_talk(&pair, 0);
	pair_close(&pair);
	before = ((struct scramble_home *)client.home)->cookie;
	for (unsigned i = 0; i < LINKS; i++) {
		char name[32];
		uint8_t body[SCRAMBLE_TICKET_PAYLOAD_LEN] = { (uint8_t)i };
		struct scramble_store *store = &((struct scramble_home *)client.home)->store;

		snprintf(name, sizeof(name), "192.0.2.9:%u", i);
		assert_int_equal(scramble_store_put(store, (struct ptah_span){ (uint8_t *)name, strlen(name) }, body, wall_s), 0);
		links[i] = (struct codec){ .host = &host, .home = client.home, .conf = &client.conf, .seed = i };
		codec_open(&links[i], module, PTAH_CLIENT, client.bench, &args);
		/* ... which asks for that one. */
		memcpy(letters[n_letters - 1].body + 1, name, strlen(name));
		letters[n_letters - 1].len = 1 + strlen(name);
	}
	deliver();
	for (unsigned i = 0; i < LINKS; i++) {
		n_open += links[i].open;
		codec_close(&links[i]);
	}
	assert_int_equal(n_open, LINKS);
	assert_int_equal(((struct scramble_home *)client.home)->cookie - before, 2);
	assert_null(strstr(client.file, "192.0.2.9"));
}

static void
works_without_a_folder(void **state)
{
	struct pair pair;

	(void)state;
	server.has_folder = client.has_folder = false;
	server.conf.password = NULL;
	place_reopen(&server);
	place_reopen(&client);
	assert_int_equal(server.ready, 0);
	assert_non_null(strstr(logged, "no state folder"));
	assert_non_null(strstr(logged, "-state"));
	logged[0] = '\0';
	server.conf.password = PASSWORD;
	place_reopen(&server);
	assert_string_equal(logged, ""); /* who gave it knows it */
	assert_string_equal(server.announced, "{\"password\": \"" PASSWORD "\"}");
	for (unsigned i = 0; i < 2; i++) {
		pair_open(&pair);
		pair_talk(&pair, 0);
		pair_carries(&pair, 1000, 0);
		assert_int_equal(n_counted[SCRAMBLE_COUNT_REDEEMED], i);
		pair_close(&pair);
	}
}

static void
a_home_that_says_nothing_is_not_waited_for(void **state)
{
	static const struct scramble_args args = { .password = PASSWORD };
	struct codec link = { .host = &host, .home = client.home, .conf = &client.conf, .seed = 3 };

	(void)state;
	codec_open(&link, module, PTAH_CLIENT, client.bench, &args);
	assert_int_equal(link.n_writes, 0);
	codec_ring(&link, SCRAMBLE_TIMER_ASK);
	assert_in_range(link.wire_out.len, SCRAMBLE_UDH_MIN, SCRAMBLE_SHAKE_MAX);
	deliver(); /* and what it says later changes nothing */
	assert_int_equal(link.n_writes, 1);
	codec_close(&link);
}

static void
obfs_118_a_server_with_a_damaged_state_does_not_start(void **state)
{
	char *good;

	(void)state;
	good = strdup(server.file);
	free(server.file);
	server.file = strdup("{\"password\":");
	place_reopen(&server);
	assert_int_equal(server.ready, -EBADMSG);
	assert_non_null(strstr(server.reason, "damaged"));
	assert_string_equal(server.file, "{\"password\":");
	free(server.file);
	server.file = good;
	server.conf.password = NULL;
	place_reopen(&server);
	assert_int_equal(server.ready, 0);
	assert_string_equal(server.announced, "{\"password\": \"" PASSWORD "\"}");
	free(client.file);
	client.file = strdup("[]");
	place_reopen(&client);
	assert_int_equal(client.ready, -EBADMSG);
	free(client.file);
	client.file = NULL;
	place_reopen(&client);
}

/* ---- any cut ------------------------------------------------------------------------------ */

static void
obfs_124_carries_the_same_however_it_is_cut(void **state)
{
	static const size_t pieces[] = { 1, 2, 15, 16, 17, 20, 21, 22, 33, 200, 1447, 1448, 1449, 0 };
	struct pair pair;

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		size_t len = pieces[i] > 0 && pieces[i] < 20 ? 5000 : 100000;

		pair_open(&pair); /* by ticket, but for the first */
		pair_talk(&pair, pieces[i]);
		pair_carries(&pair, len, pieces[i]);
		pair_close(&pair);
		free(client.file);
		client.file = NULL;
		place_reopen(&client);
		pair_open(&pair); /* by UniformDH */
		pair_talk(&pair, pieces[i]);
		pair_carries(&pair, len, pieces[i]);
		pair_close(&pair);
	}
}

static void
carries_through_little_room(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	pair_talk(&pair, 0);
	pair.server.room = SCRAMBLE_UNIT;
	pair.client.room = SCRAMBLE_UNIT;
	pair_carries(&pair, 150000, 0);
	pair_close(&pair);
}

static void
obfs_125_a_broken_message_ends_a_client_and_silences_a_server(void **state)
{
	struct pair pair;

	(void)state;
	for (unsigned side = 0; side < 2; side++) {
		pair_open(&pair);
		pair_talk(&pair, 0);
		struct codec *from = side == 0 ? &pair.client : &pair.server, *to = side == 0 ? &pair.server : &pair.client;
		codec_say(from, text, 500);
		size_t good = from->wire_out.len;
		codec_say(from, text, 500);
		from->wire_out.at[good + 30] ^= 4;
		pair_talk(&pair, 0);
		assert_int_equal(to->rc, side == 0 ? PTAH_REJECT : -EBADMSG);
		assert_int_equal(to->plain_out.len, 500);
		assert_int_equal(n_counted[SCRAMBLE_COUNT_BROKEN], side + 1);
		pair_close(&pair);
	}
}

static void
obfs_014_a_server_that_speaks_first_nudges(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	pair_talk(&pair, 0);
	codec_say(&pair.server, text, 100);
	assert_int_equal(pair.server.timer_ns[SCRAMBLE_TIMER_NUDGE], 200 * MS);
	size_t before = pair.server.wire_out.len;
	codec_ring(&pair.server, SCRAMBLE_TIMER_NUDGE);
	assert_true(pair.server.wire_out.len > before);
	assert_int_equal(pair.server.timer_ns[SCRAMBLE_TIMER_NUDGE], 800 * MS);
	before = pair.server.wire_out.len;
	codec_ring(&pair.server, SCRAMBLE_TIMER_NUDGE);
	assert_true(pair.server.wire_out.len > before);
	assert_int_equal(pair.server.timer_ns[SCRAMBLE_TIMER_NUDGE], 3200 * MS);
	pair_talk(&pair, 0);
	assert_int_equal(pair.client.plain_out.len, 100);
	pair.client.plain_out.len = 0;
	pair_carries(&pair, 100, 0);
	assert_int_equal(pair.server.timer_ns[SCRAMBLE_TIMER_NUDGE], 0);
	pair_close(&pair);
	/* not for one that was spoken to */
	pair_open(&pair);
	pair_talk(&pair, 0);
	codec_say(&pair.client, text, 1);
	pair_talk(&pair, 0);
	codec_say(&pair.server, text, 1);
	assert_int_equal(pair.server.timer_ns[SCRAMBLE_TIMER_NUDGE], 0);
	pair_close(&pair);
}

static void
obfs_119_gives_up_after_30_s(void **state)
{
	struct codec link;

	(void)state;
	link_open(&link, &server);
	codec_hear(&link, text, 150, 0);
	assert_int_equal(link.timer_ns[SCRAMBLE_TIMER_HELLO], 30000 * MS);
	codec_ring(&link, SCRAMBLE_TIMER_HELLO);
	assert_int_equal(link.rc, PTAH_REJECT);
	assert_int_equal(link.manner, PTAH_SILENT);
	codec_close(&link);
}

/* ---- what it looks like ---------------------------------------------------------------------- */

/*
 * Chi-square of counts against what is expected, of which those below 5 count
 * as one.  Seeds are fixed: it passes always, or never.
 */
static void
is_distributed(const double *expected, const unsigned *got, size_t n)
{
	double sum = 0, rest_expected = 0, rest_got = 0;
	unsigned df = 0;

	for (size_t i = 0; i < n; i++) {
		if (expected[i] < 5) {
			rest_expected += expected[i];
			rest_got += got[i];
			continue;
		}
		sum += (got[i] - expected[i]) * (got[i] - expected[i]) / expected[i];
		df++;
	}
	if (rest_expected >= 5) {
		sum += (rest_got - rest_expected) * (rest_got - rest_expected) / rest_expected;
		df++;
	} else {
		assert_true(rest_got < 20);
	}
	assert_true(df >= 2);
	assert_true(sum < df + 4 * sqrt(2.0 * df));
}

#define BINS 12u

/* Lengths 0 .. most, each as likely as the other. */
static void
is_uniform(const size_t *len, size_t n, size_t most)
{
	double expected[BINS] = { 0 };
	unsigned got[BINS] = { 0 };

	for (size_t i = 0; i <= most; i++)
		expected[i * BINS / (most + 1)] += (double)n / (double)(most + 1);
	for (size_t i = 0; i < n; i++) {
		assert_true(len[i] <= most);
		got[len[i] * BINS / (most + 1)]++;
	}
	is_distributed(expected, got, BINS);
}

static void
pads_handshakes_uniformly(void **state)
{
	enum { UDH = 700, TICKETS = 2500 };
	static size_t hello[UDH], reply[UDH], redeem[TICKETS];
	struct pair pair;

	(void)state;
	for (size_t i = 0; i < UDH; i++) {
		struct codec_bytes said;

		n_seen = 0;
		client.has_folder = false;
		place_reopen(&client); /* without a ticket */
		pair_open(&pair);
		hello[i] = pair.n_hello - SCRAMBLE_UDH_MIN;
		said = pair.client.wire_out;
		pair.client.wire_out = (struct codec_bytes){ NULL, 0 };
		/* Its answer and its gifts are two writes; only the first of them opens. */
		codec_hear(&pair.server, said.at, said.len, 0);
		free(said.at);
		assert_int_equal(pair.server.n_writes, 2);
		for (size_t n = SCRAMBLE_UDH_MIN;; n++) {
			codec_hear(&pair.client, pair.server.wire_out.at + (n == SCRAMBLE_UDH_MIN ? 0 : n - 1),
			    n == SCRAMBLE_UDH_MIN ? n : 1, 0);
			if (pair.client.open) {
				reply[i] = n - SCRAMBLE_UDH_MIN;
				break;
			}
		}
		pair_close(&pair);
	}
	is_uniform(hello, UDH, SCRAMBLE_UDH_PAD_MAX);
	is_uniform(reply, UDH, SCRAMBLE_REPLY_PAD_MAX);
	for (size_t i = 0; i < TICKETS; i++) {
		n_seen = 0;
		pair_open(&pair);
		if (i > 0)
			redeem[i] = pair.n_hello - SCRAMBLE_REDEEM_MIN;
		pair_talk(&pair, 0);
		pair_close(&pair);
	}
	is_uniform(redeem + 1, TICKETS - 1, SCRAMBLE_REDEEM_PAD_MAX);
}

static const struct ptah_json *
table_named(const struct ptah_json *file, const char *name, const char *seed)
{
	const struct ptah_json *vectors = vectors_list(file, "vectors");

	for (size_t i = 0; i < vectors->n; i++)
		if (strcmp(vectors_text(vectors->items[i], "table"), name) == 0 &&
		    strncmp(vectors_text(vectors->items[i], "server_seed"), seed, 48) == 0)
			return vectors->items[i];
	fail_msg("no table %s", name);
	return NULL;
}

static double
double_of(const struct ptah_json *bits)
{
	uint64_t number = strtoull(bits->text, NULL, 16);
	double out;

	memcpy(&out, &number, sizeof(out));
	return out;
}

/* How often each number shall come, by the weights of the reference. */
static void
expect_table(const struct ptah_json *table, double *expected, size_t room, double n)
{
	const struct ptah_json *values = vectors_list(table, "values"), *weights = vectors_list(table, "weights_f64bits");
	size_t min = vectors_number(table, "min");
	double sum = 0;

	for (size_t i = 0; i < weights->n; i++)
		sum += double_of(weights->items[i]);
	memset(expected, 0, room * sizeof(*expected));
	for (size_t i = 0; i < values->n; i++) {
		size_t value = min + strtoull(values->items[i]->text, NULL, 10);

		assert_true(value < room);
		expected[value] += n * double_of(weights->items[i]) / sum;
	}
}

/* A server whose seed is one of the vectors. */
static void
server_with_seed(const char *seed, bool timing)
{
	char *at;

	at = strstr(server.file, "\"prng-seed\":\"");
	assert_non_null(at);
	memcpy(at + strlen("\"prng-seed\":\""), seed, 48);
	server.conf.timing = timing;
	client.conf.timing = timing;
	place_reopen(&server);
	place_reopen(&client);
}

#define SEED_A "000102030405060708090a0b0c0d0e0f1011121314151617"
#define SEED_B "089c6ebcebb7ff199d21a1184136d7252dccbbf45c89a46b"

static void
draws_the_lengths_of_bursts_as_the_reference_does(void **state)
{
	enum { BURSTS = 6000 };
	struct ptah_json *file = vectors_load("prob_dist.json");
	static const char *const seeds[] = { SEED_A, SEED_B };

	(void)state;
	for (size_t s = 0; s < 2; s++) {
		double expected[SCRAMBLE_MESSAGE_MAX + 1];
		unsigned got[2][SCRAMBLE_MESSAGE_MAX + 1] = { { 0 } };
		struct pair pair;

		server_with_seed(seeds[s], false);
		pair_open(&pair);
		pair_talk(&pair, 0);
		/* The server by its seed, the client by the same once it has heard it. */
		for (size_t i = 0; i < 2 * BURSTS; i++) {
			struct codec *from = i % 2 == 0 ? &pair.server : &pair.client;

			codec_say(from, text, 1 + i * 37 % 4000);
			size_t last = from->wire_out.len % SCRAMBLE_MESSAGE_MAX;
			got[i % 2][last == 0 ? SCRAMBLE_MESSAGE_MAX : last]++;
			from->wire_out.len = 0;
		}
		expect_table(table_named(file, "scramblesuit length (Go client)", seeds[s]), expected, SCRAMBLE_MESSAGE_MAX + 1, BURSTS);
		is_distributed(expected, got[0], SCRAMBLE_MESSAGE_MAX + 1);
		is_distributed(expected, got[1], SCRAMBLE_MESSAGE_MAX + 1);
		for (size_t i = 0; i <= SCRAMBLE_MESSAGE_MAX; i++)
			assert_true(expected[i] > 0 || (got[0][i] == 0 && got[1][i] == 0));
		pair_close(&pair);
	}
	ptah_json_free(file);
}

static void
a_client_that_heard_no_seed_draws_lengths_of_its_own(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	pair_talk(&pair, 0);
	pair_close(&pair);
	pair_open(&pair); /* by ticket: it is open before it hears anything */
	assert_true(pair.client.open);
	pair.client.wire_out.len = 0;
	for (size_t i = 0; i < 200; i++) {
		codec_say(&pair.client, text, 100);
		size_t last = pair.client.wire_out.len % SCRAMBLE_MESSAGE_MAX;
		assert_true(last == 0 || last >= SCRAMBLE_HEAD_LEN);
		pair.client.wire_out.len = 0;
	}
	pair_close(&pair);
}

static void
pauses_as_long_as_the_reference_does(void **state)
{
	enum { SEGMENTS = 4000 };
	struct ptah_json *file = vectors_load("prob_dist.json");
	double expected[101];
	unsigned got[101] = { 0 };
	size_t n = 0;
	struct pair pair;

	(void)state;
	server_with_seed(SEED_A, true);
	pair_open(&pair);
	pair_talk(&pair, 0);
	while (n < SEGMENTS) {
		codec_say(&pair.server, text, 20000);
		while (pair.server.plain_in.len > 0 || pair.server.timer_ns[SCRAMBLE_TIMER_REST] > 0) {
			uint64_t ns = pair.server.timer_ns[SCRAMBLE_TIMER_REST];

			assert_in_range(ns, 1, 10 * MS);
			assert_true(pair.server.plain_hold);
			got[ns == 1 ? 0 : ns / 100000]++;
			n++;
			/* Segments are full but for the last, which has padding. */
			assert_true(pair.server.plain_in.len == 0 || pair.server.wire_out.len == SCRAMBLE_MESSAGE_MAX);
			assert_true(pair.server.wire_out.len <= 4 * SCRAMBLE_MESSAGE_MAX);
			codec_hear(&pair.client, pair.server.wire_out.at, pair.server.wire_out.len, 0);
			pair.server.wire_out.len = 0;
			codec_ring(&pair.server, SCRAMBLE_TIMER_REST);
		}
		assert_false(pair.server.plain_hold);
		assert_int_equal(pair.client.plain_out.len, 20000);
		assert_memory_equal(pair.client.plain_out.at, text, 20000);
		pair.client.plain_out.len = 0;
	}
	expect_table(table_named(file, "obfs4 iat biased", SEED_A), expected, 101, (double)n);
	is_distributed(expected, got, 101);
	pair_close(&pair);
	ptah_json_free(file);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(obfs_020_first_uniformdh_then_tickets),
		TEST(says_at_once_what_the_application_does_behind_a_ticket),
		TEST(obfs_021_tickets_end_and_keys_turn),
		TEST(obfs_021_tickets_outlive_a_restart_of_either_side),
		TEST(obfs_126_a_ticket_handshake_is_good_once),
		TEST(obfs_105_nothing_may_stand_behind_a_uniformdh),
		TEST(a_ticket_that_cannot_be_taken_from_the_file_is_not_used),
		TEST(many_links_share_a_turn_of_the_disk),
		TEST(works_without_a_folder),
		TEST(a_home_that_says_nothing_is_not_waited_for),
		TEST(obfs_118_a_server_with_a_damaged_state_does_not_start),
		TEST(obfs_124_carries_the_same_however_it_is_cut),
		TEST(carries_through_little_room),
		TEST(obfs_125_a_broken_message_ends_a_client_and_silences_a_server),
		TEST(obfs_014_a_server_that_speaks_first_nudges),
		TEST(obfs_119_gives_up_after_30_s),
		TEST(pads_handshakes_uniformly),
		TEST(draws_the_lengths_of_bursts_as_the_reference_does),
		TEST(a_client_that_heard_no_seed_draws_lengths_of_its_own),
		TEST(pauses_as_long_as_the_reference_does),
	};

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * i >> 5);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
