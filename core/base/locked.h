/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * base/locked.h: memory for keys that live as long as the process: not
 * swapped, in no core image, with a page on either side that nobody may touch.
 *
 * A piece costs three pages and some system calls; what a link has for itself
 * lies elsewhere and is wiped.
 */
#ifndef PTAH_BASE_LOCKED_H
#define PTAH_BASE_LOCKED_H

#include <stddef.h>

/**
 * Gives: 'len' zeroed bytes, aligned to a page, for ptah_locked_free().  Where the limit on locked memory
 * (RLIMIT_MEMLOCK) is used up they may be swapped.
 * Fails: NULL and errno (ENOMEM).
 */
void *ptah_locked_new(size_t len);

/** Wipe and free.  NULL is fine. */
void ptah_locked_free(void *at, size_t len);

#endif
