/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The opener of obfs4 frames: any bytes off the wire, and any packets of a
 * peer that has the keys, in pieces of any size.  It never writes past the
 * room, says truly what it did, opens what was sealed, and the vector codes agree.
 *
 * Of each item the first byte says what follows: a packet (then type, sizes,
 * lie and a byte of payload), raw bytes, or how large the pieces are.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "secretboxframe.h"
#include "target.h"

#define ROOM (1 << 16)
#define GUARD 64

/* What was put on the wire, and what should come of it at least. */
struct script {
	uint8_t wire[ROOM];
	size_t wire_len;
	uint8_t payload[ROOM];
	size_t payload_len;
	size_t piece, room;
	bool is_honest; /* so far: all frames are well formed */
};

static const uint8_t keys[PTAH_FRAME_KEYS_LEN] = "fixed keys: no input could guess a tag";

/* A frame with any packet in it, by the book. */
static void
put_frame(struct script *script, struct ptah_drbg *lengths, uint64_t *counter, const uint8_t *packet, size_t len)
{
	uint8_t *at = script->wire + script->wire_len, nonce[24];
	unsigned length = (unsigned)(len + 16) ^ ptah_drbg_mask(lengths);

	memcpy(nonce, keys + 32, 16);
	for (int i = 0; i < 8; i++)
		nonce[16 + i] = (uint8_t)(*counter >> (56 - 8 * i));
	++*counter;
	at[0] = (uint8_t)(length >> 8);
	at[1] = (uint8_t)length;
	expect(crypto_secretbox_easy(at + 2, packet, len, nonce, keys) == 0);
	script->wire_len += 18 + len;
}

static void
put_packet(struct script *script, struct ptah_drbg *lengths, uint64_t *counter, const uint8_t item[6])
{
	uint8_t packet[1430];
	size_t len = (size_t)(item[1] << 8 | item[2]) % sizeof(packet) + 1;
	size_t claim = (size_t)(item[3] << 8 | item[4]);

	memset(packet, item[5], sizeof(packet));
	packet[0] = item[0] >> 4;
	if (len >= 3) {
		if (claim < 0x8000) /* mostly one that fits */
			claim %= len - 2;
		packet[1] = (uint8_t)(claim >> 8);
		packet[2] = (uint8_t)claim;
	}
	if (script->is_honest && (len < 3 || claim > len - 3))
		script->is_honest = false;
	if (script->is_honest && packet[0] == 0) {
		memset(script->payload + script->payload_len, item[5], claim);
		script->payload_len += claim;
	}
	put_frame(script, lengths, counter, packet, len);
}

static void
read_script(struct script *script, const uint8_t *data, size_t len)
{
	struct ptah_drbg lengths;
	uint64_t counter = 1;

	script->wire_len = script->payload_len = 0;
	script->piece = ROOM;
	script->room = ROOM;
	script->is_honest = true;
	ptah_drbg_init(&lengths, keys + 48);
	while (len >= 6 && script->wire_len + 2 * PTAH_FRAME_MAX < ROOM) {
		switch (data[0] & 3) {
		case 0:
		case 1:
			put_packet(script, &lengths, &counter, data);
			break;
		case 2:
			memcpy(script->wire + script->wire_len, data + 1, 5);
			script->wire_len += 5;
			script->is_honest = false;
			break;
		default:
			script->piece = (size_t)(data[1] << 8 | data[2]) + 1;
			script->room = PTAH_PACKET_MAX + (size_t)(data[3] << 8 | data[4]) % (ROOM - PTAH_PACKET_MAX);
			break;
		}
		data += 6;
		len -= 6;
	}
}

static void
on_packet(uint8_t type, struct ptah_span payload, void *arg)
{
	size_t *n_others = arg;

	expect(type != PTAH_PACKET_PAYLOAD && payload.len <= PTAH_PACKET_MAX);
	for (size_t i = 0; i < payload.len; i++)
		*n_others += payload.at[i];
	++*n_others;
}

static int
play(const struct script *script, struct ptah_boxer *boxer, uint8_t *got, size_t *got_len, size_t *n_others)
{
	static uint8_t out[ROOM + GUARD];
	struct ptah_opener opener;
	struct ptah_opened opened;
	size_t at = 0, have = 0;
	int rc = 0;

	*got_len = *n_others = 0;
	ptah_opener_init(&opener, keys);
	do {
		have = have + script->piece < script->wire_len - at ? have + script->piece : script->wire_len - at;
		do {
			uint8_t *exact = malloc(have + 1); /* so that a read past the end is seen */

			expect(exact != NULL);
			memcpy(exact, script->wire + at, have);
			memset(out, 0xa5, sizeof(out));
			rc = ptah_opener_open(&opener, boxer, (struct ptah_span){ exact, have },
			    (struct ptah_room){ out, script->room }, on_packet, n_others, &opened);
			free(exact);
			expect(opened.eaten <= have && opened.made <= script->room);
			for (size_t i = 0; i < GUARD; i++)
				expect(out[script->room + i] == 0xa5);
			expect(*got_len + opened.made <= ROOM);
			memcpy(got + *got_len, out, opened.made);
			*got_len += opened.made;
			at += opened.eaten;
			have -= opened.eaten;
		} while (rc == 0 && opened.eaten > 0);
		expect(rc != 0 || opened.need > have);
	} while (rc == 0 && at + have < script->wire_len);
	ptah_opener_clear(&opener);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const codes[] = { "libsodium", "avx2", "avx512" };
	static struct ptah_boxer *boxers[3];
	static struct script script;
	static uint8_t first[ROOM], got[ROOM];
	size_t first_len = 0, first_others = 0;
	int first_rc = 0;

	expect(sodium_init() >= 0);
	read_script(&script, data, len);
	for (size_t i = 0; i < 3; i++) {
		size_t got_len, n_others;

		if (boxers[i] == NULL)
			boxers[i] = ptah_boxer_new_with(codes[i]);
		if (boxers[i] == NULL)
			continue;
		int rc = play(&script, boxers[i], got, &got_len, &n_others);
		expect(!script.is_honest || (rc == 0 && got_len == script.payload_len));
		expect(got_len >= script.payload_len || rc == 0);
		expect(memcmp(got, script.payload, script.payload_len < got_len ? script.payload_len : got_len) == 0);
		if (i == 0) {
			memcpy(first, got, got_len);
			first_len = got_len;
			first_others = n_others;
			first_rc = rc;
		}
		/* A false length fails at a random place: then only that it fails is the same. */
		expect(rc == 0 || first_rc != 0 || !script.is_honest);
		expect(got_len == first_len && memcmp(got, first, got_len) == 0 && n_others == first_others);
	}
	return 0;
}
