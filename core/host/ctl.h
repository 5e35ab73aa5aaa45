/* SPDX-License-Identifier: BSD-3-Clause */
/** host/ctl.h: "ptah ctl": the other side of the control socket. */
#ifndef PTAH_HOST_CTL_H
#define PTAH_HOST_CTL_H

#include "host/asked.h"

extern const struct ptah_ask ptah_ctl_flags[];
extern const struct ptah_exit ptah_ctl_exits[];
ptah_command_fn ptah_ctl_command;

#endif
