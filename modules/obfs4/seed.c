/* SPDX-License-Identifier: BSD-3-Clause */
#include "seed.h"

#include "drbg.h"

#define LENGTH_MOST 1448u
#define LENGTHS_LEAST 3u
#define CLOSE_MOST_S 60u

const struct ptah_tables_shape obfs4_shape = { .length_min = 0, .length_max = LENGTH_MOST, .biased = false };

int
obfs4_seed_is_fit(const uint8_t seed[static OBFS4_SEED_LEN])
{
	struct ptah_probdist lengths;

	ptah_tables_lengths(&lengths, &obfs4_shape, seed);
	return lengths.n >= LENGTHS_LEAST && !ptah_probdist_has(&lengths, 0);
}

unsigned
obfs4_seed_close_s(const uint8_t seed[static OBFS4_SEED_LEN])
{
	struct ptah_drbg drbg;
	unsigned s;

	ptah_drbg_init(&drbg, seed);
	s = ptah_drbg_below(&drbg, CLOSE_MOST_S);
	ptah_drbg_clear(&drbg);
	return s;
}
