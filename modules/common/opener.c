/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "boxer.h"
#include "bytes.h"

#define BOX_MIN PTAH_BOX_TAG_LEN
#define BOX_MAX (PTAH_FRAME_MAX - PTAH_BOX_LENGTH_LEN)

#define MIN(a, b) ((a) < (b) ? (a) : (b))

/* A box that has wholly arrived: tag, then ciphertext. */
struct box {
	const uint8_t *at;
	size_t len;
	bool is_bad; /* its length was a lie */
};

void
ptah_opener_init(struct ptah_opener *opener, const uint8_t keys[PTAH_FRAME_KEYS_LEN])
{
	memset(opener, 0, sizeof(*opener));
	ptah_frame_key_init(&opener->key, keys);
}

void
ptah_opener_clear(struct ptah_opener *opener)
{
	explicit_bzero(opener, sizeof(*opener));
}

/* Learn the length of the next box, once; one that cannot be is replaced, and failed on later. */
static void
read_length(struct ptah_opener *opener, const uint8_t *at)
{
	if (opener->pending != 0)
		return;
	opener->pending = ptah_bytes_get16be(at) ^ ptah_drbg_mask(&opener->key.lengths);
	if (opener->pending < BOX_MIN || opener->pending > BOX_MAX) {
		opener->pending = (uint16_t)(BOX_MIN + randombytes_uniform(BOX_MAX - BOX_MIN + 1));
		opener->bad = true;
	}
}

/*
 * Cut up to PTAH_PASS_FRAMES boxes off 'in', as long as whatever they hold would fit into
 * 'room'.  A bad one is the last.
 */
static size_t
cut(struct ptah_opener *opener, struct ptah_span in, size_t room, struct box *boxes, size_t *need)
{
	size_t n = 0;

	*need = PTAH_BOX_LENGTH_LEN;
	while (n < PTAH_PASS_FRAMES && in.len >= PTAH_BOX_LENGTH_LEN) {
		read_length(opener, in.at);
		*need = PTAH_BOX_LENGTH_LEN + opener->pending;

		size_t most = opener->pending > PTAH_BOX_TAG_LEN + PTAH_BOX_HEADER_LEN ?
		    opener->pending - PTAH_BOX_TAG_LEN - PTAH_BOX_HEADER_LEN : 0;

		if (in.len < *need || most > room)
			break;
		room -= most;
		boxes[n++] = (struct box){
			.at = in.at + PTAH_BOX_LENGTH_LEN,
			.len = opener->pending,
			.is_bad = opener->bad,
		};
		in.at += *need;
		in.len -= *need;
		if (opener->bad)
			break;
		opener->pending = 0;
		*need = PTAH_BOX_LENGTH_LEN;
	}
	return n;
}

/* What the pass knows of a packet when its first block is there. */
static int
read_header(const uint8_t first[PTAH_SALSA_BLOCK], const struct box *box, uint8_t *type, size_t *len)
{
	const uint8_t *header = first + PTAH_BOX_MAC_KEY_LEN;
	size_t all = box->len - PTAH_BOX_TAG_LEN;

	if (all < PTAH_BOX_HEADER_LEN)
		return -EPROTO;
	*type = header[0];
	*len = ptah_bytes_get16be(header + 1);
	return *len > all - PTAH_BOX_HEADER_LEN ? -EPROTO : 0;
}

/* Decrypt a payload to 'to'; padding is left as it is. */
static void
add_payload(struct ptah_boxer *boxer, uint64_t counter, const uint8_t first[PTAH_SALSA_BLOCK],
    const uint8_t *sealed, size_t len, uint8_t *to)
{
	size_t head = MIN(len, (size_t)(PTAH_BOX_HEAD_LEN - PTAH_BOX_HEADER_LEN));

	memcpy(to, first + PTAH_BOX_MAC_KEY_LEN + PTAH_BOX_HEADER_LEN, head);
	for (size_t at = head, block = 1; at < len; at += PTAH_SALSA_BLOCK, block++) {
		const uint8_t *from = sealed + PTAH_BOX_HEADER_LEN + at;

		if (at + PTAH_SALSA_BLOCK <= len) {
			ptah_pass_add(boxer, counter, block, from, to + at);
		} else {
			uint8_t *edge = ptah_pass_edge(boxer, to + at, len - at);

			memcpy(edge, from, len - at);
			ptah_pass_add(boxer, counter, block, edge, edge);
		}
	}
}

/*
 * One run of the cipher costs as much for one block as for all its lanes.  So
 * where all boxes together fill no more than one, their later blocks are
 * decrypted beside the first, before it is known where they belong.
 */
static bool
is_small(const struct box *boxes, size_t n)
{
	size_t blocks = 0;

	for (size_t i = 0; i < n; i++)
		blocks += (boxes[i].len - PTAH_BOX_TAG_LEN + PTAH_BOX_MAC_KEY_LEN + PTAH_SALSA_BLOCK - 1) / PTAH_SALSA_BLOCK;
	return blocks <= PTAH_PASS_SMALL;
}

static void
add_ahead(struct ptah_boxer *boxer, uint64_t counter, const uint8_t *sealed, size_t len)
{
	for (size_t at = PTAH_BOX_HEAD_LEN, block = 1; at < len; at += PTAH_SALSA_BLOCK, block++) {
		uint8_t *edge = ptah_pass_edge(boxer, NULL, 0);

		memcpy(edge, sealed + at, MIN(len - at, (size_t)PTAH_SALSA_BLOCK));
		ptah_pass_add(boxer, counter, block, edge, edge);
	}
}

