/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The portable code, four lanes that any compiler makes vectors or words of,
 * and the choice.
 */
#include <string.h>

#include "bytes.h"
#include "salsa20.h"
#include "salsa20cpu.h"

#define TARGET
#define LANES 4

typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));

static inline lanes
all(uint32_t x)
{
	return (lanes){ x, x, x, x };
}

static inline void
xor_out(const struct ptah_salsa_job *jobs, const lanes x[16])
{
	for (int i = 0; i < LANES; i++) {
		uint8_t stream[PTAH_SALSA_BLOCK];

		for (int k = 0; k < 16; k++)
			ptah_bytes_put32le(stream + 4 * k, x[k][i]);
		for (int k = 0; k < PTAH_SALSA_BLOCK; k++)
			jobs[i].out[k] = jobs[i].in[k] ^ stream[k];
	}
}

#include "salsa20lanes.h"

/* Best last. */
static const struct ptah_salsa codes[] = {
	{ "portable", run },
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
