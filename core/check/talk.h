/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * check/talk.h: the two plain ends of some links: what an application and its
 * target say to one another.
 *
 * Which links the target's ends belong to is seen from their first bytes.
 *
 * Threads: the trial's first one.
 */
#ifndef PTAH_CHECK_TALK_H
#define PTAH_CHECK_TALK_H

#include <stdbool.h>
#include <stdnoreturn.h>

#define PTAH_TALKS 32u

struct ptah_talks;

/** 'why' (lent): what the host has said last, for the reason of a failure. */
struct ptah_talks *ptah_talks_new(const char *why);
void ptah_talks_free(struct ptah_talks *talks);

/** The application's end of the next link, and a target's end of some link.  Take: fd. */
void ptah_talks_add_near(struct ptah_talks *talks, int fd);
void ptah_talks_add_far(struct ptah_talks *talks, int fd);

/** Read and write what can be; wait for that, and for 'listener' (-1: none), for 'ms' at most. */
void ptah_talks_turn(struct ptah_talks *talks, int listener, int ms);
bool ptah_talks_are_over(const struct ptah_talks *talks);
/** End the row: which link stands where. */
noreturn void ptah_talks_say_where(const struct ptah_talks *talks);

#endif
