/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/remember.h: the replay filter across restarts, <state>/ptah_replay.
 *
 * It is read at the start, and written every half minute in which something
 * new came, and at the end.  After a crash the last half minute is not known.
 *
 * Threads: the main one.
 */
#ifndef PTAH_HOST_REMEMBER_H
#define PTAH_HOST_REMEMBER_H

struct ptah_registry;
struct ptah_remember;
struct ptah_worker;

/**
 * Read the file, and go on writing it from 'loop'.  Where it is damaged, or another process has it, that is said in the
 * log, and nothing else is different.
 *
 * Lends: both, until ptah_remember_end().
 * Fails: NULL and errno (ENOMEM).
 */
struct ptah_remember *ptah_remember_begin(struct ptah_registry *registry, struct ptah_worker *loop, const char *folder);

/** Give what there is now to the registry's writer.  NULL is fine. */
void ptah_remember_now(struct ptah_remember *remember);

/** Give the last of it to the registry's writer: no link may run any more.  NULL is fine. */
void ptah_remember_last(struct ptah_remember *remember);

/** When the registry was flushed.  NULL is fine. */
void ptah_remember_end(struct ptah_remember *remember);

#endif
