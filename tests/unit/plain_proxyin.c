/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "plain/proxyhdr.h"
#include "plain/proxyin.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Feed it in pieces of 'step' bytes; what is left over is 'rest' bytes long. */
static int
feed(struct ptah_proxyin *in, const uint8_t *at, size_t len, size_t step, size_t *rest)
{
	int rc = PTAH_PROXYIN_MORE;

	ptah_proxyin_init(in);
	while (len > 0 && rc == PTAH_PROXYIN_MORE) {
		size_t n = len < step ? len : step, eaten;

		rc = ptah_proxyin_feed(in, (struct ptah_span){ at, n }, &eaten);
		assert_true(eaten == n || rc != PTAH_PROXYIN_MORE);
		at += eaten;
		len -= eaten;
	}
	*rest = len;
	return rc;
}

/* Whole, byte by byte, and in threes it is the same. */
static int
feed_all_ways(struct ptah_proxyin *in, const uint8_t *at, size_t len, size_t *rest)
{
	int rc = feed(in, at, len, len, rest);

	for (size_t step = 1; step <= 3; step += 2) {
		struct ptah_proxyin cut;
		size_t cut_rest;

		assert_int_equal(feed(&cut, at, len, step, &cut_rest), rc);
		assert_int_equal(cut_rest, *rest);
		assert_int_equal(cut.told, in->told);
		if (in->told) {
			assert_true(ptah_addr_equal(&cut.from, &in->from));
			assert_true(ptah_addr_equal(&cut.to, &in->to));
		}
	}
	assert_true((rc < 0) == (in->why != NULL));
	return rc;
}

static const char *
shown(const struct ptah_addr *addr)
{
	static char text[PTAH_ADDR_TEXT];

	return ptah_addr_format(addr, text);
}

