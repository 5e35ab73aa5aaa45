/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * obfs4/pieces.h: a burst that goes out in pieces, with pauses between them
 * (iat-mode 1 and 2).
 *
 *     mode 1    the padded burst, cut every 1448 bytes
 *     mode 2    the burst without padding, cut at lengths drawn one by one;
 *               what is left is padded to the length that is drawn for it;
 *               where that adds a frame too much again and again, it ends short
 *
 * It says what to write and how long to rest then; it knows no timer.
 */
#ifndef PTAH_OBFS4_PIECES_H
#define PTAH_OBFS4_PIECES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ptah/span.h>

#include "secretboxframe.h"
#include "tables.h"

/** The most plain bytes of one burst: obfs4proxy reads so many at once. */
#define OBFS4_BURST_MAX 32768u

struct obfs4_pieces {
	uint8_t *at; /* heap; NULL while nothing waits */
	size_t from, len, room;
	unsigned overshot; /* how often padding has added a frame too much */
};

/** What the tools for a burst are. */
struct obfs4_tools {
	struct ptah_sealer *sealer;
	struct ptah_boxer *boxer;
	const struct ptah_tables *tables;
	struct ptah_chance chance;
};

/** Seal a burst that is to be sent in pieces, by mode 1 or 2.  'pieces' is empty.  0 or -errno. */
int obfs4_pieces_fill(struct obfs4_pieces *pieces, const struct obfs4_tools *tools, unsigned mode,
    struct ptah_span plain);

/**
 * Write the next piece, at most 1448 bytes, and say how long to rest behind it.
 * Returns its length, 0 if nothing is left; -ENOSPC, or as ptah_sealer_burst().
 */
ssize_t obfs4_pieces_next(struct obfs4_pieces *pieces, const struct obfs4_tools *tools, unsigned mode,
    struct ptah_room out, uint64_t *rest_ns);

static inline size_t
obfs4_pieces_left(const struct obfs4_pieces *pieces)
{
	return pieces->len - pieces->from;
}

void obfs4_pieces_clear(struct obfs4_pieces *pieces);

#endif
