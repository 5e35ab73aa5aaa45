/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames against a plain implementation of them with crypto_secretbox, which
 * is itself held against the vectors; each with every vector code of this CPU.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "salsa20.h"
#include "secretboxframe.h"
#include "vectors.h"

#define KEYS PTAH_FRAME_KEYS_LEN

/* --- the plain implementation ------------------------------------------- */

struct plain {
	uint8_t keys[KEYS];
	struct ptah_drbg lengths;
	uint64_t counter;
};

static void
plain_init(struct plain *plain, const uint8_t keys[KEYS])
{
	memcpy(plain->keys, keys, KEYS);
	ptah_drbg_init(&plain->lengths, keys + 48);
	plain->counter = 1;
}

static void
plain_nonce(const struct plain *plain, uint8_t nonce[24])
{
	memcpy(nonce, plain->keys + 32, 16);
	for (int i = 0; i < 8; i++)
		nonce[16 + i] = (uint8_t)(plain->counter >> (56 - 8 * i));
}

/* 'lie' is added to the length that is written. */
static size_t
plain_frame(struct plain *plain, const uint8_t *packet, size_t len, int lie, uint8_t *out)
{
	uint8_t nonce[24];
	unsigned length = (unsigned)((int)len + 16 + lie) ^ ptah_drbg_mask(&plain->lengths);

	plain_nonce(plain, nonce);
	out[0] = (uint8_t)(length >> 8);
	out[1] = (uint8_t)length;
	assert_int_equal(crypto_secretbox_easy(out + 2, packet, len, nonce, plain->keys), 0);
	plain->counter++;
	return len + 18;
}

static size_t
plain_packet(struct plain *plain, uint8_t type, struct ptah_span payload, size_t padding, uint8_t *out)
{
	uint8_t packet[3 + PTAH_PACKET_MAX] = { type, (uint8_t)(payload.len >> 8), (uint8_t)payload.len };

	assert_true(payload.len + padding <= PTAH_PACKET_MAX);
	if (payload.len > 0)
		memcpy(packet + 3, payload.at, payload.len);
	return plain_frame(plain, packet, 3 + payload.len + padding, 0, out);
}

static size_t
plain_burst(struct plain *plain, struct ptah_span payload, size_t burst, unsigned target, uint8_t *out)
{
	size_t made = 0;

	while (payload.len > 0) {
		struct ptah_span part = { payload.at, payload.len < PTAH_PACKET_MAX ? payload.len : PTAH_PACKET_MAX };

		made += plain_packet(plain, 0, part, 0, out + made);
		payload.at += part.len;
		payload.len -= part.len;
	}
	if (target != PTAH_FRAME_NO_PADDING) {
		size_t tail = (burst + made) % 1448;
		size_t need = target >= tail ? target - tail : 1448 - tail + target;
		struct ptah_span none = { NULL, 0 };

		if (need >= 22) {
			made += plain_packet(plain, 0, none, need - 21, out + made);
		} else if (need > 0) {
			made += plain_packet(plain, 0, none, 1427, out + made);
			made += plain_packet(plain, 0, none, need, out + made);
		}
	}
	return made;
}

/* --- every code of this CPU ---------------------------------------------- */

static const char *const codes[] = { "libsodium", "avx2", "avx512" };

static struct ptah_boxer *
boxer_of(size_t code)
{
	struct ptah_boxer *boxer = ptah_boxer_new_with(codes[code]);

	if (boxer == NULL)
		assert_int_equal(errno, ENOTSUP);
	else
		assert_string_equal(ptah_boxer_vectors(boxer), codes[code]);
	return boxer;
}

#define FOR_EACH_BOXER(boxer) \
	for (size_t code_ = 0; code_ < sizeof(codes) / sizeof(codes[0]); code_++) \
		for (struct ptah_boxer *boxer = boxer_of(code_); boxer != NULL; \
		    ptah_boxer_free(boxer), boxer = NULL)

static int
start(void **state)
{
	(void)state;
	return sodium_init() < 0 ? -1 : 0;
}

/* A seeded stream, so that a failure comes again. */
static void
seeded(uint8_t *out, size_t len, uint32_t n)
{
	uint8_t seed[randombytes_SEEDBYTES] = { (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), 77 };

	randombytes_buf_deterministic(out, len, seed);
}

