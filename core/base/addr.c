/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static int
parse_port(const char *text, uint16_t *port)
{
	uint64_t value;

	if (strlen(text) > 5 || ptah_text_u64(text, 0, UINT16_MAX, &value) != 0)
		return -EINVAL;
	*port = (uint16_t)value;
	return 0;
}

static int
parse_v4(struct ptah_addr *addr, const char *host, uint16_t port)
{
	memset(addr, 0, sizeof(*addr));
	if (inet_pton(AF_INET, host, &addr->v4.sin_addr) != 1)
		return -EINVAL;
	addr->v4.sin_family = AF_INET;
	addr->v4.sin_port = htons(port);
	return 0;
}

/* An IPv6 literal without brackets, perhaps with a zone. */
static int
parse_v6(struct ptah_addr *addr, const char *host, uint16_t port)
{
	char literal[INET6_ADDRSTRLEN];
	const char *zone = strchr(host, '%');
	size_t len = zone != NULL ? (size_t)(zone - host) : strlen(host);
	uint64_t index;

	memset(addr, 0, sizeof(*addr));
	if (len >= sizeof(literal))
		return -EINVAL;
	memcpy(literal, host, len);
	literal[len] = '\0';
	if (inet_pton(AF_INET6, literal, &addr->v6.sin6_addr) != 1)
		return -EINVAL;
	if (zone != NULL) {
		if (!IN6_IS_ADDR_LINKLOCAL(&addr->v6.sin6_addr))
			return -EINVAL;
		if (ptah_text_u64(zone + 1, 1, UINT32_MAX, &index) != 0)
			index = if_nametoindex(zone + 1);
		if (index == 0)
			return -EINVAL;
		addr->v6.sin6_scope_id = (uint32_t)index;
	}
	addr->v6.sin6_family = AF_INET6;
	addr->v6.sin6_port = htons(port);
	return 0;
}

int
ptah_addr_parse_host(struct ptah_addr *addr, const char *host, uint16_t port)
{
	char inner[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	size_t len = strlen(host);
	int rc;

	if (host[0] == '[') {
		if (len - 2 >= sizeof(inner) || host[len - 1] != ']') {
			rc = -EINVAL;
		} else {
			memcpy(inner, host + 1, len - 2);
			inner[len - 2] = '\0';
			rc = parse_v6(addr, inner, port);
		}
	} else if (strchr(host, ':') != NULL) {
		rc = parse_v6(addr, host, port);
	} else {
		rc = parse_v4(addr, host, port);
	}
	if (rc != 0)
		memset(addr, 0, sizeof(*addr));
	return rc;
}

/*
 * Split "host:port" at the last colon.  A text with an unbracketed IPv6
 * literal comes apart in the same place as any other (ipc.md 2.2).
 */
static int
split(const char *text, char *host, size_t room, uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	size_t len;

	if (colon == NULL)
		return -EINVAL;
	len = (size_t)(colon - text);
	if (len == 0 || len >= room)
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	return parse_port(colon + 1, port);
}

int
ptah_addr_parse(struct ptah_addr *addr, const char *text)
{
	char host[PTAH_ADDR_TEXT + IF_NAMESIZE];
	uint16_t port;

	memset(addr, 0, sizeof(*addr));
	if (split(text, host, sizeof(host), &port) != 0)
		return -EINVAL;
	return ptah_addr_parse_host(addr, host, port);
}

const char *
ptah_addr_format(const struct ptah_addr *addr, char out[static PTAH_ADDR_TEXT])
{
	char host[INET6_ADDRSTRLEN];

	out[0] = '\0';
	if (addr->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &addr->v4.sin_addr, host, sizeof(host));
		snprintf(out, PTAH_ADDR_TEXT, "%s:%u", host, ntohs(addr->v4.sin_port));
	} else if (addr->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &addr->v6.sin6_addr, host, sizeof(host));
		snprintf(out, PTAH_ADDR_TEXT, "[%s]:%u", host, ntohs(addr->v6.sin6_port));
	}
	return out;
}

const char *
ptah_addr_format_peer(const struct ptah_addr *addr, char out[static PTAH_ADDR_TEXT])
{
	struct ptah_addr plain;

	if (addr->sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&addr->v6.sin6_addr))
		return ptah_addr_format(addr, out);
	memset(&plain, 0, sizeof(plain));
	plain.v4.sin_family = AF_INET;
	plain.v4.sin_port = addr->v6.sin6_port;
	memcpy(&plain.v4.sin_addr, addr->v6.sin6_addr.s6_addr + 12, 4);
	return ptah_addr_format(&plain, out);
}

