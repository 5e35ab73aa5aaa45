/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench.h"

#include <errno.h>

#define TIMER_REFILL 0u

int
obfs3_bench_open(void *bench, const struct ptah_start *start)
{
	struct obfs3_bench *mine = bench;

	mine->hmac = ptah_hmac_new();
	mine->aes = ptah_aes_new();
	if (mine->hmac == NULL || mine->aes == NULL)
		return -ENOMEM;
	return ptah_udhpool_open(&mine->pool, start, TIMER_REFILL);
}

int
obfs3_bench_event(void *bench, const struct ptah_event *event)
{
	struct obfs3_bench *mine = bench;

	return event->what == PTAH_EV_TIMER && event->val == TIMER_REFILL ? ptah_udhpool_ring(&mine->pool) : 0;
}

void
obfs3_bench_close(void *bench)
{
	struct obfs3_bench *mine = bench;

	ptah_hmac_free(mine->hmac);
	ptah_aes_free(mine->aes);
	ptah_udhpool_close(&mine->pool);
}
