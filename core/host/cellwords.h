/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/cellwords.h: what a cell and its parent say to each other, one message
 * each on a SOCK_SEQPACKET socket; both are the same program.
 */
#ifndef PTAH_HOST_CELLWORDS_H
#define PTAH_HOST_CELLWORDS_H

#include <stddef.h>
#include <stdint.h>

/** The word by which ptah is started for it; standard input is the way to the parent. */
#define PTAH_CELL_WORD "in-a-cell"

/* The parent's, in this order. */
#define PTAH_CELL_PLAN 1u     /* value: level of the log; a descriptor: a file with the plan (config/carry.h) */
#define PTAH_CELL_CHANNELS 2u /* a descriptor for each worker: its broker's */
#define PTAH_CELL_PLACE 3u    /* a descriptor for each worker: a listening socket; text: the address, as in the plan, or the name */
#define PTAH_CELL_GO 4u       /* value: 1, it takes nothing before it is released */
/* Then at any time. */
#define PTAH_CELL_DRAIN 5u /* value: nobody else goes on where it listens */
#define PTAH_CELL_END 6u  /* value: milliseconds that it may take */
#define PTAH_CELL_RELEASE 8u
#define PTAH_CELL_PING 7u /* answered when each worker has come by */

/* The cell's. */
#define PTAH_CELL_LOG 16u     /* value: level; area and text, each with its NUL */
#define PTAH_CELL_LISTENS 17u /* text: {"address": ..., "args": {...}} */
#define PTAH_CELL_FAILED 18u  /* text: why */
#define PTAH_CELL_DRAINED 19u
#define PTAH_CELL_PONG 20u    /* text: its counters, uint64_t each */
#define PTAH_CELL_ENDED 21u

#define PTAH_CELL_TEXT 8000

struct ptah_cell_word {
	uint32_t what;
	uint32_t reserved;
	uint64_t value;
	char text[PTAH_CELL_TEXT]; /* sent as far as it goes */
};

#define PTAH_CELL_HEAD offsetof(struct ptah_cell_word, text)

#endif
