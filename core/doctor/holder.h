/* SPDX-License-Identifier: BSD-3-Clause */
/** doctor/holder.h: which process has a port, as /proc tells. */
#ifndef PTAH_DOCTOR_HOLDER_H
#define PTAH_DOCTOR_HOLDER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/addr.h"

struct ptah_holder {
	pid_t pid;     /* 0: /proc does not tell */
	char name[64]; /* of its program; "" */
};

/** Who listens where 'addr' collides with it?  Only root is told of the processes of others. */
void ptah_holder_find(struct ptah_holder *holder, const struct ptah_addr *addr, bool udp);

#endif
