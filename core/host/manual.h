/* SPDX-License-Identifier: BSD-3-Clause */
/** host/manual.h: the page ptah(1), made of the tables that the parsers use. */
#ifndef PTAH_HOST_MANUAL_H
#define PTAH_HOST_MANUAL_H

#include "base/buf.h"
#include "host/asked.h"

/** Print it as mdoc; the last of 'commands' has no name.  -ENOMEM. */
int ptah_manual(struct ptah_buf *out, const struct ptah_command *commands);

#endif