static void
chooses_a_code_that_this_cpu_has(void **state)
{
	struct ptah_boxer *boxer = ptah_boxer_new();
	size_t n_found = 0;

	(void)state;
	assert_non_null(boxer);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		n_found += strcmp(ptah_boxer_vectors(boxer), codes[i]) == 0;
	assert_int_equal(n_found, 1);
	ptah_boxer_free(boxer);
	assert_null(ptah_boxer_new_with("abacus"));
	assert_int_equal(errno, ENOTSUP);
	ptah_boxer_free(NULL);
}

/* Jobs of any number, nonce and block, in place and from elsewhere, as libsodium does them. */
static void
makes_blocks_as_libsodium_does(void **state)
{
	static uint8_t in[70 * PTAH_SALSA_BLOCK + 1], out[70 * PTAH_SALSA_BLOCK + 1];

	(void)state;
	for (size_t code = 0; code < sizeof(codes) / sizeof(codes[0]); code++) {
		const struct ptah_salsa *salsa = ptah_salsa_find(codes[code]);

		for (uint32_t n = 0; salsa != NULL && n <= 70; n++) {
			struct ptah_salsa_job jobs[70];
			uint8_t key[32], numbers[70][16];
			uint32_t words[8];

			seeded(key, sizeof(key), n);
			seeded(in, sizeof(in), n + 1000);
			seeded(&numbers[0][0], sizeof(numbers), n + 2000);
			for (int i = 0; i < 8; i++)
				words[i] = (uint32_t)key[4 * i] | (uint32_t)key[4 * i + 1] << 8 |
				    (uint32_t)key[4 * i + 2] << 16 | (uint32_t)key[4 * i + 3] << 24;
			memset(out, 0, sizeof(out));
			for (uint32_t i = 0; i < n; i++) {
				memcpy(&jobs[i].block, numbers[i] + 8, 8);
				jobs[i].nonce = 0;
				for (int b = 0; b < 8; b++)
					jobs[i].nonce |= (uint64_t)numbers[i][b] << 8 * b;
				jobs[i].in = in + 1 + i * PTAH_SALSA_BLOCK;
				jobs[i].out = out + 1 + i * PTAH_SALSA_BLOCK;
				if (i % 3 == 0) {
					memcpy(jobs[i].out, jobs[i].in, PTAH_SALSA_BLOCK);
					jobs[i].in = jobs[i].out;
				}
			}
			salsa->run(words, jobs, n);
			for (uint32_t i = 0; i < n; i++) {
				uint8_t want[PTAH_SALSA_BLOCK];

				crypto_stream_salsa20_xor_ic(want, in + 1 + i * PTAH_SALSA_BLOCK,
				    sizeof(want), numbers[i], jobs[i].block, key);
				assert_memory_equal(out + 1 + i * PTAH_SALSA_BLOCK, want, sizeof(want));
			}
			assert_true(sodium_is_zero(out + 1 + n * PTAH_SALSA_BLOCK,
			    sizeof(out) - 1 - n * PTAH_SALSA_BLOCK));
		}
	}
}

/* --- vectors ------------------------------------------------------------- */

static void
holds_the_plain_frames_against_the_vectors(void **state)
{
	struct ptah_json *file = vectors_load("framing.json");
	const struct ptah_json *series = vectors_list(file, "frames");

	(void)state;
	for (size_t i = 0; i < series->n; i++) {
		const struct ptah_json *frames = vectors_list(series->items[i], "frames");
		uint8_t keys[KEYS];
		struct plain plain;

		vectors_exact(series->items[i], "key_material", keys, KEYS);
		plain_init(&plain, keys);
		for (size_t k = 0; k < frames->n; k++) {
			uint8_t text[1430], want[1448], got[1448];
			size_t len = vectors_bytes(vectors_get(frames->items[k], "plaintext"), text, sizeof(text));
			size_t want_len = vectors_bytes(vectors_get(frames->items[k], "frame"), want, sizeof(want));

			assert_int_equal(plain_frame(&plain, text, len, 0, got), want_len);
			assert_memory_equal(got, want, want_len);
		}
	}
	ptah_json_free(file);
}

/* What the callback heard. */
struct heard {
	uint8_t type[32];
	uint8_t payload[32][PTAH_PACKET_MAX];
	size_t len[32], n;
};

static void
on_packet(uint8_t type, struct ptah_span payload, void *arg)
{
	struct heard *heard = arg;

	assert_true(heard->n < 32);
	heard->type[heard->n] = type;
	heard->len[heard->n] = payload.len;
	memcpy(heard->payload[heard->n++], payload.at, payload.len);
}

