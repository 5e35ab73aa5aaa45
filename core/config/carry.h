/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * config/carry.h: a plan as a text, for another process of this program.
 *
 * What that process does not decide stays here: it dials through us, so it
 * needs neither a proxy's password nor an address to dial from.
 */
#ifndef PTAH_CONFIG_CARRY_H
#define PTAH_CONFIG_CARRY_H

#include <stddef.h>

#include "base/buf.h"
#include "config/plan.h"

/** Append a plan of one service, which still has its options: secrets stand in it.  -ENOMEM. */
int ptah_plan_carry(const struct ptah_plan *plan, struct ptah_buf *out);

/**
 * Read it again.
 * Gives: a plan for ptah_plan_free().
 * Fails: NULL and errno: EINVAL (that is another program's), ENOMEM.
 */
struct ptah_plan *ptah_plan_carried(const char *text, size_t len);

#endif
