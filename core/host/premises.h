/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/premises.h: where a run is found by who asks it: the control socket, and the
 * socket for its figures.
 *
 * Both are settled once: a file that names others later is not followed, and
 * whoever leaves them to another process and comes back is found where it
 * was, at the same port.
 *
 * Knows nothing of what is said there.
 *
 * Threads: the main one.
 */
#ifndef PTAH_HOST_PREMISES_H
#define PTAH_HOST_PREMISES_H

#include <stdbool.h>

#include "base/addr.h"
#include "control/path.h"

struct ptah_runfile;

struct ptah_premises {
	char *control, *metrics_path;  /* NULL: nowhere */
	struct ptah_addr metrics_addr; /* as it was bound; AF_UNSPEC: at no port */
	struct ptah_path at_control, at_metrics; /* what is there of us */
};

/** As the file has it.  Gives: *premises, for ptah_premises_clear(), also on failure.  -ENOMEM. */
int ptah_premises_take(struct ptah_premises *premises, const struct ptah_runfile *file);
/** Nobody is there any more.  Fine for a zeroed one. */
void ptah_premises_clear(struct ptah_premises *premises);

bool ptah_premises_has_control(const struct ptah_premises *premises);
bool ptah_premises_has_metrics(const struct ptah_premises *premises);

/** Listen there, for the first time or again.  Gives: a descriptor, non-blocking.  Fails: -errno, which has been logged. */
int ptah_premises_open_control(struct ptah_premises *premises);
int ptah_premises_open_metrics(struct ptah_premises *premises);
/** Its sockets have been closed: another one is to have the paths. */
void ptah_premises_leave(struct ptah_premises *premises);

#endif
