/* SPDX-License-Identifier: BSD-3-Clause */
/** host/invite.h: ptah invite: what a server and its clients must write down. */
#ifndef PTAH_HOST_INVITE_H
#define PTAH_HOST_INVITE_H

#include "host/asked.h"

extern const struct ptah_ask ptah_invite_flags[];

ptah_command_fn ptah_invite;

#endif
