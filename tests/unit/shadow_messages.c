/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages of shadow: packets against the vectors, and links of both ends with
 * a host of the test's own between them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "vectors.h"

#include "message.h"
#include "shadow.h"

#define MOST 65536
#define HEAD SHADOW_MSG_HEAD
#define TARGET "192.0.2.1:443"
#define PSKS_16 PSK_16 ":MjM0NTY3ODk6Ozw9Pj9AQQ=="

/* One end: a link, and what it gave its host. */
struct side {
	struct shadow_link link; /* first: it is 'self', too */
	struct shadow_worker worker;
	struct shadow_options options;
	uint32_t role;
	uint8_t wire[MOST], plain[MOST];
	size_t wire_len, plain_len;
	unsigned n_wire, n_plain;
	char dest[SHADOW_DEST_TEXT];
	bool has_dest;
};

static struct side near, far;
static uint64_t later_ns;

static int
host_message(struct ptah_self *self, const struct ptah_msg *msg)
{
	struct side *side = (struct side *)(void *)self;
	bool wire = msg->side == PTAH_SIDE_WIRE;

	assert_true(msg->body.len <= MOST);
	memcpy(wire ? side->wire : side->plain, msg->body.at, msg->body.len);
	if (wire) {
		side->wire_len = msg->body.len;
		side->n_wire++;
		return 0;
	}
	side->plain_len = msg->body.len;
	side->n_plain++;
	side->has_dest = msg->dest != NULL;
	strcpy(side->dest, msg->dest != NULL ? msg->dest : "");
	return 0;
}

static uint64_t
host_later_ns(struct ptah_self *self)
{
	(void)self;
	return UINT64_C(1000000000000) + later_ns;
}

static struct ptah_host carrier;

static int
side_open(struct side *side, uint32_t role, const struct shadow_options *options)
{
	struct ptah_io io = { .size = sizeof(io) };
	struct ptah_open open = {
		.size = sizeof(open), .role = role, .messages = 1, .worker = &side->worker, .conf = &side->options,
		.args = &side->options, .peer = "", .self = (struct ptah_self *)(void *)side, .host = &carrier,
	};

	side->role = role;
	side->options = *options;
	memset(&side->link, 0, sizeof(side->link));
	side->n_wire = side->n_plain = 0;
	return module->open(&side->link, &open, &io);
}

static void
side_close(struct side *side)
{
	module->close(&side->link, 0);
	module->worker_close(&side->worker);
	memset(&side->worker, 0, sizeof(side->worker));
}

static struct shadow_options
message_options(const char *cipher, uint32_t profile)
{
	struct shadow_options options = options_of(cipher, profile);

	options.target = profile == SHADOW_SS ? TARGET : NULL;
	return options;
}

static void
begin(const char *cipher, uint32_t profile)
{
	const struct shadow_options options = message_options(cipher, profile);

	carrier = host;
	carrier.message = host_message;
	carrier.now_ns = host_later_ns;
	n_seen = 0;
	memset(counts, 0, sizeof(counts));
	assert_int_equal(side_open(&near, PTAH_CLIENT, &options), PTAH_OPEN);
	assert_int_equal(side_open(&far, PTAH_SERVER, &options), PTAH_GO);
}

static void
end_both(void)
{
	side_close(&near);
	side_close(&far);
}

/* A body with the room that the contract promises, and guards at both ends of it. */
static int
say_message(struct side *side, const uint8_t *body, size_t len, const char *peer)
{
	static uint8_t room[HEAD + MOST + SHADOW_MSG_TAIL];
	struct ptah_msg msg = {
		.size = sizeof(msg), .side = PTAH_SIDE_PLAIN, .body = { room + HEAD, len },
		.room = { room, HEAD + len + SHADOW_MSG_TAIL }, .peer = peer,
	};

	if (len > 0)
		memcpy(room + HEAD, body, len);
	return module->wrap_message(&side->link, &msg);
}

/* As it came from the wire: without any room around it. */
static int
hear_bytes(struct side *side, const uint8_t *at, size_t len)
{
	uint8_t *room = malloc(len > 0 ? len : 1);
	struct ptah_msg msg = { .size = sizeof(msg), .side = PTAH_SIDE_WIRE, .body = { room, len }, .room = { room, len } };
	int rc;

	assert_non_null(room);
	if (len > 0)
		memcpy(room, at, len);
	rc = module->unwrap_message(&side->link, &msg);
	free(room);
	return rc;
}

