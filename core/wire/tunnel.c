/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/tunnel.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#define REP_GENERAL 1
#define REP_NOT_ALLOWED 2
#define REP_ATYP 8

enum { S5_METHOD = 1, S5_AUTH, S5_REPLY, S4_REPLY, HTTP_REPLY, ENDED };

static int
fail(struct ptah_tunnel *tunnel, uint8_t rep, const char *reason)
{
	tunnel->state = ENDED;
	tunnel->rep = rep;
	tunnel->reason = reason;
	return PTAH_TUNNEL_FAIL;
}

static void
add_u8(struct ptah_buf *out, unsigned value)
{
	uint8_t byte = (uint8_t)value;

	(void)ptah_buf_add(out, &byte, 1);
}

static void
add_port(struct ptah_buf *out, uint16_t port)
{
	add_u8(out, port >> 8);
	add_u8(out, port & 0xff);
}

static void
add_counted(struct ptah_buf *out, const char *text)
{
	size_t len = strlen(text); /* at most 255: checked when the URI was read */

	add_u8(out, (unsigned)len);
	(void)ptah_buf_add(out, text, len);
}

/* 05 01 00 ATYP DST.ADDR DST.PORT */
static void
socks5_request(const struct ptah_dest *dest, struct ptah_buf *out)
{
	(void)ptah_buf_add(out, "\x05\x01\x00", 3);
	if (!dest->literal) {
		add_u8(out, 3);
		add_counted(out, dest->host);
	} else if (dest->addr.sa.sa_family == AF_INET) {
		add_u8(out, 1);
		(void)ptah_buf_add(out, &dest->addr.v4.sin_addr, 4);
	} else {
		add_u8(out, 4);
		(void)ptah_buf_add(out, &dest->addr.v6.sin6_addr, 16);
	}
	add_port(out, dest->port);
}

/* 04 01 PORT IP USERID 00 [DOMAIN 00] */
static void
socks4a_request(const struct ptah_proxy *proxy, const struct ptah_dest *dest, struct ptah_buf *out)
{
	(void)ptah_buf_add(out, "\x04\x01", 2);
	add_port(out, dest->port);
	if (dest->literal)
		(void)ptah_buf_add(out, &dest->addr.v4.sin_addr, 4);
	else
		(void)ptah_buf_add(out, "\x00\x00\x00\x01", 4);
	if (proxy->user != NULL)
		(void)ptah_buf_puts(out, proxy->user);
	add_u8(out, 0);
	if (!dest->literal)
		(void)ptah_buf_add(out, dest->host, strlen(dest->host) + 1);
}

static void
add_base64(struct ptah_buf *out, const struct ptah_buf *in)
{
	char text[sodium_base64_ENCODED_LEN(2 * PTAH_PROXY_WORD_MAX + 1, sodium_base64_VARIANT_ORIGINAL)];

	sodium_bin2base64(text, sizeof(text), in->at, in->len, sodium_base64_VARIANT_ORIGINAL);
	(void)ptah_buf_puts(out, text);
	explicit_bzero(text, sizeof(text));
}

