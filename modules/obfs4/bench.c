/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "seed.h"

#define TIMER_REFILL 0u
/* Soon, but not in the turn of the loop that took a pair. */
#define REFILL_AFTER_NS UINT64_C(1000000)
/* A pair of a batch costs two thirds of a pair made alone. */
#define BATCH_LEAST 8u
#define BATCH_MOST 16u

/* Who takes pairs faster than the timer rings must not put it off each time. */
static void
refill_soon(struct obfs4_bench *bench)
{
	if (bench->refilling || bench->n_pairs + BATCH_LEAST > OBFS4_PAIRS_MAX)
		return;
	bench->refilling = bench->host->timer(bench->self, TIMER_REFILL, REFILL_AFTER_NS) == 0;
}

static void
refill(struct obfs4_bench *bench)
{
	unsigned n = OBFS4_PAIRS_MAX - bench->n_pairs;

	if (n > BATCH_MOST)
		n = BATCH_MOST;
	ptah_ell2_make(&bench->pairs[bench->n_pairs], n);
	bench->n_pairs += n;
	refill_soon(bench);
}

int
obfs4_bench_open(void *bench, const struct ptah_start *start)
{
	struct obfs4_bench *mine = bench;

	if (sodium_init() < 0)
		return -ENOSYS;
	mine->host = start->host;
	mine->cache.shape = &obfs4_shape;
	mine->self = start->self;
	mine->hmac = ptah_hmac_new();
	mine->boxer = ptah_boxer_new();
	if (mine->hmac == NULL || mine->boxer == NULL)
		return -ENOMEM;
	refill(mine);
	return 0;
}

int
obfs4_bench_event(void *bench, const struct ptah_event *event)
{
	struct obfs4_bench *mine = bench;

	if (event->what == PTAH_EV_TIMER && event->val == TIMER_REFILL) {
		mine->refilling = false;
		refill(mine);
	}
	return 0;
}

void
obfs4_bench_close(void *bench)
{
	struct obfs4_bench *mine = bench;

	ptah_hmac_free(mine->hmac);
	ptah_boxer_free(mine->boxer);
	ptah_tables_cache_clear(&mine->cache);
	sodium_memzero(mine->pairs, sizeof(mine->pairs));
	sodium_memzero(mine->luck, sizeof(mine->luck));
}

void
obfs4_bench_take(struct obfs4_bench *bench, struct ptah_ell2 *out)
{
	if (bench->n_pairs == 0) {
		ptah_ell2_make(out, 1);
	} else {
		*out = bench->pairs[--bench->n_pairs];
		ptah_ell2_clear(&bench->pairs[bench->n_pairs]);
	}
	refill_soon(bench);
}

void
obfs4_bench_random(struct obfs4_bench *bench, void *out, size_t len)
{
	if (len > OBFS4_LUCK_LEN / 8) {
		bench->host->random(bench->self, out, len);
		return;
	}
	if (len > bench->n_luck) {
		bench->host->random(bench->self, bench->luck, OBFS4_LUCK_LEN);
		bench->n_luck = OBFS4_LUCK_LEN;
	}
	bench->n_luck -= len;
	memcpy(out, bench->luck + bench->n_luck, len);
	memset(bench->luck + bench->n_luck, 0, len); /* nobody gets it twice */
}
