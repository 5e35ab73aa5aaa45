/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a peer of ScrambleSuit may send.  The first byte says what:
 *
 *     bit 0, 1    0: UniformDH at the server, 1: its answer at the client,
 *                 2: a ticket at the server, 3: messages
 *     bit 2       raw bytes; else what is by the book, and changed
 *     bit 3, 4    of raw bytes of 0 to 2: set the mark right, set the MAC right;
 *                 of raw bytes of 3: they are heads and bodies, encrypted and with a MAC
 *
 * What is by the book is changed by items of three bytes, where (two) and what
 * is xored; then it comes in pieces.  A handshake that is as it was is taken,
 * with the same keys; one that is not never is.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "hello.h"
#include "target.h"

#define HOUR 498670u
#define NOW ((int64_t)HOUR * 3600 + 5)
#define ROOM ((size_t)16384)
#define STREAM_LEN ((size_t)6 * SCRAMBLE_MESSAGE_MAX)

static void
from_five(struct ptah_self *self, void *out, size_t len)
{
	(void)self;
	memset(out, 0x5a, len);
}

static const struct ptah_chance chance = { from_five, NULL };

/* Both sides, by fixed keys, and what they say by the book. */
struct scene {
	struct ptah_hmac *hmac;
	struct ptah_aes *aes;
	struct ptah_udh *udh;
	uint8_t secret[SCRAMBLE_SECRET_LEN];
	struct scramble_ring ring;
	struct scramble_hello client;
	struct ptah_udh_pair y;
	uint8_t master[SCRAMBLE_MASTER_LEN], keys[SCRAMBLE_KEYS_LEN];
	uint8_t said[3][SCRAMBLE_SHAKE_MAX];
	size_t said_len[3];
	uint8_t stream[STREAM_LEN];
	size_t stream_len;
};

static struct scramble_door
door_of(const struct scene *scene)
{
	return (struct scramble_door){ scene->secret, &scene->ring, NOW, scene->hmac };
}

static void
set_shakes(struct scene *scene)
{
	const struct scramble_door door = door_of(scene);
	struct scramble_heard heard = { .has_kind = false };
	uint8_t random[PTAH_UDH_PRIVATE_LEN] = { 3 }, ticket[SCRAMBLE_TICKET_LEN], iv[SCRAMBLE_TICKET_IV_LEN] = { 1 };
	struct ptah_room room[3];

	for (size_t i = 0; i < 3; i++)
		room[i] = (struct ptah_room){ scene->said[i], SCRAMBLE_SHAKE_MAX };
	expect(ptah_udh_pair(scene->udh, (struct ptah_span){ random, sizeof(random) }, &scene->client.pair) == 0);
	random[1] = 7;
	expect(ptah_udh_pair(scene->udh, (struct ptah_span){ random, sizeof(random) }, &scene->y) == 0);
	scene->said_len[0] = (size_t)scramble_hello_make(&scene->client, scene->hmac, &chance, HOUR, 60, room[0]);
	expect(scramble_heard_read(&heard, &door, (struct ptah_span){ scene->said[0], scene->said_len[0] }) == 1);
	scene->said_len[1] = (size_t)scramble_reply_make(&heard, &door, scene->udh, &scene->y, &chance, scene->said[0], 33,
	    room[1], scene->master);
	expect(scramble_keys_make(scene->hmac, scene->master, scene->keys) == 0);
	expect(scramble_ticket_seal(&scene->ring.now, scene->hmac, iv, NOW, scene->master, ticket) == 0);
	scene->said_len[2] = (size_t)scramble_redeem_make(ticket, scene->keys, scene->hmac, &chance, HOUR, 50, room[2]);
}

static void
set_stream(struct scene *scene)
{
	static const uint8_t payload[2000] = "what is carried";
	struct scramble_way way = { .has_head = false };
	static const struct {
		uint8_t flag;
		size_t len;
		unsigned target;
	} bursts[] = { { SCRAMBLE_TICKET, 144, 700 }, { SCRAMBLE_SEED, 32, 90 }, { SCRAMBLE_PAYLOAD, 2000, 1448 } };

	expect(scramble_way_open(&way, scene->aes, scene->keys, false) == 0);
	for (size_t i = 0; i < 3; i++) {
		ssize_t n = scramble_seal_burst(&way, scene->hmac, bursts[i].flag, (struct ptah_span){ payload, bursts[i].len },
		    bursts[i].target, (struct ptah_room){ scene->stream + scene->stream_len, STREAM_LEN - scene->stream_len });

		expect(n > 0);
		scene->stream_len += (size_t)n;
	}
	scramble_way_close(&way);
}

