/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * optimizer/ranking.h: which of several transports is tried next, and what was
 * learned of each.
 *
 * Pure: no clock, no chance and no file of its own.
 */
#ifndef PTAH_OPTIMIZER_RANKING_H
#define PTAH_OPTIMIZER_RANKING_H

#include <stddef.h>
#include <stdint.h>

/** Transports of one optimizer, at most: a bit each. */
#define OPTIMIZER_MAX 64u

/** A failure counts as a dial that took that long. */
#define OPTIMIZER_FAILED_MS 60000u

/** Name and configuration of a transport, hashed: what its scores are kept under. */
#define OPTIMIZER_KEY_LEN 16

/** The order of the words of the option. */
enum optimizer_strategy {
	OPTIMIZER_FIRST,
	OPTIMIZER_RANDOM,
	OPTIMIZER_ROTATE,
	OPTIMIZER_TRACK,
	OPTIMIZER_QUICKEST,
};

struct optimizer_score {
	uint8_t key[OPTIMIZER_KEY_LEN];
	uint32_t tried;  /* how often; 0: nothing is known */
	uint32_t failed; /* the last dial failed */
	uint32_t when;   /* the last one's number: a smaller one is longer ago */
	uint32_t ms;     /* exponential average of dials */
};

struct optimizer_ranking {
	enum optimizer_strategy strategy;
	uint32_t n;
	uint32_t turn;   /* of rotate: who is next */
	uint32_t dials;  /* how many results there were, ever */
	struct optimizer_score scores[OPTIMIZER_MAX];
};

/** A number below 'n', each as likely. */
typedef uint32_t optimizer_chance_fn(void *arg, uint32_t n);

/**
 * Whom to try, when those of the bit set 'tried' were tried in this round.
 * Returns its number, or -1: the round is over.
 */
int optimizer_next(struct optimizer_ranking *ranking, uint64_t tried, optimizer_chance_fn *chance, void *arg);

/** Does another round make sense when one is over? */
int optimizer_has_rounds(enum optimizer_strategy strategy);

/** A dial of 'which' took 'ms', or failed. */
void optimizer_learn(struct optimizer_ranking *ranking, uint32_t which, int failed, uint32_t ms);

/** A connection of 'which' turned out to be useless soon after its success. */
void optimizer_unlearn(struct optimizer_ranking *ranking, uint32_t which);

/** Room that any ranking needs as text. */
#define OPTIMIZER_TEXT_ROOM (64 + (size_t)OPTIMIZER_MAX * 160)

/** Write what was learned as JSON; its length. */
size_t optimizer_write(const struct optimizer_ranking *ranking, char out[OPTIMIZER_TEXT_ROOM]);

/** Take from such a text what it knows of our transports; of what is damaged nothing.  -EINVAL. */
int optimizer_read(struct optimizer_ranking *ranking, const char *text, size_t len);

#endif
