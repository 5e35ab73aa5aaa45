/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "plain/proxyhdr.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct ptah_addr *
address(const char *text, struct ptah_addr *addr)
{
	if (text == NULL)
		return NULL;
	assert_int_equal(ptah_addr_parse(addr, text), 0);
	return addr;
}

static void
writes_version_1_as_text(void **state)
{
	static const struct {
		const char *peer, *local, *header;
	} cases[] = {
		{ "192.0.2.1:56324", "198.51.100.2:443", "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n" },
		{ "[2001:db8::1]:1", "[2001:db8::2]:65535", "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n" },
		{ "[::ffff:192.0.2.1]:5", "[::ffff:192.0.2.2]:6", "PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n" },
		{ "[::ffff:192.0.2.1]:5", "192.0.2.2:6", "PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n" },
		{ "[2001:db8::1]:5", "192.0.2.2:6", "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.2 5 6\r\n" },
		{ "[fe80::1%1]:5", "[fe80::2%1]:6", "PROXY TCP6 fe80::1 fe80::2 5 6\r\n" },
		{ "[2001:db8:1111:2222:3333:4444:5555:6666]:65535", "[2001:db8:1111:2222:3333:4444:5555:7777]:65535",
		    "PROXY TCP6 2001:db8:1111:2222:3333:4444:5555:6666 2001:db8:1111:2222:3333:4444:5555:7777 "
		    "65535 65535\r\n" },
		{ NULL, "192.0.2.2:6", "PROXY UNKNOWN\r\n" },
		{ "192.0.2.1:5", NULL, "PROXY UNKNOWN\r\n" },
	};
	struct ptah_addr peer, local;
	uint8_t out[PTAH_PROXYHDR_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t n = ptah_proxyhdr_make(1, address(cases[i].peer, &peer), address(cases[i].local, &local), out);

		assert_int_equal(n, strlen(cases[i].header));
		assert_memory_equal(out, cases[i].header, n);
	}
	memset(&peer, 0, sizeof(peer)); /* AF_UNSPEC */
	assert_int_equal(ptah_proxyhdr_make(1, &peer, address("192.0.2.2:6", &local), out), 15);
	assert_int_equal(ptah_proxyhdr_make(0, &peer, &local, out), 0);
}

#define SIGNATURE "0d0a0d0a000d0a515549540a"

static void
writes_version_2_as_bytes(void **state)
{
	static const struct {
		const char *peer, *local, *header;
	} cases[] = {
		{ "192.0.2.1:56324", "198.51.100.2:443", SIGNATURE "2111000c" "c0000201" "c6336402" "dc04" "01bb" },
		{ "[::ffff:192.0.2.1]:5", "[::ffff:198.51.100.2]:6",
		    SIGNATURE "2111000c" "c0000201" "c6336402" "0005" "0006" },
		{ "[2001:db8::1]:1", "[2001:db8::2]:65535",
		    SIGNATURE "21210024" "20010db8000000000000000000000001" "20010db8000000000000000000000002" "0001" "ffff" },
		{ "192.0.2.1:1", "[2001:db8::2]:2",
		    SIGNATURE "21210024" "00000000000000000000ffffc0000201" "20010db8000000000000000000000002" "0001" "0002" },
		{ NULL, "198.51.100.2:443", SIGNATURE "21000000" },
	};
	struct ptah_addr peer, local;
	uint8_t out[PTAH_PROXYHDR_MAX], want[PTAH_PROXYHDR_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		long len = ptah_text_unhex(cases[i].header, want, sizeof(want));
		size_t n = ptah_proxyhdr_make(2, address(cases[i].peer, &peer), address(cases[i].local, &local), out);

		assert_int_equal(n, len);
		assert_memory_equal(out, want, n);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_version_1_as_text),
		cmocka_unit_test(writes_version_2_as_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
