/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct ptah_json *
parse(const char *text, unsigned flags)
{
	char why[200] = "";

	return ptah_json_parse(text, strlen(text), flags, why, sizeof(why));
}

static void
assert_prints(const struct ptah_json *json, const char *want)
{
	char *text;

	assert_non_null(json);
	text = ptah_json_text(json);
	assert_string_equal(text, want);
	free(text);
}

static void
reads_and_prints_values(void **state)
{
	static const struct {
		const char *text, *printed;
	} cases[] = {
		{ "{}", "{}" },
		{ " { } ", "{}" },
		{ "[]", "[]" },
		{ "null", "null" },
		{ "true", "true" },
		{ "false\n", "false" },
		{ "\"a\"", "\"a\"" },
		{ "{\"a\" : [1, true , null, {\"b\":\"c\"}]}", "{\"a\":[1,true,null,{\"b\":\"c\"}]}" },
		/* numbers stay as they were written */
		{ "[0,-0,1.50,1E+400,123456789012345678901234567890,-1e-9]",
		    "[0,-0,1.50,1E+400,123456789012345678901234567890,-1e-9]" },
		/* the last of duplicate keys, in the place of the first */
		{ "{\"a\":1,\"b\":2,\"a\":3,\"a\":4}", "{\"a\":4,\"b\":2}" },
		{ "{\"a\":1,\"\\u0061\":2}", "{\"a\":2}" },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\u0008\\u000c\\u000a\\u000d\\u0009\"" },
		{ "\"\\u00e9 \\ud83d\\ude00 \\uFFFD\"", "\"\xc3\xa9 \xf0\x9f\x98\x80 \xef\xbf\xbd\"" },
		{ "\"\x7f \xc3\xa9\"", "\"\\u007f \xc3\xa9\"" },
		{ "{\"\":{\"\":\"\"}}", "{\"\":{\"\":\"\"}}" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ptah_json *json = parse(cases[i].text, 0);

		assert_prints(json, cases[i].printed);
		ptah_json_free(json);
	}
}

static void
says_what_is_wrong_and_where(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "it ends too early, at line 1, column 1" },
		{ " \n ", "it ends too early, at line 2, column 2" },
		{ "{", "it ends too early, at line 1, column 2" },
		{ "{\"a\":1", "it ends too early, at line 1, column 7" },
		{ "\"abc", "it ends too early, at line 1, column 5" },
		{ "{\"a\":}", "something that may not stand here, at line 1, column 6" },
		{ "}{", "something that may not stand here, at line 1, column 1" },
		{ "{\"a\":1} x", "something follows the end, at line 1, column 9" },
		{ "{}{}", "something follows the end, at line 1, column 3" },
		{ "[1]]", "something follows the end, at line 1, column 4" },
		{ "{\n\"a\"\n1}", "no ':' after an object's key, at line 3, column 1" },
		{ "{a:1}", "a character that may not stand here, at line 1, column 2" },
		{ "{1:1}", "an object's key must be a string, at line 1, column 2" },
		{ "{\"a\":1,}", "an object's key must be a string, at line 1, column 8" },
		{ "{'a':1}", "a character that may not stand here, at line 1, column 2" },
		{ "[1,]", "something that may not stand here, at line 1, column 4" },
		{ "// x\n{}", "a comment that may not stand here, at line 1, column 1" },
		{ "\xef\xbb\xbf{}", "a byte order mark, at line 1, column 1" },
		{ "{\"\xc3\xa9\":\"\xff\"}", "invalid UTF-8, at line 1, column 7" },
		{ "\"\xed\xa0\x80\"", "invalid UTF-8, at line 1, column 2" },
		{ "[\"\\u0000\"]", "a NUL in a string, at line 1, column 3" },
		{ "[\"\\ud800\"]", "half a surrogate pair, at line 1, column 3" },
		{ "[\"\\ud800\\u0041\"]", "half a surrogate pair, at line 1, column 3" },
		{ "[\"\\udc00\\ud800\"]", "half a surrogate pair, at line 1, column 3" },
		{ "{\"\\ud800", "half a surrogate pair, at line 1, column 3" },
	};
	static const char *const bad[] = { "{shared: 1}", "nul", "tru", "[01]", "[-]", "[1.]", "[.5]", "[1e]", "[+1]",
		"[0x1]", "NaN", "Infinity", "\"\\q\"", "\"\\u12g4\"", "\"\\u12", "\"a\nb\"", "\"a\tb\"", "[1 2]", ",", ":",
		"]", "[}", "{]", "{\"a\":1 \"b\":2}", "{\"a\"}", "{,}", "[,]" };
	char why[200];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_null(ptah_json_parse(cases[i].text, strlen(cases[i].text), 0, why, sizeof(why)));
		assert_int_equal(errno, EINVAL);
		assert_string_equal(why, cases[i].why);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		why[0] = '\0';
		assert_null(ptah_json_parse(bad[i], strlen(bad[i]), 0, why, sizeof(why)));
		assert_int_equal(errno, EINVAL);
		assert_non_null(strstr(why, ", at line 1, column "));
		assert_null(strchr(why, '\n'));
	}
	assert_null(ptah_json_parse("{}\0", 3, 0, why, sizeof(why)));
	assert_string_equal(why, "a NUL byte, at line 1, column 3");
}

