/* SPDX-License-Identifier: BSD-3-Clause */
/** base/prefix.h: a range of IP addresses, "192.0.2.0/24". */
#ifndef PTAH_BASE_PREFIX_H
#define PTAH_BASE_PREFIX_H

#include <stdbool.h>

#include "base/addr.h"

#define PTAH_PREFIX_TEXT (PTAH_ADDR_TEXT + 4)

struct ptah_prefix {
	struct ptah_addr addr; /* port 0; no bit is set behind the prefix */
	unsigned bits;
};

/** Parse "192.0.2.0/24", "2001:db8::/32", or an address, which is a range of one.  -EINVAL, also for bits behind the prefix. */
int ptah_prefix_parse(struct ptah_prefix *prefix, const char *text);

/** The first 'v4' or 'v6' bits of an address, by its family; an IPv4-mapped one counts as IPv4. */
void ptah_prefix_of(struct ptah_prefix *prefix, const struct ptah_addr *addr, unsigned v4, unsigned v6);

/** Is the address in it?  An IPv4-mapped one counts as IPv4. */
bool ptah_prefix_has(const struct ptah_prefix *prefix, const struct ptah_addr *addr);

/** Write "192.0.2.0/24".  Returns 'out'. */
const char *ptah_prefix_format(const struct ptah_prefix *prefix, char out[static PTAH_PREFIX_TEXT]);

#endif
