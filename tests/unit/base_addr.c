/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
parses_addresses_with_ports(void **state)
{
	static const struct {
		const char *text;
		const char *shown; /* NULL: refused */
	} cases[] = {
		{ "192.0.2.1:443", "192.0.2.1:443" },
		{ "0.0.0.0:0", "0.0.0.0:0" },
		{ "127.0.0.1:65535", "127.0.0.1:65535" },
		{ "127.0.0.1:00080", "127.0.0.1:80" },
		{ "[::1]:443", "[::1]:443" },
		{ "[::]:0", "[::]:0" },
		{ "[2001:DB8:0:0::1]:9", "[2001:db8::1]:9" },
		{ "[::ffff:192.0.2.1]:9", "[::ffff:192.0.2.1]:9" },
		{ "::1:443", "[::1]:443" }, /* old Tor */
		{ "2001:db8::5:443", "[2001:db8::5]:443" },
		{ "1:2:3:4:5:6:7:8:9", "[1:2:3:4:5:6:7:8]:9" },
		{ "[fe80::1%1]:5", "[fe80::1]:5" },
		{ "fe80::1%lo:5", "[fe80::1]:5" },
		{ "", NULL },
		{ ":", NULL },
		{ ":443", NULL },
		{ "192.0.2.1", NULL },
		{ "192.0.2.1:", NULL },
		{ "192.0.2.1:65536", NULL },
		{ "192.0.2.1:000080", NULL }, /* six digits */
		{ "192.0.2.1:0x50", NULL },
		{ "192.0.2.1:+80", NULL },
		{ "192.0.2.1:-1", NULL },
		{ "192.0.2.1: 80", NULL },
		{ "192.0.2.1:80 ", NULL },
		{ " 192.0.2.1:80", NULL },
		{ "192.0.2:80", NULL },
		{ "192.0.2.256:80", NULL },
		{ "192.0.2.01:80", NULL },
		{ "localhost:80", NULL },
		{ "::1", NULL },
		{ "[::1]", NULL },
		{ "[::1]443", NULL },
		{ "[::1:443", NULL },
		{ "::1]:443", NULL },
		{ "[]:443", NULL },
		{ "[192.0.2.1]:443", NULL },
		{ "[[::1]]:443", NULL },
		{ "[::1%1]:5", NULL }, /* not link-local */
		{ "[fe80::1%]:5", NULL },
		{ "[fe80::1%0]:5", NULL },
		{ "[fe80::1%nosuchif0]:5", NULL },
		{ "192.0.2.1%lo:5", NULL },
		{ "1:2:3:4:5:6:7:8", NULL },
	};
	char out[PTAH_ADDR_TEXT];
	struct ptah_addr addr;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int rc = ptah_addr_parse(&addr, cases[i].text);

		assert_int_equal(rc, cases[i].shown != NULL ? 0 : -EINVAL);
		if (rc == 0)
			assert_string_equal(ptah_addr_format(&addr, out), cases[i].shown);
		else
			assert_int_equal(addr.sa.sa_family, AF_UNSPEC);
	}
}

static void
keeps_the_zone_for_the_kernel(void **state)
{
	struct ptah_addr addr, other;

	(void)state;
	assert_int_equal(ptah_addr_parse(&addr, "[fe80::1%7]:5"), 0);
	assert_int_equal(addr.v6.sin6_scope_id, 7);
	assert_int_equal(ptah_addr_parse(&other, "[fe80::1%8]:5"), 0);
	assert_false(ptah_addr_equal(&addr, &other));
}

static void
parses_hosts_with_and_without_brackets(void **state)
{
	static const struct {
		const char *host;
		const char *shown;
	} cases[] = {
		{ "127.0.0.1", "127.0.0.1:9" },
		{ "::1", "[::1]:9" },
		{ "[::1]", "[::1]:9" },
		{ "", NULL },
		{ "[", NULL },
		{ "[]", NULL },
		{ "[127.0.0.1]", NULL },
		{ "127.0.0.1:9", NULL },
		{ "localhost", NULL },
	};
	char out[PTAH_ADDR_TEXT];
	struct ptah_addr addr;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int rc = ptah_addr_parse_host(&addr, cases[i].host, 9);

		assert_int_equal(rc, cases[i].shown != NULL ? 0 : -EINVAL);
		if (rc == 0)
			assert_string_equal(ptah_addr_format(&addr, out), cases[i].shown);
	}
}

static void
shows_a_mapped_peer_as_ipv4(void **state)
{
	char out[PTAH_ADDR_TEXT];
	struct ptah_addr addr;

	(void)state;
	assert_int_equal(ptah_addr_parse(&addr, "[::ffff:192.0.2.7]:81"), 0);
	assert_string_equal(ptah_addr_format_peer(&addr, out), "192.0.2.7:81");
	assert_int_equal(ptah_addr_parse(&addr, "[2001:db8::7]:81"), 0);
	assert_string_equal(ptah_addr_format_peer(&addr, out), "[2001:db8::7]:81");
	memset(&addr, 0, sizeof(addr));
	assert_string_equal(ptah_addr_format_peer(&addr, out), "");
}

static void
knows_loopback(void **state)
{
	static const struct {
		const char *text;
		bool loopback;
	} cases[] = {
		{ "127.0.0.1:1", true },
		{ "127.255.0.9:1", true },
		{ "128.0.0.1:1", false },
		{ "[::1]:1", true },
		{ "[::ffff:127.0.0.1]:1", true },
		{ "[::ffff:10.0.0.1]:1", false },
		{ "[::2]:1", false },
		{ "0.0.0.0:1", false },
		{ "[::]:1", false },
		{ "0.0.0.1:1", false },
	};
	struct ptah_addr addr;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(ptah_addr_parse(&addr, cases[i].text), 0);
		assert_int_equal(ptah_addr_is_loopback(&addr), cases[i].loopback);
	}
	memset(&addr, 0, sizeof(addr));
	assert_false(ptah_addr_is_loopback(&addr));
}

