/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets of shadow: what the first byte says of the kind, both ends hear the
 * rest, as it is, and sealed as one who has the key would have done it.
 */
#include <string.h>

#include "message.h"
#include "target.h"

extern const struct ptah_module shadow_LTX_ptah_module;

#define MOST 4096
#define MARGIN (SHADOW_MSG_HEAD + SHADOW_MSG_TAIL)
#define NOW 0x6553f100

static const struct {
	const char *cipher, *password;
	uint32_t profile;
} kinds[] = {
	{ "chacha20-ietf-poly1305", "x", SHADOW_RAW },
	{ "aes-128-gcm", "x", SHADOW_SS },
	{ "2022-blake3-aes-128-gcm", "AAECAwQFBgcICQoLDA0ODw==", SHADOW_SS },
	{ "2022-blake3-aes-128-gcm", "AAECAwQFBgcICQoLDA0ODw==:MjM0NTY3ODk6Ozw9Pj9AQQ==", SHADOW_SS },
	{ "2022-blake3-chacha20-poly1305", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", SHADOW_SS },
};

/* What came out on the plain side, of the last call. */
static struct {
	unsigned n;
	size_t len;
	uint8_t body[MOST];
} out;
static struct ptah_span heard; /* within this */

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
	return NOW;
}

static void
zeros(struct ptah_self *self, void *at, size_t len)
{
	(void)self;
	memset(at, 0, len);
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
	expect(counter <= SHADOW_COUNT_LATE && add == 1);
}

static int
replay(struct ptah_self *self, struct ptah_span scope, struct ptah_span token, uint32_t ttl_s, uint64_t cookie)
{
	(void)self;
	(void)cookie;
	expect(scope.len > 0 && token.len >= 16 && ttl_s == SHADOW_PACKET_TTL_S);
	return 1;
}

static int
message(struct ptah_self *self, const struct ptah_msg *msg)
{
	(void)self;
	expect(msg->side == PTAH_SIDE_PLAIN && msg->body.len <= heard.len);
	if (msg->body.len > 0)
		expect(msg->body.at >= heard.at && msg->body.at + msg->body.len <= heard.at + heard.len);
	expect(msg->dest == NULL || strlen(msg->dest) < SHADOW_DEST_TEXT);
	out.n++;
	out.len = msg->body.len;
	if (msg->body.len > 0)
		memcpy(out.body, msg->body.at, msg->body.len);
	return 0;
}

static const struct ptah_host host = {
	.size = sizeof(host), .now_ns = now_ns, .wall_s = wall_s, .random = zeros, .log = say, .count = count,
	.replay = replay, .message = message,
};

/* ---- one end ---- */

/* Twice the same, where a number counts: the second one must be refused. */
static int
hear(uint32_t role, unsigned kind, const uint8_t *packet, size_t len)
{
	struct shadow_worker worker = { .desk = NULL };
	const char *any = "*";
	struct shadow_options options = { .cipher = kinds[kind].cipher, .password = kinds[kind].password,
		.profile = kinds[kind].profile, .target = "192.0.2.1:443",
		.allow = { &any, kinds[kind].profile == SHADOW_SS && role == PTAH_SERVER } };
	struct shadow_link *link = aligned_alloc(64, (sizeof(*link) + 63) / 64 * 64);
	struct ptah_io io = { .size = sizeof(io) };
	struct ptah_open open = { .size = sizeof(open), .role = role, .messages = 1, .conf = &options, .args = &options,
		.worker = &worker, .peer = "", .self = (struct ptah_self *)(void *)link, .host = &host };
	int first = 0;

	expect(link != NULL);
	memset(link, 0, sizeof(*link));
	out.n = 0;
	expect(shadow_LTX_ptah_module.open(link, &open, &io) == (role == PTAH_CLIENT ? PTAH_OPEN : PTAH_GO));
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *copy = malloc(len > 0 ? len : 1), key[16];
		struct ptah_msg msg = { .size = sizeof(msg), .side = PTAH_SIDE_WIRE, .body = { copy, len }, .room = { copy, len } };
		int rc;

		expect(copy != NULL);
		if (len > 0)
			memcpy(copy, packet, len);
		heard = msg.body;
		if (role == PTAH_SERVER)
			(void)shadow_LTX_ptah_module.key(&options, &worker, &msg, key);
		rc = shadow_LTX_ptah_module.unwrap_message(link, &msg);
		expect(rc == PTAH_GO || rc == PTAH_REJECT || (rc == PTAH_OPEN && role == PTAH_SERVER && i == 0));
		first = i == 0 ? rc : first;
		if (i == 1 && kind >= 2)
			expect(rc == PTAH_REJECT);
		free(copy);
	}
	shadow_LTX_ptah_module.close(link, 0);
	shadow_LTX_ptah_module.worker_close(&worker);
	free(link);
	return first;
}

/* As the other end would; most of them should come past the time and the session. */
static size_t
seal(uint32_t from, unsigned kind, const uint8_t *plain, size_t len, uint8_t *packet)
{
	const struct shadow_cipher *cipher = shadow_cipher_find(kinds[kind].cipher);
	struct shadow_packets packets;
	struct shadow_session session = { .live = false };
	struct shadow_keys keys;
	uint8_t block[SHADOW_BLOCK];
	char why[200];
	size_t head;

	expect(shadow_keys_read(&keys, cipher, kinds[kind].password, (struct ptah_span){ NULL, 0 }, why, sizeof(why)) == 0);
	expect(shadow_packets_init(&packets, cipher, &keys, from) == 0);
	memset(packet, 0x55, SHADOW_MSG_HEAD);
	memset(block, 0x55, sizeof(block));
	head = cipher->modern ? shadow_front_len(&packets, from) : cipher->key_len;
	memcpy(packet + head, plain, len);
	if (!cipher->modern) {
		expect(shadow_salted_seal(&packets, packet, len) == 0);
	} else {
		if (len >= 9 && plain[1] != 0xff)
			memcpy(packet + head + 1, "\0\0\0\0\x65\x53\xf1\0", 8);
		expect(shadow_session_init(&session, &packets, block, true) == 0);
		expect(shadow_numbered_seal(&packets, &session, block, packet, len) == 0);
	}
	shadow_session_clear(&session);
	shadow_packets_clear(&packets);
	return head + len + SHADOW_TAG;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t packet[MOST + MARGIN];

	if (len == 0 || len > MOST)
		return 0;
	for (uint32_t role = PTAH_CLIENT; role <= PTAH_SERVER; role++) {
		unsigned kind = data[0] % (sizeof(kinds) / sizeof(kinds[0]));
		size_t n;
		int rc;

		/* Nobody finds the key. */
		expect(hear(role, kind, data + 1, len - 1) == PTAH_REJECT && out.n == 0);
		n = seal(role == PTAH_CLIENT ? PTAH_SERVER : PTAH_CLIENT, kind, data + 1, len - 1, packet);
		rc = hear(role, kind, packet, n);
		expect((rc == PTAH_REJECT) == (out.n == 0));
		/* A body is the end of what was sealed. */
		if (out.n > 0 && out.len > 0)
			expect(out.len <= len - 1 && memcmp(out.body, data + len - out.len, out.len) == 0);
		packet[n - 1] ^= 1;
		expect(hear(role, kind, packet, n) == PTAH_REJECT && out.n == 0);
	}
	return 0;
}
