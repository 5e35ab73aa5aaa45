/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/replay.h: have we seen this before?
 *
 * One set for the process, shared by all workers, listeners and instances; who
 * shares a scope (an identity) shares what it has seen.  It keeps 39 bits of a
 * keyed hash of each token, not the token: a million of them take about 4.5
 * MiB, and then one fresh token in half a million is taken for a replay.  A
 * few of them take a few KiB.
 *
 * Threads: any.
 */
#ifndef PTAH_TRANSPORT_REPLAY_H
#define PTAH_TRANSPORT_REPLAY_H

#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

/** Tokens that are surely remembered for their time, of each time that tokens are remembered for. */
#define PTAH_REPLAY_MAX ((size_t)1 << 20)

struct ptah_replay;

/** A set of at most 'most' tokens in one such time.  NULL: ENOMEM. */
struct ptah_replay *ptah_replay_new(size_t most);
void ptah_replay_free(struct ptah_replay *replay);

/**
 * Look 'token' up in 'scope' at the time 'now_s' (any clock that only goes
 * forward), and remember it for at least 'ttl_s' and less than twice that (0: as
 * long as there is room).  Of more tokens in that time the eldest are forgotten.
 * Returns 1 if it is fresh, 0 if it was seen before, -ENOMEM.
 */
int ptah_replay_check(struct ptah_replay *replay, struct ptah_span scope, struct ptah_span token,
    uint32_t ttl_s, uint64_t now_s);

/** Grows by one with each token that is remembered. */
uint64_t ptah_replay_count(struct ptah_replay *replay);

/** Bytes of memory that it holds. */
size_t ptah_replay_size(struct ptah_replay *replay);

/**
 * Write all that is remembered; 'wall_s' is what a calendar says, for the next process has another clock.
 * Gives: *out for free().
 * Fails: -ENOMEM.
 */
int ptah_replay_save(struct ptah_replay *replay, uint64_t now_s, int64_t wall_s, uint8_t **out, size_t *len);

/**
 * Remember what another process has come to remember since it wrote what this set began with, or nothing yet.
 * Fails: -EEXIST: it is not from there; -EBADMSG, -ENOMEM.
 */
int ptah_replay_merge(struct ptah_replay *replay, struct ptah_span text, uint64_t now_s, int64_t wall_s);

/**
 * Remember what was written, in a set that is empty so far.
 * Fails: -EBADMSG (it is no such text, or damaged) and *why, -ENOMEM; the set is then empty.
 */
int ptah_replay_load(struct ptah_replay *replay, struct ptah_span text, uint64_t now_s, int64_t wall_s, const char **why);

#endif
