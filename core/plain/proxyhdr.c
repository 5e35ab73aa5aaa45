/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/proxyhdr.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Version 2: signature, version and command, family and transport, length (2). */
static const uint8_t v2_signature[12] = { '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n' };
#define V2_PROXY 0x21
#define V2_UNSPEC 0x00
#define V2_TCP4 0x11
#define V2_TCP6 0x21

/* Both addresses in one family, as bytes. */
struct ends {
	int family; /* AF_UNSPEC: not known */
	uint8_t peer[16], local[16];
	size_t len;
	uint16_t peer_port, local_port;
};

static void
to_v6(const struct ptah_addr *addr, uint8_t out[static 16])
{
	if (addr->sa.sa_family == AF_INET6) {
		memcpy(out, addr->v6.sin6_addr.s6_addr, 16);
		return;
	}
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	memcpy(out + 12, &addr->v4.sin_addr, 4);
}

static bool
is_known(const struct ptah_addr *addr)
{
	return addr != NULL && (addr->sa.sa_family == AF_INET || addr->sa.sa_family == AF_INET6);
}

static void
unite(struct ends *ends, const struct ptah_addr *peer, const struct ptah_addr *local)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	memset(ends, 0, sizeof(*ends));
	if (!is_known(peer) || !is_known(local))
		return;
	ends->family = AF_INET6;
	ends->len = 16;
	ends->peer_port = ptah_addr_port(peer);
	ends->local_port = ptah_addr_port(local);
	to_v6(peer, ends->peer);
	to_v6(local, ends->local);
	/* IPv4 that came in on an IPv6 socket is IPv4 all the same. */
	if (memcmp(ends->peer, mapped, sizeof(mapped)) == 0 && memcmp(ends->local, mapped, sizeof(mapped)) == 0) {
		ends->family = AF_INET;
		ends->len = 4;
		memmove(ends->peer, ends->peer + 12, 4);
		memmove(ends->local, ends->local + 12, 4);
	}
}

static size_t
make_v1(const struct ends *ends, uint8_t out[static PTAH_PROXYHDR_MAX])
{
	char peer[INET6_ADDRSTRLEN], local[INET6_ADDRSTRLEN];
	int n;

	if (ends->family == AF_UNSPEC) {
		n = snprintf((char *)out, PTAH_PROXYHDR_MAX, "PROXY UNKNOWN\r\n");
	} else {
		inet_ntop(ends->family, ends->peer, peer, sizeof(peer));
		inet_ntop(ends->family, ends->local, local, sizeof(local));
		n = snprintf((char *)out, PTAH_PROXYHDR_MAX, "PROXY TCP%d %s %s %u %u\r\n",
		    ends->family == AF_INET ? 4 : 6, peer, local, ends->peer_port, ends->local_port);
	}
	return (size_t)n;
}

static size_t
make_v2(const struct ends *ends, uint8_t out[static PTAH_PROXYHDR_MAX])
{
	uint8_t *at = out + sizeof(v2_signature);
	size_t body = ends->family == AF_UNSPEC ? 0 : 2 * ends->len + 4;

	memcpy(out, v2_signature, sizeof(v2_signature));
	*at++ = V2_PROXY;
	*at++ = ends->family == AF_INET ? V2_TCP4 : ends->family == AF_INET6 ? V2_TCP6 : V2_UNSPEC;
	*at++ = 0;
	*at++ = (uint8_t)body;
	if (body > 0) {
		memcpy(at, ends->peer, ends->len);
		at += ends->len;
		memcpy(at, ends->local, ends->len);
		at += ends->len;
		*at++ = (uint8_t)(ends->peer_port >> 8);
		*at++ = (uint8_t)ends->peer_port;
		*at++ = (uint8_t)(ends->local_port >> 8);
		*at++ = (uint8_t)ends->local_port;
	}
	return (size_t)(at - out);
}

size_t
ptah_proxyhdr_make(unsigned version, const struct ptah_addr *peer, const struct ptah_addr *local,
    uint8_t out[static PTAH_PROXYHDR_MAX])
{
	struct ends ends;

	unite(&ends, peer, local);
	if (version == 1)
		return make_v1(&ends, out);
	return version == 2 ? make_v2(&ends, out) : 0;
}