/* OBFS-023 */
static void
seals_and_opens_the_packets_of_the_vectors(void **state)
{
	struct ptah_json *file = vectors_load("framing.json");
	const struct ptah_json *packets = vectors_get(file, "packets");
	const struct ptah_json *seq = vectors_list(packets, "seq");
	uint8_t keys[KEYS];

	(void)state;
	vectors_exact(packets, "key_material", keys, KEYS);
	FOR_EACH_BOXER(boxer) {
		static struct heard heard;
		struct ptah_sealer sealer;
		struct ptah_opener opener;
		size_t n_heard = 0;

		heard.n = 0;
		ptah_sealer_init(&sealer, keys);
		ptah_opener_init(&opener, keys);
		for (size_t i = 0; i < seq->n; i++) {
			uint8_t payload[PTAH_PACKET_MAX], want[PTAH_FRAME_MAX], got[PTAH_FRAME_MAX];
			uint8_t type = (uint8_t)vectors_number(seq->items[i], "type");
			size_t len = vectors_bytes(vectors_get(seq->items[i], "payload"), payload, sizeof(payload));
			size_t want_len = vectors_bytes(vectors_get(seq->items[i], "frame"), want, sizeof(want));
			struct ptah_opened opened;

			assert_int_equal(ptah_sealer_packet(&sealer, boxer, type,
			    (struct ptah_span){ payload, len }, (size_t)vectors_number(seq->items[i], "pad"),
			    (struct ptah_room){ got, sizeof(got) }), want_len);
			assert_memory_equal(got, want, want_len);
			memset(got, 0, sizeof(got));
			assert_int_equal(ptah_opener_open(&opener, boxer, (struct ptah_span){ want, want_len },
			    (struct ptah_room){ got, PTAH_PACKET_MAX }, on_packet, &heard, &opened), 0);
			assert_int_equal(opened.eaten, want_len);
			assert_int_equal(opened.need, 2);
			assert_int_equal(opened.made, type == 0 ? len : 0);
			if (type == 0) {
				assert_memory_equal(got, payload, len);
			} else {
				assert_int_equal(heard.n, ++n_heard);
				assert_int_equal(heard.type[n_heard - 1], type);
				assert_int_equal(heard.len[n_heard - 1], len);
				assert_memory_equal(heard.payload[n_heard - 1], payload, len);
			}
		}
		assert_int_equal(n_heard, 2);
	}
	ptah_json_free(file);
}

/* OBFS-023 */
static void
pads_bursts_as_the_vectors_do(void **state)
{
	struct ptah_json *file = vectors_load("pad_burst.json");
	const struct ptah_json *vectors = vectors_list(file, "vectors");

	(void)state;
	for (size_t i = 0; i < vectors->n; i++) {
		size_t len = vectors_number(vectors->items[i], "burst_len");

		assert_int_equal(ptah_frame_padding(len, (unsigned)vectors_number(vectors->items[i], "target")),
		    vectors_number(vectors->items[i], "added"));
	}
	ptah_json_free(file);
}

/* --- sealing ------------------------------------------------------------- */

#define LONG 65000
#define WIRE (2 * LONG)

static uint8_t payload_bytes[LONG], wire_bytes[WIRE], want_bytes[WIRE], plain_bytes[LONG];

static void
seals_bursts_byte_for_byte(void **state)
{
	static const size_t lens[] = { 0, 1, 28, 29, 30, 92, 93, 94, 1426, 1427, 1428, 1427 + 29, 2854, 2855,
		16 * 1427 - 1, 16 * 1427, 16 * 1427 + 1, 32 * 1427, 32768, LONG };
	static const unsigned targets[] = { PTAH_FRAME_NO_PADDING, 0, 1, 21, 22, 50, 700, 1400, 1447, 1448 };
	uint8_t keys[KEYS];

	(void)state;
	seeded(keys, sizeof(keys), 1);
	seeded(payload_bytes, sizeof(payload_bytes), 2);
	FOR_EACH_BOXER(boxer) {
		struct ptah_sealer sealer;
		struct plain plain;

		ptah_sealer_init(&sealer, keys);
		plain_init(&plain, keys);
		for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
			for (size_t k = 0; k < sizeof(targets) / sizeof(targets[0]); k++) {
				struct ptah_span payload = { payload_bytes, lens[i] };
				size_t want = plain_burst(&plain, payload, 37 * k, targets[k], want_bytes);

				memset(wire_bytes, 0xee, want + 64);
				assert_int_equal(ptah_sealer_burst(&sealer, boxer, payload, 37 * k, targets[k],
				    (struct ptah_room){ wire_bytes, want }), want);
				assert_memory_equal(wire_bytes, want_bytes, want);
				for (size_t at = want; at < want + 64; at++)
					assert_int_equal(wire_bytes[at], 0xee);
			}
		ptah_sealer_clear(&sealer);
		assert_true(sodium_is_zero((const uint8_t *)&sealer, sizeof(sealer)));
	}
}