static int
pass_on(const struct side *from, struct side *to)
{
	return hear_bytes(to, from->wire, from->wire_len);
}

static void
assert_heard(const struct side *side, const uint8_t *body, size_t len)
{
	assert_int_equal(side->plain_len, len);
	if (len > 0)
		assert_memory_equal(side->plain, body, len);
}

/* ---- vectors ---------------------------------------------------------------- */

static struct shadow_packets
packets_of(const struct shadow_cipher *cipher, const char *password, uint32_t role)
{
	struct shadow_packets packets;
	struct shadow_keys keys;
	char why[200];

	assert_int_equal(shadow_keys_read(&keys, cipher, password, (struct ptah_span){ NULL, 0 }, why, sizeof(why)), 0);
	assert_int_equal(shadow_packets_init(&packets, cipher, &keys, role), 0);
	return packets;
}

static void
web_072_packets_are_those_of_the_vectors(void **state)
{
	struct ptah_json *vectors = vectors_load("shadowsocks-aead.json");
	const struct ptah_json *list = vectors_list(vectors, "udp");

	(void)state;
	assert_int_equal(list->n, 3);
	for (size_t i = 0; i < list->n; i++) {
		const struct shadow_cipher *cipher = shadow_cipher_find(vectors_text(list->items[i], "method"));
		struct shadow_packets packets = packets_of(cipher, vectors_text(list->items[i], "password_utf8"), PTAH_CLIENT);
		uint8_t want[256], plain[256], at[256];
		size_t len = vectors_bytes(vectors_get(list->items[i], "packet"), want, sizeof(want));
		size_t plain_len = vectors_bytes(vectors_get(list->items[i], "plain"), plain, sizeof(plain));

		memcpy(at, want, cipher->key_len);
		memcpy(at + cipher->key_len, plain, plain_len);
		assert_int_equal(shadow_salted_seal(&packets, at, plain_len), 0);
		assert_memory_equal(at, want, len);
		assert_int_equal(shadow_salted_open(&packets, at, len), plain_len);
		assert_memory_equal(at + cipher->key_len, plain, plain_len);
		for (size_t n = 0; n < len; n++) {
			memcpy(at, want, n);
			assert_int_equal(shadow_salted_open(&packets, at, n), -EBADMSG);
		}
		shadow_packets_clear(&packets);
	}
	ptah_json_free(vectors);
}

static void
open_vector(const struct shadow_packets *packets, const uint8_t *packet, size_t len, const uint8_t *block, const uint8_t *plain)
{
	const size_t front = shadow_front_len(packets, PTAH_SERVER); /* without identities */
	uint8_t at[256], got[SHADOW_BLOCK];
	struct shadow_session session = { .live = false };
	long n;

	memcpy(at, packet, len);
	for (size_t cut = 0; cut < front + SHADOW_TAG; cut++)
		assert_int_equal(shadow_block_read(packets, (struct ptah_span){ at, cut }, got), -EBADMSG);
	assert_int_equal(shadow_block_read(packets, (struct ptah_span){ at, len }, got), 0);
	assert_memory_equal(got, block, SHADOW_BLOCK);
	assert_int_equal(shadow_session_init(&session, packets, got, false), 0);
	assert_true(session.live);
	for (size_t cut = 0; cut < len; cut++) {
		assert_int_equal(shadow_numbered_open(packets, &session, got, at, cut), -EBADMSG);
		memcpy(at, packet, len);
	}
	/* Another number than the one that it was sealed with. */
	got[SHADOW_BLOCK - 1] ^= 1;
	assert_int_equal(shadow_numbered_open(packets, &session, got, at, len), -EBADMSG);
	got[SHADOW_BLOCK - 1] ^= 1;
	memcpy(at, packet, len);
	n = shadow_numbered_open(packets, &session, got, at, len);
	assert_int_equal(n, len - front - SHADOW_TAG);
	assert_memory_equal(at + front, plain, (size_t)n);
	shadow_session_clear(&session);
	assert_false(session.live);
}

