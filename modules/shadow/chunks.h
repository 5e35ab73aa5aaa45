/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * chunks.h: the stream of one direction, once its salt is known.
 *
 *     0          2     18             18 + n  34 + n
 *     |  length  | tag |   payload    |  tag  | ...
 *      \_ sealed_/      \_ sealed ___/
 *
 * Each of the two is a box of its own; the nonce is a little-endian counter
 * of boxes from 0, nothing else is authenticated.  Boxes are sealed and opened
 * straight from span to span.
 *
 * Threads: those of their link.
 */
#ifndef PTAH_SHADOW_CHUNKS_H
#define PTAH_SHADOW_CHUNKS_H

#include <ptah/span.h>

#include "cipher.h"

#define SHADOW_LENGTH_BOX (2 + SHADOW_TAG)
#define SHADOW_CHUNK_HEAD (SHADOW_LENGTH_BOX + SHADOW_TAG) /* what a chunk grows by */

/** One direction's key, set up once.  Embed it; {0} is dead. */
struct shadow_boxes {
	EVP_CIPHER_CTX *ctx;
	uint64_t counter;
	uint16_t chunk_max;
};

/** 'key' is the session key.  -ENOMEM. */
int shadow_boxes_init(struct shadow_boxes *boxes, const struct shadow_cipher *cipher, const uint8_t *key, bool sealing);
void shadow_boxes_clear(struct shadow_boxes *boxes);

/** Make 'len' bytes into len + SHADOW_TAG at 'out'.  -EOVERFLOW when the counter has run out. */
int shadow_box_seal(struct shadow_boxes *boxes, const uint8_t *in, size_t len, uint8_t *out);
/** Make len + SHADOW_TAG bytes into 'len' at 'out'.  -EBADMSG if they are not authentic: then nothing in 'out' counts. */
int shadow_box_open(struct shadow_boxes *boxes, const uint8_t *in, size_t len, uint8_t *out);

/** One chunk of at most chunk_max bytes, at least one; 'out' has room for it.  Bytes made, or -errno. */
long shadow_chunk_seal(struct shadow_boxes *boxes, struct ptah_span plain, uint8_t *out);
/** As many as there is room for, each as large as may be, the last one short.  0 or -errno. */
int shadow_chunks_seal(struct shadow_boxes *boxes, struct ptah_span plain, struct ptah_room out, size_t *eaten,
    size_t *made);

/** The way in. */
struct shadow_opener {
	struct shadow_boxes boxes;
	bool has_length; /* of the payload that comes next */
	uint16_t length;
};

/** What one pass did, also when it failed. */
struct shadow_opened {
	size_t eaten, made;
	size_t need;   /* so many bytes, from where it was not eaten, make the next step */
	bool no_room;  /* they are there, but there was no room for what is in them */
};

/** Read the length that stands at 'in', SHADOW_LENGTH_BOX bytes.  -EBADMSG; -EPROTO for one that cannot be. */
int shadow_opener_length(struct shadow_opener *opener, const uint8_t *in);
/** Open what is whole and has room.  What is not eaten stands first the next time.  0, or -errno as above, for good. */
int shadow_opener_open(struct shadow_opener *opener, struct ptah_span in, struct ptah_room out, struct shadow_opened *opened);

#endif
