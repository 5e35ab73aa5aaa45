/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * obfs4/flight.h: padding that makes a hello pass the published rules for
 * traffic that is encrypted from its first byte.
 *
 * Those rules look at the first segment of a client and let it through when
 * it has too few or too many bits set, or begins with, holds a run of, or
 * mostly is printable text.  The padding of a hello is free, so any server
 * takes such a one.  What it looks like then is a pattern, too: use it where
 * the rules are in force, and nowhere else.
 */
#ifndef PTAH_OBFS4_FLIGHT_H
#define PTAH_OBFS4_FLIGHT_H

#include <stdbool.h>

#include <ptah/span.h>

#include "chance.h"

/** The most that a first segment carries. */
#define OBFS4_SEGMENT_MAX 1448u

/** Would the rules let this first segment through (by its bytes alone, not by a protocol that they know)? */
bool obfs4_flight_passes(struct ptah_span segment);

/** Write padding of 77 bytes or more that stands 'before' bytes into its hello, 'after' bytes of noise behind it. */
void obfs4_flight_pad(const struct ptah_chance *chance, struct ptah_room pad, size_t before, size_t after);

#endif
