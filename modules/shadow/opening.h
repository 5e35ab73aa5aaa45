/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * opening.h: how a stream of Shadowsocks 2022 begins, behind its salt.
 *
 *     request    box of 11 bytes        0 | time | length
 *                box of 'length'        address | n | n bytes of padding | first bytes of the stream
 *     response   box of 11 + salt       1 | time | salt of the request | length
 *                box of 'length'        first bytes of the stream
 *
 * After that the chunks of chunks.h follow, with the same counter of boxes.
 * Times are seconds of Unix in 8 bytes, lengths and n 2 bytes; big-endian.
 *
 * Threads: no state; call from any.
 */
#ifndef PTAH_SHADOW_OPENING_H
#define PTAH_SHADOW_OPENING_H

#include "address.h"
#include "chunks.h"

#define SHADOW_PADDING_MAX 900
#define SHADOW_SKEW_MAX_S 30
#define SHADOW_SALT_TTL_S 60 /* for so long a salt must not come again */

#define SHADOW_REQUEST 11
#define SHADOW_REQUEST_BOX (SHADOW_REQUEST + SHADOW_TAG)
#define SHADOW_RESPONSE_MAX (SHADOW_REQUEST + SHADOW_SALT_MAX)
#define SHADOW_RESPONSE_BOX_MAX (SHADOW_RESPONSE_MAX + SHADOW_TAG)

/** Bytes of the response's first box. */
static inline size_t
shadow_response_box(const struct shadow_cipher *cipher)
{
	return (size_t)SHADOW_REQUEST + cipher->key_len + SHADOW_TAG;
}

struct shadow_request {
	int64_t time;
	struct ptah_span address, padding, payload; /* in one box: together at most the cipher's chunk_max - 2 */
};

/** Both boxes; 'out' has room for them.  Bytes made, or -errno. */
long shadow_request_seal(struct shadow_boxes *boxes, const struct shadow_request *request, uint8_t *out);
/** Read the first, opened.  -EPROTO: it is no request. */
int shadow_request_read(const uint8_t head[SHADOW_REQUEST], int64_t *time, uint16_t *length);
/** Read the second, opened; where the stream begins in it, or -EPROTO. */
long shadow_request_read_rest(struct ptah_span rest, char dest[SHADOW_DEST_TEXT]);

/** Both boxes of a response to the request with this salt; 'payload' at most chunk_max. */
long shadow_response_seal(struct shadow_boxes *boxes, const struct shadow_cipher *cipher, int64_t time,
    const uint8_t *request_salt, struct ptah_span payload, uint8_t *out);
/** Read the first, opened.  -EPROTO: it is no response; -EBADMSG: not one to that request. */
int shadow_response_read(const struct shadow_cipher *cipher, const uint8_t *head, const uint8_t *request_salt,
    int64_t *time, uint16_t *length);

/** Is it near enough to now? */
bool shadow_time_is_good(int64_t time, int64_t now);

#endif
