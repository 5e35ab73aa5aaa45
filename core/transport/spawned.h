/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/spawned.h: the programs that a home started.
 *
 * Threads: the home's worker.
 */
#ifndef PTAH_TRANSPORT_SPAWNED_H
#define PTAH_TRANSPORT_SPAWNED_H

#include "transport/self.h"

struct ptah_home;

/** Programs of one home that run at once, at most. */
#define PTAH_SPAWNED_MAX 64u

/** The services of host.h; spawn wants PTAH_SPAWNS of the module. */
long ptah_spawned_start(struct ptah_self *self, const struct ptah_spawn *how, struct ptah_stream *stdio[3]);
int ptah_spawned_kill(struct ptah_self *self, uint64_t process, int sig);

/** Kill those that still run. */
void ptah_spawned_end(struct ptah_home *home);

#endif
