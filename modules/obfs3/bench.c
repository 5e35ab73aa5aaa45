/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench.h"

#include <errno.h>

#include <openssl/crypto.h>

#define TIMER_REFILL 0u
/* Soon, but not in the turn of the loop that took a pair. */
#define REFILL_AFTER_NS UINT64_C(1000000)
#define REFILL_AT_ONCE 4u

static int
make_pair(struct obfs3_bench *bench, struct ptah_udh_pair *out)
{
	uint8_t random[PTAH_UDH_PRIVATE_LEN];
	int rc;

	ptah_chance_bytes(&bench->chance, random, sizeof(random));
	rc = ptah_udh_pair(bench->udh, (struct ptah_span){ random, sizeof(random) }, out);
	OPENSSL_cleanse(random, sizeof(random));
	return rc;
}

static void
refill_soon(struct obfs3_bench *bench)
{
	(void)bench->chance.host->timer(bench->chance.self, TIMER_REFILL, REFILL_AFTER_NS);
}

int
obfs3_bench_open(void *bench, const struct ptah_start *start)
{
	struct obfs3_bench *mine = bench;

	mine->chance = (struct ptah_chance){ start->host, start->self };
	mine->hmac = ptah_hmac_new();
	mine->aes = ptah_aes_new();
	mine->udh = ptah_udh_new();
	if (mine->hmac == NULL || mine->aes == NULL || mine->udh == NULL)
		return -ENOMEM;
	refill_soon(mine);
	return 0;
}

int
obfs3_bench_event(void *bench, const struct ptah_event *event)
{
	struct obfs3_bench *mine = bench;

	if (event->what != PTAH_EV_TIMER || event->val != TIMER_REFILL)
		return 0;
	for (unsigned i = 0; i < REFILL_AT_ONCE && mine->n_pairs < OBFS3_PAIRS_MAX; i++) {
		int rc = make_pair(mine, &mine->pairs[mine->n_pairs]);

		if (rc < 0)
			return rc;
		mine->n_pairs++;
	}
	if (mine->n_pairs < OBFS3_PAIRS_MAX)
		refill_soon(mine);
	return 0;
}

void
obfs3_bench_close(void *bench)
{
	struct obfs3_bench *mine = bench;

	ptah_hmac_free(mine->hmac);
	ptah_aes_free(mine->aes);
	ptah_udh_free(mine->udh);
	OPENSSL_cleanse(mine->pairs, sizeof(mine->pairs));
}

int
obfs3_bench_take(struct obfs3_bench *bench, struct ptah_udh_pair *out)
{
	refill_soon(bench);
	if (bench->n_pairs == 0)
		return make_pair(bench, out);
	*out = bench->pairs[--bench->n_pairs];
	ptah_udh_pair_clear(&bench->pairs[bench->n_pairs]);
	return 0;
}
