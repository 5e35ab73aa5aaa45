/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/proxyuri.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static const char *const schemes[] = {
	[PTAH_PROXY_NONE] = "none",
	[PTAH_PROXY_SOCKS5] = "socks5",
	[PTAH_PROXY_SOCKS4A] = "socks4a",
	[PTAH_PROXY_HTTP] = "http",
};

/* Texts name what is missing and repeat nothing: what we were given may hold a password anywhere. */
static int
bad(char *why, size_t why_room, const char *what)
{
	snprintf(why, why_room, "%s: write SCHEME://[USER:PASSWORD@]IP:PORT, where SCHEME is "
	    "socks5, socks4a or http", what);
	return -EINVAL;
}

/* Decode %XX; a lone % stands for itself (Tor does not encode what it pastes). */
static int
decode(const char *text, size_t len, char **out)
{
	char *word = malloc(len + 1);
	size_t n = 0;

	if (!word)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++) {
		char hex[3] = "";
		uint8_t byte;

		if (text[i] == '%' && len - i > 2) {
			hex[0] = text[i + 1];
			hex[1] = text[i + 2];
		}
		if (hex[0] && ptah_text_unhex(hex, &byte, 1) == 1) {
			word[n++] = (char)byte;
			i += 2;
		} else {
			word[n++] = text[i];
		}
	}
	word[n] = '\0';
	*out = word;
	/* No scheme can carry a NUL in a word of ours, nor more than 255 bytes. */
	return strlen(word) != n || n > PTAH_PROXY_WORD_MAX ? -EINVAL : 0;
}

static const char *
check_login(const struct ptah_proxy *proxy)
{
	const char *user = proxy->user, *password = proxy->password;

	switch (proxy->scheme) {
	case PTAH_PROXY_SOCKS5:
		if (!password || user[0] == '\0' || password[0] == '\0')
			return "socks5 takes a user name and a password, or neither";
		break;
	case PTAH_PROXY_SOCKS4A:
		if (password)
			return "socks4a takes a user name, but no password";
		break;
	default:
		for (const char *at = user; *at; at++)
			if (*at == ':' || (unsigned char)*at < 0x20 || *at == 0x7f)
				return "an http user name may hold no colon and no control byte";
	}
	return NULL;
}

static int
parse_login(struct ptah_proxy *proxy, const char *text, size_t len, char *why, size_t why_room)
{
	const char *colon = memchr(text, ':', len);
	size_t user_len = colon ? (size_t)(colon - text) : len;

	if (len == 0)
		return bad(why, why_room, "nothing stands before the '@'");

	int rc = decode(text, user_len, &proxy->user);
	if (rc == 0 && colon)
		rc = decode(colon + 1, len - user_len - 1, &proxy->password);
	if (rc == -EINVAL)
		return bad(why, why_room, "user name or password is longer than 255 bytes, "
		    "or holds a NUL");
	if (rc != 0)
		return rc;

	const char *defect = check_login(proxy);
	return defect ? bad(why, why_room, defect) : 0;
}

static int
parse(struct ptah_proxy *proxy, const char *text, char *why, size_t why_room)
{
	const char *rest = strstr(text, "://");
	size_t scheme_len = rest ? (size_t)(rest - text) : 0;

	if (!rest)
		return bad(why, why_room, "the scheme is missing");
	for (int i = PTAH_PROXY_SOCKS5; i <= PTAH_PROXY_HTTP; i++)
		if (strlen(schemes[i]) == scheme_len && strncasecmp(schemes[i], text, scheme_len) == 0)
			proxy->scheme = i;
	if (proxy->scheme == PTAH_PROXY_NONE)
		return bad(why, why_room, "the scheme is not supported");

	rest += 3;
	const char *at = strrchr(rest, '@');
	if (at) {
		int rc = parse_login(proxy, rest, (size_t)(at - rest), why, why_room);

		if (rc != 0)
			return rc;
		rest = at + 1;
	}
	/* The lenient "::1:80" of bind addresses is not for a URI. */
	if (rest[0] != '[' && strchr(rest, ':') != strrchr(rest, ':'))
		return bad(why, why_room, "an IPv6 address wants brackets");
	if (strchr(rest, '%') || ptah_addr_parse(&proxy->addr, rest) != 0)
		return bad(why, why_room, "it does not end in an IP address and a port");
	if (ptah_addr_port(&proxy->addr) == 0)
		return bad(why, why_room, "port 0 is none");
	return 0;
}

/* Where its end is then. */
static char *
encode(const char *word, char *out)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	static const char digits[] = "0123456789ABCDEF";

	for (; *word != '\0'; word++) {
		if (strchr(plain, *word) != NULL) {
			*out++ = *word;
		} else {
			*out++ = '%';
			*out++ = digits[(unsigned char)*word >> 4];
			*out++ = digits[*word & 15];
		}
	}
	return out;
}

const char *
ptah_proxy_format(const struct ptah_proxy *proxy, char out[static PTAH_PROXY_TEXT])
{
	char *at = out + snprintf(out, PTAH_PROXY_TEXT, "%s://", schemes[proxy->scheme]);

	if (proxy->user != NULL) {
		at = encode(proxy->user, at);
		if (proxy->password != NULL) {
			*at++ = ':';
			at = encode(proxy->password, at);
		}
		*at++ = '@';
	}
	ptah_addr_format(&proxy->addr, at);
	return out;
}

int
ptah_proxy_parse(struct ptah_proxy *proxy, const char *text, char *why, size_t why_room)
{
	memset(proxy, 0, sizeof(*proxy));

	int rc = parse(proxy, text, why, why_room);

	if (rc != 0)
		ptah_proxy_clear(proxy);
	return rc;
}

static void
wipe(char *word)
{
	if (word)
		explicit_bzero(word, strlen(word));
	free(word);
}

void
ptah_proxy_clear(struct ptah_proxy *proxy)
{
	wipe(proxy->user);
	wipe(proxy->password);
	memset(proxy, 0, sizeof(*proxy));
}
