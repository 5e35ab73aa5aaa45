/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * obfs3/bench.h: a worker's workbench: tools, and key pairs made ahead of need.
 *
 * Threads: belongs to its worker.
 */
#ifndef PTAH_OBFS3_BENCH_H
#define PTAH_OBFS3_BENCH_H

#include <ptah/host.h>

#include "aesctr.h"
#include "chance.h"
#include "hmac.h"
#include "udhpool.h"

struct obfs3_bench {
	struct ptah_hmac *hmac;
	struct ptah_aes *aes;
	struct ptah_udhpool pool;
};

int obfs3_bench_open(void *bench, const struct ptah_start *start);
int obfs3_bench_event(void *bench, const struct ptah_event *event);
void obfs3_bench_close(void *bench);

#endif
