/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * relay/call.h: one call of a hook of a codec, and what its answer changes in
 * the layer and the link.
 *
 * Private to this room.  It moves no bytes: what was eaten and made is for
 * relay/layer.c to see to.
 */
#ifndef PTAH_RELAY_CALL_H
#define PTAH_RELAY_CALL_H

#include "relay/layer.h"

/** What one call is given and did. */
struct call {
	struct ptah_io io; /* the caller has filled in what there is to eat, and room */
	int rc;
	bool moved;        /* it took, gave or changed something */
};

/**
 * Call 'open', if that is not NULL, or 'event', or the step for input from side 's'.
 * 0, or -errno that ends the link, also for an answer that is nonsense.
 */
int ptah_call_hook(struct ptah_link *link, struct layer *layer, int s, const struct ptah_event *event,
    const struct ptah_open *open, struct call *call);

#endif
