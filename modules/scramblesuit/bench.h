/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * scramblesuit/bench.h: a worker's workbench: tools, key pairs made ahead of
 * need, tables of lengths, and the keys of tickets as the home last said them.
 *
 * Threads: belongs to its worker.
 */
#ifndef PTAH_SCRAMBLESUIT_BENCH_H
#define PTAH_SCRAMBLESUIT_BENCH_H

#include <stdbool.h>

#include <ptah/host.h>

#include "aesctr.h"
#include "hmac.h"
#include "tables.h"
#include "ticket.h"
#include "udhpool.h"

struct scramble_bench {
	struct ptah_hmac *hmac;
	struct ptah_aes *aes;
	struct ptah_udhpool pool;
	struct ptah_tables_cache cache;
	struct scramble_ring *ring; /* server: locked memory, as the home's */
	bool has_ring;
};

int scramble_bench_open(void *bench, const struct ptah_start *start);
int scramble_bench_event(void *bench, const struct ptah_event *event);
void scramble_bench_close(void *bench);

#endif
