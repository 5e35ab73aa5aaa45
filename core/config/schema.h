/* SPDX-License-Identifier: BSD-3-Clause */
/** config/schema.h: the table of keys (config/key.h) for editors and for people. */
#ifndef PTAH_CONFIG_SCHEMA_H
#define PTAH_CONFIG_SCHEMA_H

#include "base/buf.h"

/** A JSON Schema, draft 2020-12, of a configuration file without its comments.  -ENOMEM. */
int ptah_schema_print(struct ptah_buf *out);

/** ptah-conf(5), as mdoc.  -ENOMEM. */
int ptah_confmanual_print(struct ptah_buf *out);

#endif
