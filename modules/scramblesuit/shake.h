/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * scramblesuit/shake.h: a handshake under way, between the host and the
 * functions of hello.h.
 */
#ifndef PTAH_SCRAMBLESUIT_SHAKE_H
#define PTAH_SCRAMBLESUIT_SHAKE_H

#include "link.h"

/** A client may wait for its bridge so long; the host watches it. */
#define SCRAMBLE_CLIENT_MS 60000u
/** A server waits for a handshake so long. */
#define SCRAMBLE_SERVER_NS UINT64_C(30000000000)

/** Begin: a client asks for a ticket, a server for the keys of tickets, unless its worker has them.  As a codec's 'open'. */
int scramble_shake_open(struct scramble_link *link, const struct ptah_open *open, struct ptah_io *io);
/** Go on with what has come, or with room that there is now.  As a codec's step; OPEN when both directions have their keys. */
int scramble_shake_step(struct scramble_link *link, struct ptah_io *io);
/** The same for an event. */
int scramble_shake_event(struct scramble_link *link, const struct ptah_event *event, struct ptah_io *io);
/** Wipe and forget. */
void scramble_shake_end(struct scramble_link *link);

/** Answer REJECT: the host ends it in silence. */
int scramble_reject(struct ptah_io *io, const char *reason);

#endif
