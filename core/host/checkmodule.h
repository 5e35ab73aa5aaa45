/* SPDX-License-Identifier: BSD-3-Clause */
/** host/checkmodule.h: `ptah check-module FILE.so`: does a module keep to the contract? */
#ifndef PTAH_HOST_CHECKMODULE_H
#define PTAH_HOST_CHECKMODULE_H

#include "host/asked.h"

extern const struct ptah_ask ptah_check_module_flags[];

/** Exit status: 0 no row failed, 1 one did, EX_USAGE. */
ptah_command_fn ptah_check_module_command;

/** Its rows, for the manual page.  -ENOMEM. */
int ptah_check_module_manual(struct ptah_buf *out);

#endif
