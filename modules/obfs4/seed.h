/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * obfs4/seed.h: what a bridge's seed stands for here.
 */
#ifndef PTAH_OBFS4_SEED_H
#define PTAH_OBFS4_SEED_H

#include "identity.h"
#include "tables.h"

/** Lengths 0 .. 1448. */
extern const struct ptah_tables_shape obfs4_shape;

/**
 * May a bridge hand this seed out?  Not with a 0 among its lengths: clients of
 * obfs4proxy in mode 2 die of it.  Nor with one or two lengths alone: they pad
 * to some of these without end, and crawl with others.
 */
int obfs4_seed_is_fit(const uint8_t seed[static OBFS4_SEED_LEN]);
/** Seconds that obfs4proxy adds to 30 before it closes a failed link: always the same for a seed. */
unsigned obfs4_seed_close_s(const uint8_t seed[static OBFS4_SEED_LEN]);

#endif
