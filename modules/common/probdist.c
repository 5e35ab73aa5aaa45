/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The order of the draws and of the arithmetic is the protocol: whoever has
 * the seed must come to the same table, to the last bit.
 */
#include <string.h>

#include "probdist.h"

#define VALUES_MAX (PTAH_PROBDIST_SPAN + 1)

/* First in, first out; an index may stand in it again and again. */
struct queue {
	uint8_t item[2 * PTAH_PROBDIST_MAX];
	size_t head, tail;
};

static bool
is_empty(const struct queue *queue)
{
	return queue->head == queue->tail;
}

static void
push(struct queue *queue, uint8_t item)
{
	queue->item[queue->tail++] = item;
}

static uint8_t
pop(struct queue *queue)
{
	return queue->item[queue->head++];
}

static void
draw_values(struct ptah_probdist *dist, struct ptah_drbg *drbg, uint16_t min, uint16_t max)
{
	uint16_t perm[VALUES_MAX];
	uint32_t n_all = (uint32_t)max - min + 1;
	uint32_t most = n_all < PTAH_PROBDIST_MAX ? n_all : PTAH_PROBDIST_MAX;

	for (uint32_t i = 0; i < n_all; i++) {
		uint32_t j = ptah_drbg_below(drbg, i + 1);

		perm[i] = i;
		perm[i] = perm[j];
		perm[j] = (uint16_t)i;
	}
	dist->n = (uint8_t)(ptah_drbg_below(drbg, most) + 1);
	for (size_t i = 0; i < dist->n; i++)
		dist->value[i] = (uint16_t)(min + perm[i]);
	explicit_bzero(perm, sizeof(perm));
}

/* Each push follows a pop of the other queue's: neither gets more than 2n. */
static void
make_aliases(struct ptah_probdist *dist, struct ptah_probdist_work *work)
{
	double scaled[PTAH_PROBDIST_MAX], sum = 0;
	struct queue small = { .head = 0 }, large = { .head = 0 };

	for (size_t i = 0; i < dist->n; i++)
		sum += work->weight[i];
	for (size_t i = 0; i < dist->n; i++) {
		scaled[i] = work->weight[i] * dist->n / sum;
		push(scaled[i] < 1 ? &small : &large, (uint8_t)i);
	}
	while (!is_empty(&small) && !is_empty(&large)) {
		uint8_t l = pop(&small), g = pop(&large);

		work->prob[l] = scaled[l];
		dist->alias[l] = g;
		scaled[g] = scaled[g] + scaled[l] - 1;
		push(scaled[g] < 1 ? &small : &large, g);
	}
	while (!is_empty(&large))
		work->prob[pop(&large)] = 1;
	while (!is_empty(&small))
		work->prob[pop(&small)] = 1;
	explicit_bzero(scaled, sizeof(scaled));
}

void
ptah_probdist_make(struct ptah_probdist *dist, const uint8_t seed[PTAH_DRBG_SEED_LEN],
    uint16_t min, uint16_t max, bool biased, struct ptah_probdist_work *work)
{
	struct ptah_probdist_work own;
	struct ptah_drbg drbg;
	double taken = 0;

	if (work == NULL)
		work = &own;
	memset(work, 0, sizeof(*work));
	memset(dist, 0, sizeof(*dist));
	ptah_drbg_init(&drbg, seed);
	draw_values(dist, &drbg, min, max);
	for (size_t i = 0; i < dist->n; i++) {
		double x = ptah_drbg_float(&drbg);

		work->weight[i] = biased ? (1 - taken) * x : x;
		taken += work->weight[i];
	}
	make_aliases(dist, work);
	for (size_t i = 0; i < dist->n; i++)
		dist->cut[i] = (uint64_t)(work->prob[i] * 0x1p53);
	ptah_drbg_clear(&drbg);
	explicit_bzero(&own, sizeof(own));
}

uint16_t
ptah_probdist_pick(const struct ptah_probdist *dist, const uint64_t random[2])
{
	size_t i = (size_t)((random[0] >> 32) * dist->n >> 32);

	/* 53 random bits u, as a share of 2^53, are at most 'prob'. */
	return dist->value[random[1] >> 11 <= dist->cut[i] ? i : dist->alias[i]];
}

bool
ptah_probdist_has(const struct ptah_probdist *dist, uint16_t value)
{
	for (size_t i = 0; i < dist->n; i++)
		if (dist->value[i] == value)
			return true;
	return false;
}
