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

#endif
