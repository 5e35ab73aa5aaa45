/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
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

#include "base/buf.h"
#include "base/file.h"
#include "transport/describe.h"
#include "transport/loader.h"
#include "transport/registry.h"

static const char *build;

/* Two folders of a test, one before the other. */
struct place {
	char top[64], one[80], two[80], path[192];
};

static void
place_make(struct place *place)
{
	snprintf(place->top, sizeof(place->top), "%s", "/tmp/ptah-registry-XXXXXX");
	assert_non_null(mkdtemp(place->top));
	snprintf(place->one, sizeof(place->one), "%s/one", place->top);
	snprintf(place->two, sizeof(place->two), "%s/two", place->top);
	snprintf(place->path, sizeof(place->path), "%s::%s", place->one, place->two);
	assert_int_equal(mkdir(place->one, 0700), 0);
	assert_int_equal(mkdir(place->two, 0700), 0);
}

static void
place_clear(struct place *place)
{
	char line[128];

	snprintf(line, sizeof(line), "rm -rf '%s'", place->top);
	assert_int_equal(system(line), 0);
}

static void
put_text(const char *folder, const char *file, const char *text)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

/* A module of the build folder as 'file' in 'folder'. */
static void
put_module(const char *module, const char *folder, const char *file)
{
	char from[512], to[256];
	uint8_t *bytes;
	size_t len;

	snprintf(from, sizeof(from), "%s/tests/modules/%s.so", build, module);
	snprintf(to, sizeof(to), "%s/%s", folder, file);
	assert_int_equal(ptah_file_read(from, 64 << 20, &bytes, &len), 0);
	assert_int_equal(ptah_file_write_atomic(to, bytes, len), 0);
	free(bytes);
}

static int
find(struct ptah_registry *registry, const char *name, struct ptah_found *found, char *why, size_t room)
{
	int rc = ptah_registry_find(registry, name, found, why, room);

	if (rc < 0)
		assert_null(found->loaded);
	return rc;
}

/* The reason that 'name' cannot be had. */
static const char *
refusal(struct ptah_registry *registry, const char *name)
{
	static char why[PTAH_WHY_TEXT];
	struct ptah_found found;

	assert_true(find(registry, name, &found, why, sizeof(why)) < 0);
	return why;
}

/* Others can change 'path', and so it is refused. */
static void
is_distrusted(struct ptah_registry *registry, const char *name, const char *path)
{
	char why[PTAH_WHY_TEXT];
	struct ptah_found found;

	assert_int_equal(find(registry, name, &found, why, sizeof(why)), -EPERM);
	assert_string_equal(found.about, path);
	assert_non_null(strstr(why, path));
}

static void
finds_a_module_by_its_name(void **state)
{
	struct place place;
	struct ptah_registry *registry;
	struct ptah_found found;
	char why[PTAH_WHY_TEXT];

	(void)state;
	place_make(&place);
	put_module("dummy", place.two, "dummy.so");
	registry = ptah_registry_new(place.path, NULL);
	assert_int_equal(find(registry, "dummy", &found, why, sizeof(why)), 0);
	assert_string_equal(found.loaded->module.name, "dummy");
	assert_null(found.options);
	assert_int_equal(find(registry, "ghost", &found, why, sizeof(why)), -ENOENT);
	assert_int_equal(find(registry, "foo-bar", &found, why, sizeof(why)), -ENOENT);
	assert_int_equal(find(registry, "../two/dummy", &found, why, sizeof(why)), -ENOENT);
	ptah_registry_free(registry);
	place_clear(&place);
}

