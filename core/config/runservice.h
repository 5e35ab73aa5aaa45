/* SPDX-License-Identifier: BSD-3-Clause */
/** config/runservice.h: one service of a configuration file, into a plan; for config/runfile.c. */
#ifndef PTAH_CONFIG_RUNSERVICE_H
#define PTAH_CONFIG_RUNSERVICE_H

#include "config/keyread.h"

/**
 * Read the service 'label' into 'plan', which is all zero; what is one for the process is in reader->file.
 * What is wrong goes to the faults; the plan can be cleared in any case.
 */
void ptah_runservice_read(struct ptah_keyreader *reader, const char *label, const struct ptah_json *json,
    struct ptah_plan *plan);

/**
 * What a service says, as a text that is the same for two that say the same: that of its keys, in their order, with
 * defaults in place; of its options, as they are in the end; and of what it has from the process.
 * Gives: a hash of that for free(), since there are secrets in it; or NULL (ENOMEM).
 */
char *ptah_fingerprint_make(const struct ptah_json *service, const struct ptah_plan *plan);

#endif