static void
web_096_packets_are_those_of_the_vectors(void **state)
{
	struct ptah_json *vectors = vectors_load("shadowsocks-2022.json");
	const struct ptah_json *list = vectors_list(vectors, "udp");

	(void)state;
	assert_int_equal(list->n, 6);
	for (size_t i = 0; i < list->n; i++) {
		const struct shadow_cipher *cipher = shadow_cipher_find(vectors_text(list->items[i], "method"));
		bool request = strcmp(vectors_text(list->items[i], "direction"), "client-to-server") == 0;
		const char *psk = cipher->key_len == 16 ? PSK_16 : PSK_32;
		struct shadow_packets ours = packets_of(cipher, psk, request ? PTAH_CLIENT : PTAH_SERVER);
		struct shadow_packets theirs = packets_of(cipher, psk, request ? PTAH_SERVER : PTAH_CLIENT);
		struct shadow_session session = { .live = false };
		uint8_t want[256], plain[256], block[SHADOW_BLOCK] = { 0 }, at[256] = { 0 };
		size_t len = vectors_bytes(vectors_get(list->items[i], "packet"), want, sizeof(want));
		size_t n = vectors_bytes(vectors_get(list->items[i], "main_header_and_payload"), plain, sizeof(plain));
		size_t front = shadow_front_len(&ours, PTAH_SERVER);

		vectors_exact(list->items[i], "session_id", block, SHADOW_SESSION);
		block[SHADOW_BLOCK - 1] = (uint8_t)vectors_number(list->items[i], "packet_id");
		if (shadow_front_random(&ours) > 0)
			vectors_exact(list->items[i], "nonce", at, shadow_front_random(&ours));
		assert_int_equal(shadow_session_init(&session, &ours, block, true), 0);
		memcpy(at + front, plain, n);
		assert_int_equal(shadow_numbered_seal(&ours, &session, block, at, n), 0);
		assert_int_equal(front + n + SHADOW_TAG, len);
		assert_memory_equal(at, want, len);
		open_vector(&theirs, want, len, block, plain);
		shadow_session_clear(&session);
		shadow_packets_clear(&ours);
		shadow_packets_clear(&theirs);
	}
	ptah_json_free(vectors);
}

static void
web_096_preambles_are_those_of_the_vectors(void **state)
{
	struct ptah_json *vectors = vectors_load("shadowsocks-2022.json");
	const struct ptah_json *list = vectors_list(vectors, "udp");

	(void)state;
	for (size_t i = 0; i < list->n; i++) {
		bool request = strcmp(vectors_text(list->items[i], "direction"), "client-to-server") == 0;
		struct shadow_preamble preamble;
		uint8_t plain[256], at[256];
		size_t n = vectors_bytes(vectors_get(list->items[i], "main_header_and_payload"), plain, sizeof(plain));
		uint32_t role = request ? PTAH_CLIENT : PTAH_SERVER;
		long body = shadow_preamble_read((struct ptah_span){ plain, n }, role, &preamble);

		assert_true(body > 0 && (size_t)body < n);
		assert_int_equal(preamble.time, 1700000000 + (request ? 0 : 1));
		assert_int_equal(shadow_preamble_len(&preamble) + preamble.padding, body);
		shadow_preamble_write(&preamble, at);
		assert_memory_equal(at, plain, (size_t)body);
		assert_int_equal(shadow_preamble_read((struct ptah_span){ plain, n }, role ^ 3u, &preamble), -EPROTO);
		for (long cut = 0; cut < body; cut++)
			assert_int_equal(shadow_preamble_read((struct ptah_span){ plain, (size_t)cut }, role, &preamble), -EPROTO);
	}
	ptah_json_free(vectors);
}

/* ---- the window ---------------------------------------------------------------- */

