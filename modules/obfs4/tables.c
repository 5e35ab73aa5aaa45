/* SPDX-License-Identifier: BSD-3-Clause */
#include "tables.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "drbg.h"

#define LENGTH_MOST 1448u
#define DELAY_MOST 100u
#define CLOSE_MOST_S 60u

void
obfs4_lengths_make(struct ptah_probdist *lengths, const uint8_t seed[static OBFS4_SEED_LEN])
{
	ptah_probdist_make(lengths, seed, 0, LENGTH_MOST, false, NULL);
}

static struct obfs4_tables *
tables_new(const uint8_t seed[static OBFS4_SEED_LEN])
{
	uint8_t digest[crypto_hash_sha256_BYTES];
	struct obfs4_tables *tables = calloc(1, sizeof(*tables));

	if (tables == NULL)
		return NULL;
	obfs4_lengths_make(&tables->lengths, seed);
	crypto_hash_sha256(digest, seed, OBFS4_SEED_LEN);
	ptah_probdist_make(&tables->delays, digest, 0, DELAY_MOST, false, NULL);
	memcpy(tables->seed, seed, OBFS4_SEED_LEN);
	tables->refs = 1;
	return tables;
}

void
obfs4_tables_unref(struct obfs4_tables *tables)
{
	if (tables == NULL || --tables->refs > 0)
		return;
	sodium_memzero(tables, sizeof(*tables));
	free(tables);
}

struct obfs4_tables *
obfs4_tables_get(struct obfs4_cache *cache, const uint8_t seed[static OBFS4_SEED_LEN])
{
	struct obfs4_tables *tables;

	for (unsigned i = 0; i < OBFS4_CACHE_LEN; i++) {
		tables = cache->kept[i];
		if (tables != NULL && memcmp(tables->seed, seed, OBFS4_SEED_LEN) == 0) {
			tables->refs++;
			return tables;
		}
	}
	tables = tables_new(seed);
	if (tables == NULL)
		return NULL;
	obfs4_tables_unref(cache->kept[cache->next]);
	cache->kept[cache->next] = tables;
	cache->next = (cache->next + 1) % OBFS4_CACHE_LEN;
	tables->refs++;
	return tables;
}

struct obfs4_tables *
obfs4_tables_draw(const struct obfs4_chance *chance)
{
	uint8_t seed[OBFS4_SEED_LEN];

	obfs4_chance_bytes(chance, seed, sizeof(seed));
	return tables_new(seed);
}

void
obfs4_cache_clear(struct obfs4_cache *cache)
{
	for (unsigned i = 0; i < OBFS4_CACHE_LEN; i++) {
		obfs4_tables_unref(cache->kept[i]);
		cache->kept[i] = NULL;
	}
}

static unsigned
pick(const struct ptah_probdist *dist, const struct obfs4_chance *chance)
{
	uint64_t random[2];

	obfs4_chance_bytes(chance, random, sizeof(random));
	return ptah_probdist_pick(dist, random);
}

unsigned
obfs4_tables_length(const struct obfs4_tables *tables, const struct obfs4_chance *chance)
{
	return pick(&tables->lengths, chance);
}

uint64_t
obfs4_tables_delay_ns(const struct obfs4_tables *tables, const struct obfs4_chance *chance)
{
	return pick(&tables->delays, chance) * OBFS4_DELAY_UNIT_NS;
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
