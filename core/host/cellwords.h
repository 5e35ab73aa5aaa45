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
#define PTAH_CELL_LIST 9u /* value: PTAH_CELL_LIST_VALUE; its links, please: answered by the first piece of them */
#define PTAH_CELL_GO_ON 10u /* value: the same, of which the number counts; answered by the next piece */

/* The cell's. */
#define PTAH_CELL_LOG 16u     /* value: level; area and text, each with its NUL */
#define PTAH_CELL_LISTENS 17u /* text: {"address": ..., "args": {...}} */
#define PTAH_CELL_FAILED 18u  /* text: why */
#define PTAH_CELL_DRAINED 19u
#define PTAH_CELL_PONG 20u    /* text: its counters, uint64_t each */
#define PTAH_CELL_ENDED 21u
#define PTAH_CELL_LINKS 22u   /* value: PTAH_CELL_LINKS_VALUE; text: struct ptah_mustered each; none: that was all */

/* A list has a number, so that what is late is not taken for an answer to what came after. */
#define PTAH_CELL_NUMBER(value) ((uint32_t)((value) >> 32))
#define PTAH_CELL_LIST_VALUE(number, addresses, most) \
	((uint64_t)(number) << 32 | (uint64_t)((addresses) ? 1 : 0) << 31 | ((most) & 0x7fffffffu))
#define PTAH_CELL_LIST_ADDRESSES(value) (((value) >> 31 & 1) != 0)
#define PTAH_CELL_LIST_MOST(value) ((uint32_t)((value) & 0x7fffffffu))
/* How many links it has beside those of the list. */
#define PTAH_CELL_LINKS_VALUE(number, more) \
	((uint64_t)(number) << 32 | ((more) < UINT32_MAX ? (uint32_t)(more) : UINT32_MAX))
#define PTAH_CELL_MORE_LINKS(value) ((uint32_t)(value))

#define PTAH_CELL_TEXT 8000

struct ptah_cell_word {
	uint32_t what;
	uint32_t reserved;
	uint64_t value;
	char text[PTAH_CELL_TEXT]; /* sent as far as it goes */
};

#define PTAH_CELL_HEAD offsetof(struct ptah_cell_word, text)

#endif
