/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a peer that has the key may say before the first chunk: the input is
 * sealed as a box of a first header and one of the second, and a server and a
 * client read it.  The first byte says where the wire is cut; only a cut
 * within the first read may change what comes of it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "target.h"

extern const struct ptah_module shadow_LTX_ptah_module;

#define CIPHER "2022-blake3-aes-128-gcm"
#define PASSWORD "AAECAwQFBgcICQoLDA0ODw=="
#define SALT 16
#define MOST 70000

/* ---- a host that knows the time, and no salt ---- */

static uint64_t
now_ns(struct ptah_self *self)
{
	(void)self;
	return 1;
}

static int64_t
wall_s(struct ptah_self *self)
{
	(void)self;
	return 1700000000;
}

static void
zeros(struct ptah_self *self, void *out, size_t len)
{
	(void)self;
	memset(out, 0, len);
}

static int
timer(struct ptah_self *self, uint32_t which, uint64_t after_ns)
{
	(void)self;
	(void)which;
	(void)after_ns;
	return 0;
}

static void
say(struct ptah_self *self, uint32_t level, const char *text, size_t len)
{
	(void)self;
	(void)level;
	expect(strlen(text) == len);
}

static void
count(struct ptah_self *self, uint32_t counter, int64_t add)
{
	(void)self;
	(void)counter;
	(void)add;
}

static int
replay(struct ptah_self *self, struct ptah_span scope, struct ptah_span token, uint32_t ttl_s, uint64_t cookie)
{
	(void)self;
	(void)cookie;
	expect(scope.len > 0 && token.len == SALT && ttl_s == SHADOW_SALT_TTL_S);
	return 1;
}

static const struct ptah_host host = {
	.size = sizeof(host), .now_ns = now_ns, .wall_s = wall_s, .random = zeros, .timer = timer, .log = say, .count = count,
	.replay = replay,
};

/* ---- the wire ---- */

static size_t
seal(const uint8_t *data, size_t len, size_t head_len, uint8_t *wire)
{
	const struct shadow_cipher *cipher = shadow_cipher_find(CIPHER);
	uint8_t session[SHADOW_KEY_MAX], head[SHADOW_RESPONSE_MAX] = { 0 };
	struct shadow_keys keys;
	struct shadow_boxes boxes;
	char why[200];
	size_t at = SALT, n = len < head_len ? len : head_len;

	memset(wire, 0x55, SALT);
	expect(shadow_keys_read(&keys, cipher, PASSWORD, (struct ptah_span){ NULL, 0 }, why, sizeof(why)) == 0);
	expect(shadow_session_key(cipher, shadow_keys_own(&keys), wire, session) == 0);
	expect(shadow_boxes_init(&boxes, cipher, session, true) == 0);
	memcpy(head, data, n);
	/* Most inputs should come past the time. */
	if (n < head_len || data[1] != 0xff)
		memcpy(head + 1, "\0\0\0\0\x65\x53\xf1\0", 8);
	expect(shadow_box_seal(&boxes, head, head_len, wire + at) == 0);
	at += head_len + SHADOW_TAG;
	expect(shadow_box_seal(&boxes, data + n, len - n, wire + at) == 0);
	shadow_boxes_clear(&boxes);
	return at + len - n + SHADOW_TAG;
}

/* Let a link hear it: 'first' bytes, then the rest. */
static int
hear(uint32_t role, const uint8_t *wire, size_t len, size_t first, uint8_t *plain, size_t *made)
{
	static struct shadow_worker worker;
	const char *any = "*";
	struct shadow_options options = { .password = PASSWORD, .cipher = CIPHER, .profile = SHADOW_SS,
		.allow = { &any, 1 } };
	struct shadow_link *link = aligned_alloc(64, (sizeof(*link) + 63) / 64 * 64);
	struct ptah_open open = { .size = sizeof(open), .role = role, .conf = &options, .args = &options, .worker = &worker,
		.dest = "192.0.2.1:1", .peer = "", .self = (struct ptah_self *)(void *)link, .host = &host };
	struct ptah_event dialled = { .size = sizeof(dialled), .what = PTAH_EV_PLAIN };
	struct ptah_io io = { .size = sizeof(io) };
	size_t at = 0;
	int rc;

	expect(link != NULL);
	memset(link, 0, sizeof(*link));
	*made = 0;
	rc = shadow_link_open(link, &open, &io);
	for (size_t here = first < len ? first : len; rc >= 0 && rc != PTAH_REJECT;) {
		size_t eaten, want = io.wire.want;

		io = (struct ptah_io){ .size = sizeof(io), .wire = { .in = { wire + at, here - at }, .want = want },
			.plain = { .out = { plain + *made, MOST - *made } } };
		rc = here - at >= want ? shadow_link_unwrap(link, &io) : PTAH_GO;
		eaten = io.wire.eaten;
		expect(eaten <= here - at && io.plain.made <= MOST - *made && io.wire.made == 0);
		*made += io.plain.made;
		at += eaten;
		if (rc == PTAH_ADMIT) {
			expect(io.dest != NULL && strlen(io.dest) < SHADOW_DEST_TEXT);
			io = (struct ptah_io){ .size = sizeof(io) };
			rc = shadow_link_event(link, &dialled, &io);
			expect(rc == PTAH_OPEN);
		} else if (eaten == 0 && io.plain.made == 0) {
			if (here == len)
				break;
			here = len;
		}
	}
	shadow_LTX_ptah_module.close(link, 0);
	free(link);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t wire[MOST + 200], whole[MOST], cut[MOST];

	if (len == 0 || len > MOST)
		return 0;
	for (uint32_t role = PTAH_CLIENT; role <= PTAH_SERVER; role++) {
		size_t head_len = role == PTAH_SERVER ? SHADOW_REQUEST : SHADOW_REQUEST + SALT;
		size_t n = seal(data + 1, len - 1, head_len, wire), made_whole, made_cut;
		size_t first = SALT + head_len + SHADOW_TAG + data[0];
		int rc;

		/* A response repeats the request's salt: one of zeros, with this host. */
		rc = hear(role, wire, n, n, whole, &made_whole);
		expect(rc == hear(role, wire, n, first, cut, &made_cut));
		expect(made_whole == made_cut && memcmp(whole, cut, made_whole) == 0);
		expect(made_whole <= len);
		if (role == PTAH_SERVER)
			expect(hear(role, wire, n, SALT + head_len + SHADOW_TAG - 1, cut, &made_cut) == PTAH_REJECT);
	}
	return 0;
}
