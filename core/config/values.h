/* SPDX-License-Identifier: BSD-3-Clause */
/** config/values.h: the value of each flag and variable, by itself (ipc.md 2.3). */
#ifndef PTAH_CONFIG_VALUES_H
#define PTAH_CONFIG_VALUES_H

#include <stddef.h>

#include "config/plan.h"
#include "config/source.h"

/**
 * Read all values but options, proxy and the list of transports into the
 * plan, in the order of the table, and put the defaults where there are none.
 * Fails: -EINVAL and 'why' (the place first); -ENOMEM, or what getcwd says.
 */
int ptah_values_read(struct ptah_plan *plan, const struct ptah_source *source,
    char *why, size_t why_room);

#endif
