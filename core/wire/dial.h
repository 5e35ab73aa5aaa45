/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * wire/dial.h: open a TCP connection: by address, by name with both families
 * tried (RFC 8305), or through an upstream proxy.
 *
 * With a proxy nothing goes past it: no connection, no name.  With a broker
 * (wire/broker.h) this process makes no socket and asks for no name at all.  The dialer has
 * no clock of its own; whoever dials has a deadline and cancels.
 *
 * Threads: the worker's own.
 */
#ifndef PTAH_WIRE_DIAL_H
#define PTAH_WIRE_DIAL_H

#include "base/addr.h"
#include "config/proxyuri.h"

struct ptah_broker;
struct ptah_worker;
struct ptah_dial;

/** How every dial of a plan goes.  Lent, for the life of the plan. */
struct ptah_dial_how {
	const struct ptah_proxy *proxy; /* NULL or scheme NONE: directly */
	struct ptah_addr bind_v4, bind_v6; /* AF_UNSPEC: the kernel's choice; not for loopback */
	int family;            /* of names, the addresses of this one only; AF_UNSPEC: any */
	unsigned keep_alive_s; /* as a worker's gone_s; 0: as that */
	struct ptah_broker *broker; /* not NULL: it dials, by what its own side knows of all this */
};

/** Why a proxy refused: -PTAH_EPROXY - REP, with REP a SOCKS5 reply code from 1 to 8. */
#define PTAH_EPROXY 4096

/** Hears the end: fd and rc 0 (takes: fd), or -1 and -errno; 'reason' in words, or NULL. */
typedef void ptah_dialed_fn(int fd, int rc, const char *reason, void *arg);

/**
 * Dial 'dest' (copied).
 * Returns a connected descriptor if that took no wait at all ('fn' will not run); else
 * -EINPROGRESS, with a dial in *out that ends in 'fn' or in ptah_dial_cancel(); or -errno.
 */
int ptah_dial_start(struct ptah_worker *worker, const struct ptah_dial_how *how, const struct ptah_dest *dest,
    ptah_dialed_fn *fn, void *arg, struct ptah_dial **out);
/** Close all that is under way; 'fn' will not run.  NULL is fine. */
void ptah_dial_cancel(struct ptah_dial *dial);

#endif
