/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
knows_transport_names(void **state)
{
	static const char *const good[] = { "dummy", "_", "obfs4", "A9_z", "Z" };
	static const char *const bad[] = { "", "4obfs", "a-b", "a b", "a.b", "\xc3\xa9", "a\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(ptah_text_is_ptname(good[i], strlen(good[i])));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(ptah_text_is_ptname(bad[i], strlen(bad[i])));
	assert_true(ptah_text_is_ptname("foo-bar", 3));
	assert_false(ptah_text_is_ptname("a\0b", 3));
}

static void
knows_names_of_stacks(void **state)
{
	static const char *const good[] = { "dummy", "a+b", "obfs4+shadow+dummy" };
	static const char *const bad[] = { "", "+", "a+", "+a", "a++b", "a+4b", "a-b+c", "a b+c" };

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(ptah_text_is_stack(good[i], strlen(good[i])));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(ptah_text_is_stack(bad[i], strlen(bad[i])));
	assert_true(ptah_text_is_stack("a+b+", 3));
}

static void
reads_numbers_without_signs_and_spaces(void **state)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t value;
	} cases[] = {
		{ "1", 0, 1 },
		{ "64", 0, 64 },
		{ "0064", 0, 64 },
		{ "0", -ERANGE, 0 },
		{ "65", -ERANGE, 0 },
		{ "18446744073709551615", -ERANGE, 0 },
		{ "18446744073709551617", -ERANGE, 0 }, /* 2^64 + 1 */
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "99999999999999999999999x", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "0x1", -EINVAL, 0 },
		{ "1e1", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t value = 0;

		assert_int_equal(ptah_text_u64(cases[i].text, 1, 64, &value), cases[i].rc);
		assert_int_equal(value, cases[i].value);
	}
	uint64_t most;
	assert_int_equal(ptah_text_u64("18446744073709551615", 0, UINT64_MAX, &most), 0);
	assert_true(most == UINT64_MAX);
}

static void
reads_booleans_as_go_does(void **state)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };
	static const char *const bad[] = { "", "yes", "no", "tRUE", "2", " 1", "1 ", "on" };
	bool out;

	(void)state;
	for (size_t i = 0; i < COUNT(yes); i++) {
		out = false;
		assert_int_equal(ptah_text_bool(yes[i], &out), 0);
		assert_true(out);
		out = true;
		assert_int_equal(ptah_text_bool(no[i], &out), 0);
		assert_false(out);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(ptah_text_bool(bad[i], &out), -EINVAL);
}

static void
reads_durations(void **state)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t ms;
	} cases[] = {
		{ "250ms", 0, 250 },
		{ "30s", 0, 30000 },
		{ "5m", 0, 300000 },
		{ "2h", 0, 7200000 },
		{ "7", 0, 7000 },
		{ "0", 0, 0 },
		{ "5124095h", 0, 18446742000000 },
		{ "5124096h", -ERANGE, 0 },
		{ "99999999999999999999s", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "1.5s", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "1 s", -EINVAL, 0 },
		{ "1S", -EINVAL, 0 },
		{ "1d", -EINVAL, 0 },
		{ "1m30s", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t ns = 0;

		assert_int_equal(ptah_text_duration(cases[i].text, &ns), cases[i].rc);
		assert_true(ns == cases[i].ms * PTAH_NS_PER_MS);
	}
}