static int
http_request(const struct ptah_proxy *proxy, const struct ptah_dest *dest, struct ptah_buf *out)
{
	char authority[PTAH_DEST_TEXT];

	ptah_dest_format(dest, authority);
	(void)ptah_buf_printf(out, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", authority, authority);
	if (proxy->user != NULL) {
		struct ptah_buf login = { 0 };

		(void)ptah_buf_printf(&login, "%s:%s", proxy->user, proxy->password != NULL ? proxy->password : "");
		(void)ptah_buf_puts(out, "Proxy-Authorization: Basic ");
		if (login.rc == 0)
			add_base64(out, &login);
		else
			out->rc = login.rc;
		(void)ptah_buf_puts(out, "\r\n");
		ptah_buf_wipe(&login);
	}
	return ptah_buf_puts(out, "\r\n");
}

int
ptah_tunnel_begin(struct ptah_tunnel *tunnel, const struct ptah_proxy *proxy,
    const struct ptah_dest *dest, struct ptah_buf *out)
{
	*tunnel = (struct ptah_tunnel){ .proxy = proxy, .dest = dest };
	switch (proxy->scheme) {
	case PTAH_PROXY_SOCKS5:
		tunnel->state = S5_METHOD;
		return ptah_buf_add(out, proxy->user != NULL ? "\x05\x02\x00\x02" : "\x05\x01\x00",
		    proxy->user != NULL ? 4 : 3);
	case PTAH_PROXY_SOCKS4A:
		tunnel->state = S4_REPLY;
		if (dest->literal && dest->addr.sa.sa_family == AF_INET6) {
			(void)fail(tunnel, REP_ATYP, "socks4a knows no IPv6 addresses");
			return -EAFNOSUPPORT;
		}
		socks4a_request(proxy, dest, out);
		return out->rc;
	default:
		tunnel->state = HTTP_REPLY;
		return http_request(proxy, dest, out);
	}
}

static int
on_s5_method(struct ptah_tunnel *tunnel, const uint8_t *at, struct ptah_buf *out)
{
	if (at[0] != 5)
		return fail(tunnel, REP_GENERAL, "the proxy does not speak SOCKS5");
	if (at[1] == 0) {
		tunnel->state = S5_REPLY;
		socks5_request(tunnel->dest, out);
		return out->rc != 0 ? out->rc : PTAH_TUNNEL_MORE;
	}
	if (at[1] != 2 || tunnel->proxy->user == NULL)
		return fail(tunnel, REP_GENERAL, "the proxy wants a login that we do not have");
	tunnel->state = S5_AUTH;
	add_u8(out, 1);
	add_counted(out, tunnel->proxy->user);
	add_counted(out, tunnel->proxy->password);
	return out->rc != 0 ? out->rc : PTAH_TUNNEL_MORE;
}

static int
on_s5_auth(struct ptah_tunnel *tunnel, const uint8_t *at, struct ptah_buf *out)
{
	if (at[0] != 1 || at[1] != 0)
		return fail(tunnel, REP_NOT_ALLOWED, "the proxy refused the login");
	tunnel->state = S5_REPLY;
	socks5_request(tunnel->dest, out);
	return out->rc != 0 ? out->rc : PTAH_TUNNEL_MORE;
}

/* Is 'kept' one whole answer of the kind that is awaited? */
static bool
is_whole(const struct ptah_tunnel *tunnel)
{
	const uint8_t *at = tunnel->kept.at;
	size_t len = tunnel->kept.len;

	switch (tunnel->state) {
	case S5_METHOD:
	case S5_AUTH:
		return len == 2;
	case S4_REPLY:
		return len == 8;
	case S5_REPLY:
		if (len < 5)
			return false;
		switch (at[3]) {
		case 1:
			return len == 10;
		case 3:
			return len == 7 + (size_t)at[4];
		case 4:
			return len == 22;
		default:
			return true; /* it cannot be read further */
		}
	default:
		/* An http header ends with an empty line; a bare LF counts as a line end too. */
		if (len < 2 || at[len - 1] != '\n')
			return false;
		return at[len - 2] == '\n' || (len > 2 && at[len - 2] == '\r' && at[len - 3] == '\n');
	}
}

static int
on_s5_reply(struct ptah_tunnel *tunnel, const uint8_t *at)
{
	if (at[0] != 5)
		return fail(tunnel, REP_GENERAL, "the proxy's reply is not SOCKS5");
	if (at[1] != 0)
		return fail(tunnel, at[1] <= 8 ? at[1] : REP_GENERAL, "the proxy refused the connection");
	if (at[3] != 1 && at[3] != 3 && at[3] != 4)
		return fail(tunnel, REP_GENERAL, "the proxy's reply has an unknown address type");
	tunnel->state = ENDED;
	return PTAH_TUNNEL_OPEN;
}

static int
on_s4_reply(struct ptah_tunnel *tunnel, const uint8_t *at)
{
	if (at[0] != 0)
		return fail(tunnel, REP_GENERAL, "the proxy's reply is not SOCKS4");
	if (at[1] == 0x5c || at[1] == 0x5d)
		return fail(tunnel, REP_NOT_ALLOWED, "the proxy wants to know who we are");
	if (at[1] != 0x5a)
		return fail(tunnel, REP_GENERAL, "the proxy refused the connection");
	tunnel->state = ENDED;
	return PTAH_TUNNEL_OPEN;
}

static int
on_http_header(struct ptah_tunnel *tunnel)
{
	const char *line = (const char *)tunnel->kept.at;

	if (tunnel->kept.len < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ' ||
	    line[9] < '1' || line[9] > '9')
		return fail(tunnel, REP_GENERAL, "the proxy does not speak HTTP/1");
	if (line[9] == '2') {
		tunnel->state = ENDED;
		return PTAH_TUNNEL_OPEN;
	}
	if (memcmp(line + 9, "407", 3) == 0)
		return fail(tunnel, REP_NOT_ALLOWED, "the proxy wants a login, or refused ours (407)");
	if (memcmp(line + 9, "403", 3) == 0)
		return fail(tunnel, REP_NOT_ALLOWED, "the proxy does not allow this destination (403)");
	return fail(tunnel, REP_GENERAL, "the proxy refused the connection");
}

int
ptah_tunnel_feed(struct ptah_tunnel *tunnel, struct ptah_span in, size_t *eaten, struct ptah_buf *out)
{
	struct ptah_buf *kept = &tunnel->kept;
	int rc = PTAH_TUNNEL_MORE;

	for (*eaten = 0; rc == PTAH_TUNNEL_MORE && *eaten < in.len; ++*eaten) {
		if (kept->len == PTAH_TUNNEL_HEADER_MAX)
			return fail(tunnel, REP_GENERAL, "the proxy's header does not end");
		if (ptah_buf_add(kept, &in.at[*eaten], 1) != 0)
			return kept->rc;
		if (!is_whole(tunnel))
			continue;
		switch (tunnel->state) {
		case S5_METHOD:
			rc = on_s5_method(tunnel, kept->at, out);
			break;
		case S5_AUTH:
			rc = on_s5_auth(tunnel, kept->at, out);
			break;
		case S5_REPLY:
			rc = on_s5_reply(tunnel, kept->at);
			break;
		case S4_REPLY:
			rc = on_s4_reply(tunnel, kept->at);
			break;
		case HTTP_REPLY:
			rc = on_http_header(tunnel);
			break;
		default:
			return PTAH_TUNNEL_FAIL;
		}
		ptah_buf_eat(kept, kept->len);
	}
	return rc;
}

void
ptah_tunnel_clear(struct ptah_tunnel *tunnel)
{
	ptah_buf_clear(&tunnel->kept);
}