static void
says_why_a_module_is_refused(void **state)
{
	static const struct {
		const char *module, *file, *says;
	} cases[] = {
		{ "broken", "broken", "ptah_test_function_that_is_nowhere" },
		{ "wrongmagic", "wrongmagic", "12345678" },
		{ "wrongabi", "wrongabi", "headers" },
		{ "wrongname", "wrongname", "calls itself \"othername\"" },
		{ "dummy", "renamed", "renamed_LTX_ptah_module" },
	};
	struct place place;
	struct ptah_registry *registry;
	char file[64], path[256];

	(void)state;
	place_make(&place);
	registry = ptah_registry_new(place.path, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *why;

		snprintf(file, sizeof(file), "%s.so", cases[i].file);
		put_module(cases[i].module, place.one, file);
		why = refusal(registry, cases[i].file);
		if (strstr(why, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].file, why);
	}
	put_text(place.one, "text.so", "this is no program, though it is longer than the head of one would have to be\n");
	assert_non_null(strstr(refusal(registry, "text"), "invalid ELF header"));

	put_module("dummy", place.one, "dummy.so");
	snprintf(path, sizeof(path), "%s/dummy.so", place.one);
	put_text(place.one, "nick.json", "{\"module\": \"dummy\"}");
	assert_int_equal(chmod(path, 0666), 0);
	is_distrusted(registry, "dummy", path);
	is_distrusted(registry, "nick", path); /* the module, and not its definition */
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(chmod(place.one, 0777), 0);
	is_distrusted(registry, "dummy", place.one);
	is_distrusted(registry, "nick", place.one);
	ptah_registry_free(registry);
	place_clear(&place);
}

static void
takes_the_first_folder_and_says_what_that_hides(void **state)
{
	struct place place;
	struct ptah_registry *registry;
	struct ptah_found found;
	char why[PTAH_WHY_TEXT], path[256];
	struct ptah_registry_row *rows;
	size_t n, seen = 0;

	(void)state;
	place_make(&place);
	put_module("dummy", place.one, "dummy.so");
	put_module("dummy", place.two, "dummy.so");
	put_module("nosrv", place.two, "nosrv.so");
	put_module("broken", place.two, "broken.so");
	put_text(place.two, "foo-bar.so", "x");
	put_text(place.two, "README", "x");
	registry = ptah_registry_new(place.path, place.two);
	assert_int_equal(find(registry, "dummy", &found, why, sizeof(why)), 0);
	snprintf(path, sizeof(path), "%s/dummy.so", place.one);
	assert_string_equal(found.loaded->path, path);

	assert_int_equal(ptah_registry_list(registry, &rows, &n), 0);
	for (size_t i = 0; i < n; i++) {
		if (strncmp(rows[i].path, place.top, strlen(place.top)) != 0)
			continue; /* what is installed on this machine */
		seen++;
		if (strcmp(rows[i].name, "dummy") == 0 && rows[i].hidden) {
			snprintf(why, sizeof(why), "hidden by %s", path);
			assert_string_equal(rows[i].problem, why);
		} else if (strcmp(rows[i].name, "dummy") == 0 || strcmp(rows[i].name, "nosrv") == 0) {
			assert_non_null(rows[i].module);
			assert_null(rows[i].problem);
		} else {
			assert_null(rows[i].module);
			assert_non_null(rows[i].problem);
		}
		if (i > 0)
			assert_true(strcmp(rows[i - 1].name, rows[i].name) <= 0);
	}
	assert_int_equal(seen, 5);
	ptah_registry_rows_free(rows, n);
	ptah_registry_free(registry);
	place_clear(&place);
}

