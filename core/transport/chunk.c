/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/chunk.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/locked.h"

#define ALIGN ((size_t)64)

/* One line of cache for the head keeps what follows aligned. */
struct ptah_chunk {
	struct ptah_chunk *next;
	size_t len;
	void *locked; /* not NULL: the piece lies there, of 'locked_len' bytes */
	size_t locked_len;
};

static size_t
rounded(size_t len)
{
	return len == 0 ? ALIGN : (len + ALIGN - 1) / ALIGN * ALIGN;
}

void *
ptah_chunk_add(struct ptah_chunk **chunks, size_t len)
{
	struct ptah_chunk *chunk;
	size_t whole;

	if (len > SIZE_MAX / 2) {
		errno = ENOMEM;
		return NULL;
	}
	whole = ALIGN + rounded(len);
	chunk = aligned_alloc(ALIGN, whole);
	if (chunk == NULL)
		return NULL;
	memset(chunk, 0, whole);
	chunk->next = *chunks;
	chunk->len = whole;
	*chunks = chunk;
	return (char *)chunk + ALIGN;
}

void *
ptah_chunk_add_locked(struct ptah_chunk **chunks, size_t len)
{
	void *locked = ptah_locked_new(len);
	struct ptah_chunk *chunk;

	if (locked == NULL)
		return NULL;
	if (ptah_chunk_add(chunks, 0) == NULL) {
		ptah_locked_free(locked, len);
		return NULL;
	}
	chunk = *chunks;
	chunk->locked = locked;
	chunk->locked_len = len;
	return locked;
}

void
ptah_chunks_free(struct ptah_chunk **chunks)
{
	struct ptah_chunk *chunk = *chunks;

	while (chunk != NULL) {
		struct ptah_chunk *next = chunk->next;

		ptah_locked_free(chunk->locked, chunk->locked_len);
		explicit_bzero(chunk, chunk->len);
		free(chunk);
		chunk = next;
	}
	*chunks = NULL;
}

void *
ptah_life_new(size_t len)
{
	void *life = aligned_alloc(ALIGN, rounded(len));

	if (life != NULL)
		memset(life, 0, rounded(len));
	return life;
}

void
ptah_life_free(void *life, size_t len)
{
	if (life == NULL)
		return;
	explicit_bzero(life, rounded(len));
	free(life);
}
