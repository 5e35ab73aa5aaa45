/* SPDX-License-Identifier: BSD-3-Clause */
/** host/manual.h: the page ptah(1), made of the tables that the parsers use. */
#ifndef PTAH_HOST_MANUAL_H
#define PTAH_HOST_MANUAL_H

#include <stddef.h>

#include "base/buf.h"
#include "host/commands.h"

/** Print it as mdoc.  -ENOMEM. */
int ptah_manual(struct ptah_buf *out, const struct ptah_command *commands, size_t n);

#endif
