/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The secretbox of XSalsa20 and Poly1305, taken apart.
 *
 * All nonces of a direction begin with the same 16 bytes, so the first half
 * of XSalsa20, HSalsa20, is done once and only its result is kept.  The other
 * 8 bytes are a counter.  Of a frame's key stream, bytes 0 .. 31 are the key of
 * its MAC, and the packet begins at byte 32.
 *
 * A pass takes up to PASS frames.  Where a block of key stream meets 64 bytes
 * of payload, the two go straight from span to span; where it meets the MAC's
 * key, a header, padding or an end, it goes by way of an edge.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "bytes.h"
#include "salsa20.h"
#include "secretboxframe.h"

#define PASS 16
#define JOBS 64
#define TAG_LEN 16
#define LENGTH_LEN 2
#define HEADER_LEN 3
#define MAC_KEY_LEN 32
#define BLOCK PTAH_SALSA_BLOCK
#define BOX_MIN TAG_LEN
#define BOX_MAX (PTAH_FRAME_MAX - LENGTH_LEN)
#define SEED_AT 48
#define EDGES (PASS * 2) /* of a frame: where the payload ends, and where the padding */
#define PADDING_MAX (PTAH_FRAME_MAX + 2 * PTAH_FRAME_EMPTY)

#define MIN(a, b) ((a) < (b) ? (a) : (b))

_Static_assert(PTAH_FRAME_MAX == PTAH_FRAME_HEAD + HEADER_LEN + PTAH_PACKET_MAX, "one frame");

/* A block that does not go from span to span: the first 'len' bytes of it belong at 'to'. */
struct edge {
	uint8_t block[BLOCK];
	uint8_t *to;
	size_t len;
};

struct ptah_boxer {
	const struct ptah_salsa *salsa;
	EVP_MAC *poly1305;
	EVP_MAC_CTX *mac;
	uint32_t key[8];
	size_t n_jobs, n_edges;
	struct ptah_salsa_job jobs[JOBS];
	uint8_t first[PASS][BLOCK]; /* of each frame: the MAC's key, header, payload */
	struct edge edges[EDGES];
};

/* A packet to be sealed. */
struct packet {
	const uint8_t *payload;
	size_t len;
	size_t padding;
	uint8_t type;
};

/* A box that has wholly arrived: tag, then ciphertext. */
struct box {
	const uint8_t *at;
	size_t len;
	bool is_bad; /* its length was a lie */
};

static const uint8_t zeros[BLOCK];

/* --- the tools --------------------------------------------------------- */

struct ptah_boxer *
ptah_boxer_new_with(const char *vectors)
{
	const struct ptah_salsa *salsa = ptah_salsa_find(vectors);
	struct ptah_boxer *boxer;

	if (salsa == NULL) {
		errno = ENOTSUP;
		return NULL;
	}
	boxer = calloc(1, sizeof(*boxer));
	if (boxer == NULL)
		return NULL;
	boxer->salsa = salsa;
	boxer->poly1305 = EVP_MAC_fetch(NULL, "POLY1305", NULL);
	boxer->mac = EVP_MAC_CTX_new(boxer->poly1305);
	if (boxer->mac == NULL) {
		ptah_boxer_free(boxer);
		errno = ENOMEM;
		return NULL;
	}
	return boxer;
}

struct ptah_boxer *
ptah_boxer_new(void)
{
	return ptah_boxer_new_with(NULL);
}

const char *
ptah_boxer_vectors(const struct ptah_boxer *boxer)
{
	return boxer->salsa->name;
}

void
ptah_boxer_free(struct ptah_boxer *boxer)
{
	if (boxer == NULL)
		return;
	EVP_MAC_CTX_free(boxer->mac);
	EVP_MAC_free(boxer->poly1305);
	explicit_bzero(boxer, sizeof(*boxer));
	free(boxer);
}

