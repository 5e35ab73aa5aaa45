/* SPDX-License-Identifier: BSD-3-Clause */
/** config/bindlist.h: "name-IP:PORT,name-IP:PORT" (ipc.md 2.2). */
#ifndef PTAH_CONFIG_BINDLIST_H
#define PTAH_CONFIG_BINDLIST_H

#include <stddef.h>

#include "base/addr.h"

struct ptah_bind {
	char *name;
	struct ptah_addr addr;
};

/** {0} is an empty one. */
struct ptah_bindlist {
	struct ptah_bind *at;
	size_t n;
};

/**
 * Parse; an empty text is an empty list.
 * Fails: -EINVAL and 'why' (an entry that is none, a transport named twice); -ENOMEM.
 */
int ptah_bindlist_parse(struct ptah_bindlist *list, const char *text, char *why, size_t why_room);
/** Address for 'name', or NULL. */
const struct ptah_addr *ptah_bindlist_get(const struct ptah_bindlist *list, const char *name);
void ptah_bindlist_clear(struct ptah_bindlist *list);

#endif