static bool
is_named(char **names, const char *name)
{
	for (; *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static void
names_all_but_the_named_only(void **state)
{
	struct place place;
	struct ptah_registry *registry;
	char **names;

	(void)state;
	place_make(&place);
	put_module("dummy", place.one, "dummy.so");
	put_module("dummy", place.two, "dummy.so");
	put_module("nosrv", place.one, "nosrv.so");
	put_module("broken", place.one, "broken.so");
	put_text(place.one, "foo-bar.so", "x");
	registry = ptah_registry_new(place.path, NULL);
	names = ptah_registry_names(registry, PTAH_CLIENT);
	assert_true(is_named(names, "dummy"));
	assert_true(is_named(names, "broken"));
	assert_false(is_named(names, "nosrv"));
	assert_false(is_named(names, "foo-bar"));
	free(names);
	ptah_registry_free(registry);
	place_clear(&place);
}

static void
follows_definitions(void **state)
{
	struct place place;
	struct ptah_registry *registry;
	struct ptah_found found;
	char why[PTAH_WHY_TEXT], *text;

	(void)state;
	place_make(&place);
	put_module("dummy", place.two, "dummy.so");
	put_text(place.one, "plain.json", "{\"module\": \"dummy\", \"a\": 1, \"b\": 1} // a comment");
	put_text(place.one, "twice.json", "{\"module\": \"plain\", \"b\": 2}");
	put_text(place.one, "dummy.json", "{\"module\": \"dummy\", \"c\": 3}");
	put_text(place.one, "high.json", "{\"stack\": [\"dummy\", {\"module\": \"plain\", \"k\": 1}, \"nosrv\"], \"x\": \"y\"}");
	put_text(place.one, "higher.json", "{\"stack\": [\"high\", \"plain\"]}");
	put_text(place.one, "circle.json", "{\"module\": \"round\"}");
	put_text(place.one, "round.json", "{\"module\": \"circle\"}");
	put_text(place.one, "lost.json", "{\"module\": \"nobody\"}");
	put_text(place.one, "both.json", "{\"module\": \"dummy\", \"stack\": [\"dummy\"]}");
	put_text(place.one, "none.json", "{}");
	put_text(place.one, "list.json", "[1]");
	put_text(place.one, "bad.json", "{\"module\": ");
	registry = ptah_registry_new(place.path, NULL);

	assert_int_equal(find(registry, "twice", &found, why, sizeof(why)), 0);
	assert_string_equal(found.loaded->module.name, "dummy");
	text = ptah_json_text(found.options);
	/* twice over plain over the dummy.json that lies before dummy.so */
	assert_string_equal(text, "{\"c\":3,\"a\":1,\"b\":2}");
	free(text);
	ptah_json_free(found.options);

	assert_int_equal(find(registry, "high", &found, why, sizeof(why)), 0);
	text = ptah_json_text(found.options);
	assert_string_equal(text, "{\"c\":3,\"over\":{\"module\":\"plain\",\"k\":1,\"over\":{\"module\":\"nosrv\"}},\"x\":\"y\"}");
	free(text);
	ptah_json_free(found.options);

	assert_int_equal(find(registry, "higher", &found, why, sizeof(why)), 0);
	text = ptah_json_text(found.options);
	assert_string_equal(text, "{\"c\":3,\"over\":{\"module\":\"plain\",\"k\":1,\"over\":"
	    "{\"module\":\"nosrv\",\"over\":{\"module\":\"plain\"}}},\"x\":\"y\"}");
	free(text);
	ptah_json_free(found.options);

	assert_non_null(strstr(refusal(registry, "circle"), "circle"));
	assert_non_null(strstr(refusal(registry, "lost"), "no transport \"nobody\""));
	assert_non_null(strstr(refusal(registry, "both"), "both.json"));
	assert_non_null(strstr(refusal(registry, "none"), "\"module\""));
	assert_non_null(strstr(refusal(registry, "list"), "not an object"));
	assert_non_null(strstr(refusal(registry, "bad"), "bad.json"));
	ptah_registry_free(registry);
	place_clear(&place);
}

static void
refuses_both_of_two_that_claim_one_name(void **state)
{
	struct place place;
	struct ptah_registry *registry;
	struct ptah_registry_row *rows;
	size_t n, refused = 0;

	(void)state;
	place_make(&place);
	put_module("dummy", place.one, "dummy.so");
	put_text(place.one, "dummy.json", "{\"module\": \"nosrv\"}");
	put_module("dummy", place.two, "dummy.so");
	registry = ptah_registry_new(place.path, NULL);
	assert_non_null(strstr(refusal(registry, "dummy"), "both claim"));
	assert_int_equal(ptah_registry_list(registry, &rows, &n), 0);
	for (size_t i = 0; i < n; i++)
		if (strncmp(rows[i].path, place.one, strlen(place.one)) == 0 && strstr(rows[i].problem, "both claim") != NULL)
			refused++;
	assert_int_equal(refused, 2);
	ptah_registry_rows_free(rows, n);
	ptah_registry_free(registry);
	place_clear(&place);
}

static int
never_called(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	(void)io;
	return -ENOSYS;
}

#define LATER \
	.head = PTAH_HEAD(1), .abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM, .open = never_called
#define WHOLE \
	.head = PTAH_HEAD(0), .abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM, .open = never_called

static void
looks_for_aliases_last(void **state)
{
	static const char *const aliases[] = { "other", "another", NULL };
	static const struct ptah_module module = { WHOLE, .name = "linked", .aliases = aliases };
	struct place place;
	struct ptah_registry *registry;
	struct ptah_found found;
	char why[PTAH_WHY_TEXT] = "";

	(void)state;
	place_make(&place);
	registry = ptah_registry_new(place.path, NULL);
	assert_int_equal(ptah_registry_link(registry, &module, why, sizeof(why)), 0);
	assert_int_equal(find(registry, "another", &found, why, sizeof(why)), 0);
	assert_string_equal(found.loaded->module.name, "linked");
	put_text(place.one, "another.json", "{\"module\": \"linked\", \"a\": 1}");
	assert_int_equal(find(registry, "another", &found, why, sizeof(why)), 0);
	assert_non_null(found.options);
	ptah_json_free(found.options);
	ptah_registry_free(registry);
	place_clear(&place);
}

/* A module of a later minor: its structs are longer than ours. */
struct long_option {
	struct ptah_option now;
	uint64_t later;
};

struct long_module {
	struct ptah_module now;
	uint64_t later;
};

static void
reads_descriptors_of_another_size(void **state)
{
	static const struct long_option options[] = {
		{ { .name = "one", .type = PTAH_STRING }, 1 },
		{ { .name = "two", .type = PTAH_STRING, .offset = 8 }, 2 },
		{ { .name = NULL }, 3 },
	};
	struct long_module module = { { WHOLE, .name = "longer", .options = &options[0].now, .conf_size = 16 }, 4 };
	struct ptah_loaded *loaded;
	char why[PTAH_WHY_TEXT] = "";

	(void)state;
	module.now.head.size = sizeof(module);
	module.now.head.minor = PTAH_ABI_MINOR + 1;
	module.now.head.option_size = sizeof(options[0]);
	assert_int_equal(ptah_loaded_link(&module.now, &loaded, why, sizeof(why)), 0);
	assert_string_equal(loaded->module.options[1].name, "two");
	assert_null(loaded->module.options[2].name);
	ptah_loaded_free(loaded);

	module.now.head.needs_minor = PTAH_ABI_MINOR + 1;
	assert_true(ptah_loaded_link(&module.now, &loaded, why, sizeof(why)) < 0);
	assert_non_null(strstr(why, "newer ptah"));
}

static void
refuses_descriptors_that_cannot_be(void **state)
{
	static const struct ptah_option outside[] = {
		{ .name = "far", .type = PTAH_HEX, .offset = 8 }, { .name = NULL } };
	static const struct ptah_option unaligned[] = {
		{ .name = "odd", .type = PTAH_INT, .offset = 1 }, { .name = NULL } };
	static const struct ptah_option untyped[] = {
		{ .name = "new", .type = 99 }, { .name = NULL } };
	static const struct ptah_option file[] = {
		{ .name = "file", .type = PTAH_FILE }, { .name = NULL } };
	static const struct ptah_option link_file[] = {
		{ .name = "file", .type = PTAH_FILE, .flags = PTAH_LINK | PTAH_STATIC_ONLY }, { .name = NULL } };
	static const struct ptah_option long_file[] = {
		{ .name = "file", .type = PTAH_FILE, .max = PTAH_FILE_MOST + 1 }, { .name = NULL } };
	static const struct ptah_option wordless[] = {
		{ .name = "word", .type = PTAH_WORD }, { .name = NULL } };
	static const struct {
		struct ptah_module module;
		const char *says;
	} cases[] = {
		{ { WHOLE, .name = "x", .options = outside, .conf_size = 16 }, "outside" },
		{ { WHOLE, .name = "x", .options = unaligned, .conf_size = 16 }, "outside" },
		{ { WHOLE, .name = "x", .options = untyped, .conf_size = 16 }, "type" },
		{ { WHOLE, .name = "x", .options = file, .conf_size = 16 }, "outside" },
		{ { WHOLE, .name = "x", .options = file, .conf_size = 24 }, "PTAH_HEAD(1)" },
		{ { LATER, .name = "x", .options = link_file, .args_size = 24 }, "without PTAH_LINK" },
		{ { LATER, .name = "x", .options = long_file, .conf_size = 24 }, "more than 16777216 bytes" },
		{ { WHOLE, .name = "x", .options = wordless, .conf_size = 16 }, ".words" },
		{ { WHOLE, .name = "x", .link_size = 0xffffffffu }, "link_size" },
		{ { WHOLE, .name = "x", .unit = 0x7fffffffu }, "unit" },
		{ { WHOLE, .name = "no-name" }, ".name" },
		{ { .head = PTAH_HEAD(0), .name = "x", .abilities = PTAH_CAN_STREAM, .open = never_called }, "neither" },
		{ { .head = PTAH_HEAD(0), .name = "x", .abilities = PTAH_CAN_CLIENT, .open = never_called }, "nothing" },
		{ { .head = PTAH_HEAD(0), .name = "x", .abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM }, "no .open" },
		{ { .head = PTAH_HEAD(0), .name = "x",
		    .abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM | PTAH_IS_CARRIER, .open = never_called }, "no .dial" },
		{ { .head = { PTAH_ABI_MAGIC, PTAH_ABI_MAJOR, 0, 0, 0, 8, 8 }, .name = "x" }, "sizes" },
	};
	struct ptah_loaded *loaded;
	char why[PTAH_WHY_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(ptah_loaded_link(&cases[i].module, &loaded, why, sizeof(why)) < 0);
		assert_null(loaded);
		if (strstr(why, cases[i].says) == NULL)
			fail_msg("%zu: %s", i, why);
	}
}

static void
describes_what_there_is(void **state)
{
	struct place place;
	struct ptah_registry *registry;
	struct ptah_buf out = { 0 };
	char why[PTAH_WHY_TEXT];
	const char *text;

	(void)state;
	place_make(&place);
	put_module("dummy", place.one, "dummy.so");
	put_module("dummy", place.two, "dummy.so");
	put_module("broken", place.two, "broken.so");
	put_text(place.two, "like.json", "{\"module\": \"dummy\", \"steps\": true}");
	registry = ptah_registry_new(place.path, NULL);
	assert_int_equal(ptah_describe_modules(registry, &out), 0);
	text = (const char *)out.at;
	assert_non_null(strstr(text, "dummy"));
	assert_non_null(strstr(text, "hidden by"));
	assert_non_null(strstr(text, "ptah_test_function_that_is_nowhere"));
	ptah_buf_clear(&out);

	assert_int_equal(ptah_describe_module(registry, "like", &out, why, sizeof(why)), 0);
	text = (const char *)out.at;
	assert_non_null(strstr(text, "refuse"));
	assert_non_null(strstr(text, "client and server"));
	assert_non_null(strstr(text, "\"steps\":true"));
	assert_non_null(strstr(text, "a whole number from 0 to 100000"));
	ptah_buf_clear(&out);
	assert_int_equal(ptah_describe_module(registry, "dumy", &out, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "did you mean \"dummy\""));
	assert_true(ptah_describe_module(registry, "broken", &out, why, sizeof(why)) < 0);
	assert_non_null(strstr(why, "ptah_test_function_that_is_nowhere"));
	ptah_buf_clear(&out);
	ptah_registry_free(registry);
	place_clear(&place);
}

static void
says_which_folder_is_none(void **state)
{
	struct place place;
	struct ptah_registry *registry;
	struct ptah_buf out = { 0 };
	char path[512];

	(void)state;
	place_make(&place);
	put_text(place.one, "file", "");
	snprintf(path, sizeof(path), "%s:%s/nowhere:%s/file", place.two, place.one, place.one);
	registry = ptah_registry_new(path, NULL);
	assert_int_equal(ptah_describe_modules(registry, &out), 0);
	assert_non_null(strstr((const char *)out.at, "/two\n"));
	assert_non_null(strstr((const char *)out.at, "/one/nowhere (not there)\n"));
	assert_non_null(strstr((const char *)out.at, "/one/file (not a folder)\n"));
	ptah_buf_clear(&out);
	ptah_registry_free(registry);
	place_clear(&place);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_a_module_by_its_name),
		cmocka_unit_test(says_which_folder_is_none),
		cmocka_unit_test(says_why_a_module_is_refused),
		cmocka_unit_test(takes_the_first_folder_and_says_what_that_hides),
		cmocka_unit_test(names_all_but_the_named_only),
		cmocka_unit_test(follows_definitions),
		cmocka_unit_test(refuses_both_of_two_that_claim_one_name),
		cmocka_unit_test(looks_for_aliases_last),
		cmocka_unit_test(reads_descriptors_of_another_size),
		cmocka_unit_test(refuses_descriptors_that_cannot_be),
		cmocka_unit_test(describes_what_there_is),
	};

	build = getenv("PTAH_BUILD") != NULL ? getenv("PTAH_BUILD") : ".";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
