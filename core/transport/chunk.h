/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/chunk.h: pieces of memory that live and die together, and leave
 * nothing behind.
 */
#ifndef PTAH_TRANSPORT_CHUNK_H
#define PTAH_TRANSPORT_CHUNK_H

#include <stddef.h>

struct ptah_chunk;

/** A zeroed piece of 'len' bytes, aligned to 64, of the list *chunks; NULL: ENOMEM. */
void *ptah_chunk_add(struct ptah_chunk **chunks, size_t len);
/** The same in locked memory (base/locked.h), for a key that stays. */
void *ptah_chunk_add_locked(struct ptah_chunk **chunks, size_t len);
/** Wipe and free all of the list. */
void ptah_chunks_free(struct ptah_chunk **chunks);

/** Memory of one life of a module: zeroed, aligned to 64.  NULL: ENOMEM. */
void *ptah_life_new(size_t len);
/** Wipe and free.  NULL is fine. */
void ptah_life_free(void *life, size_t len);

#endif
