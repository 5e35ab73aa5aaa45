/* SPDX-License-Identifier: BSD-3-Clause */
#include "ranking.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <yajl/yajl_tree.h>

#define FORM 1
/* Of the newest dial in the average, in hundredths. */
#define WEIGHT 30u

/* ---- whom to try ------------------------------------------------------------------- */

static int
is_tried(uint64_t tried, uint32_t which)
{
	return (tried >> which & 1) != 0;
}

/* The nth of those that were not tried. */
static int
nth_left(const struct optimizer_ranking *ranking, uint64_t tried, uint32_t nth)
{
	for (uint32_t i = 0; i < ranking->n; i++)
		if (!is_tried(tried, i) && nth-- == 0)
			return (int)i;
	return -1;
}

static uint32_t
count_left(const struct optimizer_ranking *ranking, uint64_t tried)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < ranking->n; i++)
		left += !is_tried(tried, i);
	return left;
}

static int
next_in_turn(struct optimizer_ranking *ranking, uint64_t tried)
{
	for (uint32_t i = 0; i < ranking->n; i++) {
		uint32_t which = ranking->turn++ % ranking->n;

		ranking->turn %= ranking->n;
		if (!is_tried(tried, which))
			return (int)which;
	}
	return -1;
}

/* Those that succeeded last, then the untried, then the failed, the longest ago first. */
static int
is_better_kept(const struct optimizer_score *a, const struct optimizer_score *b)
{
	int rank_a = a->tried == 0 ? 1 : a->failed ? 2 : 0, rank_b = b->tried == 0 ? 1 : b->failed ? 2 : 0;

	if (rank_a != rank_b)
		return rank_a < rank_b;
	return rank_a == 0 ? a->when > b->when : a->when < b->when;
}

static int
is_quicker(const struct optimizer_score *a, const struct optimizer_score *b)
{
	if ((a->tried == 0) != (b->tried == 0))
		return a->tried == 0;
	return a->ms < b->ms;
}

static int
best_left(const struct optimizer_ranking *ranking, uint64_t tried,
    int (*is_better)(const struct optimizer_score *a, const struct optimizer_score *b))
{
	int best = -1;

	for (uint32_t i = 0; i < ranking->n; i++)
		if (!is_tried(tried, i) && (best < 0 || is_better(&ranking->scores[i], &ranking->scores[best])))
			best = (int)i;
	return best;
}

int
optimizer_next(struct optimizer_ranking *ranking, uint64_t tried, optimizer_chance_fn *chance, void *arg)
{
	uint32_t left = count_left(ranking, tried);

	if (left == 0)
		return -1;
	switch (ranking->strategy) {
	case OPTIMIZER_FIRST:
		return tried == 0 ? 0 : -1;
	case OPTIMIZER_RANDOM:
		return nth_left(ranking, tried, chance(arg, left));
	case OPTIMIZER_ROTATE:
		return next_in_turn(ranking, tried);
	case OPTIMIZER_TRACK:
		return best_left(ranking, tried, is_better_kept);
	default:
		return best_left(ranking, tried, is_quicker);
	}
}

int
optimizer_has_rounds(enum optimizer_strategy strategy)
{
	return strategy != OPTIMIZER_TRACK && strategy != OPTIMIZER_QUICKEST;
}

/* ---- what is learned ------------------------------------------------------------------ */

void
optimizer_learn(struct optimizer_ranking *ranking, uint32_t which, int failed, uint32_t ms)
{
	struct optimizer_score *score = &ranking->scores[which];

	if (failed || ms > OPTIMIZER_FAILED_MS)
		ms = OPTIMIZER_FAILED_MS;
	score->ms = score->tried == 0 ? ms : (score->ms * (100 - WEIGHT) + ms * WEIGHT) / 100;
	score->failed = failed != 0;
	score->when = ++ranking->dials;
	if (score->tried < UINT32_MAX)
		score->tried++;
}

void
optimizer_unlearn(struct optimizer_ranking *ranking, uint32_t which)
{
	struct optimizer_score *score = &ranking->scores[which];

	score->failed = 1;
	score->ms = (score->ms * (100 - WEIGHT) + OPTIMIZER_FAILED_MS * WEIGHT) / 100;
}

