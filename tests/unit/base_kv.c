/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/kv.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct pair {
	const char *name, *key, *value;
};

static void
assert_pairs(const struct ptah_kv *kv, const struct pair *want)
{
	size_t i;

	for (i = 0; want[i].key != NULL; i++) {
		assert_true(i < kv->n);
		if (want[i].name == NULL)
			assert_null(kv->pairs[i].name);
		else
			assert_string_equal(kv->pairs[i].name, want[i].name);
		assert_string_equal(kv->pairs[i].key, want[i].key);
		assert_string_equal(kv->pairs[i].value, want[i].value);
	}
	assert_int_equal(kv->n, i);
}

static void
decodes_socks_arguments(void **state)
{
	static const struct {
		const char *text;
		struct pair want[4];
	} cases[] = {
		{ "", { { 0 } } },
		{ "k=v", { { NULL, "k", "v" } } },
		{ "shared-secret=rahasia;secrets-file=/tmp/blob",
		    { { NULL, "shared-secret", "rahasia" }, { NULL, "secrets-file", "/tmp/blob" } } },
		{ "k=", { { NULL, "k", "" } } },
		{ "k=;l=", { { NULL, "k", "" }, { NULL, "l", "" } } },
		{ "cert=abc=def", { { NULL, "cert", "abc=def" } } },
		{ "k=a\\;b\\\\c\\=d", { { NULL, "k", "a;b\\c=d" } } },
		{ "k=\\n\\q", { { NULL, "k", "nq" } } }, /* any byte may be escaped */
		{ "a\\=b\\;c=d", { { NULL, "a=b;c", "d" } } },
		{ "a:b=c:d", { { NULL, "a:b", "c:d" } } },
		{ "a=1;a=2;a=1", { { NULL, "a", "1" }, { NULL, "a", "2" }, { NULL, "a", "1" } } },
		{ "k=\xff\x01 ", { { NULL, "k", "\xff\x01 " } } },
	};
	struct ptah_kv kv;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(ptah_kv_parse_socks(&kv, cases[i].text, strlen(cases[i].text)), 0);
		assert_pairs(&kv, cases[i].want);
		ptah_kv_clear(&kv);
	}
}

static void
refuses_bad_socks_arguments(void **state)
{
	static const char *const cases[] = { "=v", "k", "k=v;", "k=v\\", "k=v;;x=y", ";k=v", ";", "=", "k;x=y", "\\",
		"k\\=v", "k=v;x", "a=b;=c" };
	struct ptah_kv kv;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(ptah_kv_parse_socks(&kv, cases[i], strlen(cases[i])), -EINVAL);
		assert_int_equal(kv.n, 0);
		assert_null(kv.pairs);
	}
	assert_int_equal(ptah_kv_parse_socks(&kv, "k=a\0b", 5), -EINVAL);
	assert_int_equal(ptah_kv_parse_socks(&kv, "k=a\\\0b", 6), -EINVAL);
	assert_int_equal(ptah_kv_parse_socks(&kv, "k\0=a", 4), -EINVAL);
	assert_int_equal(ptah_kv_parse_socks(&kv, "k=a\0", 4), -EINVAL);
}

static void
looks_up_the_first_value(void **state)
{
	struct ptah_kv kv = { 0 };

	(void)state;
	assert_null(ptah_kv_get(&kv, "a"));
	for (char c = 'a'; c < 'k'; c++)
		assert_int_equal(ptah_kv_add(&kv, NULL, (char[]){ c, 0 }, "first"), 0);
	assert_int_equal(ptah_kv_add(&kv, "name", "a", "second"), 0);
	assert_string_equal(ptah_kv_get(&kv, "a"), "first");
	assert_null(ptah_kv_get(&kv, "z"));
	assert_int_equal(kv.n, 11);
	assert_string_equal(kv.pairs[10].name, "name");
	ptah_kv_clear(&kv);
	assert_int_equal(kv.n, 0);
}