static void
web_096_the_window_has_edges(void **state)
{
	struct shadow_window window = { .next = 0 };

	(void)state;
	assert_true(shadow_window_is_fresh(&window, 0));
	assert_false(shadow_window_is_fresh(&window, UINT64_MAX));
	shadow_window_mark(&window, 5000);
	assert_false(shadow_window_is_fresh(&window, 5000));
	assert_true(shadow_window_is_fresh(&window, 5001));
	assert_true(shadow_window_is_fresh(&window, 5000 - SHADOW_WINDOW + 1));
	assert_false(shadow_window_is_fresh(&window, 5000 - SHADOW_WINDOW));
	assert_false(shadow_window_is_fresh(&window, 0));
	shadow_window_mark(&window, 5000 - SHADOW_WINDOW + 1);
	assert_false(shadow_window_is_fresh(&window, 5000 - SHADOW_WINDOW + 1));
	shadow_window_mark(&window, UINT64_MAX - 1);
	assert_false(shadow_window_is_fresh(&window, UINT64_MAX - 1));
	assert_true(shadow_window_is_fresh(&window, UINT64_MAX - 2));
	shadow_window_fill(&window, 130);
	for (uint64_t i = 0; i < 130; i++)
		assert_false(shadow_window_is_fresh(&window, i));
	for (uint64_t i = 130; i < 9000; i++) {
		assert_true(shadow_window_is_fresh(&window, i));
		shadow_window_mark(&window, i);
		assert_false(shadow_window_is_fresh(&window, i));
	}
}

/* Against a list of all that has come, in any order and with steps of any size. */
static void
web_096_the_window_forgets_and_invents_nothing(void **state)
{
	static bool came[60000];
	struct shadow_window window = { .next = 0 };
	uint64_t top = 0;

	(void)state;
	memset(came, 0, sizeof(came));
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t step = randombytes_uniform(randombytes_uniform(50) == 0 ? 3000 : 8);
		uint64_t back = randombytes_uniform(2500), number = top + step;

		if (randombytes_uniform(2) == 0)
			number = top > back ? top - back : 0;
		if (number >= sizeof(came))
			break;
		bool fresh = number + SHADOW_WINDOW > top && !came[number];
		if (top == 0 && !came[0])
			fresh = true;
		assert_int_equal(shadow_window_is_fresh(&window, number), fresh);
		if (!fresh)
			continue;
		shadow_window_mark(&window, number);
		came[number] = true;
		top = number > top ? number : top;
	}
}

/* ---- links ----------------------------------------------------------------------- */

static const char *const all_ciphers[] = { "chacha20-ietf-poly1305", "aes-256-gcm", "aes-192-gcm", "aes-128-gcm",
	"2022-blake3-aes-128-gcm", "2022-blake3-aes-256-gcm", "2022-blake3-chacha20-poly1305" };
#define N_CIPHERS (sizeof(all_ciphers) / sizeof(all_ciphers[0]))

static void
there_and_back(size_t len, bool first)
{
	assert_int_equal(say_message(&near, stream, len, NULL), PTAH_GO);
	assert_int_equal(pass_on(&near, &far), first ? PTAH_OPEN : PTAH_GO);
	assert_heard(&far, stream, len);
	assert_false(far.has_dest);
	assert_int_equal(say_message(&far, stream + 1, len, "192.0.2.7:53"), PTAH_GO);
	assert_int_equal(pass_on(&far, &near), PTAH_GO);
	assert_heard(&near, stream + 1, len);
}

static void
web_072_messages_of_all_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 899, 900, 1400, 9000, 65000 };

	(void)state;
	for (size_t i = 0; i < N_CIPHERS; i++) {
		bool modern = shadow_cipher_find(all_ciphers[i])->modern;

		for (uint32_t profile = modern ? SHADOW_SS : SHADOW_RAW; profile <= SHADOW_SS; profile++) {
			begin(all_ciphers[i], profile);
			for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++)
				there_and_back(sizes[j], j == 0);
			end_both();
		}
	}
}

