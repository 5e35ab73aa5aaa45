/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "boxer.h"
#include "bytes.h"

#define PADDING_MAX (PTAH_FRAME_MAX + 2 * PTAH_FRAME_EMPTY)

#define MIN(a, b) ((a) < (b) ? (a) : (b))

_Static_assert(PTAH_FRAME_MAX == PTAH_FRAME_HEAD + PTAH_BOX_HEADER_LEN + PTAH_PACKET_MAX, "one frame");

/* A packet to be sealed. */
struct packet {
	const uint8_t *payload;
	size_t len;
	size_t padding;
	uint8_t type;
};

static const uint8_t zeros[PTAH_SALSA_BLOCK];

void
ptah_sealer_init(struct ptah_sealer *sealer, const uint8_t keys[PTAH_FRAME_KEYS_LEN])
{
	ptah_frame_key_init(&sealer->key, keys);
}

void
ptah_sealer_clear(struct ptah_sealer *sealer)
{
	explicit_bzero(sealer, sizeof(*sealer));
}

size_t
ptah_frame_sealed_len(size_t payload)
{
	size_t n = (payload + PTAH_PACKET_MAX - 1) / PTAH_PACKET_MAX;

	return payload + n * PTAH_FRAME_EMPTY;
}

size_t
ptah_frame_fits(size_t room)
{
	if (room <= PADDING_MAX)
		return 0;
	room -= PADDING_MAX;

	size_t rest = room % PTAH_FRAME_MAX;

	return room / PTAH_FRAME_MAX * PTAH_PACKET_MAX +
	    (rest > PTAH_FRAME_EMPTY ? rest - PTAH_FRAME_EMPTY : 0);
}

/* How much is missing: frames of that many bytes, if one could be so short. */
static size_t
missing(size_t len, unsigned target)
{
	size_t tail = len % PTAH_FRAME_MAX;

	return target >= tail ? target - tail : PTAH_FRAME_MAX - tail + target;
}

size_t
ptah_frame_padding(size_t len, unsigned target)
{
	size_t need = missing(len, target);

	if (need == 0 || need > PTAH_FRAME_EMPTY)
		return need;
	return PTAH_FRAME_MAX + PTAH_FRAME_EMPTY + need;
}

/*
 * Block 0 has the MAC's key, then the packet's first 32 bytes; after it block
 * b has the packet's bytes from 64b - 32 on, which are the payload's from 64b - 35 on.
 */
static void
add_packet(struct ptah_boxer *boxer, uint64_t counter, uint8_t first[PTAH_SALSA_BLOCK],
    const struct packet *packet, uint8_t *sealed)
{
	size_t len = PTAH_BOX_HEADER_LEN + packet->len + packet->padding;
	size_t head = MIN(packet->len, (size_t)(PTAH_BOX_HEAD_LEN - PTAH_BOX_HEADER_LEN));
	uint8_t *header = first + PTAH_BOX_MAC_KEY_LEN;

	memset(first, 0, PTAH_SALSA_BLOCK);
	header[0] = packet->type;
	ptah_bytes_put16be(header + 1, (uint16_t)packet->len);
	if (head > 0)
		memcpy(header + PTAH_BOX_HEADER_LEN, packet->payload, head);
	ptah_pass_add(boxer, counter, 0, first, first);
	for (size_t at = PTAH_BOX_HEAD_LEN, block = 1; at < len; at += PTAH_SALSA_BLOCK, block++) {
		size_t from = at - PTAH_BOX_HEADER_LEN;

		if (from + PTAH_SALSA_BLOCK <= packet->len) {
			ptah_pass_add(boxer, counter, block, packet->payload + from, sealed + at);
		} else if (from >= packet->len && at + PTAH_SALSA_BLOCK <= len) {
			ptah_pass_add(boxer, counter, block, zeros, sealed + at);
		} else {
			uint8_t *edge = ptah_pass_edge(boxer, sealed + at, MIN(len - at, (size_t)PTAH_SALSA_BLOCK));

			if (from < packet->len)
				memcpy(edge, packet->payload + from, packet->len - from);
			ptah_pass_add(boxer, counter, block, edge, edge);
		}
	}
}