static void
reads_lines(void **state)
{
	static const struct {
		const char *line, *from, *to; /* from NULL: nobody is named */
		size_t rest;
	} cases[] = {
		{ "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", "192.0.2.1:56324", "198.51.100.2:443", 0 },
		{ "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\nhello", "255.255.255.255:65535",
		    "255.255.255.255:65535", 5 },
		{ "PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0:0", "0.0.0.0:0", 0 },
		{ "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n\r\n", "[2001:db8::1]:1", "[2001:db8::2]:65535", 2 },
		/* The longest of all that name somebody, 104 bytes. */
		{ "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
		    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", 0 },
		{ "PROXY UNKNOWN\r\n", NULL, NULL, 0 },
		{ "PROXY UNKNOWN and whatever  else\r\nx", NULL, NULL, 1 },
		/* The longest of all, 107 bytes. */
		{ "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
		    NULL, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ptah_proxyin in;
		size_t rest;

		assert_int_equal(feed_all_ways(&in, (const uint8_t *)cases[i].line, strlen(cases[i].line), &rest),
		    PTAH_PROXYIN_DONE);
		assert_int_equal(rest, cases[i].rest);
		assert_int_equal(in.told, cases[i].from != NULL);
		if (in.told) {
			assert_string_equal(shown(&in.from), cases[i].from);
			assert_string_equal(shown(&in.to), cases[i].to);
		}
	}
}

static void
refuses_other_lines(void **state)
{
	static const char *const lines[] = {
		"GET / HTTP/1.1\r\n",
		"proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2 1 2\r\n",
		"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
		"PROXY TCP4 host.example 192.0.2.2 1 2\r\n",
		"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
		"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP6 [2001:db8::1] 2001:db8::2 1 2\r\n",
		"PROXY TCP6 fe80::1%lo fe80::2 1 2\r\n",
		"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY \r\n",
		"PROXY\r\n",
		"PROXY \n",
		"\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct ptah_proxyin in;
		size_t rest;

		assert_int_equal(feed_all_ways(&in, (const uint8_t *)lines[i], strlen(lines[i]), &rest),
		    strcmp(lines[i], "\r\n\r\n") == 0 ? PTAH_PROXYIN_MORE : -EPROTO);
		assert_false(in.told);
	}
}

static void
refuses_a_line_at_its_limit(void **state)
{
	uint8_t line[PTAH_PROXYIN_LINE + 1];
	struct ptah_proxyin in;
	size_t rest;

	(void)state;
	memset(line, 'a', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	assert_int_equal(feed_all_ways(&in, line, sizeof(line), &rest), -EMSGSIZE);
	assert_int_equal(rest, 1);
	memcpy(line + PTAH_PROXYIN_LINE - 2, "\r\n", 2);
	assert_int_equal(feed_all_ways(&in, line, sizeof(line), &rest), PTAH_PROXYIN_DONE);
	assert_int_equal(rest, 1);
	line[20] = '\0';
	assert_int_equal(feed_all_ways(&in, line, sizeof(line), &rest), -EPROTO);
}

#define SIGNATURE "0d0a0d0a000d0a515549540a"
#define V4 "c0000201" "c6336402" "dc04" "01bb" /* 192.0.2.1:56324 to 198.51.100.2:443 */
#define V6 "20010db8000000000000000000000001" "20010db8000000000000000000000002" "0001" "ffff"
#define UNIX_54 "2f7661722f72756e2f612e736f636b000000000000000000000000000000000000000000000000000000000000000000000000000000"
#define UNIX_108 UNIX_54 UNIX_54

static void
reads_headers_of_bytes(void **state)
{
	static const struct {
		const char *header, *from, *to; /* from NULL: nobody is named; "": not by an IP address */
		size_t rest;
		int rc;
	} cases[] = {
		{ SIGNATURE "2111000c" V4, "192.0.2.1:56324", "198.51.100.2:443", 0, PTAH_PROXYIN_DONE },
		{ SIGNATURE "2112000c" V4 "00ff", "192.0.2.1:56324", "198.51.100.2:443", 2, PTAH_PROXYIN_DONE },
		{ SIGNATURE "21210024" V6, "[2001:db8::1]:1", "[2001:db8::2]:65535", 0, PTAH_PROXYIN_DONE },
		{ SIGNATURE "213100d8" UNIX_108 UNIX_108 "aa", "", "", 1, PTAH_PROXYIN_DONE },
		{ SIGNATURE "20000000" "aa", NULL, NULL, 1, PTAH_PROXYIN_DONE },
		/* One that speaks for itself may say whatever it likes. */
		{ SIGNATURE "2011000c" V4 "aa", NULL, NULL, 1, PTAH_PROXYIN_DONE },
		{ SIGNATURE "20ff0003" "030002" "aabb", NULL, NULL, 2, PTAH_PROXYIN_DONE },
		{ SIGNATURE "21000000", NULL, NULL, 0, PTAH_PROXYIN_DONE },
		{ SIGNATURE "21000004" "01020304" "aa", NULL, NULL, 1, PTAH_PROXYIN_DONE },
		{ SIGNATURE "2110000c" V4, NULL, NULL, 0, PTAH_PROXYIN_DONE },
		/* Fields: of no length, an unknown one, the name of a host. */
		{ SIGNATURE "21110018" V4 "040000" "ea000161" "0200026869", "192.0.2.1:56324", "198.51.100.2:443", 0,
		    PTAH_PROXYIN_DONE },
		/* ... and a checksum, in their midst. */
		{ SIGNATURE "21110018" V4 "0200026869" "030004a65e4814" "aa", "192.0.2.1:56324", "198.51.100.2:443", 1,
		    PTAH_PROXYIN_DONE },
		{ SIGNATURE "21110018" V4 "0200026868" "030004a65e4814", NULL, NULL, 0, -EBADMSG },
		{ SIGNATURE "21110018" V4 "0200026869" "030004a65e4815", NULL, NULL, 0, -EBADMSG },
		{ SIGNATURE "21110012" V4 "030003a65e48", NULL, NULL, 3, -EPROTO },
		{ SIGNATURE "2111001a" V4 "03000400000000" "03000400000000", NULL, NULL, 4, -EPROTO },
		/* Not of this version, no such command, family or protocol. */
		{ SIGNATURE "1111000c" V4, NULL, NULL, 12, -EPROTO },
		{ SIGNATURE "2211000c" V4, NULL, NULL, 12, -EPROTO },
		{ SIGNATURE "2141000c" V4, NULL, NULL, 12, -EPROTO },
		{ SIGNATURE "2113000c" V4, NULL, NULL, 12, -EPROTO },
		/* Lengths that cannot be. */
		{ SIGNATURE "2111000b" V4, NULL, NULL, 12, -EPROTO },
		{ SIGNATURE "2121000c" V4, NULL, NULL, 12, -EPROTO },
		{ SIGNATURE "21111001" V4, NULL, NULL, 12, -EMSGSIZE },
		{ SIGNATURE "2111ffff" V4, NULL, NULL, 12, -EMSGSIZE },
		{ SIGNATURE "2111000d" V4 "02", NULL, NULL, 0, -EPROTO },
		{ SIGNATURE "2111000f" V4 "020001", NULL, NULL, 0, -EPROTO },
		{ SIGNATURE "21110010" V4 "02000261", NULL, NULL, 1, -EPROTO },
		/* The signature is another, or the header is not all there. */
		{ "0d0a0d0a000d0a515549540b", NULL, NULL, 0, -EPROTO },
		{ "0d0a0d0a0d0a0d0a", NULL, NULL, 3, -EPROTO },
		{ SIGNATURE "2111000c" "c0000201c6336402dc0401", NULL, NULL, 0, PTAH_PROXYIN_MORE },
		{ SIGNATURE "20000001", NULL, NULL, 0, PTAH_PROXYIN_MORE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ptah_proxyin in;
		uint8_t header[512];
		long len = ptah_text_unhex(cases[i].header, header, sizeof(header));
		size_t rest;

		assert_true(len > 0);
		assert_int_equal(feed_all_ways(&in, header, (size_t)len, &rest), cases[i].rc);
		assert_int_equal(rest, cases[i].rest);
		if (cases[i].rc != PTAH_PROXYIN_DONE)
			continue;
		assert_int_equal(in.told, cases[i].from != NULL);
		if (in.told) {
			assert_string_equal(shown(&in.from), cases[i].from);
			assert_string_equal(shown(&in.to), cases[i].to);
		}
	}
}

static void
passes_over_fields_up_to_the_limit(void **state)
{
	static const char begin[] = SIGNATURE "21111000" V4 "e00ff1";
	static uint8_t header[16 + PTAH_PROXYIN_BODY + 1];
	struct ptah_proxyin in;
	size_t rest;

	(void)state;
	assert_int_equal(ptah_text_unhex(begin, header, sizeof(header)), 16 + 12 + 3);
	assert_int_equal(feed_all_ways(&in, header, sizeof(header), &rest), PTAH_PROXYIN_DONE);
	assert_int_equal(rest, 1);
	assert_string_equal(shown(&in.from), "192.0.2.1:56324");
}

static void
reads_what_we_write(void **state)
{
	static const char *const pairs[][2] = {
		{ "192.0.2.1:56324", "198.51.100.2:443" },
		{ "[2001:db8::1]:1", "[2001:db8::2]:65535" },
		{ "0.0.0.0:0", "255.255.255.255:65535" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++)
		for (unsigned version = 1; version <= 2; version++) {
			struct ptah_addr from, to;
			struct ptah_proxyin in;
			uint8_t out[PTAH_PROXYHDR_MAX];
			size_t rest;

			assert_int_equal(ptah_addr_parse(&from, pairs[i][0]), 0);
			assert_int_equal(ptah_addr_parse(&to, pairs[i][1]), 0);
			size_t len = ptah_proxyhdr_make(version, &from, &to, out);
			assert_int_equal(feed_all_ways(&in, out, len, &rest), PTAH_PROXYIN_DONE);
			assert_int_equal(rest, 0);
			assert_string_equal(shown(&in.from), pairs[i][0]);
			assert_string_equal(shown(&in.to), pairs[i][1]);
			len = ptah_proxyhdr_make(version, NULL, &to, out);
			assert_int_equal(feed_all_ways(&in, out, len, &rest), PTAH_PROXYIN_DONE);
			assert_false(in.told);
		}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_lines),
		cmocka_unit_test(refuses_other_lines),
		cmocka_unit_test(refuses_a_line_at_its_limit),
		cmocka_unit_test(reads_headers_of_bytes),
		cmocka_unit_test(passes_over_fields_up_to_the_limit),
		cmocka_unit_test(reads_what_we_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
