/* SPDX-License-Identifier: BSD-3-Clause */
/** base/jsontree.h: how jsonread.c builds a tree; nobody else needs it. */
#ifndef PTAH_BASE_JSONTREE_H
#define PTAH_BASE_JSONTREE_H

#include "base/json.h"

/** Append to an array (key NULL) or object.  Takes: key, value. */
int ptah_json_push(struct ptah_json *to, char *key, struct ptah_json *value);

/** Once all is pushed: of members with the same key keep the last.  -ENOMEM. */
int ptah_json_settle(struct ptah_json *object);

#endif
