/* SPDX-License-Identifier: BSD-3-Clause */
/** config/usage.h: the flags as a text for people. */
#ifndef PTAH_CONFIG_USAGE_H
#define PTAH_CONFIG_USAGE_H

#include "base/buf.h"

/** Print the table of flags, hidden ones left out.  -ENOMEM. */
int ptah_usage_flags(struct ptah_buf *out);

/** The same as a list of the manual page (mdoc).  -ENOMEM. */
int ptah_usage_manual(struct ptah_buf *out);

#endif
