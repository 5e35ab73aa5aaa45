/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/roster.h: which worker has the peer of a key.
 *
 * The kernel gives each source address to one worker.  A peer that is known by
 * a key and changes its address may come to another one, which then carries
 * the datagram to the right one.
 *
 * Threads: any; each entry is its worker's.
 */
#ifndef PTAH_PLAIN_ROSTER_H
#define PTAH_PLAIN_ROSTER_H

#include "plain/peers.h"
#include "wire/udp.h"

struct ptah_roster;
struct ptah_worker;

/** What may be on its way between workers; past it datagrams are lost. */
#define PTAH_ROSTER_UNDER_WAY ((size_t)4 * 1024 * 1024)

/** Embed it, zeroed. */
struct ptah_roster_entry {
	struct ptah_roster_entry *next;
	struct ptah_peer_key key;
	unsigned worker;
	bool listed;
};

/** A datagram that came to another worker, on the worker that has its peer; its bytes may be written to, for the call. */
typedef void ptah_roster_fn(const struct ptah_udp_got *got, void *arg);

/** Gives: one for ptah_roster_unref(); each who joins holds one.  NULL: ENOMEM. */
struct ptah_roster *ptah_roster_new(void);
/** NULL is fine. */
void ptah_roster_unref(struct ptah_roster *roster);

/** On the worker, or before it runs: from now on what is carried to it goes to 'fn'. */
void ptah_roster_join(struct ptah_roster *roster, struct ptah_worker *worker, ptah_roster_fn *fn, void *arg);
void ptah_roster_leave(struct ptah_roster *roster, const struct ptah_worker *worker);

/** It is this worker's.  -EEXIST: another one was first. */
int ptah_roster_add(struct ptah_roster *roster, struct ptah_roster_entry *entry, const struct ptah_peer_key *key,
    const struct ptah_worker *worker);
/** Fine if it is not listed. */
void ptah_roster_remove(struct ptah_roster *roster, struct ptah_roster_entry *entry);
/** The worker's index, or -1. */
int ptah_roster_find(struct ptah_roster *roster, const struct ptah_peer_key *key);
/** Carry a datagram (copied) to that worker.  -ENOBUFS, -ENOMEM, -ESHUTDOWN. */
int ptah_roster_carry(struct ptah_roster *roster, unsigned worker, const struct ptah_udp_got *got, struct ptah_span datagram);

#endif