static void
seals_packets_of_all_lengths(void **state)
{
	uint8_t keys[KEYS];

	(void)state;
	seeded(keys, sizeof(keys), 3);
	seeded(payload_bytes, sizeof(payload_bytes), 4);
	FOR_EACH_BOXER(boxer) {
		struct ptah_sealer sealer;
		struct plain plain;

		ptah_sealer_init(&sealer, keys);
		plain_init(&plain, keys);
		for (size_t len = 0; len <= PTAH_PACKET_MAX; len += len < 200 ? 1 : 13)
			for (int k = 0; k < 3; k++) {
				struct ptah_span payload = { payload_bytes + k, len };
				size_t rest = PTAH_PACKET_MAX - len;
				size_t padding = k == 0 ? 0 : k == 1 ? rest : rest / 3;
				size_t want = plain_packet(&plain, (uint8_t)len, payload, padding, want_bytes);

				assert_int_equal(ptah_sealer_packet(&sealer, boxer, (uint8_t)len, payload, padding,
				    (struct ptah_room){ wire_bytes, want }), want);
				assert_memory_equal(wire_bytes, want_bytes, want);
			}
	}
}

static void
refuses_what_does_not_fit_and_loses_nothing(void **state)
{
	struct ptah_boxer *boxer = ptah_boxer_new();
	struct ptah_sealer sealer, before;
	uint8_t keys[KEYS];

	(void)state;
	seeded(keys, sizeof(keys), 5);
	ptah_sealer_init(&sealer, keys);
	before = sealer;
	for (size_t len = 0; len < 3 * 1427; len += 19) {
		struct ptah_span payload = { payload_bytes, len };
		size_t made = ptah_frame_sealed_len(len);

		made += ptah_frame_padding(made, 900);
		assert_int_equal(ptah_sealer_burst(&sealer, boxer, payload, 0, 900,
		    (struct ptah_room){ wire_bytes, made - 1 }), -ENOSPC);
	}
	assert_int_equal(ptah_sealer_burst(&sealer, boxer, (struct ptah_span){ payload_bytes, SIZE_MAX }, 0,
	    900, (struct ptah_room){ wire_bytes, WIRE }), -ENOSPC);
	assert_int_equal(ptah_sealer_packet(&sealer, boxer, 0, (struct ptah_span){ payload_bytes, 9 }, 1,
	    (struct ptah_room){ wire_bytes, 21 + 9 }), -ENOSPC);
	assert_int_equal(ptah_sealer_packet(&sealer, boxer, 0, (struct ptah_span){ payload_bytes, 1428 }, 0,
	    (struct ptah_room){ wire_bytes, WIRE }), -EMSGSIZE);
	assert_int_equal(ptah_sealer_packet(&sealer, boxer, 0, (struct ptah_span){ payload_bytes, 1427 }, 1,
	    (struct ptah_room){ wire_bytes, WIRE }), -EMSGSIZE);
	assert_memory_equal(&sealer, &before, sizeof(sealer));
	/* What it says fits, fits with any padding; and it is not too shy. */
	for (size_t room = 0; room < 6000; room += 7) {
		size_t fits = ptah_frame_fits(room);

		for (unsigned target = 0; target <= 1448 && fits > 0; target += 11) {
			size_t made = ptah_frame_sealed_len(fits);

			assert_true(made + ptah_frame_padding(made, target) <= room);
		}
		assert_true(room < 1448 + 1600 || fits + 1600 + 21 * (room / 1448 + 1) > room);
	}
	ptah_boxer_free(boxer);
}