/* Now it is: 'edges' has what add_ahead() added of this box. */
static void
place_payload(struct ptah_edge *edges, const uint8_t first[PTAH_SALSA_BLOCK], size_t len, uint8_t *to)
{
	size_t head = MIN(len, (size_t)(PTAH_BOX_HEAD_LEN - PTAH_BOX_HEADER_LEN));

	memcpy(to, first + PTAH_BOX_MAC_KEY_LEN + PTAH_BOX_HEADER_LEN, head);
	for (size_t at = head; at < len; at += PTAH_SALSA_BLOCK, edges++) {
		edges->to = to + at;
		edges->len = MIN(len - at, (size_t)PTAH_SALSA_BLOCK);
	}
}

/* Where the opened bytes go, and who hears the rest. */
struct sink {
	struct ptah_room out;
	ptah_packet_fn *on_packet;
	void *arg;
	struct ptah_opened *opened;
};

static int
check_box(struct ptah_opener *opener, struct ptah_boxer *boxer, const uint8_t first[PTAH_SALSA_BLOCK],
    const struct box *box)
{
	uint8_t tag[PTAH_BOX_TAG_LEN];
	int rc;

	if (opener->key.counter == 0)
		return -EOVERFLOW;
	rc = ptah_pass_tag(boxer, first, box->at + PTAH_BOX_TAG_LEN, box->len - PTAH_BOX_TAG_LEN, tag);
	if (rc == 0 && (sodium_memcmp(tag, box->at, PTAH_BOX_TAG_LEN) != 0 || box->is_bad))
		rc = -EBADMSG;
	return rc;
}

/*
 * Open boxes up to one that fails, or that is not payload: that one is told
 * when the tools are free again.  Answers how many were opened.
 */
static int
open_pass(struct ptah_opener *opener, struct ptah_boxer *boxer, const struct box *boxes,
    size_t n, const struct sink *sink, size_t *n_opened)
{
	struct ptah_opened *opened = sink->opened;
	uint8_t aside[PTAH_PACKET_MAX];
	uint8_t type = PTAH_PACKET_PAYLOAD;
	size_t i, len = 0, edges_of[PTAH_PASS_FRAMES] = { 0 };
	bool small = is_small(boxes, n);
	int rc = 0;

	ptah_pass_start(boxer, &opener->key);
	for (i = 0; i < n; i++) {
		memset(boxer->first[i], 0, PTAH_SALSA_BLOCK);
		memcpy(boxer->first[i] + PTAH_BOX_MAC_KEY_LEN, boxes[i].at + PTAH_BOX_TAG_LEN,
		    MIN(boxes[i].len - PTAH_BOX_TAG_LEN, (size_t)PTAH_BOX_HEAD_LEN));
		ptah_pass_add(boxer, opener->key.counter + i, 0, boxer->first[i], boxer->first[i]);
		edges_of[i] = boxer->n_edges;
		if (small)
			add_ahead(boxer, opener->key.counter + i, boxes[i].at + PTAH_BOX_TAG_LEN, boxes[i].len - PTAH_BOX_TAG_LEN);
	}
	ptah_pass_run(boxer);
	for (i = 0; i < n && type == PTAH_PACKET_PAYLOAD; i++) {
		rc = check_box(opener, boxer, boxer->first[i], &boxes[i]);
		if (rc == 0)
			rc = read_header(boxer->first[i], &boxes[i], &type, &len);
		if (rc != 0)
			break;
		bool is_payload = type == PTAH_PACKET_PAYLOAD;
		uint8_t *to = is_payload ? sink->out.at + opened->made : aside;

		if (small)
			place_payload(&boxer->edges[edges_of[i]], boxer->first[i], len, to);
		else
			add_payload(boxer, opener->key.counter, boxer->first[i], boxes[i].at + PTAH_BOX_TAG_LEN, len, to);
		opener->key.counter++;
		opened->eaten += PTAH_BOX_LENGTH_LEN + boxes[i].len;
		opened->made += is_payload ? len : 0;
	}
	ptah_pass_settle(boxer);
	ptah_pass_end(boxer, n);
	*n_opened = i;
	if (type != PTAH_PACKET_PAYLOAD) {
		if (rc == 0 && sink->on_packet != NULL)
			sink->on_packet(type, (struct ptah_span){ aside, len }, sink->arg);
		explicit_bzero(aside, sizeof(aside));
	}
	return rc;
}

int
ptah_opener_open(struct ptah_opener *opener, struct ptah_boxer *boxer, struct ptah_span in,
    struct ptah_room out, ptah_packet_fn *on_packet, void *arg, struct ptah_opened *opened)
{
	struct sink sink = { .out = out, .on_packet = on_packet, .arg = arg, .opened = opened };
	struct box boxes[PTAH_PASS_FRAMES];
	size_t n, n_opened;

	*opened = (struct ptah_opened){ .need = 0 };
	if (opener->key.counter == 0)
		return -EOVERFLOW;
	do {
		struct ptah_span rest = ptah_span_from(in, opened->eaten);

		n = cut(opener, rest, out.len - opened->made, boxes, &opened->need);
		for (size_t i = 0; i < n; i += n_opened) {
			int rc = open_pass(opener, boxer, boxes + i, n - i, &sink, &n_opened);

			if (rc != 0) {
				ptah_opener_clear(opener);
				opened->need = 0;
				return rc;
			}
		}
	} while (n > 0);
	return 0;
}
