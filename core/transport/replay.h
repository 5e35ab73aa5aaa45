/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/replay.h: have we seen this before?
 *
 * One set for the process, shared by all workers and instances.  It keeps 40
 * bits of a keyed hash of each token, not the token: a million of them take
 * about 6 MiB, and one fresh token in a million is then taken for a replay.
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
 * forward), and remember it for at least 'ttl_s' and at most twice that (0: as
 * long as there is room).  Of more tokens in that time the eldest are forgotten.
 * Returns 1 if it is fresh, 0 if it was seen before, -ENOMEM.
 */
int ptah_replay_check(struct ptah_replay *replay, struct ptah_span scope, struct ptah_span token,
    uint32_t ttl_s, uint64_t now_s);

#endif
