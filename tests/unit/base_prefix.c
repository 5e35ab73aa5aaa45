/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/prefix.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct ptah_addr
addr(const char *host)
{
	struct ptah_addr made;

	assert_int_equal(ptah_addr_parse_host(&made, host, 4711), 0);
	return made;
}

static void
reads_what_it_writes(void **state)
{
	static const struct {
		const char *text, *shown; /* NULL: refused */
	} cases[] = {
		{ "192.0.2.0/24", "192.0.2.0/24" },
		{ "192.0.2.7", "192.0.2.7/32" },
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "192.0.2.128/25", "192.0.2.128/25" },
		{ "2001:db8::/32", "2001:db8::/32" },
		{ "[2001:db8::1]", "2001:db8::1/128" },
		{ "::/0", "::/0" },
		{ "::ffff:192.0.2.0/120", "192.0.2.0/24" },
		{ "::ffff:192.0.2.1", "192.0.2.1/32" },
		{ "192.0.2.1/24", NULL }, /* bits behind the prefix */
		{ "2001:db8::1/64", NULL },
		{ "192.0.2.0/33", NULL },
		{ "2001:db8::/129", NULL },
		{ "::ffff:192.0.2.0/24", NULL },
		{ "192.0.2.0/", NULL },
		{ "192.0.2.0/+8", NULL },
		{ "192.0.2.0/0024", NULL },
		{ "192.0.2/24", NULL },
		{ "host.example/24", NULL },
		{ "192.0.2.1:80", NULL },
		{ "fe80::1%lo/64", NULL },
		{ "", NULL },
		{ "/8", NULL },
	};
	struct ptah_prefix prefix;
	char shown[PTAH_PREFIX_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int rc = ptah_prefix_parse(&prefix, cases[i].text);

		assert_int_equal(rc, cases[i].shown ? 0 : -EINVAL);
		if (rc == 0)
			assert_string_equal(ptah_prefix_format(&prefix, shown), cases[i].shown);
	}
}

static void
has_what_lies_in_it_and_nothing_else(void **state)
{
	static const struct {
		const char *prefix, *host;
		bool has;
	} cases[] = {
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.0/24", "::ffff:192.0.2.9", true }, /* as a socket for both families says it */
		{ "192.0.2.0/23", "192.0.3.1", true },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "0.0.0.0/0", "203.0.113.1", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "203.0.113.1", false },
		{ "::/0", "2001:db8::1", true },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::1", "::1", true },
		{ "::1", "::2", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ptah_addr host = addr(cases[i].host), none = { .sa = { .sa_family = AF_UNSPEC } };
		struct ptah_prefix prefix;

		assert_int_equal(ptah_prefix_parse(&prefix, cases[i].prefix), 0);
		assert_int_equal(ptah_prefix_has(&prefix, &host), cases[i].has);
		assert_false(ptah_prefix_has(&prefix, &none));
	}
}

static void
gathers_the_sources_of_one_network(void **state)
{
	static const struct {
		const char *host, *shown;
	} cases[] = {
		{ "192.0.2.77", "192.0.2.64/26" },
		{ "::ffff:192.0.2.77", "192.0.2.64/26" },
		{ "2001:db8:1:2:3::4", "2001:db8:1:2::/64" },
	};
	struct ptah_addr none = { .sa = { .sa_family = AF_UNSPEC } };
	struct ptah_prefix prefix;
	char shown[PTAH_PREFIX_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ptah_addr host = addr(cases[i].host);

		ptah_prefix_of(&prefix, &host, 26, 64);
		assert_string_equal(ptah_prefix_format(&prefix, shown), cases[i].shown);
		assert_true(ptah_prefix_has(&prefix, &host));
	}

	struct ptah_addr host = addr("192.0.2.77");

	ptah_prefix_of(&prefix, &host, 99, 999); /* longer than an address is the address */
	assert_int_equal(prefix.bits, 32);
	ptah_prefix_of(&prefix, &none, 26, 64);
	assert_false(ptah_prefix_has(&prefix, &host));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_it_writes),
		cmocka_unit_test(has_what_lies_in_it_and_nothing_else),
		cmocka_unit_test(gathers_the_sources_of_one_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
