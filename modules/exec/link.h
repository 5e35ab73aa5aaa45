/* SPDX-License-Identifier: BSD-3-Clause */
/** exec/link.h: a client's link through the program. */
#ifndef PTAH_EXEC_LINK_H
#define PTAH_EXEC_LINK_H

#include "exec.h"

struct exec_dialling;

struct exec_link {
	const struct ptah_host *host;
	struct ptah_self *self;
	struct exec_dialling *dialling; /* NULL: the program has taken the connection */
};

int exec_link_dial(void *link, const struct ptah_open *open, struct ptah_io *io);
int exec_link_event(void *link, const struct ptah_event *event, struct ptah_io *io);
void exec_link_close(void *link, int why);

#endif
