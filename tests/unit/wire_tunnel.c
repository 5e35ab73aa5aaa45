/* SPDX-License-Identifier: BSD-3-Clause */
/* wire/tunnel.h: transcripts of every proxy, fed whole and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "wire/tunnel.h"

#define SPAN(text) { (const uint8_t *)(text), sizeof(text) - 1 }

struct turn {
	struct ptah_span in, out; /* what the proxy says, what we answer */
};

struct transcript {
	const char *name, *uri, *dest;
	struct ptah_span first;
	struct turn turns[3];
	int answer;
	unsigned rep;
	struct ptah_span behind; /* the tunnel's */
};

static const struct transcript transcripts[] = {
	{ "socks5, no login, IPv4", "socks5://127.0.0.1:1080", "1.2.3.4:80", SPAN("\5\1\0"),
	    { { SPAN("\5\0"), SPAN("\5\1\0\1\1\2\3\4\0\x50") }, { SPAN("\5\0\0\1\0\0\0\0\0\0"), SPAN("") } },
	    PTAH_TUNNEL_OPEN, 0, SPAN("tunnel") },
	{ "socks5, login, name", "socks5://tor:test1234@127.0.0.1:1080", "example.net:443", SPAN("\5\2\0\2"),
	    { { SPAN("\5\2"), SPAN("\1\3tor\10test1234") }, { SPAN("\1\0"), SPAN("\5\1\0\3\13example.net\1\xbb") },
		{ SPAN("\5\0\0\3\4host\0\1"), SPAN("") } },
	    PTAH_TUNNEL_OPEN, 0, SPAN("x") },
	{ "socks5, IPv6, bound IPv6", "socks5://127.0.0.1:1080", "[::1]:1", SPAN("\5\1\0"),
	    { { SPAN("\5\0"), SPAN("\5\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1") },
		{ SPAN("\5\0\0\4................\0\1"), SPAN("") } },
	    PTAH_TUNNEL_OPEN, 0, SPAN("") },
	{ "socks5 refuses", "socks5://127.0.0.1:1080", "1.2.3.4:80", SPAN("\5\1\0"),
	    { { SPAN("\5\0"), SPAN("\5\1\0\1\1\2\3\4\0\x50") }, { SPAN("\5\5\0\1\0\0\0\0\0\0"), SPAN("") } },
	    PTAH_TUNNEL_FAIL, 5, SPAN("") },
	{ "socks5 refuses with an unknown code", "socks5://127.0.0.1:1080", "1.2.3.4:80", SPAN("\5\1\0"),
	    { { SPAN("\5\0"), SPAN("\5\1\0\1\1\2\3\4\0\x50") }, { SPAN("\5\x77\0\1\0\0\0\0\0\0"), SPAN("") } },
	    PTAH_TUNNEL_FAIL, 1, SPAN("") },
	{ "socks5 wants a login", "socks5://127.0.0.1:1080", "1.2.3.4:80", SPAN("\5\1\0"),
	    { { SPAN("\5\xff"), SPAN("") } }, PTAH_TUNNEL_FAIL, 1, SPAN("") },
	{ "socks5 chooses a login that was not offered", "socks5://127.0.0.1:1080", "1.2.3.4:80", SPAN("\5\1\0"),
	    { { SPAN("\5\2"), SPAN("") } }, PTAH_TUNNEL_FAIL, 1, SPAN("") },
	{ "socks5 refuses the login", "socks5://a:b@127.0.0.1:1080", "1.2.3.4:80", SPAN("\5\2\0\2"),
	    { { SPAN("\5\2"), SPAN("\1\1a\1b") }, { SPAN("\1\1"), SPAN("") } }, PTAH_TUNNEL_FAIL, 2, SPAN("") },
	{ "not socks5", "socks5://127.0.0.1:1080", "1.2.3.4:80", SPAN("\5\1\0"),
	    { { SPAN("HT"), SPAN("") } }, PTAH_TUNNEL_FAIL, 1, SPAN("") },
	{ "socks5, unknown address type", "socks5://127.0.0.1:1080", "1.2.3.4:80", SPAN("\5\1\0"),
	    { { SPAN("\5\0"), SPAN("\5\1\0\1\1\2\3\4\0\x50") }, { SPAN("\5\0\0\7."), SPAN("") } },
	    PTAH_TUNNEL_FAIL, 1, SPAN("") },
	{ "socks4a, name", "socks4a://127.0.0.1:1080", "localhost:80", SPAN("\4\1\0\x50\0\0\0\1\0localhost\0"),
	    { { SPAN("\0\x5a......"), SPAN("") } }, PTAH_TUNNEL_OPEN, 0, SPAN("abc") },
	{ "socks4a, user and address", "socks4a://me@127.0.0.1:1080", "1.2.3.4:80", SPAN("\4\1\0\x50\1\2\3\4me\0"),
	    { { SPAN("\0\x5a......"), SPAN("") } }, PTAH_TUNNEL_OPEN, 0, SPAN("") },
	{ "socks4a refuses", "socks4a://127.0.0.1:1080", "1.2.3.4:80", SPAN("\4\1\0\x50\1\2\3\4\0"),
	    { { SPAN("\0\x5b......"), SPAN("") } }, PTAH_TUNNEL_FAIL, 1, SPAN("") },
	{ "socks4a wants identd", "socks4a://127.0.0.1:1080", "1.2.3.4:80", SPAN("\4\1\0\x50\1\2\3\4\0"),
	    { { SPAN("\0\x5c......"), SPAN("") } }, PTAH_TUNNEL_FAIL, 2, SPAN("") },
	{ "http with a login", "http://tor:test1234@127.0.0.1:8080", "h.example:443",
	    SPAN("CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n"
		 "Proxy-Authorization: Basic dG9yOnRlc3QxMjM0\r\n\r\n"),
	    { { SPAN("HTTP/1.1 200 OK\r\nVia: x\r\n\r\n"), SPAN("") } }, PTAH_TUNNEL_OPEN, 0, SPAN("data") },
	{ "http, user alone, IPv6", "http://u@127.0.0.1:8080", "[2001:db8::1]:443",
	    SPAN("CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n"
		 "Proxy-Authorization: Basic dTo=\r\n\r\n"),
	    { { SPAN("HTTP/1.0 204 No\n\n"), SPAN("") } }, PTAH_TUNNEL_OPEN, 0, SPAN("d") },
	{ "http 407", "http://127.0.0.1:8080", "1.2.3.4:80",
	    SPAN("CONNECT 1.2.3.4:80 HTTP/1.1\r\nHost: 1.2.3.4:80\r\n\r\n"),
	    { { SPAN("HTTP/1.1 407 Who\r\n\r\n"), SPAN("") } }, PTAH_TUNNEL_FAIL, 2, SPAN("") },
	{ "http 403", "http://127.0.0.1:8080", "1.2.3.4:80",
	    SPAN("CONNECT 1.2.3.4:80 HTTP/1.1\r\nHost: 1.2.3.4:80\r\n\r\n"),
	    { { SPAN("HTTP/1.1 403 No\r\n\r\n"), SPAN("") } }, PTAH_TUNNEL_FAIL, 2, SPAN("") },
	{ "http 503", "http://127.0.0.1:8080", "1.2.3.4:80",
	    SPAN("CONNECT 1.2.3.4:80 HTTP/1.1\r\nHost: 1.2.3.4:80\r\n\r\n"),
	    { { SPAN("HTTP/1.1 503 No\r\n\r\n"), SPAN("") } }, PTAH_TUNNEL_FAIL, 1, SPAN("") },
	{ "not http", "http://127.0.0.1:8080", "1.2.3.4:80",
	    SPAN("CONNECT 1.2.3.4:80 HTTP/1.1\r\nHost: 1.2.3.4:80\r\n\r\n"),
	    { { SPAN("SSH-2.0-x\r\n\r\n"), SPAN("") } }, PTAH_TUNNEL_FAIL, 1, SPAN("") },
};

