/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * tables.h: the lengths and delays that a seed stands for, in obfs4 and
 * ScrambleSuit.
 *
 * A table is as large as ten idle links, so a worker keeps one for each seed
 * and its links share it.
 *
 * Threads: a cache, and what it gives out, belong to one worker.
 */
#ifndef PTAH_COMMON_TABLES_H
#define PTAH_COMMON_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "chance.h"
#include "probdist.h"

#define PTAH_TABLES_DELAY_UNIT_NS UINT64_C(100000)
/** Seeds that a worker remembers without a link that uses them. */
#define PTAH_TABLES_CACHE_LEN 4u
#define PTAH_TABLES_NAME_LEN 16u

/** What a transport draws its tables from a seed by. */
struct ptah_tables_shape {
	uint16_t length_min, length_max;
	bool biased;
};

struct ptah_tables {
	struct ptah_probdist lengths; /* of a burst's last segment */
	struct ptah_probdist delays;  /* 0 .. 100, in units of 100 us */
	uint8_t name[PTAH_TABLES_NAME_LEN]; /* of the seed, which is a secret, and not kept here */
	unsigned refs;
};

/** Embed it, and say the shape. */
struct ptah_tables_cache {
	const struct ptah_tables_shape *shape;
	struct ptah_tables *kept[PTAH_TABLES_CACHE_LEN];
	unsigned next;
};

/** Only the table of lengths. */
void ptah_tables_lengths(struct ptah_probdist *lengths, const struct ptah_tables_shape *shape,
    const uint8_t seed[static PTAH_DRBG_SEED_LEN]);

/**
 * Gives: the tables of a seed; give them back with ptah_tables_unref().
 * Fails: NULL (ENOMEM).
 */
struct ptah_tables *ptah_tables_get(struct ptah_tables_cache *cache, const uint8_t seed[static PTAH_DRBG_SEED_LEN]);
/** The same for a seed that nobody else has, of the cache's shape. */
struct ptah_tables *ptah_tables_draw(const struct ptah_tables_cache *cache, const struct ptah_chance *chance);
void ptah_tables_unref(struct ptah_tables *tables);
/** See that a link has tables: of 'seed', or, if that is NULL, of one that nobody else has.  -ENOMEM. */
int ptah_tables_need(struct ptah_tables **tables, struct ptah_tables_cache *cache, const uint8_t *seed,
    const struct ptah_chance *chance);
/** Take those of this seed instead; when memory is short the old ones do as well. */
void ptah_tables_change(struct ptah_tables **tables, struct ptah_tables_cache *cache,
    const uint8_t seed[static PTAH_DRBG_SEED_LEN]);
void ptah_tables_cache_clear(struct ptah_tables_cache *cache);

unsigned ptah_tables_length(const struct ptah_tables *tables, const struct ptah_chance *chance);
uint64_t ptah_tables_delay_ns(const struct ptah_tables *tables, const struct ptah_chance *chance);

#endif