static void
never_counts_over_the_end(void **state)
{
	struct ptah_boxer *boxer = ptah_boxer_new();
	struct ptah_room out = { wire_bytes, WIRE };
	struct ptah_span payload = { payload_bytes, 1 };
	struct ptah_sealer sealer;
	struct ptah_opener opener;
	struct ptah_opened opened;
	uint8_t keys[KEYS];
	ssize_t n;

	(void)state;
	seeded(keys, sizeof(keys), 6);
	ptah_sealer_init(&sealer, keys);
	ptah_opener_init(&opener, keys);
	sealer.key.counter = opener.key.counter = UINT64_MAX;
	assert_int_equal(ptah_sealer_burst(&sealer, boxer, (struct ptah_span){ payload_bytes, 1428 }, 0,
	    PTAH_FRAME_NO_PADDING, out), -EOVERFLOW);
	n = ptah_sealer_packet(&sealer, boxer, 0, payload, 0, out);
	assert_int_equal(n, 22);
	assert_int_equal(ptah_sealer_packet(&sealer, boxer, 0, payload, 0,
	    (struct ptah_room){ wire_bytes + 22, 22 }), -EOVERFLOW);
	/* What a peer that goes on would send: the frame after the last one. */
	memcpy(wire_bytes + 22, wire_bytes, 22);
	assert_int_equal(ptah_opener_open(&opener, boxer, (struct ptah_span){ wire_bytes, 22 },
	    (struct ptah_room){ plain_bytes, LONG }, NULL, NULL, &opened), 0);
	assert_int_equal(opened.made, 1);
	assert_int_equal(ptah_opener_open(&opener, boxer, (struct ptah_span){ wire_bytes + 22, 22 },
	    (struct ptah_room){ plain_bytes, LONG }, NULL, NULL, &opened), -EOVERFLOW);
	assert_int_equal(opened.made, 0);
	ptah_boxer_free(boxer);
}

/* A frame more than the counter has, in the same pass. */
static void
stops_where_the_counter_ends_within_a_pass(void **state)
{
	struct ptah_boxer *boxer = ptah_boxer_new();
	struct ptah_opener opener;
	struct ptah_opened opened;
	struct plain plain;
	uint8_t keys[KEYS];
	size_t len = 0;

	(void)state;
	seeded(keys, sizeof(keys), 7);
	plain_init(&plain, keys);
	ptah_opener_init(&opener, keys);
	plain.counter = opener.key.counter = UINT64_MAX - 1;
	for (int i = 0; i < 3; i++)
		len += plain_packet(&plain, 0, (struct ptah_span){ payload_bytes, 100 }, 0, wire_bytes + len);
	assert_int_equal(ptah_opener_open(&opener, boxer, (struct ptah_span){ wire_bytes, len },
	    (struct ptah_room){ plain_bytes, LONG }, NULL, NULL, &opened), -EOVERFLOW);
	assert_int_equal(opened.made, 200);
	ptah_boxer_free(boxer);
}

/* --- opening ------------------------------------------------------------- */

/* A long transcript of all kinds of packets; answers its length. */
static size_t
write_transcript(const uint8_t keys[KEYS], size_t *payload_len, size_t *n_others)
{
	struct plain plain;
	size_t made = 0, eaten = 0;

	plain_init(&plain, keys);
	*n_others = 0;
	for (uint32_t i = 0; eaten < LONG - 3 * 1427; i++) {
		uint8_t dice[4];

		seeded(dice, sizeof(dice), 100 + i);
		size_t len = (size_t)(dice[0] * 6 % 1428), padding = 0;
		uint8_t type = dice[1] < 20 && *n_others < 30 ? 1 + dice[1] % 3 : 0;
		if (dice[1] > 200)
			len = 1427;
		if (dice[1] > 100 && dice[1] < 130)
			len = 0;
		if (dice[2] < 80)
			padding = (size_t)dice[3] * 6 % (1428 - len);
		made += plain_packet(&plain, type, (struct ptah_span){ payload_bytes + (type == 0 ? eaten : 5), len },
		    padding, wire_bytes + made);
		assert_true(made + PTAH_FRAME_MAX <= WIRE);
		if (type == 0)
			eaten += len;
		else
			++*n_others;
	}
	*payload_len = eaten;
	return made;
}

