/* SPDX-License-Identifier: BSD-3-Clause */
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bytes.h"

#define V4 1
#define NAME 3
#define V6 4

/* "HOST:PORT" or "[HOST]:PORT" in two; the port stays text. */
static int
cut(const char *text, char host[256], const char **port)
{
	const char *colon = strrchr(text, ':'), *end = colon;

	if (colon == NULL || colon[1] == '\0')
		return -EINVAL;
	if (text[0] == '[') {
		text++;
		end = colon - 1;
		if (end <= text || *end != ']')
			return -EINVAL;
	}
	if (end == text || end - text > 255)
		return -EINVAL;
	memcpy(host, text, (size_t)(end - text));
	host[end - text] = '\0';
	*port = colon + 1;
	return 0;
}

static int
port_of(const char *text, uint16_t *port)
{
	char *end;
	unsigned long n = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;

	if (n == 0 || n > 65535 || *end != '\0')
		return -EINVAL;
	*port = (uint16_t)n;
	return 0;
}

/* No byte that could mean something to who reads "host:port". */
static bool
is_name(const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((at[i] < '0' || at[i] > '9') && ((at[i] | 32) < 'a' || (at[i] | 32) > 'z') && at[i] != '-' && at[i] != '.' &&
		    at[i] != '_')
			return false;
	return len > 0;
}

int
shadow_address_write(const char *dest, uint8_t out[SHADOW_ADDRESS_MAX])
{
	char host[256];
	const char *port_text;
	uint16_t port;
	int len;

	if (cut(dest, host, &port_text) < 0 || port_of(port_text, &port) < 0)
		return -EINVAL;
	if (inet_pton(AF_INET, host, out + 1) == 1) {
		out[0] = V4;
		len = 1 + 4;
	} else if (inet_pton(AF_INET6, host, out + 1) == 1) {
		out[0] = V6;
		len = 1 + 16;
	} else {
		size_t n = strlen(host);

		if (!is_name((const uint8_t *)host, n))
			return -EINVAL;
		out[0] = NAME;
		out[1] = (uint8_t)n;
		memcpy(out + 2, host, n);
		len = 2 + (int)n;
	}
	ptah_bytes_put16be(out + len, port);
	return len + 2;
}

/* One spelling for each: a name that is a number is that number. */
static int
spell(const char *host, const char *port, char dest[SHADOW_DEST_TEXT])
{
	uint8_t raw[16];
	char number[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET6, host, raw) == 1) {
		inet_ntop(AF_INET6, raw, number, sizeof(number));
		snprintf(dest, SHADOW_DEST_TEXT, "[%s]:%s", number, port);
		return 0;
	}
	if (!is_name((const uint8_t *)host, strlen(host)))
		return -EPROTO;
	snprintf(dest, SHADOW_DEST_TEXT, "%s:%s", host, port);
	return 0;
}

int
shadow_address_len(struct ptah_span in)
{
	size_t len;

	if (in.len == 0)
		return 0;
	switch (in.at[0]) {
	case V4:
		len = 1 + 4 + 2;
		break;
	case V6:
		len = 1 + 16 + 2;
		break;
	case NAME:
		if (in.len < 2)
			return 0;
		len = 1u + 1u + in.at[1] + 2u;
		break;
	default:
		return -EPROTO;
	}
	return in.len < len ? 0 : (int)len;
}

int
shadow_address_read(struct ptah_span in, char dest[SHADOW_DEST_TEXT])
{
	char host[256] = "", port[6];
	int len = shadow_address_len(in);
	uint16_t number;

	if (len <= 0)
		return len;
	if (in.at[0] == NAME) {
		/* A NUL would hide what comes after it. */
		if (memchr(in.at + 2, '\0', in.at[1]) != NULL)
			return -EPROTO;
		memcpy(host, in.at + 2, in.at[1]);
		host[in.at[1]] = '\0';
	} else {
		inet_ntop(in.at[0] == V4 ? AF_INET : AF_INET6, in.at + 1, host, sizeof(host));
	}
	number = ptah_bytes_get16be(in.at + len - 2);
	if (number == 0)
		return -EPROTO;
	snprintf(port, sizeof(port), "%u", (unsigned)number);
	return spell(host, port, dest) == 0 ? len : -EPROTO;
}

static bool
matches(const char *item, const char *dest)
{
	char host[256], mine[256], text[SHADOW_DEST_TEXT];
	const char *port, *my_port;

	if (strcmp(item, "*") == 0)
		return true;
	if (cut(item, host, &port) < 0 || cut(dest, mine, &my_port) < 0)
		return false;
	if (strcmp(port, "*") != 0 && strcmp(port, my_port) != 0)
		return false;
	if (strcmp(host, "*") == 0)
		return true;
	return spell(host, my_port, text) == 0 && strcasecmp(text, dest) == 0;
}

bool
shadow_address_allowed(const struct ptah_list *allow, const char *dest)
{
	const char *const *items = allow->items;

	for (size_t i = 0; i < allow->n; i++)
		if (matches(items[i], dest))
			return true;
	return false;
}

bool
shadow_address_may_be_allowed(const char *item)
{
	char host[256], text[SHADOW_DEST_TEXT];
	const char *port;
	uint16_t number;

	if (strcmp(item, "*") == 0)
		return true;
	if (cut(item, host, &port) < 0 || (strcmp(port, "*") != 0 && port_of(port, &number) < 0))
		return false;
	return strcmp(host, "*") == 0 || spell(host, "1", text) == 0;
}
