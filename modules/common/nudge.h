/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * nudge.h: when a server that speaks first sends some padding behind it.
 *
 * obfs4proxy's client does not look at what came together with the answer
 * before more comes.  Where the server speaks first that is never; and a
 * network that halts may bring the padding together with the rest, too.  So as
 * long as nothing comes back it is sent again, each time later.
 *
 * Knows nothing of whether a link wants it.
 *
 * Threads: no state; call from any.
 */
#ifndef PTAH_COMMON_NUDGE_H
#define PTAH_COMMON_NUDGE_H

#include <stdint.h>

/** So many, and no more: who says nothing then has nothing to say. */
#define PTAH_NUDGES_MOST 3u

/** How long after the first burst, or after the nudge before it, the one with this number comes; the first is 0. */
static inline uint64_t
ptah_nudge_after_ns(unsigned number)
{
	return UINT64_C(200000000) << (2 * number);
}

#endif
