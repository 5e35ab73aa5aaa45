/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * boxer.h: the inside of secretboxframe.h, for the two files that seal and open.
 *
 * The secretbox of XSalsa20 and Poly1305 is taken apart here.  All nonces of
 * a direction begin with the same 16 bytes, so the first half of XSalsa20,
 * HSalsa20, is done once and only its result is kept.  The other 8 bytes are a
 * counter.  Of a frame's key stream, bytes 0 .. 31 are the key of its MAC, and the
 * packet begins at byte 32.
 *
 * A pass takes up to PTAH_PASS_FRAMES frames.  Where a block of key stream
 * meets 64 bytes of payload, the two go straight from span to span; where it meets
 * the MAC's key, a header, padding or an end, it goes by way of an edge.
 */
#ifndef PTAH_COMMON_BOXER_H
#define PTAH_COMMON_BOXER_H

#include <openssl/evp.h>

#include "salsa20.h"
#include "secretboxframe.h"

#define PTAH_PASS_FRAMES 16
#define PTAH_PASS_JOBS 64
/** So many blocks take one run of the widest cipher. */
#define PTAH_PASS_SMALL 16
#define PTAH_PASS_EDGES (PTAH_PASS_FRAMES * 2) /* where the payload ends, and where the padding */

#define PTAH_BOX_TAG_LEN 16
#define PTAH_BOX_LENGTH_LEN 2
#define PTAH_BOX_HEADER_LEN 3
#define PTAH_BOX_MAC_KEY_LEN 32
/** So much of a packet is in block 0. */
#define PTAH_BOX_HEAD_LEN (PTAH_SALSA_BLOCK - PTAH_BOX_MAC_KEY_LEN)

/** A block that does not go from span to span: the first 'len' bytes of it belong at 'to'. */
struct ptah_edge {
	uint8_t block[PTAH_SALSA_BLOCK];
	uint8_t *to;
	size_t len;
};

struct ptah_boxer {
	const struct ptah_salsa *salsa;
	EVP_MAC *poly1305;
	EVP_MAC_CTX *mac;
	uint32_t key[8];
	size_t n_jobs, n_edges;
	struct ptah_salsa_job jobs[PTAH_PASS_JOBS];
	uint8_t first[PTAH_PASS_FRAMES][PTAH_SALSA_BLOCK]; /* each frame's block 0 */
	struct ptah_edge edges[PTAH_PASS_EDGES];
};

void ptah_frame_key_init(struct ptah_frame_key *key, const uint8_t keys[PTAH_FRAME_KEYS_LEN]);

/** Begin a pass under this key. */
void ptah_pass_start(struct ptah_boxer *boxer, const struct ptah_frame_key *key);
/** Have a block of a frame done: now, or by ptah_pass_run() at the latest. */
void ptah_pass_add(struct ptah_boxer *boxer, uint64_t counter, uint64_t block, const uint8_t *in,
    uint8_t *out);
/** Answer the block, all zeros, where the input belongs before it is added; see struct ptah_edge. */
uint8_t *ptah_pass_edge(struct ptah_boxer *boxer, uint8_t *to, size_t len);
/** Do the blocks that were added. */
void ptah_pass_run(struct ptah_boxer *boxer);
/** Do them, and bring the edges where they belong. */
void ptah_pass_settle(struct ptah_boxer *boxer);
/** Make the tag of a box.  -ENOMEM. */
int ptah_pass_tag(struct ptah_boxer *boxer, const uint8_t key[PTAH_BOX_MAC_KEY_LEN],
    const uint8_t *at, size_t len, uint8_t tag[PTAH_BOX_TAG_LEN]);
/** Wipe what the pass, of so many frames, left in the tools. */
void ptah_pass_end(struct ptah_boxer *boxer, size_t n_frames);

#endif
