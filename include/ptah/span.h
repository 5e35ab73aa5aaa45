/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * ptah/span.h: bytes to read, and room to write.  Neither owns what it points at.
 */
#ifndef PTAH_SPAN_H
#define PTAH_SPAN_H

#include <stddef.h>
#include <stdint.h>

struct ptah_span {
	const uint8_t *at;
	size_t len;
};

struct ptah_room {
	uint8_t *at;
	size_t len;
};

/** What of 'span' stands behind its first 'n' bytes, which it must have; an empty span may point at nothing. */
static inline struct ptah_span
ptah_span_from(struct ptah_span span, size_t n)
{
	if (n > 0) {
		span.at += n;
		span.len -= n;
	}
	return span;
}

#endif
