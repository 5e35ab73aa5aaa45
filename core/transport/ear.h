/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/ear.h: the listening sockets of a home.
 *
 * Threads: the home's worker.
 */
#ifndef PTAH_TRANSPORT_EAR_H
#define PTAH_TRANSPORT_EAR_H

#include "transport/self.h"

struct ptah_home;

/** Connections that a home has accepted and not yet passed on, at most. */
#define PTAH_GUESTS_MAX 1024u

/** The service: listen on "ip:port"; 'bound' gets where that is.  -errno. */
int ptah_ear_listen(struct ptah_self *self, const char *bind, uint64_t cookie, char *bound, size_t room);
/** Close all of them. */
void ptah_ears_end(struct ptah_home *home);

#endif