/* In pieces of 'step' bytes, with room for 'room', an unaligned copy each time. */
static void
open_transcript(struct ptah_boxer *boxer, const uint8_t keys[KEYS], size_t len, size_t step, size_t room,
    size_t payload_len, size_t n_others)
{
	static struct heard heard;
	static uint8_t got[LONG], out[LONG + 64];
	struct ptah_opener opener;
	size_t at = 0, have = 0, made = 0;

	heard.n = 0;
	ptah_opener_init(&opener, keys);
	while (at < len) {
		struct ptah_opened opened;
		size_t before = at;

		have = have + step < len - at ? have + step : len - at;
		do {
			memset(out, 0xaa, room + 64);
			assert_int_equal(ptah_opener_open(&opener, boxer, (struct ptah_span){ wire_bytes + at, have },
			    (struct ptah_room){ out, room }, on_packet, &heard, &opened), 0);
			assert_true(opened.eaten <= have && opened.made <= room);
			for (size_t i = 0; i < 64; i++)
				assert_int_equal(out[room + i], 0xaa);
			memcpy(got + made, out, opened.made);
			made += opened.made;
			at += opened.eaten;
			have -= opened.eaten;
		} while (opened.eaten > 0);
		/* It says truly what it waits for. */
		assert_true(opened.need > have);
		assert_true(opened.need <= PTAH_FRAME_MAX);
		if (at == before)
			assert_true(have < PTAH_FRAME_MAX);
	}
	assert_int_equal(made, payload_len);
	assert_memory_equal(got, payload_bytes, made);
	assert_int_equal(heard.n, n_others);
	for (size_t i = 0; i < heard.n; i++)
		assert_memory_equal(heard.payload[i], payload_bytes + 5, heard.len[i]);
}

static void
opens_the_same_whatever_the_segmentation(void **state)
{
	static const size_t steps[] = { 1, 2, 3, 17, 700, 1447, 1448, 1449, 5000, 40000, WIRE };
	static const size_t rooms[] = { PTAH_PACKET_MAX, 1428, 3000, 16 * 1427, LONG };
	size_t payload_len, n_others, len;
	uint8_t keys[KEYS];

	(void)state;
	seeded(keys, sizeof(keys), 8);
	seeded(payload_bytes, sizeof(payload_bytes), 9);
	len = write_transcript(keys, &payload_len, &n_others);
	assert_true(n_others > 3);
	FOR_EACH_BOXER(boxer)
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
			for (size_t k = 0; k < sizeof(rooms) / sizeof(rooms[0]); k++)
				if (k == 0 || steps[i] > 3)
					open_transcript(boxer, keys, len, steps[i], rooms[k], payload_len, n_others);
}

/*
 * Flip each bit of the fourth of five frames: the three before it are
 * delivered, nothing of it or after it, and the opener is dead.
 */
static void
delivers_what_came_before_a_forged_frame(void **state)
{
	uint8_t keys[KEYS];

	(void)state;
	seeded(keys, sizeof(keys), 10);
	FOR_EACH_BOXER(boxer) {
		for (size_t bit = 0; bit < 8 * 121; bit++) {
			struct ptah_opener opener;
			struct ptah_opened opened;
			struct plain plain;
			size_t len = 0;
			int rc;

			plain_init(&plain, keys);
			for (int i = 0; i < 3 + 30; i++)
				len += plain_packet(&plain, 0, (struct ptah_span){ payload_bytes + 100 * i, 100 }, 0,
				    wire_bytes + len);
			wire_bytes[3 * 121 + bit / 8] ^= (uint8_t)(1 << bit % 8);
			memset(plain_bytes, 0xaa, 400);
			ptah_opener_init(&opener, keys);
			rc = ptah_opener_open(&opener, boxer, (struct ptah_span){ wire_bytes, len },
			    (struct ptah_room){ plain_bytes, LONG }, NULL, NULL, &opened);
			assert_int_equal(rc, -EBADMSG);
			assert_int_equal(opened.made, 300);
			assert_int_equal(opened.eaten, 3 * 121);
			assert_memory_equal(plain_bytes, payload_bytes, 300);
			for (size_t i = 300; i < 400; i++)
				assert_int_equal(plain_bytes[i], 0xaa);
			assert_true(sodium_is_zero((const uint8_t *)&opener, sizeof(opener)));
			assert_int_equal(ptah_opener_open(&opener, boxer, (struct ptah_span){ wire_bytes, len },
			    (struct ptah_room){ plain_bytes, LONG }, NULL, NULL, &opened), -EOVERFLOW);
			assert_int_equal(opened.eaten, 0);
			assert_int_equal(opened.made, 0);
		}
	}
}