static void
expect_out(const struct transcript *t, struct ptah_buf *out, struct ptah_span want)
{
	if (out->len != want.len || (want.len > 0 && memcmp(out->at, want.at, want.len) != 0))
		fail_msg("%s: we said something else", t->name);
	ptah_buf_eat(out, out->len);
}

static void
play(const struct transcript *t, size_t piece)
{
	struct ptah_proxy proxy = { 0 };
	struct ptah_tunnel tunnel;
	struct ptah_buf out = { 0 };
	struct ptah_dest dest;
	char why[128];
	int answer = PTAH_TUNNEL_MORE;

	assert_int_equal(ptah_proxy_parse(&proxy, t->uri, why, sizeof(why)), 0);
	assert_int_equal(ptah_dest_parse(&dest, t->dest, false), 0);
	assert_int_equal(ptah_tunnel_begin(&tunnel, &proxy, &dest, &out), 0);
	expect_out(t, &out, t->first);
	for (size_t i = 0; i < 3 && t->turns[i].in.len > 0; i++) {
		uint8_t all[256];
		size_t len = t->turns[i].in.len, at = 0;
		bool last = i == 2 || t->turns[i + 1].in.len == 0;

		assert_int_equal(answer, PTAH_TUNNEL_MORE);
		memcpy(all, t->turns[i].in.at, len);
		memcpy(all + len, t->behind.at, t->behind.len);
		size_t total = last ? len + t->behind.len : len;
		while (at < total && answer == PTAH_TUNNEL_MORE) {
			size_t n = total - at < piece ? total - at : piece, eaten;

			answer = ptah_tunnel_feed(&tunnel, (struct ptah_span){ all + at, n }, &eaten, &out);
			at += eaten;
		}
		assert_int_equal(at, len); /* never a byte of the tunnel's */
		expect_out(t, &out, t->turns[i].out);
	}
	if (answer != t->answer)
		fail_msg("%s: answer %d", t->name, answer);
	if (answer == PTAH_TUNNEL_FAIL) {
		assert_int_equal(tunnel.rep, t->rep);
		assert_non_null(tunnel.reason);
		assert_null(strstr(tunnel.reason, "test1234"));
	}
	ptah_tunnel_clear(&tunnel);
	ptah_buf_wipe(&out);
	ptah_proxy_clear(&proxy);
}

