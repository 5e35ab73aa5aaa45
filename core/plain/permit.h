/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/permit.h: what one link has taken of all that bounds how many there may be: one of the quota of the process
 * (wire/listen.h), one of the gate of its service, and a seat in its prefix (wire/gate.h).
 *
 * A permit goes from hand to hand while a link is made, and whoever has it last returns it, whole.
 *
 * Threads: a permit belongs to its worker.
 */
#ifndef PTAH_PLAIN_PERMIT_H
#define PTAH_PLAIN_PERMIT_H

#include <stdbool.h>

struct ptah_addr;
struct ptah_gate;
struct ptah_link;
struct ptah_quota;
struct ptah_seat;
struct ptah_stats;

/** Who gives permits: one for each port and worker.  It stays until the last has come back. */
struct ptah_issuer {
	struct ptah_quota *quota;
	struct ptah_gate *gate; /* NULL: nothing is bounded */
	struct ptah_stats *stats;
};

/** Zeroed, it is none. */
struct ptah_permit {
	struct ptah_issuer *issuer;
	struct ptah_seat *seat; /* NULL: prefixes are not bounded, or it has none yet */
	bool in;                /* counted by the gate */
};

/**
 * A listener took a connection from there, and one of quota and gate for it: only the seat is to be had.
 * Fails: -EUSERS, counted and said; -ENOMEM.  There is no permit then, and quota and gate have theirs back.
 */
int ptah_permit_accepted(struct ptah_permit *permit, struct ptah_issuer *issuer, const struct ptah_addr *from);

/** For a stranger, whose address may be a lie: it takes one of the quota, and no place of others. */
void ptah_permit_stranger(struct ptah_permit *permit, struct ptah_issuer *issuer);
/** No stranger any more.  Fails: -EUSERS, counted and said; -ENOMEM; it has what it had. */
int ptah_permit_admit(struct ptah_permit *permit, const struct ptah_addr *from);

/** Both at once, for who comes by no listener and cannot wait.  Fails as ptah_permit_admit(); there is no permit then. */
int ptah_permit_take(struct ptah_permit *permit, struct ptah_issuer *issuer, const struct ptah_addr *from);

/** All goes back, and the permit is zeroed.  None is fine. */
void ptah_permit_return(struct ptah_permit *permit);

/** The link returns it when it has ended; all its events but that one are over.  The permit is zeroed. */
void ptah_permit_to_link(struct ptah_permit *permit, struct ptah_link *link);

/** The seat goes back, the rest is for ptah_issuer_take_back().  The permit is zeroed. */
struct ptah_issuer *ptah_permit_stand_up(struct ptah_permit *permit);
/** A connection that a listener took is closed, and has no permit.  'issuer' is a struct ptah_issuer. */
void ptah_issuer_take_back(void *issuer);

#endif
