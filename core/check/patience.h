/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * check/patience.h: how long to wait for a process that may hang.
 *
 * Where others use the processors, who works takes longer than its limit.  Who
 * hangs uses none; so when the time is over, who got on is given more.
 */
#ifndef PTAH_CHECK_PATIENCE_H
#define PTAH_CHECK_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

/** How long it is looked whether one gets on, and how little of a processor is nothing in this time. */
#define PTAH_PATIENCE_LOOK_S 10
#define PTAH_PATIENCE_LEAST_MS 200

struct ptah_patience {
	uint64_t until_ns;
	uint64_t used_ns; /* what it had used when we began to look */
	bool looks;
};

void ptah_patience_begin(struct ptah_patience *patience, uint64_t now_ns, uint64_t limit_ns);
/** Shall we wait on, for who has used so much of a processor?  To be asked often. */
bool ptah_patience_lasts(struct ptah_patience *patience, uint64_t now_ns, uint64_t used_ns);

#endif
