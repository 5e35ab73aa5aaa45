/* SPDX-License-Identifier: BSD-3-Clause */
#include "tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#define DELAY_MOST 100u

void
ptah_tables_lengths(struct ptah_probdist *lengths, const struct ptah_tables_shape *shape,
    const uint8_t seed[static PTAH_DRBG_SEED_LEN])
{
	ptah_probdist_make(lengths, seed, shape->length_min, shape->length_max, shape->biased, NULL);
}

static void
name_of(uint8_t name[static PTAH_TABLES_NAME_LEN], const uint8_t seed[static PTAH_DRBG_SEED_LEN])
{
	(void)crypto_generichash(name, PTAH_TABLES_NAME_LEN, seed, PTAH_DRBG_SEED_LEN, NULL, 0);
}

static struct ptah_tables *
tables_new(const struct ptah_tables_shape *shape, const uint8_t seed[static PTAH_DRBG_SEED_LEN])
{
	uint8_t digest[crypto_hash_sha256_BYTES];
	struct ptah_tables *tables = calloc(1, sizeof(*tables));

	if (tables == NULL)
		return NULL;
	ptah_tables_lengths(&tables->lengths, shape, seed);
	crypto_hash_sha256(digest, seed, PTAH_DRBG_SEED_LEN);
	ptah_probdist_make(&tables->delays, digest, 0, DELAY_MOST, shape->biased, NULL);
	sodium_memzero(digest, sizeof(digest));
	name_of(tables->name, seed);
	tables->refs = 1;
	return tables;
}

void
ptah_tables_unref(struct ptah_tables *tables)
{
	if (tables == NULL || --tables->refs > 0)
		return;
	sodium_memzero(tables, sizeof(*tables));
	free(tables);
}

struct ptah_tables *
ptah_tables_get(struct ptah_tables_cache *cache, const uint8_t seed[static PTAH_DRBG_SEED_LEN])
{
	uint8_t name[PTAH_TABLES_NAME_LEN];
	struct ptah_tables *tables;

	name_of(name, seed);
	for (unsigned i = 0; i < PTAH_TABLES_CACHE_LEN; i++) {
		tables = cache->kept[i];
		if (tables != NULL && memcmp(tables->name, name, sizeof(name)) == 0) {
			tables->refs++;
			return tables;
		}
	}
	tables = tables_new(cache->shape, seed);
	if (tables == NULL)
		return NULL;
	ptah_tables_unref(cache->kept[cache->next]);
	cache->kept[cache->next] = tables;
	cache->next = (cache->next + 1) % PTAH_TABLES_CACHE_LEN;
	tables->refs++;
	return tables;
}

struct ptah_tables *
ptah_tables_draw(const struct ptah_tables_cache *cache, const struct ptah_chance *chance)
{
	uint8_t seed[PTAH_DRBG_SEED_LEN];

	ptah_chance_bytes(chance, seed, sizeof(seed));
	return tables_new(cache->shape, seed);
}

int
ptah_tables_need(struct ptah_tables **tables, struct ptah_tables_cache *cache, const uint8_t *seed,
    const struct ptah_chance *chance)
{
	if (*tables == NULL)
		*tables = seed != NULL ? ptah_tables_get(cache, seed) : ptah_tables_draw(cache, chance);
	return *tables != NULL ? 0 : -ENOMEM;
}

void
ptah_tables_change(struct ptah_tables **tables, struct ptah_tables_cache *cache,
    const uint8_t seed[static PTAH_DRBG_SEED_LEN])
{
	struct ptah_tables *others = ptah_tables_get(cache, seed);

	if (others == NULL)
		return;
	ptah_tables_unref(*tables);
	*tables = others;
}

void
ptah_tables_cache_clear(struct ptah_tables_cache *cache)
{
	for (unsigned i = 0; i < PTAH_TABLES_CACHE_LEN; i++) {
		ptah_tables_unref(cache->kept[i]);
		cache->kept[i] = NULL;
	}
}

static unsigned
pick(const struct ptah_probdist *dist, const struct ptah_chance *chance)
{
	uint64_t random[2];

	ptah_chance_bytes(chance, random, sizeof(random));
	return ptah_probdist_pick(dist, random);
}

unsigned
ptah_tables_length(const struct ptah_tables *tables, const struct ptah_chance *chance)
{
	return pick(&tables->lengths, chance);
}

uint64_t
ptah_tables_delay_ns(const struct ptah_tables *tables, const struct ptah_chance *chance)
{
	return pick(&tables->delays, chance) * PTAH_TABLES_DELAY_UNIT_NS;
}
