/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * obfs4/home.h: a server's identity, from its options or its state folder.
 *
 * Both files are written again at each start, and the server is ready when they are.
 */
#ifndef PTAH_OBFS4_HOME_H
#define PTAH_OBFS4_HOME_H

#include <stdatomic.h>

#include <ptah/host.h>

#include "identity.h"

struct obfs4_home {
	struct obfs4_identity *identity; /* locked memory; read-only once ready */
	atomic_flag *skew_said;          /* a clock that is wrong is worth one line */
	const struct ptah_host *host;
	struct ptah_self *self;
	unsigned writing; /* files that are not on disk yet */
	int failed;
};

int obfs4_home_open(void *home, const struct ptah_start *start);
int obfs4_home_event(void *home, const struct ptah_event *event);
void obfs4_home_close(void *home);

#endif
