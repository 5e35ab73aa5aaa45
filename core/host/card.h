/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/card.h: an invitation as text: the bridge line, the lines of both
 * torrcs, the options as JSON.
 */
#ifndef PTAH_HOST_CARD_H
#define PTAH_HOST_CARD_H

#include "base/buf.h"
#include "host/invitation.h"

/** For people, ready to paste.  -ENOMEM. */
int ptah_card_print(struct ptah_buf *out, const struct ptah_invitation *invitation,
    const struct ptah_invitation_wish *wish);

/** The same as one JSON object on one line.  -ENOMEM. */
int ptah_card_json(struct ptah_buf *out, const struct ptah_invitation *invitation,
    const struct ptah_invitation_wish *wish);

#endif
