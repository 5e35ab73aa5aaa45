/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * window.h: which packets of a session have come.
 *
 * Packets overtake one another, so one that is late is taken, once; one that
 * is late by more than the window is wide is not.
 *
 * Threads: those of its session.
 */
#ifndef PTAH_SHADOW_WINDOW_H
#define PTAH_SHADOW_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define SHADOW_WINDOW 1984 /* packets */

/** {0}: none has come. */
struct shadow_window {
	uint64_t next; /* one more than the largest that has come */
	uint64_t bits[SHADOW_WINDOW / 64 + 1]; /* the word of the newest is not full yet */
};

/** May a packet of this number come? */
bool shadow_window_is_fresh(const struct shadow_window *window, uint64_t number);
/** It has, and is authentic. */
void shadow_window_mark(struct shadow_window *window, uint64_t number);
/** All below 'next' have come. */
void shadow_window_fill(struct shadow_window *window, uint64_t next);

#endif
