/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * address.h: where a stream goes, as Shadowsocks writes it before the stream.
 *
 *     01 | 4 bytes | port        03 | length | name | port        04 | 16 bytes | port
 *
 * Threads: no state; call from any.
 */
#ifndef PTAH_SHADOW_ADDRESS_H
#define PTAH_SHADOW_ADDRESS_H

#include <stdbool.h>

#include <ptah/option.h>
#include <ptah/span.h>

#define SHADOW_ADDRESS_MAX (1 + 1 + 255 + 2)
#define SHADOW_DEST_TEXT 272 /* "[name]:port" and a NUL */

/** Write the header of "host:port".  Its length, or -EINVAL if that is none. */
int shadow_address_write(const char *dest, uint8_t out[SHADOW_ADDRESS_MAX]);

/** Length of the header that stands at 'in', by its first bytes; 0 when more must come, or -EPROTO. */
int shadow_address_len(struct ptah_span in);
/** Read a header; its length, 0 when more must come, or -EPROTO.  'dest' gets "host:port" in its one spelling. */
int shadow_address_read(struct ptah_span in, char dest[SHADOW_DEST_TEXT]);

/** Is 'dest', as read, one of these?  "*" is all; "HOST:*" and "*:PORT" are what they look like. */
bool shadow_address_allowed(const struct ptah_list *allow, const char *dest);
/** Could an item be one of that list? */
bool shadow_address_may_be_allowed(const char *item);

#endif
