/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two messages of an obfs4 handshake.  The first byte says what:
 *
 *     bit 0     the reply at the client, else the hello at the server
 *     bit 1     raw bytes; else a message by the book that is changed
 *     bit 2, 3  of raw bytes: set the mark right, set the MAC right
 *
 * A message is changed by items of three bytes, where (two) and what is
 * xored; then it comes in pieces.  One that is as it was is taken, with the
 * same keys; one that is not never is.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "hello.h"
#include "reply.h"
#include "target.h"

#define HOUR 498670u
#define ROOM ((size_t)16384)

static void
from_zero(struct ptah_self *self, void *out, size_t len)
{
	(void)self;
	memset(out, 0x5a, len);
}

static const struct ptah_chance chance = { from_zero, NULL };

/* Both sides, by fixed keys, and what they say by the book. */
struct scene {
	struct ptah_hmac *hmac;
	struct obfs4_identity identity;
	struct obfs4_hello client;
	struct obfs4_heard heard;
	struct ptah_ell2 y;
	uint8_t mac_key[OBFS4_MAC_KEY_LEN];
	uint8_t hello[OBFS4_SHAKE_MAX], reply[OBFS4_SHAKE_MAX], keys[PTAH_NTOR_LINK_KEYS_LEN];
	size_t hello_len, reply_len;
};

static void
make_pair(struct ptah_ell2 *pair, uint8_t first)
{
	uint8_t secret[PTAH_ELL2_LEN] = { first };

	while (ptah_ell2_from_secret(pair, secret, 0) != 0)
		secret[1]++;
}

static void
set_scene(struct scene *scene)
{
	memset(scene, 0, sizeof(*scene));
	scene->hmac = ptah_hmac_new();
	expect(scene->hmac != NULL && sodium_init() >= 0);
	memset(scene->identity.private_key, 7, OBFS4_KEY_LEN);
	obfs4_identity_finish(&scene->identity);
	obfs4_mac_key(&scene->identity.bridge, scene->mac_key);
	scene->client.bridge = scene->identity.bridge;
	make_pair(&scene->client.pair, 1);
	make_pair(&scene->y, 2);
	scene->hello_len = (size_t)obfs4_hello_make(&scene->client, scene->hmac, &chance, HOUR, 90,
	    (struct ptah_room){ scene->hello, sizeof(scene->hello) });
	expect(obfs4_hello_read(&scene->heard, scene->hmac, scene->mac_key,
	    (struct ptah_span){ scene->hello, scene->hello_len }, HOUR) == 1);
	scene->reply_len = (size_t)obfs4_reply_make(&scene->heard, scene->hmac, &chance, &scene->identity, &scene->y,
	    scene->hello, 40, (struct ptah_room){ scene->reply, sizeof(scene->reply) }, scene->keys);
}

/* What the server makes of it: 1 if it answers. */
static int
at_server(struct scene *scene, const uint8_t *at, size_t len, size_t piece)
{
	struct obfs4_heard heard = { .has_mark = false };
	uint8_t out[OBFS4_SHAKE_MAX], keys[PTAH_NTOR_LINK_KEYS_LEN];
	int rc = 0;

	for (size_t n = piece; rc == 0; n += piece) {
		size_t here = n < len ? n : len;

		rc = obfs4_hello_read(&heard, scene->hmac, scene->mac_key, (struct ptah_span){ at, here }, HOUR);
		if (rc == 1)
			expect(heard.len <= here && heard.len >= OBFS4_HELLO_MIN);
		if (rc == 1 && heard.len != here)
			return 0;
		if (here == len)
			break;
	}
	if (rc < 0 || rc == 0)
		return rc;
	long n = obfs4_reply_make(&heard, scene->hmac, &chance, &scene->identity, &scene->y, at, 40,
	    (struct ptah_room){ out, sizeof(out) }, keys);
	expect(n == -EBADMSG || n == (long)OBFS4_REPLY_MIN + 40);
	return n > 0;
}

static int
at_client(struct scene *scene, const uint8_t *at, size_t len, size_t piece)
{
	struct obfs4_hello client = scene->client;
	uint8_t keys[PTAH_NTOR_LINK_KEYS_LEN];
	const char *why = NULL;
	size_t eaten = 0;
	int rc = 0;

	for (size_t n = piece; rc == 0; n += piece) {
		size_t here = n < len ? n : len;

		rc = obfs4_reply_read(&client, scene->hmac, (struct ptah_span){ at, here }, keys, &eaten, &why);
		if (rc == 1) {
			expect(eaten <= here);
			expect(memcmp(keys, scene->keys, sizeof(keys)) == 0);
		}
		expect(rc >= 0 || why != NULL);
		if (here == len)
			break;
	}
	return rc;
}

static void
raw(struct scene *scene, uint8_t how, const uint8_t *data, size_t len)
{
	uint8_t *at = malloc(len + 1);
	struct ptah_span key = { scene->mac_key, OBFS4_MAC_KEY_LEN };
	size_t mark = len >= OBFS4_TRAILER_LEN ? len - OBFS4_TRAILER_LEN : 0;

	expect(at != NULL);
	if (len > 0)
		memcpy(at, data, len);
	if ((how & 4) != 0 && len >= OBFS4_REPLY_MIN)
		expect(ptah_mark_make(scene->hmac, key, (struct ptah_span){ at, PTAH_ELL2_LEN }, at + mark) == 0);
	if ((how & 8) != 0 && len >= OBFS4_REPLY_MIN)
		expect(ptah_mark_mac(scene->hmac, key, (struct ptah_span){ at, len - OBFS4_MARK_LEN }, HOUR,
		    at + len - OBFS4_MARK_LEN) == 0);
	if ((how & 1) != 0)
		(void)at_client(scene, at, len, len + 1);
	else
		(void)at_server(scene, at, len, len + 1);
	free(at);
}

static void
changed(struct scene *scene, uint8_t how, const uint8_t *data, size_t len)
{
	const uint8_t *from = (how & 1) != 0 ? scene->reply : scene->hello;
	size_t n = (how & 1) != 0 ? scene->reply_len : scene->hello_len;
	size_t piece = len > 0 ? 1u + data[0] : n;
	uint8_t *at = malloc(n);
	int rc;

	expect(at != NULL);
	memcpy(at, from, n);
	for (size_t i = 1; i + 2 < len; i += 3)
		at[((size_t)data[i] << 8 | data[i + 1]) % n] ^= data[i + 2];
	rc = (how & 1) != 0 ? at_client(scene, at, n, piece) : at_server(scene, at, n, piece);
	expect((rc == 1) == (memcmp(at, from, n) == 0));
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
	if ((data[0] & 2) != 0)
		raw(&scene, data[0], data + 1, len - 1);
	else
		changed(&scene, data[0], data + 1, len - 1);
	return 0;
}