/* Out of range is not said before a random number of bytes, 16 .. 1446, has come. */
static void
fails_on_a_false_length_only_later(void **state)
{
	static const int lengths[] = { 0, 1, 15, 1447, 1448, 0x7fff, 0xffff };
	struct ptah_boxer *boxer = ptah_boxer_new();
	size_t least = SIZE_MAX, most = 0;
	uint8_t keys[KEYS];

	(void)state;
	seeded(keys, sizeof(keys), 11);
	for (int i = 0; i < 700; i++) {
		struct ptah_opener opener;
		struct ptah_opened opened;
		struct plain plain;
		uint8_t packet[3] = { 0 };
		size_t have = 2, need;

		plain_init(&plain, keys);
		plain_frame(&plain, packet, 3, lengths[i % 7] - 19, wire_bytes);
		memset(wire_bytes + 21, 0, 2000);
		ptah_opener_init(&opener, keys);
		assert_int_equal(ptah_opener_open(&opener, boxer, (struct ptah_span){ wire_bytes, have },
		    (struct ptah_room){ plain_bytes, LONG }, NULL, NULL, &opened), 0);
		need = opened.need;
		assert_in_range(need, 2 + 16, 2 + 1446);
		have = need - 1;
		assert_int_equal(ptah_opener_open(&opener, boxer, (struct ptah_span){ wire_bytes, have },
		    (struct ptah_room){ plain_bytes, LONG }, NULL, NULL, &opened), 0);
		assert_int_equal(opened.need, need);
		assert_int_equal(opened.eaten, 0);
		assert_int_equal(ptah_opener_open(&opener, boxer, (struct ptah_span){ wire_bytes, need },
		    (struct ptah_room){ plain_bytes, LONG }, NULL, NULL, &opened), -EBADMSG);
		assert_int_equal(opened.made, 0);
		least = need < least ? need : least;
		most = need > most ? need : most;
	}
	/* 700 draws of 1431 leave out the lowest, or the highest, 100 with probability 1e-22. */
	assert_true(least < 2 + 16 + 100 && most > 2 + 1446 - 100);
	ptah_boxer_free(boxer);
}

/* Good frames, and behind them in the same read the beginning of one with a false length. */
static void
delivers_what_stands_before_a_false_length(void **state)
{
	struct ptah_boxer *boxer = ptah_boxer_new();
	uint8_t keys[KEYS];
	size_t n_waited = 0;

	(void)state;
	seeded(keys, sizeof(keys), 14);
	for (int i = 0; i < 100; i++) {
		struct ptah_opener opener;
		struct ptah_opened opened;
		struct plain plain;
		uint8_t packet[3] = { 0 };
		size_t len;
		int rc;

		plain_init(&plain, keys);
		len = plain_packet(&plain, 0, (struct ptah_span){ payload_bytes, 50 }, 0, wire_bytes);
		len += plain_packet(&plain, 0, (struct ptah_span){ payload_bytes + 50, 60 }, 0, wire_bytes + len);
		plain_frame(&plain, packet, 3, 5000, wire_bytes + len);
		memset(wire_bytes + len + 21, 0, 2000);
		ptah_opener_init(&opener, keys);
		rc = ptah_opener_open(&opener, boxer, (struct ptah_span){ wire_bytes, len + 700 },
		    (struct ptah_room){ plain_bytes, LONG }, NULL, NULL, &opened);
		assert_int_equal(opened.made, 110);
		assert_int_equal(opened.eaten, len);
		assert_memory_equal(plain_bytes, payload_bytes, 110);
		if (rc == 0) {
			n_waited++;
			assert_true(opened.need > 700);
			rc = ptah_opener_open(&opener, boxer, (struct ptah_span){ wire_bytes + len, opened.need },
			    (struct ptah_room){ plain_bytes, LONG }, NULL, NULL, &opened);
			assert_int_equal(opened.made, 0);
		}
		assert_int_equal(rc, -EBADMSG);
	}
	assert_true(n_waited > 0 && n_waited < 100);
	ptah_boxer_free(boxer);
}

