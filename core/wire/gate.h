/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * wire/gate.h: whom the bounds of a service let in (config/bounds.h): how many
 * links at once, how many new ones per second, how many from one prefix.
 *
 * As with haproxy, connections beyond the first two wait in the kernel; one
 * beyond the third has been accepted before that can be known, and is reset.
 * What cannot wait, a datagram or a stream that a carrier brought, is turned away.
 *
 * Where nothing is bounded there is no gate, and NULL is one that is open.
 *
 * Threads: any; all workers of a service share one, without a lock but for prefixes, where few meet.
 */
#ifndef PTAH_WIRE_GATE_H
#define PTAH_WIRE_GATE_H

#include <stdbool.h>

#include "base/addr.h"
#include "config/bounds.h"

struct ptah_gate;
struct ptah_gate_entry;
struct ptah_stats;

/** Which bound it is. */
#define PTAH_GATE_LINKS 1
#define PTAH_GATE_RATE 2
#define PTAH_GATE_PREFIX 3

/** The place of one link among those of its prefix; 'owner' is whatever its holder likes. */
struct ptah_seat {
	void *owner;
	struct ptah_gate *gate;
	struct ptah_gate_entry *entry;
};

/**
 * 'label' is for the log, and lent.
 * Gives: *out, for ptah_gate_free(); NULL if nothing is bounded.
 * Fails: -ENOMEM.
 */
int ptah_gate_new(const struct ptah_bounds *bounds, const char *label, struct ptah_gate **out);
/** All have left.  NULL is fine. */
void ptah_gate_free(struct ptah_gate *gate);

/** One more link?  0: it is counted, for ptah_gate_leave(); else the bound that says no. */
int ptah_gate_enter(struct ptah_gate *gate);
/** After ptah_gate_enter(): nobody came. */
void ptah_gate_undo(struct ptah_gate *gate);
/** One more link, whatever the bounds say. */
void ptah_gate_add(struct ptah_gate *gate);
/** A link has ended. */
void ptah_gate_leave(struct ptah_gate *gate);

/** Somebody had to wait for this bound: count it in the worker's 'stats', and say it now and then. */
void ptah_gate_waits(struct ptah_gate *gate, struct ptah_stats *stats, int bound);

/**
 * It comes from there; an address of no family is nobody's.
 * Gives: *seat, for ptah_seat_leave(); NULL if prefixes are not bounded.
 * Fails: -EUSERS, counted and said; -ENOMEM.
 */
int ptah_gate_sit(struct ptah_gate *gate, struct ptah_stats *stats, const struct ptah_addr *from,
    struct ptah_seat **seat);
/** NULL is fine. */
void ptah_seat_leave(struct ptah_seat *seat);

/** For who cannot wait: all three at once.  0: for ptah_gate_leave() and ptah_seat_leave(); -EUSERS, -ENOMEM: for neither. */
int ptah_gate_admit(struct ptah_gate *gate, struct ptah_stats *stats, const struct ptah_addr *from,
    struct ptah_seat **seat);

/** After how many seconds of silence a peer is gone; 'otherwise' if the bounds do not say. */
unsigned ptah_gate_gone_s(const struct ptah_gate *gate, unsigned otherwise);

/** Close a connection that is turned away with a reset, so that it leaves nothing behind here. */
void ptah_gate_reset(int fd);

#endif