static void
quotes_bare_keys_on_request_only(void **state)
{
	static const struct {
		const char *text, *printed;
	} cases[] = {
		{ "{shadow: {password: \"x\"}}", "{\"shadow\":{\"password\":\"x\"}}" },
		{ "{a:1,b :2,\"c\":3,_d$-9\n:4}", "{\"a\":1,\"b\":2,\"c\":3,\"_d$-9\":4}" },
		{ "{true:true,null:[null,{x:false}]}", "{\"true\":true,\"null\":[null,{\"x\":false}]}" },
		{ "{a:\"{b: 1, c: 2}\"}", "{\"a\":\"{b: 1, c: 2}\"}" },
		{ "{a:\"\\\"{b: 1\"}", "{\"a\":\"\\\"{b: 1\"}" },
		{ "{a:1,\"a\":2}", "{\"a\":2}" },
	};
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "{a:b}", "a character that may not stand here, at line 1, column 4" },
		{ "{a b:1}", "a character that may not stand here, at line 1, column 2" },
		{ "{aaaa:1,\nbb:1,9:1}", "an object's key must be a string, at line 2, column 6" },
		{ "[a:1]", "a character that may not stand here, at line 1, column 2" },
		{ "[1,a:1]", "no ',' or ']' after an array's item, at line 1, column 5" },
		{ "{a:1} x", "something follows the end, at line 1, column 7" },
		{ "{a:1", "it ends too early, at line 1, column 5" },
		{ "{a", "a character that may not stand here, at line 1, column 2" },
	};
	char why[200];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ptah_json *json = parse(cases[i].text, PTAH_JSON_BARE_KEYS);

		assert_prints(json, cases[i].printed);
		ptah_json_free(json);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_null(ptah_json_parse(bad[i].text, strlen(bad[i].text), PTAH_JSON_BARE_KEYS, why, sizeof(why)));
		assert_string_equal(why, bad[i].why);
	}
}

static void
skips_comments_on_request_only(void **state)
{
	static const char text[] = "// {a:\n{ /* \" */ a /* : */ : \"//\", // tail\n b:1} /* end */";
	struct ptah_json *json = parse(text, PTAH_JSON_BARE_KEYS | PTAH_JSON_COMMENTS);
	char why[200];

	(void)state;
	assert_prints(json, "{\"a\":\"//\",\"b\":1}");
	ptah_json_free(json);
	assert_null(parse(text, PTAH_JSON_BARE_KEYS));
	assert_null(ptah_json_parse("{}\n /* end", 10, PTAH_JSON_COMMENTS, why, sizeof(why)));
	assert_string_equal(why, "a comment without an end, at line 2, column 2");
}

/* "[[[...]]]" or {"a":{"a":...}} with 'depth' levels. */
static char *
nest(const char *open, const char *close, size_t depth)
{
	struct ptah_buf buf = { 0 };

	for (size_t i = 0; i < depth; i++)
		ptah_buf_puts(&buf, open);
	ptah_buf_puts(&buf, "1");
	for (size_t i = 0; i < depth; i++)
		ptah_buf_puts(&buf, close);
	return ptah_buf_take_text(&buf);
}

static void
nests_32_deep_and_no_deeper(void **state)
{
	static const struct {
		const char *open, *close;
	} kinds[] = { { "[", "]" }, { "{\"a\":", "}" } };
	char why[200];

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		char *fits = nest(kinds[i].open, kinds[i].close, 32);
		char *deep = nest(kinds[i].open, kinds[i].close, 33);
		struct ptah_json *json = parse(fits, 0);

		assert_prints(json, fits);
		ptah_json_free(json);
		assert_null(ptah_json_parse(deep, strlen(deep), 0, why, sizeof(why)));
		assert_memory_equal(why, "nested too deeply, at line 1", 28);
		free(fits);
		free(deep);
	}
}