static void
fails_on_malformed_packets(void **state)
{
	static const struct {
		uint8_t packet[8];
		size_t len;
		int rc;
	} cases[] = {
		{ { 0 }, 0, -EPROTO },
		{ { 0 }, 1, -EPROTO },
		{ { 0, 0 }, 2, -EPROTO },
		{ { 0, 0, 0 }, 3, 0 },
		{ { 0, 0, 1 }, 3, -EPROTO },
		{ { 0, 0, 1, 9 }, 4, 0 },
		{ { 0, 0, 2, 9 }, 4, -EPROTO },
		{ { 0, 1, 0, 9 }, 4, -EPROTO },
		{ { 0, 0xff, 0xff, 9 }, 4, -EPROTO },
		{ { 1, 0, 2, 9 }, 4, -EPROTO },
		{ { 200, 0, 0, 9 }, 4, 0 },
	};
	struct ptah_boxer *boxer = ptah_boxer_new();
	uint8_t keys[KEYS];

	(void)state;
	seeded(keys, sizeof(keys), 12);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct heard heard;
		struct ptah_opener opener;
		struct ptah_opened opened;
		struct plain plain;
		size_t len;

		heard.n = 0;
		plain_init(&plain, keys);
		len = plain_packet(&plain, 0, (struct ptah_span){ payload_bytes, 1000 }, 9, wire_bytes);
		len += plain_frame(&plain, cases[i].packet, cases[i].len, 0, wire_bytes + len);
		ptah_opener_init(&opener, keys);
		assert_int_equal(ptah_opener_open(&opener, boxer, (struct ptah_span){ wire_bytes, len },
		    (struct ptah_room){ plain_bytes, LONG }, on_packet, &heard, &opened), cases[i].rc);
		assert_int_equal(opened.made, 1000 + (cases[i].rc == 0 && cases[i].packet[0] == 0 ?
		    cases[i].packet[2] : 0));
		assert_memory_equal(plain_bytes, payload_bytes, 1000);
		assert_int_equal(heard.n, cases[i].rc == 0 && cases[i].packet[0] != 0);
	}
	ptah_boxer_free(boxer);
}

/* Inside the callback the boxer is free: seal an answer with it. */
struct answering {
	struct ptah_boxer *boxer;
	struct ptah_sealer sealer;
	uint8_t out[16 * PTAH_FRAME_MAX];
	size_t len;
};

static void
answer(uint8_t type, struct ptah_span payload, void *arg)
{
	struct answering *answering = arg;
	ssize_t n = ptah_sealer_packet(&answering->sealer, answering->boxer, type, payload, 0,
	    (struct ptah_room){ answering->out + answering->len, sizeof(answering->out) - answering->len });

	assert_true(n > 0);
	answering->len += (size_t)n;
}

static void
lends_the_boxer_to_who_hears_a_packet(void **state)
{
	static struct answering answering;
	struct ptah_opener opener;
	struct ptah_opened opened;
	struct plain plain;
	uint8_t keys[KEYS];
	size_t len = 0, want = 0;

	(void)state;
	seeded(keys, sizeof(keys), 13);
	answering.boxer = ptah_boxer_new();
	ptah_sealer_init(&answering.sealer, keys);
	ptah_opener_init(&opener, keys);
	plain_init(&plain, keys);
	for (int i = 0; i < 24; i++)
		len += plain_packet(&plain, i % 3 == 1 ? 9 : 0, (struct ptah_span){ payload_bytes + 1427 * i, 1427 }, 0,
		    wire_bytes + len);
	assert_int_equal(ptah_opener_open(&opener, answering.boxer, (struct ptah_span){ wire_bytes, len },
	    (struct ptah_room){ plain_bytes, LONG }, answer, &answering, &opened), 0);
	assert_int_equal(opened.made, 16 * 1427);
	plain_init(&plain, keys);
	for (int i = 0, k = 0; i < 24; i++) {
		if (i % 3 == 1)
			want += plain_packet(&plain, 9, (struct ptah_span){ payload_bytes + 1427 * i, 1427 }, 0,
			    want_bytes + want);
		else
			assert_memory_equal(plain_bytes + 1427 * k++, payload_bytes + 1427 * i, 1427);
	}
	assert_int_equal(answering.len, want);
	assert_memory_equal(answering.out, want_bytes, want);
	ptah_boxer_free(answering.boxer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chooses_a_code_that_this_cpu_has),
		cmocka_unit_test(makes_blocks_as_libsodium_does),
		cmocka_unit_test(holds_the_plain_frames_against_the_vectors),
		cmocka_unit_test(seals_and_opens_the_packets_of_the_vectors),
		cmocka_unit_test(pads_bursts_as_the_vectors_do),
		cmocka_unit_test(seals_bursts_byte_for_byte),
		cmocka_unit_test(seals_packets_of_all_lengths),
		cmocka_unit_test(refuses_what_does_not_fit_and_loses_nothing),
		cmocka_unit_test(never_counts_over_the_end),
		cmocka_unit_test(stops_where_the_counter_ends_within_a_pass),
		cmocka_unit_test(opens_the_same_whatever_the_segmentation),
		cmocka_unit_test(delivers_what_came_before_a_forged_frame),
		cmocka_unit_test(fails_on_a_false_length_only_later),
		cmocka_unit_test(delivers_what_stands_before_a_false_length),
		cmocka_unit_test(fails_on_malformed_packets),
		cmocka_unit_test(lends_the_boxer_to_who_hears_a_packet),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
