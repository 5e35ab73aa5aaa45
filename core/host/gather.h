/* SPDX-License-Identifier: BSD-3-Clause */
/** host/gather.h: the figures of a run.  Threads: the main one. */
#ifndef PTAH_HOST_GATHER_H
#define PTAH_HOST_GATHER_H

#include "control/figures.h"
#include "control/vitals.h"

struct ptah_run;

/**
 * Fill in how the run is doing now.
 * Gives: *out for ptah_figures_clear(); what it lends is good until the run changes.
 * Fails: -ENOMEM.
 */
int ptah_gather(const struct ptah_run *run, const struct ptah_pulse *pulse, struct ptah_figures *out);

#endif