/* libcrypto's Poly1305 is twice as fast as libsodium's; it fails for want of memory only. */
static int
authenticate(struct ptah_boxer *boxer, const uint8_t key[MAC_KEY_LEN], const uint8_t *at,
    size_t len, uint8_t tag[TAG_LEN])
{
	size_t tag_len;

	if (EVP_MAC_init(boxer->mac, key, MAC_KEY_LEN, NULL) != 1 ||
	    EVP_MAC_update(boxer->mac, at, len) != 1 ||
	    EVP_MAC_final(boxer->mac, tag, &tag_len, TAG_LEN) != 1)
		return -ENOMEM;
	return 0;
}

/* --- a pass ------------------------------------------------------------- */

static void
pass_start(struct ptah_boxer *boxer, const struct ptah_frame_key *key)
{
	for (int i = 0; i < 8; i++)
		boxer->key[i] = ptah_bytes_get32le(key->subkey + 4 * i);
	boxer->n_jobs = 0;
	boxer->n_edges = 0;
}

static void
run_jobs(struct ptah_boxer *boxer)
{
	boxer->salsa->run(boxer->key, boxer->jobs, boxer->n_jobs);
	boxer->n_jobs = 0;
}

static void
add_job(struct ptah_boxer *boxer, uint64_t counter, uint64_t block, const uint8_t *in, uint8_t *out)
{
	boxer->jobs[boxer->n_jobs++] = (struct ptah_salsa_job){
		.in = in,
		.out = out,
		.nonce = __builtin_bswap64(counter), /* big-endian on the wire */
		.block = block,
	};
	if (boxer->n_jobs == JOBS)
		run_jobs(boxer);
}

/* Answer the block, all zeros, where the input belongs before it is made a job. */
static uint8_t *
add_edge(struct ptah_boxer *boxer, uint8_t *to, size_t len)
{
	struct edge *edge = &boxer->edges[boxer->n_edges++];

	memset(edge->block, 0, sizeof(edge->block));
	edge->to = to;
	edge->len = len;
	return edge->block;
}

/* Run what is left, and bring the edges where they belong. */
static void
settle(struct ptah_boxer *boxer)
{
	run_jobs(boxer);
	for (size_t i = 0; i < boxer->n_edges; i++)
		memcpy(boxer->edges[i].to, boxer->edges[i].block, boxer->edges[i].len);
}

static void
pass_end(struct ptah_boxer *boxer, size_t n_frames)
{
	explicit_bzero(boxer->first, n_frames * sizeof(boxer->first[0]));
	explicit_bzero(boxer->edges, boxer->n_edges * sizeof(boxer->edges[0]));
	explicit_bzero(boxer->key, sizeof(boxer->key));
}

/* --- keys --------------------------------------------------------------- */

static void
key_init(struct ptah_frame_key *key, const uint8_t keys[PTAH_FRAME_KEYS_LEN])
{
	crypto_core_hsalsa20(key->subkey, keys + crypto_core_hsalsa20_KEYBYTES, keys, NULL);
	ptah_drbg_init(&key->lengths, keys + SEED_AT);
	key->counter = 1;
}

void
ptah_sealer_init(struct ptah_sealer *sealer, const uint8_t keys[PTAH_FRAME_KEYS_LEN])
{
	key_init(&sealer->key, keys);
}

void
ptah_sealer_clear(struct ptah_sealer *sealer)
{
	explicit_bzero(sealer, sizeof(*sealer));
}

void
ptah_opener_init(struct ptah_opener *opener, const uint8_t keys[PTAH_FRAME_KEYS_LEN])
{
	memset(opener, 0, sizeof(*opener));
	key_init(&opener->key, keys);
}

void
ptah_opener_clear(struct ptah_opener *opener)
{
	explicit_bzero(opener, sizeof(*opener));
}

