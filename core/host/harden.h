/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/harden.h: what "ptah run" gives up once it has read its file.
 *
 * It keeps the folders that this file names, for itself and for reloads: so
 * that a file that is put there later is found.  What a later file names
 * elsewhere it cannot reach: it says so then, and wants to be started anew.
 *
 * Threads: the main one, before there are others.
 */
#ifndef PTAH_HOST_HARDEN_H
#define PTAH_HOST_HARDEN_H

#include <stdbool.h>

#include "config/runfile.h"

/** What was given up; {0}: nothing. */
struct ptah_hardened {
	bool done, programs, cells;
};

/**
 * Do it, as far as this kernel can; the log says how far.  'spawns': a service's module starts programs, and then
 * nothing is given up.
 * Fails: -errno: a lock did not close, and ptah is not to go on.
 */
int ptah_harden(struct ptah_hardened *hardened, const struct ptah_runfile *file, const char *path, char *const envp[],
    bool spawns);

/** Log what another file wants and cannot have. */
void ptah_harden_judge(const struct ptah_hardened *hardened, const struct ptah_runfile *file, bool spawns);

#endif