/* Seal up to PTAH_PASS_FRAMES packets, one frame behind the other; 'out' has the room. */
static int
seal_pass(struct ptah_sealer *sealer, struct ptah_boxer *boxer, const struct packet *packets,
    size_t n, uint8_t *out)
{
	uint8_t *frame = out;
	int rc = 0;

	ptah_pass_start(boxer, &sealer->key);
	for (size_t i = 0; i < n; i++) {
		size_t len = PTAH_BOX_HEADER_LEN + packets[i].len + packets[i].padding;
		uint16_t mask = ptah_drbg_mask(&sealer->key.lengths);

		ptah_bytes_put16be(frame, (uint16_t)(PTAH_BOX_TAG_LEN + len) ^ mask);
		add_packet(boxer, sealer->key.counter++, boxer->first[i], &packets[i],
		    frame + PTAH_FRAME_HEAD);
		frame += PTAH_FRAME_HEAD + len;
	}
	ptah_pass_settle(boxer);
	frame = out;
	for (size_t i = 0; i < n && rc == 0; i++) {
		size_t len = PTAH_BOX_HEADER_LEN + packets[i].len + packets[i].padding;
		uint8_t *sealed = frame + PTAH_FRAME_HEAD;

		memcpy(sealed, boxer->first[i] + PTAH_BOX_MAC_KEY_LEN, MIN(len, (size_t)PTAH_BOX_HEAD_LEN));
		rc = ptah_pass_tag(boxer, boxer->first[i], sealed, len, frame + PTAH_BOX_LENGTH_LEN);
		frame = sealed + len;
	}
	ptah_pass_end(boxer, n);
	return rc;
}

/* Whether so many more frames can be counted: 0 is never a counter. */
static bool
can_count(const struct ptah_frame_key *key, size_t n)
{
	return key->counter != 0 && n - 1 <= UINT64_MAX - key->counter;
}

/* The packets of a burst, one by one: payload, then padding. */
struct burst {
	struct ptah_span payload;
	size_t padding; /* bytes of frames that are still to come */
};

static bool
next_packet(struct burst *burst, struct packet *packet)
{
	*packet = (struct packet){ .type = PTAH_PACKET_PAYLOAD };
	if (burst->payload.len > 0) {
		packet->payload = burst->payload.at;
		packet->len = MIN(burst->payload.len, (size_t)PTAH_PACKET_MAX);
		burst->payload.at += packet->len;
		burst->payload.len -= packet->len;
		return true;
	}
	if (burst->padding == 0)
		return false;
	packet->padding = MIN(burst->padding, (size_t)PTAH_FRAME_MAX) - PTAH_FRAME_EMPTY;
	burst->padding -= PTAH_FRAME_EMPTY + packet->padding;
	return true;
}

ssize_t
ptah_sealer_burst(struct ptah_sealer *sealer, struct ptah_boxer *boxer, struct ptah_span payload,
    size_t burst, unsigned target, struct ptah_room out)
{
	struct burst left = { .payload = payload };
	struct packet packets[PTAH_PASS_FRAMES];
	size_t sealed, made, n;

	if (payload.len > out.len)
		return -ENOSPC;
	sealed = ptah_frame_sealed_len(payload.len);
	if (target != PTAH_FRAME_NO_PADDING)
		left.padding = ptah_frame_padding(burst + sealed, target);
	made = sealed + left.padding;
	if (made > out.len)
		return -ENOSPC;
	n = (made + PTAH_FRAME_MAX - 1) / PTAH_FRAME_MAX + 2;
	if (!can_count(&sealer->key, n))
		return -EOVERFLOW;
	do {
		uint8_t *at = out.at;

		for (n = 0; n < PTAH_PASS_FRAMES && next_packet(&left, &packets[n]); n++)
			out.at += PTAH_FRAME_EMPTY + packets[n].len + packets[n].padding;
		int rc = seal_pass(sealer, boxer, packets, n, at);
		if (rc != 0) {
			ptah_sealer_clear(sealer);
			return rc;
		}
	} while (n == PTAH_PASS_FRAMES);
	return (ssize_t)made;
}

ssize_t
ptah_sealer_packet(struct ptah_sealer *sealer, struct ptah_boxer *boxer, uint8_t type,
    struct ptah_span payload, size_t padding, struct ptah_room out)
{
	struct packet packet = {
		.payload = payload.at,
		.len = payload.len,
		.padding = padding,
		.type = type,
	};

	if (payload.len > PTAH_PACKET_MAX || padding > PTAH_PACKET_MAX - payload.len)
		return -EMSGSIZE;
	if (PTAH_FRAME_EMPTY + payload.len + padding > out.len)
		return -ENOSPC;
	if (!can_count(&sealer->key, 1))
		return -EOVERFLOW;
	int rc = seal_pass(sealer, boxer, &packet, 1, out.at);
	if (rc != 0) {
		ptah_sealer_clear(sealer);
		return rc;
	}
	return (ssize_t)(PTAH_FRAME_EMPTY + payload.len + padding);
}
