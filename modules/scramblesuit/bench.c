/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench.h"

#include <errno.h>

#include <sodium.h>

#define TIMER_REFILL 0u
#define LENGTH_LEAST 21u
#define LENGTH_MOST 1448u

static const struct ptah_tables_shape shape = { .length_min = LENGTH_LEAST, .length_max = LENGTH_MOST, .biased = true };

int
scramble_bench_open(void *bench, const struct ptah_start *start)
{
	struct scramble_bench *mine = bench;

	if (sodium_init() < 0)
		return -ENOSYS;
	mine->cache.shape = &shape;
	mine->hmac = ptah_hmac_new();
	mine->aes = ptah_aes_new();
	if (start->role == PTAH_SERVER)
		mine->ring = sodium_malloc(sizeof(*mine->ring));
	if (mine->hmac == NULL || mine->aes == NULL || (start->role == PTAH_SERVER && mine->ring == NULL))
		return -ENOMEM;
	return ptah_udhpool_open(&mine->pool, start, TIMER_REFILL);
}

int
scramble_bench_event(void *bench, const struct ptah_event *event)
{
	struct scramble_bench *mine = bench;

	return event->what == PTAH_EV_TIMER && event->val == TIMER_REFILL ? ptah_udhpool_ring(&mine->pool) : 0;
}

void
scramble_bench_close(void *bench)
{
	struct scramble_bench *mine = bench;

	ptah_hmac_free(mine->hmac);
	ptah_aes_free(mine->aes);
	ptah_udhpool_close(&mine->pool);
	ptah_tables_cache_clear(&mine->cache);
	sodium_free(mine->ring); /* wipes */
}
