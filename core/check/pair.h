/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * check/pair.h: a client and a server whose wires are joined, and what they
 * carry for one another.
 *
 * What is said is a stream that each pair, direction and place has its own
 * byte of, so that a byte that is lost, doubled, moved or another link's shows.
 *
 * Threads: the one of the trial.
 */
#ifndef PTAH_CHECK_PAIR_H
#define PTAH_CHECK_PAIR_H

#include "check/party.h"

struct ptah_pair;

/** How many of the 'len' bytes that 'who' has sent may reach the other now; 0: none.  'at': bytes that have already. */
typedef size_t ptah_cut_fn(struct ptah_pair *pair, int who, uint64_t at, size_t len);

/** Byte by byte. */
size_t ptah_cut_bytes(struct ptah_pair *pair, int who, uint64_t at, size_t len);

struct ptah_pair {
	struct ptah_lab *lab;
	struct ptah_party *party[2]; /* client, server */
	uint32_t number;
	uint64_t said[2], heard[2];  /* by the client, by the server; plain bytes */
	uint64_t fed[2];             /* of what was said, what its link could take */
	bool ending[2];
	size_t piece;                /* plain bytes that are said at once; 0: the usual */
	uint64_t carried[2];         /* wire bytes that have reached the other */
	ptah_cut_fn *cut;            /* NULL: all at once */
	uint64_t arg;                /* of 'cut' */
	uint64_t flip_at;            /* with 'flip': this wire byte of flip_who is changed on its way */
	uint8_t flip;                /* by these bits; 0: none */
	int flip_who;
	bool flipped_late;           /* whom it reached was open by then */
	bool record;
	struct ptah_buf log[2];      /* wire bytes, with 'record' */
	bool loose;                  /* a mismatch of bytes is not the row's end, but 'wrong' */
	bool wrong;
};

void ptah_pair_open(struct ptah_pair *pair, struct ptah_lab *lab, uint32_t number);
/** Close both; 'why' goes to the modules. */
void ptah_pair_close(struct ptah_pair *pair, int why);

/** 'who' says 'len' more bytes, as soon as it may. */
void ptah_pair_say(struct ptah_pair *pair, int who, size_t len);
/** 'who' has said all. */
void ptah_pair_finish(struct ptah_pair *pair, int who);

/** One round: carry, turn, deliver.  False: nothing moved. */
bool ptah_pair_step(struct ptah_pair *pair);
/** Rounds, and timers of up to 'limit_ms' from now, until all that was said is heard and both are open. */
bool ptah_pair_settle(struct ptah_pair *pair, unsigned limit_ms);
bool ptah_pair_is_done(const struct ptah_pair *pair);
bool ptah_pair_is_open(const struct ptah_pair *pair);

/** Rounds, until nothing moves. */
void ptah_pair_rest(struct ptah_pair *pair);

/** The row ends unless it settles; says who stands where. */
void ptah_pair_need(struct ptah_pair *pair, const char *doing);

/** Byte 'at' of what 'who' of this pair says. */
uint8_t ptah_pair_byte(uint32_t number, int who, uint64_t at);

#endif
