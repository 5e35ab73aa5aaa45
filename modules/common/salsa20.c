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
	uint32_t words[16][LANES];

	memcpy(words, x, sizeof(words));
	for (int i = 0; i < LANES; i++)
		for (int k = 0; k < 16; k++) {
			uint32_t in = ptah_bytes_get32le(jobs[i].in + 4 * k);

			ptah_bytes_put32le(jobs[i].out + 4 * k, in ^ words[k][i]);
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
