/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/options.h"

static void
gives_each_transport_its_own(void **state)
{
	static const char *const names[] = { "dummy", "shadow" };
	static const struct {
		const char *text;
		bool keyed;
		const char *dummy; /* its options, as JSON */
	} cases[] = {
		/* JSON with an object per transport */
		{ "{\"dummy\":{\"a\":\"1\"}}", true, "{\"a\":\"1\"}" },
		{ " \t\n{\"dummy\":{\"a\":1},\"shadow\":{}}\n", true, "{\"a\":1}" },
		{ "{\"shadow\":{\"a\":1}}", true, "{}" },
		{ "{dummy: {serverAddress: \"127.0.0.1:1\"}}", true,
		    "{\"serverAddress\":\"127.0.0.1:1\"}" },
		/* JSON for all */
		{ "{\"a\":\"1\"}", false, "{\"a\":\"1\"}" },
		{ "{}", false, "{}" },
		{ "{\"dummy\":1}", false, "{\"dummy\":1}" },
		{ "{\"dummy\":{},\"x\":{}}", false, "{\"dummy\":{},\"x\":{}}" },
		{ "{\"a\":1,\"a\":2}", false, "{\"a\":2}" },
		/* name:key=value */
		{ "dummy:key=banana;dummy:rule=110", false, "{\"key\":\"banana\",\"rule\":\"110\"}" },
		{ "dummy:k=a\\;b\\:c\\\\d=e", false, "{\"k\":\"a;b:c\\\\d=e\"}" },
		{ "shadow:k=v", false, "{}" },
		{ "dummy:k=", false, "{\"k\":\"\"}" },
		{ "dummy:k=1;dummy:k=2", false, "{\"k\":[\"1\",\"2\"]}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_options options;
		char why[200] = "";
		const char *text = cases[i].text;
		int rc = ptah_options_parse(&options, text, strlen(text), why, sizeof(why));

		if (rc != 0)
			fail_msg("'%s': %s", text, why);
		bool keyed = ptah_options_keyed(&options, names, 2);
		assert_int_equal(keyed, cases[i].keyed);

		struct ptah_json *own = ptah_options_of(&options, keyed, "dummy");
		assert_non_null(own);
		char *printed = ptah_json_text(own);
		assert_string_equal(printed, cases[i].dummy);
		free(printed);
		ptah_json_free(own);
		ptah_options_clear(&options);
	}
}

static void
no_options_are_an_empty_object(void **state)
{
	struct ptah_options none = { 0 };
	struct ptah_json *own = ptah_options_of(&none, false, "dummy");

	(void)state;
	assert_false(ptah_options_keyed(&none, NULL, 0));
	assert_non_null(own);
	assert_int_equal(own->type, PTAH_JSON_OBJECT);
	assert_int_equal(own->n, 0);
	ptah_json_free(own);
}

static void
refuses_what_does_not_parse(void **state)
{
	static const char *const cases[] = {
		"", " \n", "[1]", "\"x\"", "{\"a\":1} x", "{\"a\":}", "{", "{\"a\":1}{}",
		"{\"a\":\"\xff\"}",
		("{\xe2\x80\x9c" "a\xe2\x80\x9d: 1}"), /* typographic quotes */
		"dummy", "dummy:k", ":k=v", "dummy:=v", "dummy:k=v;", "dummy:k=v\\", "dummy=k:v",
		"null", "12",
	};
	struct ptah_options options;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char why[200] = "";
		int rc = ptah_options_parse(&options, cases[i], strlen(cases[i]), why, sizeof(why));

		if (rc != -EINVAL)
			fail_msg("'%s' parses", cases[i]);
		assert_string_not_equal(why, "");
		ptah_options_clear(&options);
	}
}

static void
errors_repeat_no_value(void **state)
{
	static const char *const cases[] = {
		"{\"password\": \"hunter2\", }", "{\"password\": hunter2}",
		"dummy:password=hunter2;dummy", "dummy:password=hunter2\\",
	};
	struct ptah_options options;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char why[400] = "";
		size_t len = strlen(cases[i]);

		assert_int_equal(ptah_options_parse(&options, cases[i], len, why, sizeof(why)), -EINVAL);
		assert_null(strstr(why, "hunter2"));
	}
}

static void
bounds_depth_and_length(void **state)
{
	char *deep = malloc(1000), *big = malloc(PTAH_OPTIONS_MAX + 2), why[200];
	struct ptah_options options;

	(void)state;
	for (int levels = PTAH_JSON_DEPTH; levels <= PTAH_JSON_DEPTH + 1; levels++) {
		char *at = deep;

		for (int i = 0; i < levels; i++)
			at = stpcpy(at, "{\"a\":");
		at = stpcpy(at, "1");
		for (int i = 0; i < levels; i++)
			at = stpcpy(at, "}");
		assert_int_equal(ptah_options_parse(&options, deep, strlen(deep), why, sizeof(why)),
		    levels == PTAH_JSON_DEPTH ? 0 : -EINVAL);
		ptah_options_clear(&options);
	}
	memset(big, ' ', PTAH_OPTIONS_MAX + 1);
	memcpy(big, "{}", 2);
	assert_int_equal(ptah_options_parse(&options, big, PTAH_OPTIONS_MAX, why, sizeof(why)), 0);
	ptah_options_clear(&options);
	assert_int_equal(ptah_options_parse(&options, big, PTAH_OPTIONS_MAX + 1, why, sizeof(why)),
	    -EINVAL);
	free(deep);
	free(big);
}

static char folder[] = "/tmp/ptah_config_options.XXXXXX";

static void
write_file(char path[static 64], const char *text, mode_t mode)
{
	snprintf(path, 64, "%s/options", folder);
	unlink(path);

	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void
reads_a_file_and_sees_who_else_can(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		int rc;
		bool exposed;
	} cases[] = {
		{ "{\"a\":1}\n", 0600, 0, false },
		{ "{\"a\":1}\n", 0640, 0, true },
		{ "dummy:a=1\r\n", 0604, 0, true }, /* the line end is no part of the value */
		{ "", 0600, -EINVAL, false },
		{ "\n", 0600, -EINVAL, false },
		{ "{\n", 0600, -EINVAL, false },
	};
	char path[64], why[600];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_options options;
		bool exposed;

		write_file(path, cases[i].text, cases[i].mode);
		assert_int_equal(ptah_options_read(&options, path, &exposed, why, sizeof(why)),
		    cases[i].rc);
		if (cases[i].rc == 0)
			assert_int_equal(exposed, cases[i].exposed);
		else
			assert_non_null(strstr(why, path));
		if (options.kv.n)
			assert_string_equal(options.kv.pairs[0].value, "1");
		ptah_options_clear(&options);
	}
	unlink(path);
}

static void
a_file_that_is_none_is_an_error(void **state)
{
	struct ptah_options options;
	char why[600], path[64];
	bool exposed;

	(void)state;
	snprintf(path, sizeof(path), "%s/missing", folder);
	assert_int_equal(ptah_options_read(&options, path, &exposed, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "missing': No such file"));
	assert_int_equal(ptah_options_read(&options, folder, &exposed, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, folder));
}

static int
make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int
remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_each_transport_its_own),
		cmocka_unit_test(no_options_are_an_empty_object),
		cmocka_unit_test(refuses_what_does_not_parse),
		cmocka_unit_test(errors_repeat_no_value),
		cmocka_unit_test(bounds_depth_and_length),
		cmocka_unit_test(reads_a_file_and_sees_who_else_can),
		cmocka_unit_test(a_file_that_is_none_is_an_error),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
