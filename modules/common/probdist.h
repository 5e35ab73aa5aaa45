/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * probdist.h: a weighted choice among at most 100 numbers, made from a seed:
 * the lengths and the delays of obfs4 and ScrambleSuit.
 *
 * A table is made once and then only read: one for a seed, not for a link.
 *
 * Threads: a finished table may be read by all.
 */
#ifndef PTAH_COMMON_PROBDIST_H
#define PTAH_COMMON_PROBDIST_H

#include <stdbool.h>
#include <stdint.h>

#include "drbg.h"

#define PTAH_PROBDIST_MAX 100
#define PTAH_PROBDIST_SPAN 1500 /* max - min is at most this */

/** Embed it; wipe it as any secret: it is as good as the seed. */
struct ptah_probdist {
	uint64_t cut[PTAH_PROBDIST_MAX]; /* probability of 'value' over 'alias', of 2^53 */
	uint16_t value[PTAH_PROBDIST_MAX]; /* 'min' is in it */
	uint8_t alias[PTAH_PROBDIST_MAX];
	uint8_t n;
};

/** How the table came to be, for those who compare it bit by bit. */
struct ptah_probdist_work {
	double weight[PTAH_PROBDIST_MAX];
	double prob[PTAH_PROBDIST_MAX];
};

/** Make the table of a seed.  'work' may be NULL. */
void ptah_probdist_make(struct ptah_probdist *dist, const uint8_t seed[PTAH_DRBG_SEED_LEN],
    uint16_t min, uint16_t max, bool biased, struct ptah_probdist_work *work);

/** Choose by two numbers that are uniform in 64 bits: fresh randomness, not the seed's. */
uint16_t ptah_probdist_pick(const struct ptah_probdist *dist, const uint64_t random[2]);

/** Whether this number is among those that can be chosen. */
bool ptah_probdist_has(const struct ptah_probdist *dist, uint16_t value);

#endif
