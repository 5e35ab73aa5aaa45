/* SPDX-License-Identifier: BSD-3-Clause */
/** config/proxyuri.h: "socks5://user:password@IP:PORT" (ipc.md 6.1). */
#ifndef PTAH_CONFIG_PROXYURI_H
#define PTAH_CONFIG_PROXYURI_H

#include <stddef.h>

#include "base/addr.h"

#define PTAH_PROXY_NONE 0
#define PTAH_PROXY_SOCKS5 1
#define PTAH_PROXY_SOCKS4A 2
#define PTAH_PROXY_HTTP 3

/** Longest user name or password, decoded, without the NUL. */
#define PTAH_PROXY_WORD_MAX 255

/** {0}: no proxy. */
struct ptah_proxy {
	int scheme;
	struct ptah_addr addr;
	char *user, *password; /* decoded, without NULs inside; NULL: none */
};

/**
 * Parse.
 * Fails: -EINVAL and 'why', which repeats no part of the text; -ENOMEM.
 */
int ptah_proxy_parse(struct ptah_proxy *proxy, const char *text, char *why, size_t why_room);
/** Longest text that ptah_proxy_format() makes, with its NUL. */
#define PTAH_PROXY_TEXT (16 + 6 * PTAH_PROXY_WORD_MAX + PTAH_ADDR_TEXT)
/** As a URI again: all but letters, digits and "-._~" of a login is encoded. */
const char *ptah_proxy_format(const struct ptah_proxy *proxy, char out[static PTAH_PROXY_TEXT]);
/** Free and wipe. */
void ptah_proxy_clear(struct ptah_proxy *proxy);

#endif
