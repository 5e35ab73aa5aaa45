/* SPDX-License-Identifier: BSD-3-Clause */
#include "pieces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More than padding can add: a full frame, and one that overshoots by 21. */
#define PADDING_MOST ((size_t)3 * PTAH_FRAME_MAX)
/* A bridge may send a seed that gives nothing but lengths of 0. */
#define ZEROS_MOST 64u
/*
 * Where 1 to 21 bytes are missing to the length that was drawn, padding adds a
 * whole frame, and there is another rest.  With some tables, {26} is one, that
 * goes on for ever: so often, and no more, which others hardly come to.
 */
#define OVERSHOT_MOST 4u

int
obfs4_pieces_fill(struct obfs4_pieces *pieces, const struct obfs4_tools *tools, unsigned mode,
    struct ptah_span plain)
{
	unsigned target = mode == 1 ? ptah_tables_length(tools->tables, &tools->chance) : PTAH_FRAME_NO_PADDING;
	ssize_t n;

	pieces->room = ptah_frame_sealed_len(plain.len) + PADDING_MOST;
	while (ptah_frame_fits(pieces->room) < plain.len)
		pieces->room += PTAH_FRAME_MAX;
	pieces->at = malloc(pieces->room);
	pieces->from = pieces->len = 0;
	pieces->overshot = 0;
	if (pieces->at == NULL)
		return -ENOMEM;
	n = ptah_sealer_burst(tools->sealer, tools->boxer, plain, 0, target,
	    (struct ptah_room){ pieces->at, pieces->room });
	if (n < 0)
		return (int)n;
	pieces->len = (size_t)n;
	return 0;
}

/* Pad what is left, less than a segment, to 'target'. */
static int
pad(struct obfs4_pieces *pieces, const struct obfs4_tools *tools, unsigned target)
{
	size_t left = obfs4_pieces_left(pieces);
	ssize_t n;

	memmove(pieces->at, pieces->at + pieces->from, left);
	pieces->from = 0;
	pieces->len = left;
	n = ptah_sealer_burst(tools->sealer, tools->boxer, (struct ptah_span){ NULL, 0 }, left, target,
	    (struct ptah_room){ pieces->at + left, pieces->room - left });
	if (n < 0)
		return (int)n;
	pieces->len += (size_t)n;
	return 0;
}

/* How long the next piece of mode 2 is. */
static ssize_t
draw(struct obfs4_pieces *pieces, const struct obfs4_tools *tools)
{
	for (unsigned zeros = 0;;) {
		unsigned target = ptah_tables_length(tools->tables, &tools->chance);
		int rc;

		/* Some seeds give lengths of 0, which obfs4proxy does not survive. */
		if (target == 0 && ++zeros < ZEROS_MOST)
			continue;
		if (target == 0)
			target = PTAH_FRAME_MAX;
		if (obfs4_pieces_left(pieces) >= target)
			return (ssize_t)target;
		if (pieces->overshot == OVERSHOT_MOST)
			return (ssize_t)obfs4_pieces_left(pieces);
		rc = pad(pieces, tools, target);
		if (rc < 0)
			return rc;
		if (obfs4_pieces_left(pieces) == target)
			return (ssize_t)target;
		pieces->overshot++;
	}
}

ssize_t
obfs4_pieces_next(struct obfs4_pieces *pieces, const struct obfs4_tools *tools, unsigned mode,
    struct ptah_room out, uint64_t *rest_ns)
{
	size_t left = obfs4_pieces_left(pieces);
	ssize_t n;

	if (left == 0)
		return 0;
	if (out.len < PTAH_FRAME_MAX)
		return -ENOSPC;
	n = left < PTAH_FRAME_MAX ? (ssize_t)left : PTAH_FRAME_MAX;
	if (mode == 2)
		n = draw(pieces, tools);
	if (n < 0)
		return n;
	memcpy(out.at, pieces->at + pieces->from, (size_t)n);
	pieces->from += (size_t)n;
	*rest_ns = ptah_tables_delay_ns(tools->tables, &tools->chance);
	return n;
}

void
obfs4_pieces_clear(struct obfs4_pieces *pieces)
{
	free(pieces->at); /* sealed: no secret */
	memset(pieces, 0, sizeof(*pieces));
}