static void
walks_lists_with_empty_elements(void **state)
{
	static const struct {
		const char *text;
		const char *items[4];
	} cases[] = {
		{ "", { "" } },
		{ "a", { "a" } },
		{ "a,bc", { "a", "bc" } },
		{ ",a,", { "", "a", "" } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *cursor = cases[i].text, *item;
		size_t len, n = 0;

		while (ptah_text_next(&cursor, ',', &item, &len)) {
			assert_non_null(cases[i].items[n]);
			assert_int_equal(len, strlen(cases[i].items[n]));
			assert_memory_equal(item, cases[i].items[n], len);
			n++;
		}
		assert_null(cursor);
		assert_null(cases[i].items[n]);
	}
}

static void
judges_utf8_as_rfc_3629_does(void **state)
{
	static const char *const good[] = { "", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
		"\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf" };
	static const char *const bad[] = { "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2" "a", "\xe0\x9f\xbf",
		"\xe0\xa0", "\xed\xa0\x80", "\xed\xbf\xbf", "\xef\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe2\x82" "a", "\xf0\x90\x80" "a" };

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(ptah_text_is_utf8((const uint8_t *)good[i], strlen(good[i])));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(ptah_text_is_utf8((const uint8_t *)bad[i], strlen(bad[i])));
	assert_false(ptah_text_is_utf8((const uint8_t *)"a\0b", 3));
}

static void
cuts_between_characters(void **state)
{
	static const char text[] = "a\xc3\xa9\xf0\x9f\x98\x80" "b"; /* 1 2 4 1 */
	static const size_t want[] = { 0, 1, 1, 3, 3, 3, 3, 7, 8, 8 };

	(void)state;
	for (size_t room = 0; room < COUNT(want); room++)
		assert_int_equal(ptah_text_utf8_cut(text, 8, room), want[room]);
}

static void
suggests_the_nearest_word(void **state)
{
	static const char *const known[] = { "serverAddress", "cert", "iat-mode", "ca", NULL };
	static const struct {
		const char *word, *near;
	} cases[] = {
		{ "serverAdress", "serverAddress" },
		{ "serveraddress", "serverAddress" },
		{ "crt", "cert" },
		{ "iat_mode", "iat-mode" },
		{ "iatmode", "iat-mode" },
		{ "cb", "ca" },
		{ "password", NULL },
		{ "", NULL },
		{ "xyz", NULL },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *near = ptah_text_nearest(cases[i].word, known);

		if (cases[i].near == NULL)
			assert_null(near);
		else
			assert_string_equal(near, cases[i].near);
	}
}

static void
copies_all_or_nothing(void **state)
{
	char out[4] = "old";

	(void)state;
	assert_int_equal(ptah_text_copy(out, sizeof(out), "four"), -ENAMETOOLONG);
	assert_string_equal(out, "old");
	assert_int_equal(ptah_text_copy(out, sizeof(out), "abc"), 0);
	assert_string_equal(out, "abc");
}

typedef long decode_fn(const char *text, uint8_t *out, size_t room);

static void
decodes_bytes_from_text(void **state)
{
	static const struct {
		decode_fn *decode;
		const char *text;
		long len;
		const char *bytes;
	} cases[] = {
		{ ptah_text_unhex, "", 0, "" },
		{ ptah_text_unhex, "00fFa9", 3, "\x00\xff\xa9" },
		{ ptah_text_unhex, "0", -EINVAL, "" },
		{ ptah_text_unhex, "0g", -EINVAL, "" },
		{ ptah_text_unhex, "0x00", -EINVAL, "" },
		{ ptah_text_unhex, "00=", -EINVAL, "" },
		{ ptah_text_unhex, "000102030405060708", -ENOBUFS, "" },
		/* RFC 4648, section 10 */
		{ ptah_text_unbase64, "", 0, "" },
		{ ptah_text_unbase64, "Zg==", 1, "f" },
		{ ptah_text_unbase64, "Zg", 1, "f" },
		{ ptah_text_unbase64, "Zm8=", 2, "fo" },
		{ ptah_text_unbase64, "Zm9v", 3, "foo" },
		{ ptah_text_unbase64, "Zm9vYmFy", 6, "foobar" },
		{ ptah_text_unbase64, "+/+/", 3, "\xfb\xff\xbf" },
		{ ptah_text_unbase64, "Z", -EINVAL, "" },
		{ ptah_text_unbase64, "Zg=", -EINVAL, "" },
		{ ptah_text_unbase64, "Zm9v=", -EINVAL, "" },
		{ ptah_text_unbase64, "Zm9v====", -EINVAL, "" },
		{ ptah_text_unbase64, "Z===", -EINVAL, "" },
		{ ptah_text_unbase64, "====", -EINVAL, "" },
		{ ptah_text_unbase64, "Zg==Zg==", -EINVAL, "" },
		{ ptah_text_unbase64, "Zm-v", -EINVAL, "" },
		{ ptah_text_unbase64, "Zm 9v", -EINVAL, "" },
		{ ptah_text_unbase64, "Zm9vYmFyZm9v", -ENOBUFS, "" },
		{ ptah_text_unbase64, "Zm9vYmFyZm9*", -EINVAL, "" },
		{ ptah_text_unbase32, "MY======", 1, "f" },
		{ ptah_text_unbase32, "MY", 1, "f" },
		{ ptah_text_unbase32, "MZXQ====", 2, "fo" },
		{ ptah_text_unbase32, "mzxw6===", 3, "foo" },
		{ ptah_text_unbase32, "MZXW6YQ", 4, "foob" },
		{ ptah_text_unbase32, "MZXW6YTB", 5, "fooba" },
		{ ptah_text_unbase32, "MZXW6YTBOI======", 6, "foobar" },
		{ ptah_text_unbase32, "M", -EINVAL, "" },
		{ ptah_text_unbase32, "MZX", -EINVAL, "" },
		{ ptah_text_unbase32, "MZXW6Y", -EINVAL, "" },
		{ ptah_text_unbase32, "MY=====", -EINVAL, "" },
		{ ptah_text_unbase32, "M1", -EINVAL, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t out[8];
		long len = cases[i].decode(cases[i].text, out, sizeof(out));

		assert_int_equal(len, cases[i].len);
		if (len > 0)
			assert_memory_equal(out, cases[i].bytes, (size_t)len);
	}
}

static void
clocks_go_forward(void **state)
{
	uint64_t before = ptah_clock_now_ns();

	(void)state;
	assert_true(ptah_clock_now_ns() >= before);
	assert_true(ptah_clock_wall_s() > INT64_C(1600000000));
}

static void
random_numbers_fill_their_range(void **state)
{
	uint8_t bytes[600] = { 0 };
	bool seen[5] = { false };
	size_t zeros = 0;

	(void)state;
	ptah_random_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		zeros += bytes[i] == 0;
	assert_true(zeros < 60);
	for (int i = 0; i < 1000; i++) {
		uint64_t got = ptah_random_below(5);

		assert_true(got < 5);
		seen[got] = true;
	}
	for (size_t i = 0; i < COUNT(seen); i++)
		assert_true(seen[i]);
	assert_int_equal(ptah_random_below(1), 0);
	assert_true(ptah_random_below((UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_transport_names),
		cmocka_unit_test(knows_names_of_stacks),
		cmocka_unit_test(reads_numbers_without_signs_and_spaces),
		cmocka_unit_test(reads_booleans_as_go_does),
		cmocka_unit_test(reads_durations),
		cmocka_unit_test(walks_lists_with_empty_elements),
		cmocka_unit_test(judges_utf8_as_rfc_3629_does),
		cmocka_unit_test(cuts_between_characters),
		cmocka_unit_test(suggests_the_nearest_word),
		cmocka_unit_test(copies_all_or_nothing),
		cmocka_unit_test(decodes_bytes_from_text),
		cmocka_unit_test(clocks_go_forward),
		cmocka_unit_test(random_numbers_fill_their_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