static void
decodes_server_options(void **state)
{
	static const struct {
		const char *text;
		struct pair want[4];
	} cases[] = {
		{ "", { { 0 } } },
		{ "dummy:key=banana;dummy:rule=110", { { "dummy", "key", "banana" }, { "dummy", "rule", "110" } } },
		{ "dummy:k=a\\;b\\:c\\\\d=e", { { "dummy", "k", "a;b:c\\d=e" } } },
		{ "dummy:k=a:b=c", { { "dummy", "k", "a:b=c" } } },
		{ "dummy:k\\=l=v", { { "dummy", "k=l", "v" } } },
		{ "dummy:k:l=v", { { "dummy", "k:l", "v" } } },
		{ "dummy:k=", { { "dummy", "k", "" } } },
		{ "a:k=1;b:k=2;a:k=3", { { "a", "k", "1" }, { "b", "k", "2" }, { "a", "k", "3" } } },
		{ "od\\:d:k=1", { { "od:d", "k", "1" } } },
	};
	struct ptah_kv kv;
	char why[100];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(ptah_kv_parse_options(&kv, cases[i].text, why, sizeof(why)), 0);
		assert_pairs(&kv, cases[i].want);
		ptah_kv_clear(&kv);
	}
}

static void
says_where_server_options_are_wrong(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "dummy", "no ':' after the transport name, at byte 6" },
		{ "dummy:k", "no '=' after the key, at byte 8" },
		{ ":k=v", "no transport name before ':', at byte 1" },
		{ "dummy:=v", "no key before '=', at byte 7" },
		{ "dummy:k=v;", "nothing after the last ';', at byte 11" },
		{ "dummy:k=v\\", "a lone backslash at the end, at byte 10" },
		{ "dummy=k:v", "no ':' after the transport name, at byte 6" },
		{ "dummy;d:k=v", "no ':' after the transport name, at byte 6" },
		{ "dummy:k=v;;d:k=v", "no ':' after the transport name, at byte 11" },
		{ "dummy:k;d:k=v", "no '=' after the key, at byte 8" },
	};
	struct ptah_kv kv;
	char why[100];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(ptah_kv_parse_options(&kv, cases[i].text, why, sizeof(why)), -EINVAL);
		assert_string_equal(why, cases[i].why);
		assert_null(kv.pairs);
	}
}

static void
formats_bridge_arguments(void **state)
{
	static const struct {
		struct pair pairs[4];
		const char *text;
	} cases[] = {
		{ { { 0 } }, "" },
		{ { { NULL, "b", "x=y" }, { NULL, "a", "1,2" }, { NULL, "c", "q\\r" } }, "a=1\\,2,b=x\\=y,c=q\\\\r" },
		{ { { NULL, "k", "" } }, "k=" },
		{ { { NULL, "b", "2" }, { NULL, "B", "1" }, { NULL, "_", "3" } }, "B=1,_=3,b=2" },
		{ { { NULL, "k", "2" }, { NULL, "a", "0" }, { NULL, "k", "1" } }, "a=0,k=2,k=1" },
		{ { { NULL, "a=,", "!~" } }, "a\\=\\,=!~" },
	};
	static const char *const bad[] = { "a b", "a\n", "\x7f", "\xc3\xa9", "\t" };
	struct ptah_kv kv = { 0 };
	char *out;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (const struct pair *p = cases[i].pairs; p->key != NULL; p++)
			assert_int_equal(ptah_kv_add(&kv, NULL, p->key, p->value), 0);
		assert_int_equal(ptah_kv_format_args(&kv, &out), 0);
		assert_string_equal(out, cases[i].text);
		free(out);
		ptah_kv_clear(&kv);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(ptah_kv_add(&kv, NULL, "k", bad[i]), 0);
		assert_int_equal(ptah_kv_format_args(&kv, &out), -EINVAL);
		assert_null(out);
		ptah_kv_clear(&kv);
		assert_int_equal(ptah_kv_add(&kv, NULL, bad[i], "v"), 0);
		assert_int_equal(ptah_kv_format_args(&kv, &out), -EINVAL);
		ptah_kv_clear(&kv);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_socks_arguments),
		cmocka_unit_test(refuses_bad_socks_arguments),
		cmocka_unit_test(looks_up_the_first_value),
		cmocka_unit_test(decodes_server_options),
		cmocka_unit_test(says_where_server_options_are_wrong),
		cmocka_unit_test(formats_bridge_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
