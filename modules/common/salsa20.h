/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * salsa20.h: blocks of Salsa20, many at once.
 *
 * Blocks of several messages share the lanes of a vector: a message of 1430
 * bytes fills no vector width well, and the frames of a burst differ only in
 * a counter.
 */
#ifndef PTAH_COMMON_SALSA20_H
#define PTAH_COMMON_SALSA20_H

#include <stddef.h>
#include <stdint.h>

#define PTAH_SALSA_BLOCK 64

/** Write to 'out' the 64 bytes at 'in' xor one block of key stream; they may be the same. */
struct ptah_salsa_job {
	const uint8_t *in;
	uint8_t *out;
	uint64_t nonce; /* as a little-endian number */
	uint64_t block;
};

/** Do 'n' jobs under one key of eight words, in any order. */
typedef void ptah_salsa_fn(const uint32_t key[8], const struct ptah_salsa_job *jobs, size_t n);

struct ptah_salsa {
	const char *name;
	ptah_salsa_fn *run;
};

/** The code of that name, or with NULL the best that this CPU has; NULL if it has it not. */
const struct ptah_salsa *ptah_salsa_find(const char *name);

#endif
