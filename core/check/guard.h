/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * check/guard.h: memory between pages that nobody may touch.
 *
 * What a module gets lies at the end of such memory, so that a byte too far
 * is a fault at once; the handler says whose memory it was, and ends the row.
 *
 * Threads: the one of the trial.
 */
#ifndef PTAH_CHECK_GUARD_H
#define PTAH_CHECK_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ptah_guard {
	const char *what;   /* "the link's memory"; lent */
	uint8_t *map;       /* with its two closed pages */
	size_t map_len;
	uint8_t *begin;     /* of what may be touched */
	size_t len;         /* of that: whole pages */
	uint8_t *alias;     /* the same memory, to write to, where 'begin' is for reading only; else begin */
	uint8_t *at;        /* what was placed last */
	size_t placed;
	struct ptah_guard *next;
};

/** Name the memory that a fault hits, from now on.  Once for each process. */
void ptah_guard_watch(void);

/** Room for 'len' bytes.  'read_only': for the module.  Ends the row where memory is out. */
void ptah_guard_make(struct ptah_guard *guard, const char *what, size_t len, bool read_only);
void ptah_guard_free(struct ptah_guard *guard);

/** Where 'len' bytes, aligned so, lie with their end at the closed page, or 'slack' bytes before it. */
uint8_t *ptah_guard_place(struct ptah_guard *guard, size_t len, size_t align, size_t slack);
/** The same place, to write to. */
uint8_t *ptah_guard_alias(const struct ptah_guard *guard);

/** Fill all around what was placed with a pattern, and see whether it is still there: -1 before it, 1 behind it, 0 fine. */
void ptah_guard_paint(struct ptah_guard *guard);
int ptah_guard_look(const struct ptah_guard *guard);

/** Close or open all of it; 'how' is PROT_NONE, PROT_READ ... */
void ptah_guard_protect(struct ptah_guard *guard, int how);

#endif