static void
set_scene(struct scene *scene)
{
	expect(sodium_init() >= 0);
	scene->hmac = ptah_hmac_new();
	scene->aes = ptah_aes_new();
	scene->udh = ptah_udh_new();
	expect(scene->hmac != NULL && scene->aes != NULL && scene->udh != NULL);
	memset(scene->secret, 9, sizeof(scene->secret));
	memcpy(scene->client.secret, scene->secret, sizeof(scene->secret));
	scramble_ring_new(&scene->ring, &chance, NOW);
	set_shakes(scene);
	set_stream(scene);
}

/* 1 if the server takes it. */
static int
at_server(const struct scene *scene, bool by_ticket, const uint8_t *at, size_t len, size_t piece)
{
	const struct scramble_door door = door_of(scene);
	struct scramble_heard heard = { .has_kind = false };
	uint8_t out[SCRAMBLE_SHAKE_MAX], master[SCRAMBLE_MASTER_LEN];
	int rc = 0;
	long n;

	for (size_t here = 0; rc == 0 && here < len;) {
		here = here + piece < len ? here + piece : len;
		rc = scramble_heard_read(&heard, &door, (struct ptah_span){ at, here });
		expect(rc != 1 || (heard.len <= here && heard.len >= SCRAMBLE_REDEEM_MIN && heard.len <= SCRAMBLE_SHAKE_MAX));
	}
	if (rc != 1 || heard.by_ticket != by_ticket)
		return 0;
	if (by_ticket) {
		expect(memcmp(heard.keys, scene->keys, sizeof(heard.keys)) == 0);
		return heard.len == len;
	}
	n = scramble_reply_make(&heard, &door, scene->udh, &scene->y, &chance, at, 33, (struct ptah_room){ out, sizeof(out) }, master);
	expect(n < 0 || n == (long)SCRAMBLE_UDH_MIN + 33);
	return n > 0 && heard.len == len;
}

static int
at_client(const struct scene *scene, const uint8_t *at, size_t len, size_t piece)
{
	struct scramble_hello client = scene->client;
	uint8_t master[SCRAMBLE_MASTER_LEN];
	const char *why = NULL;
	size_t eaten = 0;
	int rc = 0;

	for (size_t here = 0; rc == 0 && here < len;) {
		here = here + piece < len ? here + piece : len;
		rc = scramble_reply_read(&client, scene->hmac, scene->udh, (struct ptah_span){ at, here }, master, &eaten, &why);
		expect(rc >= 0 || why != NULL);
		expect(rc != 1 || eaten <= here);
	}
	return rc == 1;
}

/* ---- messages -------------------------------------------------------------------------- */

static void
on_message(uint8_t flag, struct ptah_span body, void *arg)
{
	size_t *heard = arg;

	expect(flag == SCRAMBLE_TICKET ? body.len == SCRAMBLE_TICKET_PAYLOAD_LEN : flag == SCRAMBLE_SEED && body.len == SCRAMBLE_SEED_LEN);
	*heard += body.len;
}

/* What comes out, and how it ends: the same for each way to cut it. */
static int
open_all(const struct scene *scene, const uint8_t *at, size_t len, size_t piece, uint8_t *out, size_t *made)
{
	struct scramble_way way = { .has_head = false };
	struct scramble_opened opened;
	size_t from = 0, here = 0, heard = 0;
	int rc = 0;

	*made = 0;
	expect(scramble_way_open(&way, scene->aes, scene->keys, false) == 0);
	while (rc == 0 && here < len) {
		here = here + piece < len ? here + piece : len;
		rc = scramble_open(&way, scene->hmac, (struct ptah_span){ at + from, here - from },
		    (struct ptah_room){ out + *made, 2 * ROOM - *made }, on_message, &heard, &opened);
		from += opened.eaten;
		*made += opened.made;
		expect(from <= here && (rc != 0 || opened.need > here - from));
	}
	scramble_way_close(&way);
	return rc;
}

static void
open_both_ways(const struct scene *scene, const uint8_t *at, size_t len, size_t piece)
{
	static uint8_t whole[2 * ROOM], cut[2 * ROOM];
	size_t n, m;
	int rc = open_all(scene, at, len, len + 1, whole, &n);

	expect(open_all(scene, at, len, piece, cut, &m) == rc && n == m && (n == 0 || memcmp(whole, cut, n) == 0));
}

