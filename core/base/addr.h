/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * base/addr.h: an IP address with a port, and a "host:port" that may be a name.
 *
 * Knows the texts of the PT documents (bind addresses, targets) and of Tor;
 * knows no resolver and opens nothing.
 */
#ifndef PTAH_BASE_ADDR_H
#define PTAH_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/** Room for any text of ptah_addr_format(), with brackets, port and NUL. */
#define PTAH_ADDR_TEXT 64
/** Longest host name that we take (RFC 1035: 253; SOCKS: 255), with NUL. */
#define PTAH_HOST_TEXT 256
/** Room for any text of ptah_dest_format(), with brackets, port and NUL. */
#define PTAH_DEST_TEXT (PTAH_HOST_TEXT + 8)

/** An IPv4 or IPv6 address and port; family AF_UNSPEC means "none". */
struct ptah_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
};

/** Where to connect: a literal address, or a name to be resolved. */
struct ptah_dest {
	char host[PTAH_HOST_TEXT]; /* no brackets; "" means none */
	uint16_t port;
	bool literal; /* 'host' is an IP literal and 'addr' holds it */
	struct ptah_addr addr;
};

/**
 * Parse "1.2.3.4:5" or "[::1]:5"; also "::1:5" (old Tor).  A zone (%eth0) is
 * taken for link-local addresses.
 * Fails: -EINVAL.
 */
int ptah_addr_parse(struct ptah_addr *addr, const char *text);

/** Parse an IP literal, IPv6 with or without brackets, no port in the text. */
int ptah_addr_parse_host(struct ptah_addr *addr, const char *host, uint16_t port);

/** Write "1.2.3.4:5" or "[::1]:5" (never a zone); "" for AF_UNSPEC.  Returns 'out'. */
const char *ptah_addr_format(const struct ptah_addr *addr, char out[static PTAH_ADDR_TEXT]);

/** The same, but an IPv4-mapped IPv6 address is written as IPv4. */
const char *ptah_addr_format_peer(const struct ptah_addr *addr, char out[static PTAH_ADDR_TEXT]);

/** AF_UNSPEC for other families. */
void ptah_addr_from_sockaddr(struct ptah_addr *addr, const struct sockaddr *sa);
/** Where a socket is bound.  -errno. */
int ptah_addr_of_socket(struct ptah_addr *addr, int fd);
socklen_t ptah_addr_len(const struct ptah_addr *addr);
uint16_t ptah_addr_port(const struct ptah_addr *addr);
void ptah_addr_set_port(struct ptah_addr *addr, uint16_t port);
/** 127.0.0.0/8, ::1, and the first one mapped. */
bool ptah_addr_is_loopback(const struct ptah_addr *addr);
bool ptah_addr_equal(const struct ptah_addr *a, const struct ptah_addr *b);

/**
 * Parse a hostport: an addrport, or a DNS name, a colon and a port 1..65535
 * (0 too if 'zero_ok').
 * Fails: -EINVAL.
 */
int ptah_dest_parse(struct ptah_dest *dest, const char *text, bool zero_ok);

/** Make one of a host (a name, or a literal with or without brackets) and a port. */
int ptah_dest_set(struct ptah_dest *dest, const char *host, uint16_t port);

/** Write it as "host:port", IPv6 in brackets.  Returns 'out'. */
const char *ptah_dest_format(const struct ptah_dest *dest, char out[static PTAH_DEST_TEXT]);

#endif
