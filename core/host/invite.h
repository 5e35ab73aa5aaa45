/* SPDX-License-Identifier: BSD-3-Clause */
/** host/invite.h: ptah invite: what a server and its clients must write down. */
#ifndef PTAH_HOST_INVITE_H
#define PTAH_HOST_INVITE_H

#include "base/buf.h"
#include "host/commands.h"

/** What "ptah --help" says of its flags, and the list of the manual page (mdoc).  -ENOMEM. */
int ptah_invite_usage(struct ptah_buf *out);
int ptah_invite_manual(struct ptah_buf *out);

ptah_command_fn ptah_invite;

#endif