static void
web_072_the_address_of_an_answer_is_its_source(void **state)
{
	static const struct {
		const char *peer;
		uint8_t want[19];
		size_t len;
	} cases[] = {
		{ "192.0.2.7:53", { 1, 192, 0, 2, 7, 0, 53 }, 7 },
		{ "[2001:db8::1]:8080", { 4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x1f, 0x90 }, 19 },
	};
	const struct shadow_cipher *cipher = shadow_cipher_find("aes-128-gcm");
	struct shadow_packets packets = packets_of(cipher, "barfoo!", PTAH_CLIENT);

	(void)state;
	begin("aes-128-gcm", SHADOW_SS);
	there_and_back(10, true);
	for (size_t i = 0; i < 4; i++) {
		size_t n = i % 2;

		assert_int_equal(say_message(&far, stream, 10, cases[n].peer), PTAH_GO);
		assert_int_equal(shadow_salted_open(&packets, far.wire, far.wire_len), cases[n].len + 10);
		assert_memory_equal(far.wire + 16, cases[n].want, cases[n].len);
	}
	/* Nobody says whose word it is: then it is the word of who was asked. */
	assert_int_equal(say_message(&far, stream, 10, NULL), PTAH_GO);
	assert_int_equal(shadow_salted_open(&packets, far.wire, far.wire_len), 17);
	assert_memory_equal(far.wire + 16, "\1\300\0\2\1\1\273", 7);
	assert_int_equal(say_message(&far, stream, 10, "no address"), PTAH_REJECT);
	shadow_packets_clear(&packets);
	end_both();
}

static void
allow_says_where_messages_may_go(void **state)
{
	const char *const items[] = { "192.0.2.1:*", "*:53" };
	static const struct {
		const char *target, *dest;
	} cases[] = { { "192.0.2.1:443", "192.0.2.1:443" }, { "192.0.2.1:443", "192.0.2.1:443" }, { "name.example:53", "name.example:53" },
		{ "192.0.2.2:443", NULL }, { "[2001:db8::1]:53", "[2001:db8::1]:53" } };

	(void)state;
	for (size_t i = 0; i < N_CIPHERS; i++) {
		struct shadow_options options = message_options(all_ciphers[i], SHADOW_SS);

		for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]); j++) {
			begin(all_ciphers[i], SHADOW_SS);
			side_close(&near);
			options.target = cases[j].target;
			assert_int_equal(side_open(&near, PTAH_CLIENT, &options), PTAH_OPEN);
			far.options.allow = (struct ptah_list){ items, 2 };
			for (unsigned n = 0; n < 3; n++) {
				assert_int_equal(say_message(&near, stream, 10, NULL), PTAH_GO);
				assert_int_equal(pass_on(&near, &far), cases[j].dest == NULL ? PTAH_REJECT : n == 0 ? PTAH_OPEN : PTAH_GO);
				assert_int_equal(far.n_plain, cases[j].dest == NULL ? 0 : n + 1);
				if (cases[j].dest != NULL)
					assert_string_equal(far.dest, cases[j].dest);
			}
			assert_int_equal(counts[SHADOW_COUNT_FORBIDDEN], cases[j].dest == NULL ? 3 : 0);
			end_both();
		}
	}
}

static void
web_073_what_came_before_is_dropped(void **state)
{
	uint8_t first[2048];
	size_t len;

	(void)state;
	for (size_t i = 0; i < N_CIPHERS; i++) {
		begin(all_ciphers[i], SHADOW_SS);
		there_and_back(100, true);
		assert_int_equal(pass_on(&near, &far), PTAH_REJECT);
		assert_int_equal(pass_on(&far, &near), PTAH_REJECT);
		/* What one sent comes back to itself. */
		assert_int_equal(hear_bytes(&far, far.wire, far.wire_len), PTAH_REJECT);
		assert_int_equal(hear_bytes(&near, near.wire, near.wire_len), PTAH_REJECT);
		/* Later ones between. */
		len = near.wire_len;
		memcpy(first, near.wire, len);
		for (unsigned n = 0; n < 10; n++)
			there_and_back(n, false);
		assert_int_equal(hear_bytes(&far, first, len), PTAH_REJECT);
		assert_int_equal(far.n_plain, 11);
		assert_int_equal(near.n_plain, 11);
		assert_true(counts[SHADOW_COUNT_REPLAYED] >= 3);
		end_both();
	}
}

