/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * relay/tail.h: bytes that a step of a layer has not eaten.
 *
 * Private to this room.  A tail is less than a unit as a rule; but where the
 * other side takes nothing it is most of a read, and is then eaten from its
 * front as room comes.
 */
#ifndef PTAH_RELAY_TAIL_H
#define PTAH_RELAY_TAIL_H

#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

#include "loop/worker.h"

/** More than this is kept of nobody: a unit is smaller. */
#define PTAH_TAIL_MOST PTAH_SCRATCH_LEN

/** All zeros: nothing is kept. */
struct ptah_tail {
	uint8_t *at;
	size_t len;
	uint8_t *base; /* the memory that it lies in, to its end */
};

/**
 * Keep 'rest' and nothing else; it may lie in this tail's own memory.
 * Fails: -EMSGSIZE, -ENOMEM, and what was kept stays.
 */
int ptah_tail_set(struct ptah_tail *tail, struct ptah_span rest);

/** Keep 'more' behind what is kept; it lies elsewhere.  Fails: as above. */
int ptah_tail_add(struct ptah_tail *tail, struct ptah_span more);

/** Keep nothing. */
void ptah_tail_clear(struct ptah_tail *tail);

#endif
