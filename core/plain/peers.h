/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/peers.h: who is known by an address or a key, in a table that cannot
 * grow past its limit: the one that has been idle longest goes.
 *
 * Workers share the limit and know how long each one's eldest has been idle.
 * Who needs room lets the eldest of all go: at once if it is its own, by
 * letter else.  Until those are read there may be two more for each worker.
 *
 * Threads: a table belongs to its worker; a limit to all.
 */
#ifndef PTAH_PLAIN_PEERS_H
#define PTAH_PLAIN_PEERS_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "loop/deadline.h"

struct ptah_limit;
struct ptah_peers;
struct ptah_stats;
struct ptah_worker;

#define PTAH_PEERS_BUCKETS 1024

/** What a peer is known by: an address with its port, or 16 bytes that a module chose. */
struct ptah_peer_key {
	uint8_t bytes[20];
};

/** Embed it, zeroed. */
struct ptah_peer {
	struct ptah_peer *hash_next;
	struct ptah_peer *newer, *older; /* by last traffic */
	struct ptah_peers *of;           /* NULL: in no table */
	struct ptah_peer_key key;
	size_t bucket;
	struct ptah_deadline idle;
};

/** It has been idle for too long, or must make room, which is counted: ptah_peers_remove() it. */
typedef void ptah_peer_over_fn(struct ptah_peer *peer);

struct ptah_peers {
	struct ptah_worker *worker;
	struct ptah_stats *stats;
	struct ptah_limit *limit;
	unsigned idle_ms;
	ptah_peer_over_fn *over;
	uint8_t secret[crypto_shorthash_KEYBYTES]; /* so that nobody can choose peers of one bucket */
	struct ptah_peer *buckets[PTAH_PEERS_BUCKETS];
	struct ptah_peer *newest, *oldest;
	unsigned n;
};

/** So many peers in the tables of all workers.  Gives: one for ptah_limit_unref(); each table holds one.  NULL: ENOMEM. */
struct ptah_limit *ptah_limit_new(unsigned most);
/** NULL is fine. */
void ptah_limit_unref(struct ptah_limit *limit);

struct ptah_peer_key ptah_peer_key_of(const struct ptah_addr *addr);
struct ptah_peer_key ptah_peer_key_from(const uint8_t key[static 16]);

/** At most one table of a worker has this limit.  -ENOMEM. */
int ptah_peers_init(struct ptah_peers *peers, struct ptah_worker *worker, struct ptah_stats *stats, struct ptah_limit *limit,
    unsigned idle_ms, ptah_peer_over_fn *over);
/** It must be empty.  Fine if it was never made (zeroed). */
void ptah_peers_clear(struct ptah_peers *peers);

struct ptah_peer *ptah_peers_find(const struct ptah_peers *peers, const struct ptah_peer_key *key);
/** Makes room first, so another peer may go. */
void ptah_peers_add(struct ptah_peers *peers, struct ptah_peer *peer, const struct ptah_peer_key *key);
/** There was traffic. */
void ptah_peers_touch(struct ptah_peer *peer);
/** Fine if it is in no table. */
void ptah_peers_remove(struct ptah_peer *peer);

#endif