static void
web_073_what_is_not_whole_or_not_authentic_is_dropped(void **state)
{
	uint8_t packet[2048], bad[2048];
	size_t len;

	(void)state;
	for (size_t i = 0; i < N_CIPHERS; i++) {
		begin(all_ciphers[i], SHADOW_SS);
		assert_int_equal(say_message(&near, stream, 30, NULL), PTAH_GO);
		len = near.wire_len;
		memcpy(packet, near.wire, len);
		for (size_t n = 0; n < len; n++)
			assert_int_equal(hear_bytes(&far, packet, n), PTAH_REJECT);
		for (size_t n = 0; n < len; n++) {
			memcpy(bad, packet, len);
			bad[n] ^= (uint8_t)(1u << n % 8);
			assert_int_equal(hear_bytes(&far, bad, len), PTAH_REJECT);
		}
		memcpy(bad, packet, len);
		bad[len] = 0;
		assert_int_equal(hear_bytes(&far, bad, len + 1), PTAH_REJECT);
		assert_int_equal(far.n_plain, 0);
		/* None of them has spoilt it. */
		assert_int_equal(hear_bytes(&far, packet, len), PTAH_OPEN);
		assert_heard(&far, stream, 30);
		assert_int_equal(far.n_wire, 0);
		end_both();
	}
}

static void
web_073_another_key_is_dropped(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CIPHERS; i++) {
		const struct shadow_cipher *cipher = shadow_cipher_find(all_ciphers[i]);
		struct shadow_options options = message_options(all_ciphers[i], SHADOW_SS);

		begin(all_ciphers[i], SHADOW_SS);
		side_close(&near);
		options.password = !cipher->modern ? "another" : cipher->key_len == 16 ? "AAAAAAAAAAAAAAAAAAAAAA==" :
		    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
		assert_int_equal(side_open(&near, PTAH_CLIENT, &options), PTAH_OPEN);
		assert_int_equal(say_message(&near, stream, 30, NULL), PTAH_GO);
		assert_int_equal(pass_on(&near, &far), PTAH_REJECT);
		assert_int_equal(counts[SHADOW_COUNT_BROKEN], 1);
		end_both();
	}
}

/* ---- the key of a link ---------------------------------------------------------------- */

static void
a_session_is_the_key_of_its_link(void **state)
{
	static const uint8_t none[SHADOW_SESSION];
	uint8_t keys[2][16] = { { 0 } };
	struct ptah_msg msg = { .size = sizeof(msg), .side = PTAH_SIDE_WIRE };

	(void)state;
	for (size_t i = 0; i < N_CIPHERS; i++) {
		begin(all_ciphers[i], SHADOW_SS);
		for (unsigned n = 0; n < 2; n++) {
			assert_int_equal(say_message(&near, stream, 30, NULL), PTAH_GO);
			msg.body = (struct ptah_span){ near.wire, near.wire_len };
			assert_int_equal(module->key(&far.options, &far.worker, &msg, keys[n]),
			    shadow_cipher_find(all_ciphers[i])->modern ? 0 : PTAH_PASS);
		}
		assert_memory_equal(keys[0], keys[1], 16);
		if (shadow_cipher_find(all_ciphers[i])->modern) {
			assert_memory_not_equal(keys[0], none, SHADOW_SESSION);
			msg.body.len = SHADOW_BLOCK - 1;
			assert_true(module->key(&far.options, &far.worker, &msg, keys[0]) < 0);
		}
		end_both();
	}
}

/* ---- 2022 -------------------------------------------------------------------------------- */

#define MODERN "2022-blake3-aes-128-gcm"
#define MODERN_CHACHA "2022-blake3-chacha20-poly1305"
#define LONG_NONCE 24

/* Of each kind of packet; those with AES differ in their keys alone. */
static const char *const moderns[] = { MODERN, MODERN_CHACHA };
#define N_MODERNS (sizeof(moderns) / sizeof(moderns[0]))

/* Session and number are in what is sealed, and nothing shows that two packets are of one session. */
static void
web_096_chacha_packets_begin_with_a_nonce_of_their_own(void **state)
{
	uint8_t first[LONG_NONCE + SHADOW_BLOCK];
	size_t same = 0;

	(void)state;
	begin(MODERN_CHACHA, SHADOW_SS);
	there_and_back(10, true);
	assert_int_equal(near.wire_len, LONG_NONCE + SHADOW_BLOCK + 18 + 10 + SHADOW_TAG);
	assert_int_equal(say_message(&far, stream, 10, "192.0.2.7:54"), PTAH_GO);
	assert_int_equal(far.wire_len, LONG_NONCE + SHADOW_BLOCK + 26 + 10 + SHADOW_TAG);
	memcpy(first, near.wire, sizeof(first));
	there_and_back(10, false);
	for (size_t i = 0; i < sizeof(first); i++)
		same += first[i] == near.wire[i];
	assert_in_range(same, 0, 8);
	end_both();
}

