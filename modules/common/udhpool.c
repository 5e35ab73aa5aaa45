/* SPDX-License-Identifier: BSD-3-Clause */
#include "udhpool.h"

#include <errno.h>

#include <openssl/crypto.h>

/* Soon, but not in the turn of the loop that took a pair. */
#define REFILL_AFTER_NS UINT64_C(1000000)
#define REFILL_AT_ONCE 4u

static int
make_pair(struct ptah_udhpool *pool, struct ptah_udh_pair *out)
{
	uint8_t random[PTAH_UDH_PRIVATE_LEN];
	int rc;

	pool->host->random(pool->self, random, sizeof(random));
	rc = ptah_udh_pair(pool->udh, (struct ptah_span){ random, sizeof(random) }, out);
	OPENSSL_cleanse(random, sizeof(random));
	return rc;
}

/* Who takes pairs faster than the timer rings must not put it off each time. */
static void
refill_soon(struct ptah_udhpool *pool)
{
	if (!pool->refilling && pool->n < PTAH_UDHPOOL_MAX)
		pool->refilling = pool->host->timer(pool->self, pool->timer, REFILL_AFTER_NS) == 0;
}

int
ptah_udhpool_open(struct ptah_udhpool *pool, const struct ptah_start *start, uint32_t timer)
{
	pool->host = start->host;
	pool->self = start->self;
	pool->timer = timer;
	pool->udh = ptah_udh_new();
	if (pool->udh == NULL)
		return -ENOMEM;
	refill_soon(pool);
	return 0;
}

int
ptah_udhpool_ring(struct ptah_udhpool *pool)
{
	int rc = 0;

	pool->refilling = false;
	for (unsigned i = 0; rc == 0 && i < REFILL_AT_ONCE && pool->n < PTAH_UDHPOOL_MAX; i++) {
		rc = make_pair(pool, &pool->pairs[pool->n]);
		pool->n += rc == 0;
	}
	if (rc == 0)
		refill_soon(pool);
	return rc;
}

void
ptah_udhpool_close(struct ptah_udhpool *pool)
{
	ptah_udh_free(pool->udh);
	OPENSSL_cleanse(pool, sizeof(*pool));
}

int
ptah_udhpool_take(struct ptah_udhpool *pool, struct ptah_udh_pair *out)
{
	refill_soon(pool);
	if (pool->n == 0)
		return make_pair(pool, out);
	*out = pool->pairs[--pool->n];
	ptah_udh_pair_clear(&pool->pairs[pool->n]);
	refill_soon(pool);
	return 0;
}