void
ptah_addr_from_sockaddr(struct ptah_addr *addr, const struct sockaddr *sa)
{
	memset(addr, 0, sizeof(*addr));
	if (sa->sa_family == AF_INET)
		memcpy(&addr->v4, sa, sizeof(addr->v4));
	else if (sa->sa_family == AF_INET6)
		memcpy(&addr->v6, sa, sizeof(addr->v6));
}

int
ptah_addr_of_socket(struct ptah_addr *addr, int fd)
{
	union {
		struct sockaddr sa;
		struct sockaddr_storage room;
	} at;
	socklen_t len = sizeof(at);

	if (getsockname(fd, &at.sa, &len) == -1)
		return -errno;
	ptah_addr_from_sockaddr(addr, &at.sa);
	return 0;
}

socklen_t
ptah_addr_len(const struct ptah_addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return sizeof(addr->v4);
	if (addr->sa.sa_family == AF_INET6)
		return sizeof(addr->v6);
	return 0;
}

uint16_t
ptah_addr_port(const struct ptah_addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return ntohs(addr->v4.sin_port);
	if (addr->sa.sa_family == AF_INET6)
		return ntohs(addr->v6.sin6_port);
	return 0;
}

void
ptah_addr_set_port(struct ptah_addr *addr, uint16_t port)
{
	if (addr->sa.sa_family == AF_INET)
		addr->v4.sin_port = htons(port);
	else if (addr->sa.sa_family == AF_INET6)
		addr->v6.sin6_port = htons(port);
}

bool
ptah_addr_is_loopback(const struct ptah_addr *addr)
{
	const struct in6_addr *v6 = &addr->v6.sin6_addr;

	if (addr->sa.sa_family == AF_INET)
		return ntohl(addr->v4.sin_addr.s_addr) >> 24 == 127;
	if (addr->sa.sa_family != AF_INET6)
		return false;
	return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

bool
ptah_addr_equal(const struct ptah_addr *a, const struct ptah_addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family || ptah_addr_port(a) != ptah_addr_port(b))
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	if (a->sa.sa_family == AF_INET6)
		return IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr) &&
		    a->v6.sin6_scope_id == b->v6.sin6_scope_id;
	return true;
}

static bool
is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/*
 * A name that a resolver or a proxy can be asked for: labels of 1 to 63
 * letters, digits, '-' and '_', perhaps a dot at the end.  The last label is
 * not a number: some resolvers would read "127.1" or "0x7f.1" as an address.
 */
static bool
is_name(const char *host)
{
	size_t label = 0;
	const char *last = host;
	size_t last_len;

	if (strlen(host) >= PTAH_HOST_TEXT)
		return false;
	for (const char *p = host; *p != '\0'; p++) {
		if (*p == '.') {
			if (label == 0)
				return false;
			label = 0;
			if (p[1] != '\0')
				last = p + 1;
		} else if (!is_name_byte(*p) || ++label > 63) {
			return false;
		}
	}
	last_len = strcspn(last, ".");
	if (last_len == 0 || strspn(last, "0123456789") == last_len)
		return false;
	return !(last[0] == '0' && (last[1] == 'x' || last[1] == 'X') &&
	    2 + strspn(last + 2, "0123456789abcdefABCDEF") == last_len);
}

int
ptah_dest_set(struct ptah_dest *dest, const char *host, uint16_t port)
{
	size_t len = strlen(host);

	memset(dest, 0, sizeof(*dest));
	if (strchr(host, '%') == NULL && ptah_addr_parse_host(&dest->addr, host, port) == 0) {
		dest->literal = true;
		if (host[0] == '[') {
			host++;
			len -= 2;
		}
	} else if (!is_name(host)) {
		return -EINVAL;
	}
	memcpy(dest->host, host, len);
	dest->host[len] = '\0';
	dest->port = port;
	return 0;
}

int
ptah_dest_parse(struct ptah_dest *dest, const char *text, bool zero_ok)
{
	char host[PTAH_DEST_TEXT];
	uint16_t port;
	int rc;

	memset(dest, 0, sizeof(*dest));
	rc = split(text, host, sizeof(host), &port);
	if (rc == 0 && port == 0 && !zero_ok)
		rc = -EINVAL;
	return rc == 0 ? ptah_dest_set(dest, host, port) : rc;
}

const char *
ptah_dest_format(const struct ptah_dest *dest, char out[static PTAH_DEST_TEXT])
{
	bool brackets = dest->literal && dest->addr.sa.sa_family == AF_INET6;

	snprintf(out, PTAH_DEST_TEXT, brackets ? "[%s]:%u" : "%s:%u", dest->host, dest->port);
	return out;
}