static void
web_096_identities_go_with_each_packet(void **state)
{
	struct shadow_options options = message_options(MODERN, SHADOW_SS);
	uint8_t first[64];

	(void)state;
	begin(MODERN, SHADOW_SS);
	end_both();
	options.password = PSKS_16;
	assert_int_equal(side_open(&near, PTAH_CLIENT, &options), PTAH_OPEN);
	assert_int_equal(side_open(&far, PTAH_SERVER, &options), PTAH_GO);
	there_and_back(10, true);
	assert_int_equal(near.wire_len, 32 + 18 + 10 + 16);
	memcpy(first, near.wire, 32);
	there_and_back(10, false);
	assert_memory_not_equal(first + 16, near.wire + 16, 16);
	assert_int_equal(say_message(&near, stream, 10, NULL), PTAH_GO);
	near.wire[16 + 7] ^= 1;
	assert_int_equal(pass_on(&near, &far), PTAH_REJECT);
	side_close(&far);
	/* The last hop alone cannot read what is meant for the first. */
	options.password = strchr(PSKS_16, ':') + 1;
	assert_int_equal(side_open(&far, PTAH_SERVER, &options), PTAH_GO);
	near.wire[16 + 7] ^= 1;
	assert_int_equal(pass_on(&near, &far), PTAH_REJECT);
	end_both();
}

static void
web_096_a_wrong_time_is_dropped(void **state)
{
	static const int64_t skews[] = { -31, -30, 30, 31 };
	int64_t now = wall_s;

	(void)state;
	for (size_t i = 0; i < 4 * N_MODERNS; i++) {
		bool good = skews[i % 4] > -31 && skews[i % 4] < 31;

		begin(moderns[i / 4], SHADOW_SS);
		n_logged = 0;
		wall_s = now + skews[i % 4];
		assert_int_equal(say_message(&near, stream, 10, NULL), PTAH_GO);
		wall_s = now;
		assert_int_equal(pass_on(&near, &far), good ? PTAH_OPEN : PTAH_REJECT);
		assert_int_equal(counts[SHADOW_COUNT_LATE], good ? 0 : 1);
		assert_int_equal(n_logged, good ? 0 : 1);
		end_both();
	}
}

static void
overtake(const char *cipher)
{
	static uint8_t packets[40][128];
	size_t len = 0;

	begin(cipher, SHADOW_SS);
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(say_message(&near, stream + i, 20, NULL), PTAH_GO);
		len = near.wire_len;
		assert_true(len <= sizeof(packets[i]));
		memcpy(packets[i], near.wire, len);
	}
	for (unsigned i = 0; i < 40; i++) {
		unsigned n = (i * 7 + 3) % 40;

		assert_int_equal(hear_bytes(&far, packets[n], len), i == 0 ? PTAH_OPEN : PTAH_GO);
		assert_heard(&far, stream + n, 20);
		assert_int_equal(hear_bytes(&far, packets[n], len), PTAH_REJECT);
	}
	end_both();
}

static void
web_096_packets_may_overtake_one_another(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_MODERNS; i++)
		overtake(moderns[i]);
}

/* Its new session has a name of its own; one that takes a new name all the time is no server. */
static void
begin_anew(const char *cipher)
{
	const struct shadow_options options = message_options(cipher, SHADOW_SS);
	uint8_t old[128];
	size_t len;

	later_ns = 0;
	begin(cipher, SHADOW_SS);
	there_and_back(10, true);
	assert_int_equal(say_message(&far, stream, 10, "192.0.2.7:54"), PTAH_GO);
	len = far.wire_len;
	assert_true(len <= sizeof(old));
	memcpy(old, far.wire, len);
	for (unsigned i = 0; i < 2; i++) {
		side_close(&far);
		assert_int_equal(side_open(&far, PTAH_SERVER, &options), PTAH_GO);
		assert_int_equal(say_message(&near, stream, 10, NULL), PTAH_GO);
		assert_int_equal(pass_on(&near, &far), PTAH_OPEN);
		assert_int_equal(say_message(&far, stream, 10, "192.0.2.7:54"), PTAH_GO);
		assert_int_equal(pass_on(&far, &near), i == 0 ? PTAH_GO : PTAH_REJECT);
	}
	assert_int_equal(hear_bytes(&near, old, len), PTAH_GO); /* late, of the first one */
	later_ns += SHADOW_SESSION_TTL_NS;
	assert_int_equal(pass_on(&far, &near), PTAH_GO);
	end_both();
}

