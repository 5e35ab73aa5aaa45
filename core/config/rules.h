/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * config/rules.h: which flags and variables go together (ipc.md 2.4, rows X1
 * to X25).
 */
#ifndef PTAH_CONFIG_RULES_H
#define PTAH_CONFIG_RULES_H

#include <stddef.h>

#include "config/source.h"

/** Client or server?  PTAH_ROLE_..., or -EINVAL and 'why' (X1 to X4). */
int ptah_rules_role(const struct ptah_source *source, char *why, size_t why_room);

/** PTAH_MODE_..., or -EINVAL if the word is none (that is told later, as a bad value). */
int ptah_rules_mode(const struct ptah_source *source);

/** Check all the others; needs role and mode.  -EINVAL and 'why', row first: "X5". */
int ptah_rules_check(const struct ptah_source *source, const char **row, char *why, size_t why_room);

#endif