static void
plays_every_transcript_whole_and_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(transcripts) / sizeof(transcripts[0]); i++) {
		play(&transcripts[i], 1);
		play(&transcripts[i], 3);
		play(&transcripts[i], 256);
	}
}

static void
refuses_an_ipv6_address_for_socks4a(void **state)
{
	struct ptah_proxy proxy = { 0 };
	struct ptah_tunnel tunnel;
	struct ptah_buf out = { 0 };
	struct ptah_dest dest;
	char why[128];

	(void)state;
	assert_int_equal(ptah_proxy_parse(&proxy, "socks4a://127.0.0.1:1", why, sizeof(why)), 0);
	assert_int_equal(ptah_dest_parse(&dest, "[::1]:1", false), 0);
	assert_true(ptah_tunnel_begin(&tunnel, &proxy, &dest, &out) < 0);
	assert_int_equal(tunnel.rep, 8);
	ptah_tunnel_clear(&tunnel);
	ptah_buf_clear(&out);
	ptah_proxy_clear(&proxy);
}

static void
gives_up_on_a_header_without_end(void **state)
{
	struct ptah_proxy proxy = { 0 };
	struct ptah_tunnel tunnel;
	struct ptah_buf out = { 0 };
	struct ptah_dest dest;
	char why[128];
	uint8_t line[1024];
	size_t fed = 0, eaten;
	int answer = PTAH_TUNNEL_MORE;

	(void)state;
	memset(line, 'a', sizeof(line));
	assert_int_equal(ptah_proxy_parse(&proxy, "http://127.0.0.1:1", why, sizeof(why)), 0);
	assert_int_equal(ptah_dest_parse(&dest, "1.2.3.4:1", false), 0);
	assert_int_equal(ptah_tunnel_begin(&tunnel, &proxy, &dest, &out), 0);
	while (answer == PTAH_TUNNEL_MORE && fed < 100000) {
		answer = ptah_tunnel_feed(&tunnel, (struct ptah_span){ line, sizeof(line) }, &eaten, &out);
		fed += eaten;
	}
	assert_int_equal(answer, PTAH_TUNNEL_FAIL);
	assert_int_equal(fed, PTAH_TUNNEL_HEADER_MAX);
	ptah_tunnel_clear(&tunnel);
	ptah_buf_clear(&out);
	ptah_proxy_clear(&proxy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plays_every_transcript_whole_and_in_pieces),
		cmocka_unit_test(refuses_an_ipv6_address_for_socks4a),
		cmocka_unit_test(gives_up_on_a_header_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
