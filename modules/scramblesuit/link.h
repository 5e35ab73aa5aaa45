/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * scramblesuit/link.h: one link, as the host calls it: hooks of the codec.
 */
#ifndef PTAH_SCRAMBLESUIT_LINK_H
#define PTAH_SCRAMBLESUIT_LINK_H

#include <ptah/host.h>

#include "message.h"

struct ptah_tables;
struct scramble_bench;
struct scramble_home;
struct scramble_shake;

struct scramble_link {
	const struct scramble_home *home; /* of a server */
	struct scramble_bench *bench;
	const struct ptah_host *host;
	struct ptah_self *self;
	struct scramble_shake *shake; /* heap, until the handshake is over */
	struct ptah_tables *tables;   /* NULL: not needed so far */
	struct scramble_way send, receive;
	char *server; /* client: under which name its tickets are kept; NULL: under none */
	uint8_t role;
	uint8_t timing;       /* pause behind each segment */
	uint8_t resting;      /* ... now */
	uint8_t owes_gifts;   /* a server: the next ticket, and the seed */
	uint8_t heard, spoke; /* bytes came, went, since the handshake */
	uint8_t n_nudges;
};

/** Room that a step may count on: a whole burst with its padding, or an answer. */
#define SCRAMBLE_UNIT 36864u

/* Timers of a link. */
#define SCRAMBLE_TIMER_HELLO 0u
#define SCRAMBLE_TIMER_REST 1u
#define SCRAMBLE_TIMER_NUDGE 2u
#define SCRAMBLE_TIMER_ASK 3u

/* What is counted. */
#define SCRAMBLE_COUNT_REPLAYED 0u
#define SCRAMBLE_COUNT_REDEEMED 1u
#define SCRAMBLE_COUNT_BROKEN 2u
#define SCRAMBLE_COUNT_SKEWED 3u

int scramble_link_open(void *link, const struct ptah_open *open, struct ptah_io *io);
int scramble_link_wrap(void *link, struct ptah_io *io);
int scramble_link_unwrap(void *link, struct ptah_io *io);
int scramble_link_event(void *link, const struct ptah_event *event, struct ptah_io *io);
void scramble_link_close(void *link, int why);

#endif