/* --- sealing ------------------------------------------------------------ */

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
add_packet(struct ptah_boxer *boxer, uint64_t counter, uint8_t first[BLOCK],
    const struct packet *packet, uint8_t *sealed)
{
	size_t len = HEADER_LEN + packet->len + packet->padding;
	size_t head = MIN(packet->len, (size_t)(BLOCK - MAC_KEY_LEN - HEADER_LEN));
	uint8_t *header = first + MAC_KEY_LEN;

	memset(first, 0, BLOCK);
	header[0] = packet->type;
	ptah_bytes_put16be(header + 1, (uint16_t)packet->len);
	if (head > 0)
		memcpy(header + HEADER_LEN, packet->payload, head);
	add_job(boxer, counter, 0, first, first);
	for (size_t at = BLOCK - MAC_KEY_LEN, block = 1; at < len; at += BLOCK, block++) {
		size_t from = at - HEADER_LEN;

		if (from + BLOCK <= packet->len) {
			add_job(boxer, counter, block, packet->payload + from, sealed + at);
		} else if (from >= packet->len && at + BLOCK <= len) {
			add_job(boxer, counter, block, zeros, sealed + at);
		} else {
			uint8_t *edge = add_edge(boxer, sealed + at, MIN(len - at, (size_t)BLOCK));

			if (from < packet->len)
				memcpy(edge, packet->payload + from, packet->len - from);
			add_job(boxer, counter, block, edge, edge);
		}
	}
}

/* Seal up to PASS packets, one frame behind the other; 'out' has the room. */
static int
seal_pass(struct ptah_sealer *sealer, struct ptah_boxer *boxer, const struct packet *packets,
    size_t n, uint8_t *out)
{
	uint8_t *frame = out;
	int rc = 0;

	pass_start(boxer, &sealer->key);
	for (size_t i = 0; i < n; i++) {
		size_t len = HEADER_LEN + packets[i].len + packets[i].padding;
		uint16_t mask = ptah_drbg_mask(&sealer->key.lengths);

		ptah_bytes_put16be(frame, (uint16_t)(TAG_LEN + len) ^ mask);
		add_packet(boxer, sealer->key.counter++, boxer->first[i], &packets[i],
		    frame + PTAH_FRAME_HEAD);
		frame += PTAH_FRAME_HEAD + len;
	}
	settle(boxer);
	frame = out;
	for (size_t i = 0; i < n && rc == 0; i++) {
		size_t len = HEADER_LEN + packets[i].len + packets[i].padding;
		uint8_t *sealed = frame + PTAH_FRAME_HEAD;

		memcpy(sealed, boxer->first[i] + MAC_KEY_LEN, MIN(len, (size_t)(BLOCK - MAC_KEY_LEN)));
		rc = authenticate(boxer, boxer->first[i], sealed, len, frame + LENGTH_LEN);
		frame = sealed + len;
	}
	pass_end(boxer, n);
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
	struct packet packets[PASS];
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

		for (n = 0; n < PASS && next_packet(&left, &packets[n]); n++)
			out.at += PTAH_FRAME_EMPTY + packets[n].len + packets[n].padding;
		int rc = seal_pass(sealer, boxer, packets, n, at);
		if (rc != 0) {
			ptah_sealer_clear(sealer);
			return rc;
		}
	} while (n == PASS);
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

/* --- opening ------------------------------------------------------------ */

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
 * Cut up to PASS boxes off 'in', as long as whatever they hold would fit into
 * 'room'.  A bad one is the last.
 */
static size_t
cut(struct ptah_opener *opener, struct ptah_span in, size_t room, struct box *boxes, size_t *need)
{
	size_t n = 0;

	*need = LENGTH_LEN;
	while (n < PASS && in.len >= LENGTH_LEN) {
		read_length(opener, in.at);
		*need = LENGTH_LEN + opener->pending;

		size_t most = opener->pending > TAG_LEN + HEADER_LEN ?
		    opener->pending - TAG_LEN - HEADER_LEN : 0;

		if (in.len < *need || most > room)
			break;
		room -= most;
		boxes[n++] = (struct box){
			.at = in.at + LENGTH_LEN,
			.len = opener->pending,
			.is_bad = opener->bad,
		};
		in.at += *need;
		in.len -= *need;
		if (opener->bad)
			break;
		opener->pending = 0;
		*need = LENGTH_LEN;
	}
	return n;
}