static void
reads_many_keys_quickly(void **state)
{
	enum { N = 100000 };
	struct ptah_buf text = { 0 };
	struct ptah_json *json, *over;

	(void)state;
	ptah_buf_puts(&text, "{\"k0\":0");
	for (int i = 1; i < N; i++)
		ptah_buf_printf(&text, ",\"k%d\":%d", i % (N / 2), i);
	ptah_buf_puts(&text, "}");
	json = ptah_json_parse((char *)text.at, text.len, 0, NULL, 0);
	assert_non_null(json);
	assert_int_equal(json->n, N / 2);
	assert_string_equal(ptah_json_get(json, "k7")->text, "50007");
	assert_string_equal(json->keys[7], "k7");
	over = ptah_json_copy(json);
	assert_int_equal(ptah_json_overlay(json, over), 0);
	assert_int_equal(json->n, N / 2);
	ptah_json_free(over);
	ptah_json_free(json);
	ptah_buf_clear(&text);
}

static void
builds_and_changes_trees(void **state)
{
	struct ptah_json *object = ptah_json_new(PTAH_JSON_OBJECT);
	struct ptah_json *array = ptah_json_new(PTAH_JSON_ARRAY);
	struct ptah_json *copy;

	(void)state;
	assert_int_equal(ptah_json_add(array, ptah_json_new_text(PTAH_JSON_NUMBER, "1")), 0);
	assert_int_equal(ptah_json_add(array, ptah_json_new_text(PTAH_JSON_STRING, "two")), 0);
	assert_int_equal(ptah_json_add(array, NULL), -ENOMEM);
	assert_int_equal(ptah_json_set(object, "list", array), 0);
	assert_int_equal(ptah_json_set(object, "none", ptah_json_new(PTAH_JSON_NULL)), 0);
	assert_int_equal(ptah_json_set(object, "none", ptah_json_new(PTAH_JSON_BOOL)), 0);
	assert_int_equal(ptah_json_set(object, "x", NULL), -ENOMEM);
	assert_int_equal(ptah_json_set(NULL, "x", ptah_json_new(PTAH_JSON_BOOL)), -ENOMEM);
	assert_prints(object, "{\"list\":[1,\"two\"],\"none\":false}");
	copy = ptah_json_copy(object);
	assert_prints(copy, "{\"list\":[1,\"two\"],\"none\":false}");
	assert_null(ptah_json_get(object, "x"));
	assert_null(ptah_json_get(array, "list"));
	assert_null(ptah_json_get(NULL, "list"));
	ptah_json_free(object);
	ptah_json_free(copy);
	ptah_json_free(NULL);
}

static void
lays_settings_over_each_other(void **state)
{
	struct ptah_json *global = parse("{\"a\":\"1\",\"b\":\"1\",\"c\":{\"x\":1}}", 0);
	struct ptah_json *own = parse("{\"b\":\"2\",\"d\":[],\"c\":{\"y\":1}}", 0);

	(void)state;
	assert_int_equal(ptah_json_overlay(global, own), 0);
	assert_prints(global, "{\"a\":\"1\",\"b\":\"2\",\"c\":{\"y\":1},\"d\":[]}");
	assert_prints(own, "{\"b\":\"2\",\"d\":[],\"c\":{\"y\":1}}");
	ptah_json_free(global);
	ptah_json_free(own);
}

static void
turns_pairs_into_objects(void **state)
{
	struct ptah_json *json;
	struct ptah_kv kv;
	char why[100];

	(void)state;
	assert_int_equal(ptah_kv_parse_options(&kv, "a:k=1;b:k=2;a:l=\\\"x;a:k=3;a:k=4", why, sizeof(why)), 0);
	json = ptah_json_from_kv(&kv, "a");
	assert_prints(json, "{\"k\":[\"1\",\"3\",\"4\"],\"l\":\"\\\"x\"}");
	ptah_json_free(json);
	json = ptah_json_from_kv(&kv, NULL);
	assert_prints(json, "{\"k\":[\"1\",\"2\",\"3\",\"4\"],\"l\":\"\\\"x\"}");
	ptah_json_free(json);
	json = ptah_json_from_kv(&kv, "c");
	assert_prints(json, "{}");
	ptah_json_free(json);
	ptah_kv_clear(&kv);

	assert_int_equal(ptah_kv_parse_socks(&kv, "k=a\xff\x01z", 6), 0);
	json = ptah_json_from_kv(&kv, NULL);
	assert_prints(json, "{\"k\":\"a\xef\xbf\xbd\\u0001z\"}");
	ptah_json_free(json);
	ptah_kv_clear(&kv);
}