/* Heads as they come, each with a body of its length and a MAC. */
static void
seal_heads(const struct scene *scene, const uint8_t *data, size_t len)
{
	static uint8_t wire[2 * ROOM];
	struct scramble_way way = { .has_head = false };
	size_t n = 0;

	expect(scramble_way_open(&way, scene->aes, scene->keys, false) == 0);
	while (len >= 5 && n + SCRAMBLE_MESSAGE_MAX < sizeof(wire)) {
		size_t total = ((size_t)data[0] << 8 | data[1]) % (SCRAMBLE_PAYLOAD_MAX + 2), body = total < SCRAMBLE_PAYLOAD_MAX ? total : SCRAMBLE_PAYLOAD_MAX;
		uint8_t mac[PTAH_HMAC_LEN], *at = wire + n;

		memcpy(at + 16, data, 5);
		at[16] = (uint8_t)(total >> 8);
		at[17] = (uint8_t)total;
		memset(at + SCRAMBLE_HEAD_LEN, 0x21, body);
		expect(ptah_aesctr_apply(&way.stream, (struct ptah_span){ at + 16, 5 + body }, at + 16) == 0);
		expect(ptah_hmac_once(scene->hmac, (struct ptah_span){ way.mac_key, sizeof(way.mac_key) },
		    (struct ptah_span){ at + 16, 5 + body }, mac) == 0);
		memcpy(at, mac, 16);
		n += SCRAMBLE_HEAD_LEN + body;
		data += 5;
		len -= 5;
	}
	scramble_way_close(&way);
	open_both_ways(scene, wire, n, 1 + len * 97);
}

/* ---- inputs ------------------------------------------------------------------------------ */

static void
raw(struct scene *scene, uint8_t how, const uint8_t *data, size_t len)
{
	size_t first = (how & 3) == 2 ? SCRAMBLE_TICKET_LEN : PTAH_UDH_LEN;
	struct ptah_span key = (how & 3) == 2 ? (struct ptah_span){ scramble_keys_client_mac(scene->keys), SCRAMBLE_MAC_KEY_LEN } :
	    (struct ptah_span){ scene->secret, sizeof(scene->secret) };
	uint8_t *at = malloc(len + 1);

	expect(at != NULL);
	if (len > 0)
		memcpy(at, data, len);
	if ((how & 3) == 2 && len >= first)
		memcpy(at, scene->said[2], first); /* nobody makes one */
	if ((how & 8) != 0 && len >= first + PTAH_MARK_TRAILER_LEN)
		expect(ptah_mark_make(scene->hmac, key, (struct ptah_span){ at, first }, at + len - PTAH_MARK_TRAILER_LEN) == 0);
	if ((how & 16) != 0 && len >= first + PTAH_MARK_TRAILER_LEN)
		expect(ptah_mark_mac(scene->hmac, key, (struct ptah_span){ at, len - PTAH_MARK_LEN }, HOUR, at + len - PTAH_MARK_LEN) == 0);
	if ((how & 3) == 1)
		(void)at_client(scene, at, len, len + 1);
	else if ((how & 3) == 3)
		open_both_ways(scene, at, len, 1 + len % 50);
	else
		(void)at_server(scene, (how & 3) == 2, at, len, len + 1);
	free(at);
}

static void
changed(struct scene *scene, uint8_t how, const uint8_t *data, size_t len)
{
	unsigned what = how & 3;
	const uint8_t *from = what == 3 ? scene->stream : scene->said[what];
	size_t n = what == 3 ? scene->stream_len : scene->said_len[what], piece = len > 0 ? 1u + data[0] : n;
	uint8_t *at = malloc(n);
	int rc;

	expect(at != NULL);
	memcpy(at, from, n);
	for (size_t i = 1; i + 2 < len; i += 3)
		at[((size_t)data[i] << 8 | data[i + 1]) % n] ^= data[i + 2];
	if (what == 3) {
		open_both_ways(scene, at, n, piece);
	} else {
		rc = what == 1 ? at_client(scene, at, n, piece) : at_server(scene, what == 2, at, n, piece);
		expect((rc == 1) == (memcmp(at, from, n) == 0));
	}
	free(at);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct scene scene;

	if (scene.hmac == NULL)
		set_scene(&scene);
	if (len == 0 || len > ROOM)
		return 0;
	if ((data[0] & 4) == 0)
		changed(&scene, data[0], data + 1, len - 1);
	else if ((data[0] & 3) == 3 && (data[0] & 24) != 0)
		seal_heads(&scene, data + 1, len - 1);
	else
		raw(&scene, data[0], data + 1, len - 1);
	return 0;
}
