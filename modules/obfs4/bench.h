/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * obfs4/bench.h: a worker's workbench: tools, keys made ahead of need, tables.
 *
 * How long a key pair takes depends on luck, so none is made while a peer can
 * look at the clock: a few lie ready, and a timer makes new ones.
 *
 * Threads: belongs to its worker.
 */
#ifndef PTAH_OBFS4_BENCH_H
#define PTAH_OBFS4_BENCH_H

#include <stdbool.h>

#include <ptah/host.h>

#include "elligator2.h"
#include "hmac.h"
#include "secretboxframe.h"
#include "tables.h"

#define OBFS4_PAIRS_MAX 32u
/* Each burst needs 16 bytes for its length, and the kernel takes half a microsecond for however few. */
#define OBFS4_LUCK_LEN 1024u

struct obfs4_bench {
	struct ptah_hmac *hmac;
	struct ptah_boxer *boxer;
	struct ptah_tables_cache cache;
	const struct ptah_host *host;
	struct ptah_self *self;
	unsigned n_pairs;
	bool refilling; /* the timer runs */
	struct ptah_ell2 pairs[OBFS4_PAIRS_MAX];
	size_t n_luck; /* unused ones, at the front */
	uint8_t luck[OBFS4_LUCK_LEN];
};

int obfs4_bench_open(void *bench, const struct ptah_start *start);
int obfs4_bench_event(void *bench, const struct ptah_event *event);
void obfs4_bench_close(void *bench);

/** Take a key pair; wipe it after use.  Makes one only if none is left. */
void obfs4_bench_take(struct obfs4_bench *bench, struct ptah_ell2 *out);

/** Fill 'out' with random bytes, of those that lie ready if it is small.  For lengths, delays and padding; keys come from elsewhere. */
void obfs4_bench_random(struct obfs4_bench *bench, void *out, size_t len);

#endif
