/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * check/heap.h: what a module takes from the heap, and the power to refuse it.
 *
 * The calls of the module and of the libraries that it stands on are led here
 * by their tables of addresses (GOT), so that the host's own allocations are
 * neither counted nor refused.  Only what is asked for inside of a hook counts.
 *
 * Threads: the one of the trial.
 */
#ifndef PTAH_CHECK_HEAP_H
#define PTAH_CHECK_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Lead the calls of all that is loaded here, but for the host's own objects.  After the module is loaded. */
void ptah_heap_watch(void);

/** A hook begins, or ends: what is allocated in between is the module's. */
void ptah_heap_enter(void);
void ptah_heap_leave(void);

/** Blocks and bytes of the module's that live now; allocations that it has asked for so far. */
size_t ptah_heap_blocks(void);
size_t ptah_heap_bytes(void);
uint64_t ptah_heap_asked(void);

/** Refuse the n-th allocation from now on (1: the next), and, if 'all_after', each behind it; 0: none. */
void ptah_heap_refuse(uint64_t n, bool all_after);
/** Was one refused since a number was said? */
bool ptah_heap_has_refused(void);

#endif
