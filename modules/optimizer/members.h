/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * optimizer/members.h: the transports of an optimizer, out of its options.
 *
 * Pure.
 */
#ifndef PTAH_OPTIMIZER_MEMBERS_H
#define PTAH_OPTIMIZER_MEMBERS_H

#include <ptah/module.h>

#include "ranking.h"

/** An optimizer may stand in another one's list, and so on, so deep. */
#define OPTIMIZER_DEPTH 4

struct optimizer_conf {
	struct ptah_list transports; /* of JSON texts: {"name": ..., "config": {...}} */
	uint32_t strategy;           /* enum optimizer_strategy */
	struct ptah_span json;       /* instead: {"strategy": ..., "transports": [...]} as text */
};

extern const char *const optimizer_strategies[];

struct optimizer_member {
	char *name;   /* in lower case */
	char *config; /* JSON of an object */
	uint8_t key[OPTIMIZER_KEY_LEN];
};

struct optimizer_members {
	enum optimizer_strategy strategy;
	uint32_t n;
	struct optimizer_member *all;
};

/**
 * Gives: *members, for optimizer_members_free(), also on failure.
 * Fails: -EINVAL with a line in 'why', -ENOMEM.
 */
int optimizer_members_read(struct optimizer_members *members, const struct optimizer_conf *conf, char *why, size_t room);
/** Free and wipe: configurations hold secrets. */
void optimizer_members_free(struct optimizer_members *members);

#endif
