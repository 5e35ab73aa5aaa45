/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * obfs4/tables.h: the lengths and delays that a seed stands for.
 *
 * A table is as large as ten idle links, so a worker keeps one for each seed
 * and its links share it.
 *
 * Threads: a cache, and what it gives out, belong to one worker.
 */
#ifndef PTAH_OBFS4_TABLES_H
#define PTAH_OBFS4_TABLES_H

#include <stdint.h>

#include "chance.h"
#include "identity.h"
#include "probdist.h"

#define OBFS4_DELAY_UNIT_NS UINT64_C(100000)
/** Seeds that a worker remembers without a link that uses them. */
#define OBFS4_CACHE_LEN 4u

struct obfs4_tables {
	struct ptah_probdist lengths; /* of a burst's last segment, 0 .. 1448 */
	struct ptah_probdist delays;  /* 0 .. 100, in units of 100 us */
	uint8_t seed[OBFS4_SEED_LEN];
	unsigned refs;
};

struct obfs4_cache {
	struct obfs4_tables *kept[OBFS4_CACHE_LEN];
	unsigned next;
};

/** Only the table of lengths. */
void obfs4_lengths_make(struct ptah_probdist *lengths, const uint8_t seed[static OBFS4_SEED_LEN]);

/**
 * Gives: the tables of a seed; give them back with obfs4_tables_unref().
 * Fails: NULL (ENOMEM).
 */
struct obfs4_tables *obfs4_tables_get(struct obfs4_cache *cache, const uint8_t seed[static OBFS4_SEED_LEN]);
/** The same for a seed that nobody else has. */
struct obfs4_tables *obfs4_tables_draw(const struct obfs4_chance *chance);
void obfs4_tables_unref(struct obfs4_tables *tables);
void obfs4_cache_clear(struct obfs4_cache *cache);

unsigned obfs4_tables_length(const struct obfs4_tables *tables, const struct obfs4_chance *chance);
uint64_t obfs4_tables_delay_ns(const struct obfs4_tables *tables, const struct obfs4_chance *chance);

/** Seconds that obfs4proxy adds to 30 before it closes a failed link: always the same for a seed. */
unsigned obfs4_seed_close_s(const uint8_t seed[static OBFS4_SEED_LEN]);

#endif
