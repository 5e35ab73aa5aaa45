/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * obfs4/shake.h: a handshake under way, between the host and the functions of
 * hello.h and reply.h.
 */
#ifndef PTAH_OBFS4_SHAKE_H
#define PTAH_OBFS4_SHAKE_H

#include "link.h"

/* Timers of a link. */
#define OBFS4_TIMER_REST 0u
#define OBFS4_TIMER_HELLO 1u
#define OBFS4_TIMER_NUDGE 2u
#define OBFS4_TIMER_ACK 3u

/** A client may wait for its bridge so long; the host watches it. */
#define OBFS4_CLIENT_MS 60000u
/** A server waits for a hello so long, as obfs4proxy does. */
#define OBFS4_SERVER_NS UINT64_C(30000000000)

/** Begin: the client's hello, or waiting for one.  As a codec's 'open'. */
int obfs4_shake_open(struct obfs4_link *link, const struct ptah_open *open, struct ptah_io *io);
/** Go on with what has come.  As a codec's step; OPEN when both directions have their keys. */
int obfs4_shake_step(struct obfs4_link *link, struct ptah_io *io);
/** The same for an event. */
int obfs4_shake_event(struct obfs4_link *link, const struct ptah_event *event, struct ptah_io *io);
/** Wipe and forget. */
void obfs4_shake_end(struct obfs4_link *link);

/** Answer REJECT: the host ends it in silence. */
int obfs4_reject(const struct obfs4_link *link, struct ptah_io *io, const char *reason);

#endif