static void
finds_the_end_of_an_object_in_a_stream(void **state)
{
	static const struct {
		const char *text;
		long end;
	} cases[] = {
		{ "{}", 2 },
		{ "{}tail", 2 },
		{ " \r\n\t{\"a\":[{}]}x", 14 },
		{ "{\"}\":\"\\\"}\\\\\"}}", 13 },
		{ "", 0 },
		{ "  ", 0 },
		{ "{", 0 },
		{ "{\"}", 0 },
		{ "[", -EINVAL },
		{ "a{", -EINVAL },
		{ "}", -EINVAL },
		{ "{]", -EINVAL },
		{ "{[}", -EINVAL },
	};
	char *deep = nest("{\"a\":", "}", 33);
	struct ptah_json_scan too_deep = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const uint8_t *at = (const uint8_t *)cases[i].text;
		struct ptah_json_scan at_once = { 0 }, scan = { 0 };
		long end = 0;

		assert_int_equal(ptah_json_scan_more(&at_once, at, strlen(cases[i].text)), cases[i].end);
		for (size_t len = 0; len <= strlen(cases[i].text) && end == 0; len++)
			end = ptah_json_scan_more(&scan, at, len);
		assert_int_equal(end, cases[i].end);
	}
	assert_int_equal(ptah_json_scan_more(&too_deep, (const uint8_t *)deep, strlen(deep)), -EINVAL);
	free(deep);
}

/* Each value of the tree in its order, as "line:column", for a member with its key's before it. */
static void
print_places(const struct ptah_json *json, const char *text, struct ptah_buf *out)
{
	unsigned line, column;

	if (json->key_at != 0) {
		ptah_json_where(text, json->key_at, &line, &column);
		ptah_buf_printf(out, "%u:%u=", line, column);
	}
	ptah_json_where(text, json->at, &line, &column);
	ptah_buf_printf(out, "%u:%u%s ", line, column, json->twice ? "!" : "");
	for (size_t i = 0; i < json->n; i++)
		print_places(json->items[i], text, out);
}

static void
says_where_each_value_stands_on_request(void **state)
{
	static const struct {
		const char *text, *places;
	} cases[] = {
		{ "true", "1:1 " },
		{ " -1.5e+3 ", "1:2 " },
		{ "[0, -1,\n 2.5e-7 ,null]", "1:1 1:2 1:5 2:2 2:10 " },
		{ "{\n\t\"a\": \"x\",\n\t\"b\" :[ ]\n}", "1:1 2:2=2:7 3:2=3:7 " },
		{ "// first\n{ /* \" */ a: {b : c} }", NULL },
		{ "// first\n{ /* \" */ a: {b : \"c\"}, \"d\":1 }", "2:1 2:11=2:14 2:15=2:19 2:25=2:29 " },
		{ "{\"\xc3\xa9\\\"\": 1, \"\xc3\xa9\xc3\xa9\": {}}", "1:1 1:2=1:9 1:12=1:18 " },
		{ "{\"a\":1,\n\"b\":2,\n\"a\":3}", "1:1 3:1=3:5! 2:1=2:5 " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ptah_buf out = { 0 };
		char why[200];
		uint32_t wrong_at;
		struct ptah_json *json = ptah_json_parse_placed(cases[i].text, strlen(cases[i].text),
		    PTAH_JSON_BARE_KEYS | PTAH_JSON_COMMENTS, &wrong_at, why, sizeof(why)), *copy;

		assert_int_equal(json != NULL, cases[i].places != NULL);
		if (json == NULL) {
			assert_int_equal(wrong_at, 28);
			assert_string_equal(why, "a character that may not stand here");
			continue;
		}
		copy = ptah_json_copy(json);
		ptah_json_free(json);
		assert_non_null(copy);
		print_places(copy, cases[i].text, &out);
		assert_string_equal((char *)out.at, cases[i].places);
		ptah_buf_clear(&out);
		ptah_json_free(copy);
	}

	struct ptah_json *unasked = parse("{\"a\": 1}", 0);

	assert_int_equal(unasked->at + unasked->items[0]->at + unasked->items[0]->key_at, 0);
	ptah_json_free(unasked);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_prints_values),
		cmocka_unit_test(says_what_is_wrong_and_where),
		cmocka_unit_test(quotes_bare_keys_on_request_only),
		cmocka_unit_test(says_where_each_value_stands_on_request),
		cmocka_unit_test(skips_comments_on_request_only),
		cmocka_unit_test(nests_32_deep_and_no_deeper),
		cmocka_unit_test(reads_many_keys_quickly),
		cmocka_unit_test(builds_and_changes_trees),
		cmocka_unit_test(lays_settings_over_each_other),
		cmocka_unit_test(turns_pairs_into_objects),
		cmocka_unit_test(finds_the_end_of_an_object_in_a_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