/* What the pass knows of a packet when its first block is there. */
static int
read_header(const uint8_t first[BLOCK], const struct box *box, uint8_t *type, size_t *len)
{
	const uint8_t *header = first + MAC_KEY_LEN;
	size_t all = box->len - TAG_LEN;

	if (all < HEADER_LEN)
		return -EPROTO;
	*type = header[0];
	*len = ptah_bytes_get16be(header + 1);
	return *len > all - HEADER_LEN ? -EPROTO : 0;
}

/* Decrypt a payload to 'to'; padding is left as it is. */
static void
add_payload(struct ptah_boxer *boxer, uint64_t counter, const uint8_t first[BLOCK],
    const uint8_t *sealed, size_t len, uint8_t *to)
{
	size_t head = MIN(len, (size_t)(BLOCK - MAC_KEY_LEN - HEADER_LEN));

	memcpy(to, first + MAC_KEY_LEN + HEADER_LEN, head);
	for (size_t at = head, block = 1; at < len; at += BLOCK, block++) {
		const uint8_t *from = sealed + HEADER_LEN + at;

		if (at + BLOCK <= len) {
			add_job(boxer, counter, block, from, to + at);
		} else {
			uint8_t *edge = add_edge(boxer, to + at, len - at);

			memcpy(edge, from, len - at);
			add_job(boxer, counter, block, edge, edge);
		}
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
check_box(struct ptah_opener *opener, struct ptah_boxer *boxer, const uint8_t first[BLOCK],
    const struct box *box)
{
	uint8_t tag[TAG_LEN];
	int rc;

	if (opener->key.counter == 0)
		return -EOVERFLOW;
	rc = authenticate(boxer, first, box->at + TAG_LEN, box->len - TAG_LEN, tag);
	if (rc == 0 && (sodium_memcmp(tag, box->at, TAG_LEN) != 0 || box->is_bad))
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
	size_t i, len = 0;
	int rc = 0;

	pass_start(boxer, &opener->key);
	for (i = 0; i < n; i++) {
		memset(boxer->first[i], 0, BLOCK);
		memcpy(boxer->first[i] + MAC_KEY_LEN, boxes[i].at + TAG_LEN,
		    MIN(boxes[i].len - TAG_LEN, (size_t)(BLOCK - MAC_KEY_LEN)));
		add_job(boxer, opener->key.counter + i, 0, boxer->first[i], boxer->first[i]);
	}
	run_jobs(boxer);
	for (i = 0; i < n && type == PTAH_PACKET_PAYLOAD; i++) {
		rc = check_box(opener, boxer, boxer->first[i], &boxes[i]);
		if (rc == 0)
			rc = read_header(boxer->first[i], &boxes[i], &type, &len);
		if (rc != 0)
			break;
		bool is_payload = type == PTAH_PACKET_PAYLOAD;
		add_payload(boxer, opener->key.counter++, boxer->first[i], boxes[i].at + TAG_LEN,
		    len, is_payload ? sink->out.at + opened->made : aside);
		opened->eaten += LENGTH_LEN + boxes[i].len;
		opened->made += is_payload ? len : 0;
	}
	settle(boxer);
	pass_end(boxer, n);
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
	struct box boxes[PASS];
	size_t n, n_opened;

	*opened = (struct ptah_opened){ .need = 0 };
	if (opener->key.counter == 0)
		return -EOVERFLOW;
	do {
		struct ptah_span rest = { in.at + opened->eaten, in.len - opened->eaten };

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