static void
web_096_a_server_may_begin_anew(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_MODERNS; i++)
		begin_anew(moderns[i]);
}

static void
web_096_a_session_that_is_gone_is_remembered(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_MODERNS; i++) {
		const struct shadow_options options = message_options(moderns[i], SHADOW_SS);

		later_ns = 0;
		begin(moderns[i], SHADOW_SS);
		there_and_back(10, true);
		/* As when it was idle, or made room for another. */
		module->close(&far.link, 0);
		assert_int_equal(side_open(&far, PTAH_SERVER, &options), PTAH_GO);
		assert_int_equal(pass_on(&near, &far), PTAH_REJECT);
		assert_int_equal(say_message(&near, stream, 10, NULL), PTAH_GO);
		assert_int_equal(pass_on(&near, &far), PTAH_OPEN);
		end_both();
	}
}

static void
pad_questions(const char *cipher, size_t front)
{
	struct shadow_options options = message_options(cipher, SHADOW_SS);
	size_t lens[50];
	unsigned differ = 0;

	begin(cipher, SHADOW_SS);
	side_close(&near);
	options.target = "192.0.2.1:53";
	assert_int_equal(side_open(&near, PTAH_CLIENT, &options), PTAH_OPEN);
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(say_message(&near, stream, 40, NULL), PTAH_GO);
		lens[i] = near.wire_len;
		assert_in_range(lens[i], front + 18 + 40 + 16 + 1, front + 18 + 900 + 16);
		differ += lens[i] != lens[0];
		assert_int_equal(pass_on(&near, &far), i == 0 ? PTAH_OPEN : PTAH_GO);
		assert_heard(&far, stream, 40);
	}
	assert_true(differ > 20);
	end_both();
}

static void
questions_of_names_are_padded(void **state)
{
	(void)state;
	pad_questions(MODERN, SHADOW_BLOCK);
	pad_questions(MODERN_CHACHA, LONG_NONCE + SHADOW_BLOCK);
}

static void
a_client_of_profile_ss_needs_a_target(void **state)
{
	struct shadow_options options = message_options("aes-128-gcm", SHADOW_SS);

	(void)state;
	begin("aes-128-gcm", SHADOW_SS);
	side_close(&near);
	options.target = NULL;
	assert_int_equal(side_open(&near, PTAH_CLIENT, &options), -EDESTADDRREQ);
	end_both();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(web_072_packets_are_those_of_the_vectors),
		cmocka_unit_test(web_096_packets_are_those_of_the_vectors),
		cmocka_unit_test(web_096_preambles_are_those_of_the_vectors),
		cmocka_unit_test(web_096_the_window_has_edges),
		cmocka_unit_test(web_096_the_window_forgets_and_invents_nothing),
		cmocka_unit_test(web_072_messages_of_all_sizes),
		cmocka_unit_test(web_072_the_address_of_an_answer_is_its_source),
		cmocka_unit_test(allow_says_where_messages_may_go),
		cmocka_unit_test(web_073_what_came_before_is_dropped),
		cmocka_unit_test(web_073_what_is_not_whole_or_not_authentic_is_dropped),
		cmocka_unit_test(web_073_another_key_is_dropped),
		cmocka_unit_test(a_session_is_the_key_of_its_link),
		cmocka_unit_test(web_096_chacha_packets_begin_with_a_nonce_of_their_own),
		cmocka_unit_test(web_096_identities_go_with_each_packet),
		cmocka_unit_test(web_096_a_wrong_time_is_dropped),
		cmocka_unit_test(web_096_packets_may_overtake_one_another),
		cmocka_unit_test(web_096_a_server_may_begin_anew),
		cmocka_unit_test(web_096_a_session_that_is_gone_is_remembered),
		cmocka_unit_test(questions_of_names_are_padded),
		cmocka_unit_test(a_client_of_profile_ss_needs_a_target),
	};

	return cmocka_run_group_tests_name("shadow_messages", tests, start_links, NULL);
}