static void
compares_and_changes_addresses(void **state)
{
	struct ptah_addr a, b;
	struct sockaddr local = { .sa_family = AF_UNIX };

	(void)state;
	assert_int_equal(ptah_addr_parse(&a, "192.0.2.1:443"), 0);
	ptah_addr_from_sockaddr(&b, &a.sa);
	assert_true(ptah_addr_equal(&a, &b));
	assert_int_equal(ptah_addr_len(&a), sizeof(struct sockaddr_in));
	ptah_addr_set_port(&b, 444);
	assert_int_equal(ptah_addr_port(&b), 444);
	assert_false(ptah_addr_equal(&a, &b));
	assert_int_equal(ptah_addr_parse(&b, "[::ffff:192.0.2.1]:443"), 0);
	assert_int_equal(ptah_addr_len(&b), sizeof(struct sockaddr_in6));
	assert_false(ptah_addr_equal(&a, &b));
	ptah_addr_from_sockaddr(&b, &local);
	assert_int_equal(b.sa.sa_family, AF_UNSPEC);
	assert_int_equal(ptah_addr_len(&b), 0);
}

#define LABEL60 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"

static void
parses_targets(void **state)
{
	static const struct {
		const char *text;
		bool zero_ok;
		const char *shown;
		bool literal;
	} cases[] = {
		{ "192.0.2.1:443", false, "192.0.2.1:443", true },
		{ "[::1]:443", false, "[::1]:443", true },
		{ "::1:443", false, "[::1]:443", true },
		{ "example.com:443", false, "example.com:443", false },
		{ "Example.COM.:443", false, "Example.COM.:443", false },
		{ "localhost:1", false, "localhost:1", false },
		{ "_a-b.c9:65535", false, "_a-b.c9:65535", false },
		{ "1and1.de:1", false, "1and1.de:1", false },
		{ "0x.de:1", false, "0x.de:1", false },
		{ "3com:1", false, "3com:1", false },
		{ LABEL60 "abc.de:1", false, LABEL60 "abc.de:1", false },
		{ "example.com:0", true, "example.com:0", false },
		{ "0.0.0.0:0", true, "0.0.0.0:0", true },
		{ "example.com:0", false, NULL, false },
		{ "192.0.2.1:0", false, NULL, false },
		{ "example.com", false, NULL, false },
		{ "example.com:", false, NULL, false },
		{ ":443", false, NULL, false },
		{ "a..b:443", false, NULL, false },
		{ ".a:443", false, NULL, false },
		{ ".:443", false, NULL, false },
		{ "a b:443", false, NULL, false },
		{ "a\nb:443", false, NULL, false },
		{ "a/b:443", false, NULL, false },
		{ "user@host:443", false, NULL, false },
		{ "a:b:443", false, NULL, false },
		{ "[example.com]:443", false, NULL, false },
		{ "\xc3\xa9.fr:443", false, NULL, false },
		/* what some resolvers would take for an address */
		{ "127.1:443", false, NULL, false },
		{ "2130706433:443", false, NULL, false },
		{ "192.0.2.256:443", false, NULL, false },
		{ "127.0.0.0x1:443", false, NULL, false },
		{ "127.0.0.1.:443", false, NULL, false },
		{ "fe80::1%1:443", false, NULL, false }, /* zones are for binding */
		{ "[fe80::1%1]:443", false, NULL, false },
		{ LABEL60 "abcd.de:1", false, NULL, false },
		{ LABEL60 "." LABEL60 "." LABEL60 "." LABEL60 ".aaaaaaaaaaaa:1", false, NULL, false },
	};
	char out[PTAH_DEST_TEXT];
	struct ptah_dest dest;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int rc = ptah_dest_parse(&dest, cases[i].text, cases[i].zero_ok);

		assert_int_equal(rc, cases[i].shown != NULL ? 0 : -EINVAL);
		if (rc != 0)
			continue;
		assert_string_equal(ptah_dest_format(&dest, out), cases[i].shown);
		assert_int_equal(dest.literal, cases[i].literal);
		assert_int_equal(ptah_addr_port(&dest.addr), dest.literal ? dest.port : 0);
	}
}

static void
takes_names_up_to_255_bytes(void **state)
{
	static const char name[] =
	    LABEL60 "." LABEL60 "." LABEL60 "." LABEL60 ".bbbbbbbbbbb"; /* 255 */
	char out[PTAH_DEST_TEXT];
	struct ptah_dest dest;

	(void)state;
	assert_int_equal(strlen(name), 255);
	assert_int_equal(ptah_dest_set(&dest, name, 65535), 0);
	assert_int_equal(strlen(ptah_dest_format(&dest, out)), 261);
	assert_int_equal(ptah_dest_set(&dest, "[2001:db8::1]", 5), 0);
	assert_string_equal(dest.host, "2001:db8::1");
	assert_int_equal(ptah_dest_set(&dest, "", 5), -EINVAL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_addresses_with_ports),
		cmocka_unit_test(keeps_the_zone_for_the_kernel),
		cmocka_unit_test(parses_hosts_with_and_without_brackets),
		cmocka_unit_test(shows_a_mapped_peer_as_ipv4),
		cmocka_unit_test(knows_loopback),
		cmocka_unit_test(compares_and_changes_addresses),
		cmocka_unit_test(parses_targets),
		cmocka_unit_test(takes_names_up_to_255_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
