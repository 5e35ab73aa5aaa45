/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log sink's pen: whatever the line, what comes out is valid UTF-8 within
 * its room, without marks, dotted quads, and words that are IPv6 addresses.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scrub.h"
#include "base/text.h"
#include "target.h"

static void
expect_valid(const char *text, size_t len)
{
	/* NUL is a byte like others here. */
	while (len > 0) {
		const char *nul = memchr(text, '\0', len);
		size_t n = nul != NULL ? (size_t)(nul - text) : len;

		expect(ptah_text_is_utf8((const uint8_t *)text, n));
		n += nul != NULL;
		text += n;
		len -= n;
	}
}

static int
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void
expect_no_quad(const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		unsigned a, b, c, d;
		int end = 0;

		if (!is_digit(*p) || (p > text && (is_digit(p[-1]) || strchr("vV", p[-1]) != NULL)))
			continue;
		/* %u would also take signs and spaces */
		if (strspn(p, "0123456789.") < 7 ||
		    sscanf(p, "%3u.%3u.%3u.%3u%n", &a, &b, &c, &d, &end) != 4 || (size_t)end > strspn(p, "0123456789."))
			continue;
		expect(a > 255 || b > 255 || c > 255 || d > 255 || is_digit(p[end]));
	}
}

static void
expect_no_v6(char *text)
{
	char *rest = text, *word;

	while ((word = strsep(&rest, " ")) != NULL) {
		size_t groups = 0, pairs = 0;
		struct in6_addr addr;

		if (strlen(word) > 45 || inet_pton(AF_INET6, word, &addr) != 1)
			continue;
		/* hardware addresses of eight bytes stay */
		for (char *p = word; *p != '\0'; p += strcspn(p, ":"), p += *p == ':') {
			groups++;
			pairs += strcspn(p, ":") == 2;
		}
		expect(groups == 8 && pairs == 8);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	size_t room = len * 10 + 32, n;
	char *once = malloc(room);
	char tight[48];

	expect(once != NULL);
	n = ptah_scrub(text, len, false, once, room);
	expect(n < room && once[n] == '\0');
	expect_valid(once, n);
	expect(memchr(once, 1, n) == NULL && memchr(once, 2, n) == NULL);
	expect_no_quad(once);
	expect_no_v6(once);

	n = ptah_scrub(text, len, true, once, room);
	expect_valid(once, n);

	n = ptah_scrub(text, len, false, tight, sizeof(tight));
	expect(n < sizeof(tight) && tight[n] == '\0');
	expect_valid(tight, n);

	expect(ptah_scrub_cut(text, len) <= len);
	free(once);
	return 0;
}
