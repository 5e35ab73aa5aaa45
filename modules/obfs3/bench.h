/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * obfs3/bench.h: a worker's workbench: tools, and key pairs made ahead of need.
 *
 * A side says its public value as soon as the connection is there, so a few
 * lie ready, and a timer makes new ones between the turns of the links.
 *
 * Threads: belongs to its worker.
 */
#ifndef PTAH_OBFS3_BENCH_H
#define PTAH_OBFS3_BENCH_H

#include <ptah/host.h>

#include "aesctr.h"
#include "chance.h"
#include "hmac.h"
#include "uniformdh.h"

#define OBFS3_PAIRS_MAX 16u

struct obfs3_bench {
	struct ptah_hmac *hmac;
	struct ptah_aes *aes;
	struct ptah_udh *udh;
	struct ptah_chance chance;
	unsigned n_pairs;
	struct ptah_udh_pair pairs[OBFS3_PAIRS_MAX];
};

int obfs3_bench_open(void *bench, const struct ptah_start *start);
int obfs3_bench_event(void *bench, const struct ptah_event *event);
void obfs3_bench_close(void *bench);

/** Take a key pair; wipe it after use.  Makes one only if none is left.  -ENOMEM. */
int obfs3_bench_take(struct obfs3_bench *bench, struct ptah_udh_pair *out);

#endif
