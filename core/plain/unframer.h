/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/unframer.h: datagrams out of a stream that comes in pieces.
 *
 * Keeps the beginning of a frame that is not whole yet, and nothing else.
 */
#ifndef PTAH_PLAIN_UNFRAMER_H
#define PTAH_PLAIN_UNFRAMER_H

#include "plain/datagram.h"

/** {0} is an empty one. */
struct ptah_unframer {
	uint8_t *tail;
	size_t tail_len; /* less than PTAH_FRAME_MAX */
};

/** Takes so many at most in one call. */
#define PTAH_UNFRAMED_MOST 64

/** Here are some, in order; their bytes are good for the call. */
typedef void ptah_unframed_fn(const struct ptah_span *datagrams, size_t n, void *arg);

/** Hand 'fn' the datagrams that are whole, many at once.  -EPROTO: the stream is broken; -ENOMEM. */
int ptah_unframer_feed(struct ptah_unframer *unframer, int framing, struct ptah_span in, ptah_unframed_fn *fn, void *arg);
void ptah_unframer_clear(struct ptah_unframer *unframer);

#endif
