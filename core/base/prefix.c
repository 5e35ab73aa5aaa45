/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/prefix.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* The bytes of an address, the IPv4 one inside a mapped one; how many there are, 0 for other families. */
static unsigned
bytes_of(const struct ptah_addr *addr, uint8_t out[static 16])
{
	if (addr->sa.sa_family == AF_INET) {
		memcpy(out, &addr->v4.sin_addr, 4);
		return 4;
	}
	if (addr->sa.sa_family != AF_INET6)
		return 0;
	if (IN6_IS_ADDR_V4MAPPED(&addr->v6.sin6_addr)) {
		memcpy(out, addr->v6.sin6_addr.s6_addr + 12, 4);
		return 4;
	}
	memcpy(out, &addr->v6.sin6_addr, 16);
	return 16;
}

static void
set_bytes(struct ptah_addr *addr, const uint8_t *bytes, unsigned n)
{
	memset(addr, 0, sizeof(*addr));
	addr->sa.sa_family = n == 4 ? AF_INET : n == 16 ? AF_INET6 : AF_UNSPEC;
	if (n == 4)
		memcpy(&addr->v4.sin_addr, bytes, 4);
	else if (n == 16)
		memcpy(&addr->v6.sin6_addr, bytes, 16);
}

/* Clear what stands behind the first 'bits'; was there anything? */
static bool
cut(uint8_t *bytes, unsigned n, unsigned bits)
{
	bool was = false;

	for (unsigned i = 0; i < n; i++) {
		unsigned kept = bits > i * 8 ? bits - i * 8 : 0;
		uint8_t mask = kept >= 8 ? 0xff : (uint8_t)(0xff00 >> kept);

		was = was || (bytes[i] & ~mask) != 0;
		bytes[i] &= mask;
	}
	return was;
}

int
ptah_prefix_parse(struct ptah_prefix *prefix, const char *text)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char host[PTAH_ADDR_TEXT];
	uint8_t bytes[16];
	uint64_t bits;

	memset(prefix, 0, sizeof(*prefix));
	if (len >= sizeof(host) || memchr(text, '%', len))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	if (ptah_addr_parse_host(&prefix->addr, host, 0) != 0)
		return -EINVAL;

	/* Written as IPv6, "::ffff:192.0.2.0/120" counts its bits from the front of that. */
	bool mapped = prefix->addr.sa.sa_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&prefix->addr.v6.sin6_addr);
	unsigned n = bytes_of(&prefix->addr, bytes), before = mapped ? 96 : 0;

	bits = before + n * 8;
	if (slash && (strlen(slash + 1) > 3 || ptah_text_u64(slash + 1, before, bits, &bits) != 0))
		return -EINVAL;
	prefix->bits = (unsigned)bits - before;
	if (cut(bytes, n, prefix->bits))
		return -EINVAL;
	set_bytes(&prefix->addr, bytes, n);
	return 0;
}

void
ptah_prefix_of(struct ptah_prefix *prefix, const struct ptah_addr *addr, unsigned v4, unsigned v6)
{
	uint8_t bytes[16];
	unsigned n = bytes_of(addr, bytes), bits = n == 4 ? v4 : v6;

	prefix->bits = bits < n * 8 ? bits : n * 8;
	(void)cut(bytes, n, prefix->bits);
	set_bytes(&prefix->addr, bytes, n);
}

bool
ptah_prefix_has(const struct ptah_prefix *prefix, const struct ptah_addr *addr)
{
	uint8_t range[16], bytes[16];
	unsigned n = bytes_of(addr, bytes);

	if (n == 0 || bytes_of(&prefix->addr, range) != n)
		return false;
	(void)cut(bytes, n, prefix->bits);
	return memcmp(range, bytes, n) == 0;
}

const char *
ptah_prefix_format(const struct ptah_prefix *prefix, char out[static PTAH_PREFIX_TEXT])
{
	char text[PTAH_ADDR_TEXT], *host = text;

	ptah_addr_format(&prefix->addr, text);
	/* Behind the last colon stands the port. */
	char *colon = strrchr(text, ':');

	if (colon)
		*colon = '\0';
	if (host[0] == '[') {
		host++;
		host[strlen(host) - 1] = '\0';
	}
	snprintf(out, PTAH_PREFIX_TEXT, "%s/%u", host, prefix->bits);
	return out;
}
