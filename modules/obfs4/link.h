/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * obfs4/link.h: one link, as the host calls it: hooks of the codec.
 */
#ifndef PTAH_OBFS4_LINK_H
#define PTAH_OBFS4_LINK_H

#include <ptah/module.h>

#include "pieces.h"
#include "secretboxframe.h"

struct obfs4_bench;
struct obfs4_home;
struct obfs4_shake;

struct obfs4_link {
	const struct obfs4_home *home; /* of a server */
	struct obfs4_bench *bench;
	const struct ptah_host *host;
	struct ptah_self *self;
	struct obfs4_shake *shake;   /* heap, until the handshake is over */
	struct ptah_tables *tables; /* NULL: not needed so far */
	struct ptah_sealer sealer;
	struct ptah_opener opener;
	struct obfs4_pieces pieces;
	uint8_t role, iat_mode;
	uint8_t compat;  /* close failed links as obfs4proxy does */
	uint8_t resting; /* between two pieces */
	/* Half-close, which is ptah's own: obfs4proxy ignores such packets. */
	uint8_t said_eof, heard_eof;
	uint8_t owes_ack; /* the peer's EOF was heard, and it waits for a word */
	uint8_t ack_due;  /* ... and has waited long enough for our EOF, which says it too */
	uint8_t acked;    /* the peer has heard ours */
	/* A server that speaks first. */
	uint8_t heard; /* bytes came since the handshake */
	uint8_t n_nudges;
	uint8_t quiet; /* nothing came since the last of these */
	uint16_t said; /* bytes that went since, counted until they are more than a client holds */
};

/** Room that a step may count on: a whole burst with its padding, or a reply. */
#define OBFS4_UNIT 36864u

/* What is counted. */
#define OBFS4_COUNT_REPLAYED 0u
#define OBFS4_COUNT_SKEWED 1u
#define OBFS4_COUNT_BROKEN 2u

int obfs4_link_open(void *link, const struct ptah_open *open, struct ptah_io *io);
int obfs4_link_wrap(void *link, struct ptah_io *io);
int obfs4_link_unwrap(void *link, struct ptah_io *io);
int obfs4_link_event(void *link, const struct ptah_event *event, struct ptah_io *io);
void obfs4_link_close(void *link, int why);

#endif
