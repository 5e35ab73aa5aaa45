/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The library's code, which runs anywhere and is the reference of the others,
 * and the choice.
 */
#include <stdbool.h>
#include <string.h>

#include <sodium.h>

#include "bytes.h"
#include "salsa20.h"
#include "salsa20cpu.h"

/* Whether b goes on where a ends, in the stream and in memory. */
static bool
goes_on(const struct ptah_salsa_job *a, const struct ptah_salsa_job *b)
{
	return b->nonce == a->nonce && b->block == a->block + 1 &&
	    b->in == a->in + PTAH_SALSA_BLOCK && b->out == a->out + PTAH_SALSA_BLOCK;
}

static void
run_libsodium(const uint32_t key[8], const struct ptah_salsa_job *jobs, size_t n)
{
	uint8_t key_bytes[32], nonce[8];
	size_t n_same;

	for (int i = 0; i < 8; i++)
		ptah_bytes_put32le(key_bytes + 4 * i, key[i]);
	for (; n > 0; n -= n_same, jobs += n_same) {
		for (n_same = 1; n_same < n && goes_on(&jobs[n_same - 1], &jobs[n_same]);)
			n_same++;
		ptah_bytes_put64le(nonce, jobs->nonce);
		crypto_stream_salsa20_xor_ic(jobs->out, jobs->in, n_same * PTAH_SALSA_BLOCK, nonce,
		    jobs->block, key_bytes);
	}
	explicit_bzero(key_bytes, sizeof(key_bytes));
}

/* Best last. */
static const struct ptah_salsa codes[] = {
	{ "libsodium", run_libsodium },
	{ "avx2", ptah_salsa_avx2 },
	{ "avx512", ptah_salsa_avx512 },
};

const struct ptah_salsa *
ptah_salsa_find(const char *name)
{
	const struct ptah_salsa *found = NULL;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (ptah_salsa_cpu_has(codes[i].name) &&
		    (name == NULL || strcmp(name, codes[i].name) == 0))
			found = &codes[i];
	return found;
}