/* ---- as text ----------------------------------------------------------------------------- */

size_t
optimizer_write(const struct optimizer_ranking *ranking, char out[OPTIMIZER_TEXT_ROOM])
{
	size_t n = (size_t)sprintf(out, "{\"version\":%d,\"dials\":%u,\"scores\":{", FORM, ranking->dials);
	int first = 1;

	for (uint32_t i = 0; i < ranking->n; i++) {
		const struct optimizer_score *score = &ranking->scores[i];
		char key[2 * OPTIMIZER_KEY_LEN + 1];

		if (score->tried == 0)
			continue;
		sodium_bin2hex(key, sizeof(key), score->key, sizeof(score->key));
		n += (size_t)sprintf(out + n, "%s\"%s\":{\"tried\":%u,\"failed\":%u,\"when\":%u,\"ms\":%u}", first ? "" : ",", key,
		    score->tried, score->failed, score->when, score->ms);
		first = 0;
	}
	return n + (size_t)sprintf(out + n, "}}\n");
}

/* A member that is a number from 0 to 'most'; -1. */
static long long
number_of(yajl_val object, const char *key, long long most)
{
	const char *path[] = { key, NULL };
	yajl_val val = yajl_tree_get(object, path, yajl_t_number);
	long long n = YAJL_IS_INTEGER(val) ? YAJL_GET_INTEGER(val) : -1;

	return n <= most ? n : -1;
}

static int
read_score(struct optimizer_score *score, yajl_val val)
{
	long long tried = number_of(val, "tried", UINT32_MAX), failed = number_of(val, "failed", 1);
	long long when = number_of(val, "when", UINT32_MAX), ms = number_of(val, "ms", OPTIMIZER_FAILED_MS);

	if (tried < 0 || failed < 0 || when < 0 || ms < 0)
		return -EINVAL;
	score->tried = (uint32_t)tried;
	score->failed = (uint32_t)failed;
	score->when = (uint32_t)when;
	score->ms = (uint32_t)ms;
	return 0;
}

static struct optimizer_score *
find(struct optimizer_ranking *ranking, const char *hex)
{
	uint8_t key[OPTIMIZER_KEY_LEN];
	size_t len;

	if (sodium_hex2bin(key, sizeof(key), hex, strlen(hex), NULL, &len, NULL) != 0 || len != sizeof(key))
		return NULL;
	for (uint32_t i = 0; i < ranking->n; i++)
		if (memcmp(ranking->scores[i].key, key, sizeof(key)) == 0)
			return &ranking->scores[i];
	return NULL;
}

static int
read_all(struct optimizer_ranking *ranking, yajl_val root)
{
	const char *path[] = { "scores", NULL };
	long long dials = number_of(root, "dials", UINT32_MAX);
	yajl_val scores = yajl_tree_get(root, path, yajl_t_object);

	if (number_of(root, "version", FORM) != FORM || dials < 0 || scores == NULL)
		return -EINVAL;
	ranking->dials = (uint32_t)dials;
	for (size_t i = 0; i < YAJL_GET_OBJECT(scores)->len; i++) {
		struct optimizer_score *score = find(ranking, YAJL_GET_OBJECT(scores)->keys[i]);

		if (score != NULL && read_score(score, YAJL_GET_OBJECT(scores)->values[i]) < 0)
			return -EINVAL;
	}
	return 0;
}

int
optimizer_read(struct optimizer_ranking *ranking, const char *text, size_t len)
{
	struct optimizer_ranking *copy = malloc(sizeof(*copy));
	char *whole = strndup(text, len), why[64];
	yajl_val root = whole != NULL && copy != NULL ? yajl_tree_parse(whole, why, sizeof(why)) : NULL;
	int rc = -EINVAL;

	if (root != NULL) {
		*copy = *ranking;
		rc = read_all(copy, root);
		if (rc == 0)
			*ranking = *copy;
	}
	yajl_tree_free(root);
	free(whole);
	free(copy);
	return rc;
}
