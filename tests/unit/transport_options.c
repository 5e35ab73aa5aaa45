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

#include <ptah/module.h>

#include "base/addr.h"
#include "base/clock.h"
#include "transport/merge.h"
#include "transport/options.h"

struct conf {
	const char *text;
	struct ptah_span hex, base64, base32;
	int64_t number;
	uint8_t truth;
	const char *address;
	uint64_t wait;
	uint32_t word;
	const char *nested;
	struct ptah_list numbers, texts;
	const char *secret;
};

struct args {
	const char *cert;
	int64_t mode;
};

static const char *const words[] = { "Auto", "send", "hold", NULL };
static const char *const text_aliases[] = { "txt", "t", NULL };

#define AT(field) .offset = offsetof(struct conf, field)

static const struct ptah_option options[] = {
	{ .name = "text", .aliases = text_aliases, .type = PTAH_STRING, AT(text), .min = 1, .max = 5 },
	{ .name = "hex", .type = PTAH_HEX, AT(hex), .min = 2, .max = 2 },
	{ .name = "base64", .type = PTAH_BASE64, AT(base64) },
	{ .name = "base32", .type = PTAH_BASE32, AT(base32) },
	{ .name = "number", .type = PTAH_INT, AT(number), .min = -3, .max = 9, .def = "7" },
	{ .name = "truth", .type = PTAH_BOOL, AT(truth) },
	{ .name = "address", .type = PTAH_ADDRESS, AT(address) },
	{ .name = "wait", .type = PTAH_DURATION, AT(wait), .max = 60 * (int64_t)PTAH_NS_PER_S },
	{ .name = "word", .type = PTAH_WORD, AT(word), .words = words },
	{ .name = "nested", .type = PTAH_NESTED, AT(nested) },
	{ .name = "numbers", .type = PTAH_INT, .flags = PTAH_LIST, AT(numbers), .min = 0, .max = 2 },
	{ .name = "texts", .type = PTAH_STRING, .flags = PTAH_LIST, AT(texts) },
	{ .name = "secret", .type = PTAH_STRING, .flags = PTAH_SECRET, AT(secret), .min = 3, .max = 3 },
	{ .name = "server-text", .type = PTAH_STRING, .flags = PTAH_SERVER_ONLY, AT(text) },
	{ .name = "cert", .type = PTAH_STRING, .flags = PTAH_LINK | PTAH_REQUIRED,
	    .offset = offsetof(struct args, cert), .help = "what the bridge line says" },
	{ .name = "iat-mode", .type = PTAH_INT, .flags = PTAH_LINK, .offset = offsetof(struct args, mode),
	    .min = 0, .max = 2 },
	{ .name = NULL },
};

static const struct ptah_module module = {
	.head = PTAH_HEAD(0),
	.name = "sample",
	.options = options,
	.conf_size = sizeof(struct conf),
	.args_size = sizeof(struct args),
};

static struct ptah_json *
json(const char *text)
{
	char why[256];
	struct ptah_json *out = ptah_json_parse(text, strlen(text), 0, why, sizeof(why));

	if (out == NULL)
		fail_msg("%s: %s", text, why);
	return out;
}

static int
fill(struct ptah_filled *out, bool link, const char *text, const struct ptah_option **missing, char *why, size_t room)
{
	struct ptah_json *given = json(text);
	int rc = ptah_options_fill(out, &module, PTAH_CLIENT, link, given, missing, why, room);

	ptah_json_free(given);
	return rc;
}

static void
reads_every_type_from_json_and_from_text(void **state)
{
	static const char *const texts[] = {
		"{\"t\":\"abc\",\"hex\":\"00fF\",\"base64\":\"AQID\",\"base32\":\"AEBAG===\",\"number\":-3,\"truth\":true,"
		"\"address\":\"[::1]:443\",\"wait\":30,\"word\":\"HOLD\",\"nested\":{\"a\":[1]},\"numbers\":[0,1,2],"
		"\"texts\":[\"a\",\"\"],\"secret\":\"abc\",\"server-text\":\"x\"}",
		"{\"txt\":\"abc\",\"hex\":\"00fF\",\"base64\":\"AQID\",\"base32\":\"AEBAG\",\"number\":\"-3\",\"truth\":\"1\","
		"\"address\":\"[::1]:443\",\"wait\":\"30s\",\"word\":\"hold\",\"nested\":\"{\\\"a\\\": [1]}\","
		"\"numbers\":[\"0\",\"1\",\"2\"],\"texts\":[\"a\",\"\"],\"secret\":\"abc\"}",
	};
	static const uint8_t two[] = { 0x00, 0xff }, three[] = { 1, 2, 3 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct ptah_filled filled;
		const struct ptah_option *missing;
		char why[512] = "";
		int rc = fill(&filled, false, texts[i], &missing, why, sizeof(why));
		const struct conf *conf = filled.values;

		assert_string_equal(why, "");
		assert_int_equal(rc, 0);
		assert_null(missing);
		assert_int_equal((uintptr_t)conf % 64, 0);
		assert_string_equal(conf->text, "abc");
		assert_int_equal(conf->hex.len, 2);
		assert_memory_equal(conf->hex.at, two, 2);
		assert_int_equal(conf->base64.len, 3);
		assert_memory_equal(conf->base64.at, three, 3);
		assert_int_equal(conf->base32.len, 3);
		assert_memory_equal(conf->base32.at, three, 3);
		assert_int_equal(conf->number, -3);
		assert_int_equal(conf->truth, 1);
		assert_string_equal(conf->address, "[::1]:443");
		assert_int_equal(conf->wait, 30 * PTAH_NS_PER_S);
		assert_int_equal(conf->word, 2);
		assert_string_equal(conf->nested, "{\"a\":[1]}");
		assert_int_equal(conf->numbers.n, 3);
		assert_int_equal(((const int64_t *)conf->numbers.items)[2], 2);
		assert_int_equal(conf->texts.n, 2);
		assert_string_equal(((const char *const *)conf->texts.items)[0], "a");
		assert_string_equal(conf->secret, "abc");
		ptah_filled_clear(&filled);
		assert_null(filled.values);
	}
}

static void
leaves_out_what_was_not_said(void **state)
{
	struct ptah_filled filled;
	const struct ptah_option *missing;
	char why[512];
	const struct conf *conf;

	(void)state;
	assert_int_equal(fill(&filled, false, "{\"text\":null}", &missing, why, sizeof(why)), 0);
	conf = filled.values;
	assert_null(conf->text);
	assert_null(conf->hex.at);
	assert_int_equal(conf->number, 7); /* the default */
	assert_int_equal(conf->numbers.n, 0);
	ptah_filled_clear(&filled);
}

static void
takes_the_first_of_a_repeated_key(void **state)
{
	struct ptah_filled filled;
	const struct ptah_option *missing;
	char why[512];
	const struct conf *conf;

	(void)state;
	assert_int_equal(fill(&filled, false, "{\"text\":[\"a\",\"b\"],\"texts\":\"one\"}", &missing, why, sizeof(why)), 0);
	conf = filled.values;
	assert_string_equal(conf->text, "a");
	assert_int_equal(conf->texts.n, 1);
	assert_string_equal(((const char *const *)conf->texts.items)[0], "one");
	ptah_filled_clear(&filled);
}

static void
says_what_is_wrong_and_what_would_be_right(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "{\"text\":\"\"}", "option \"text\": \"\" is not text of 1 to 5 bytes" },
		{ "{\"txt\":\"abcdef\"}", "option \"text\": \"abcdef\" is not text of 1 to 5 bytes" },
		{ "{\"text\":{}}", "option \"text\": an object is not text of 1 to 5 bytes" },
		{ "{\"text\":[1,2]}", "option \"text\": a list is not text of 1 to 5 bytes" },
		{ "{\"text\":[]}", "option \"text\": a list is not text of 1 to 5 bytes" },
		{ "{\"hex\":\"0g00\"}", "option \"hex\": \"0g00\" is not hex of 2 bytes" },
		{ "{\"hex\":\"000000\"}", "option \"hex\": \"000000\" is not hex of 2 bytes" },
		{ "{\"base64\":\"A\"}", "option \"base64\": \"A\" is not base64" },
		{ "{\"base32\":\"1\"}", "option \"base32\": \"1\" is not base32" },
		{ "{\"number\":10}", "option \"number\": \"10\" is not a whole number from -3 to 9" },
		{ "{\"number\":1.5}", "option \"number\": \"1.5\" is not a whole number from -3 to 9" },
		{ "{\"number\":\" 1\"}", "option \"number\": \" 1\" is not a whole number from -3 to 9" },
		{ "{\"number\":\"\"}", "option \"number\": \"\" is not a whole number from -3 to 9" },
		{ "{\"number\":\"99999999999999999999\"}",
		    "option \"number\": \"99999999999999999999\" is not a whole number from -3 to 9" },
		{ "{\"truth\":\"yes\"}", "option \"truth\": \"yes\" is not true or false" },
		{ "{\"address\":\"nonsense\"}", "option \"address\": \"nonsense\" is not an address, host:port" },
		{ "{\"wait\":\"61s\"}", "option \"wait\": \"61s\" is not a time from 0s to 60s" },
		{ "{\"wait\":-1}", "option \"wait\": \"-1\" is not a time from 0s to 60s" },
		{ "{\"word\":\"never\"}", "option \"word\": \"never\" is not one of Auto, send, hold" },
		{ "{\"numbers\":[0,3]}", "option \"numbers\": \"3\" is not a whole number from 0 to 2" },
		{ "{\"secret\":\"hush\"}", "option \"secret\": the value is not text of 3 bytes" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_filled filled;
		const struct ptah_option *missing;
		char why[512] = "";
		int rc = fill(&filled, false, cases[i].text, &missing, why, sizeof(why));

		assert_string_equal(why, cases[i].why);
		assert_int_equal(rc, -EINVAL);
		assert_null(filled.values);
	}
}

static void
names_what_is_missing_and_fills_the_rest(void **state)
{
	struct ptah_filled filled;
	const struct ptah_option *missing;
	char why[512];

	(void)state;
	assert_int_equal(fill(&filled, true, "{\"iat-mode\":\"2\"}", &missing, why, sizeof(why)), 0);
	assert_int_equal(((const struct args *)filled.values)->mode, 2);
	assert_non_null(missing);
	ptah_options_say_missing(missing, why, sizeof(why));
	assert_string_equal(why, "option \"cert\" is missing: what the bridge line says");
	ptah_filled_clear(&filled);
	assert_int_equal(fill(&filled, true, "{\"cert\":1}", &missing, why, sizeof(why)), 0);
	assert_null(missing);
	assert_string_equal(((const struct args *)filled.values)->cert, "1");
	ptah_filled_clear(&filled);
}

static void
guesses_what_an_unknown_key_means(void **state)
{
	static const struct {
		const char *key, *why;
	} cases[] = {
		{ "iatmode", "option \"iatmode\" is not known; did you mean \"iat-mode\"?" },
		{ "serveraddress", "option \"serveraddress\" is not known; did you mean \"serverAddress\"?" },
		{ "zzzzzzzzzzz", "option \"zzzzzzzzzzz\" is not known" },
		{ "server-text", "option \"server-text\" is for a server; not used here" },
	};
	char why[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ptah_options_say_unknown(&module, PTAH_CLIENT, cases[i].key, why, sizeof(why));
		assert_string_equal(why, cases[i].why);
	}
	assert_non_null(ptah_options_find(&module, PTAH_SERVER, "server-text"));
	assert_null(ptah_options_find(&module, PTAH_CLIENT, "server-text"));
	assert_non_null(ptah_options_find(&module, PTAH_CLIENT, "txt"));
}

static void
reads_the_keys_of_the_host(void **state)
{
	char server[PTAH_DEST_TEXT], why[256];
	struct ptah_json *given = json("{\"half-close\":\"Hold\",\"serverAddress\":\"example.com:7\"}");
	int half = PTAH_HALF_CLOSE_SEND;

	(void)state;
	assert_int_equal(ptah_options_host(given, &half, server, why, sizeof(why)), 0);
	assert_int_equal(half, PTAH_HALF_CLOSE_HOLD);
	assert_string_equal(server, "example.com:7");
	ptah_json_free(given);

	assert_int_equal(ptah_options_host(NULL, &half, server, why, sizeof(why)), 0);
	assert_int_equal(half, PTAH_HALF_CLOSE_HOLD);
	assert_string_equal(server, "");

	given = json("{\"half-close\":\"maybe\"}");
	assert_int_equal(ptah_options_host(given, &half, server, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "option \"half-close\": \"maybe\" is not one of auto, send, hold");
	ptah_json_free(given);
	given = json("{\"serverAddress\":\"127.0.0.1:65536\"}");
	assert_int_equal(ptah_options_host(given, &half, server, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "option \"serverAddress\": \"127.0.0.1:65536\" is not an address, host:port");
	ptah_json_free(given);
}

static void
lays_options_over_options(void **state)
{
	static const struct {
		const char *base, *over, *both;
	} cases[] = {
		{ "{\"a\":\"1\",\"b\":\"1\"}", "{\"b\":\"2\"}", "{\"a\":\"1\",\"b\":\"2\"}" },
		{ "{\"over\":\"x\"}", "{\"over\":{\"k\":1}}", "{\"over\":{\"module\":\"x\",\"k\":1}}" },
		{ "{\"over\":{\"module\":\"x\",\"k\":0,\"over\":\"y\"}}", "{\"over\":{\"k\":1,\"over\":{\"z\":2}}}",
		    "{\"over\":{\"module\":\"x\",\"k\":1,\"over\":{\"module\":\"y\",\"z\":2}}}" },
		{ "{\"over\":{\"module\":\"x\",\"k\":0}}", "{\"over\":null}", "{\"over\":null}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_json *base = json(cases[i].base), *over = json(cases[i].over);
		struct ptah_json *both = ptah_merge(base, over);
		char *text = ptah_json_text(both);

		assert_string_equal(text, cases[i].both);
		free(text);
		ptah_json_free(both);
		ptah_json_free(over);
		ptah_json_free(base);
	}
}

/* A layer that is named comes below those of the definition; options without a name are for one that is there. */
static void
keeps_the_layers_of_a_definition(void **state)
{
	static const struct {
		const char *defined, *asked, *both;
	} cases[] = {
		{ "{\"k\":1}", "{\"k\":2,\"over\":\"b\"}", "{\"k\":2,\"over\":\"b\"}" },
		{ "{\"over\":\"x\"}", "{\"over\":\"b\"}", "{\"over\":{\"module\":\"x\",\"over\":\"b\"}}" },
		{ "{\"over\":\"x\"}", "{\"over\":\"x\"}", "{\"over\":{\"module\":\"x\",\"over\":\"x\"}}" },
		{ "{\"over\":{\"module\":\"x\",\"k\":1,\"over\":\"y\"}}", "{\"over\":{\"module\":\"b\",\"k\":2,\"over\":\"c\"}}",
		    "{\"over\":{\"module\":\"x\",\"k\":1,\"over\":{\"module\":\"y\",\"over\":"
		    "{\"module\":\"b\",\"k\":2,\"over\":\"c\"}}}}" },
		{ "{\"over\":{\"module\":\"x\",\"over\":\"y\"}}", "{\"over\":{\"k\":1,\"over\":\"b\"}}",
		    "{\"over\":{\"module\":\"x\",\"over\":{\"module\":\"y\",\"over\":\"b\"},\"k\":1}}" },
		{ "{\"over\":null}", "{\"over\":\"b\"}", "{\"over\":\"b\"}" },
		{ "{\"over\":{\"module\":\"x\",\"over\":null}}", "{\"over\":\"b\"}", "{\"over\":{\"module\":\"x\",\"over\":\"b\"}}" },
		{ "{\"over\":\"x\"}", "{\"over\":null}", "{\"over\":null}" },
		{ "{\"over\":7}", "{\"over\":\"b\"}", "{\"over\":7}" }, /* and is refused later */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_json *defined = json(cases[i].defined), *asked = json(cases[i].asked);
		struct ptah_json *both = ptah_merge_definition(defined, asked);
		char *text = ptah_json_text(both);

		assert_string_equal(text, cases[i].both);
		free(text);
		ptah_json_free(both);
		ptah_json_free(asked);
		ptah_json_free(defined);
	}
}

static void
puts_names_of_a_stack_below(void **state)
{
	struct ptah_json *given = json("{\"k\":1,\"over\":{\"url\":2}}"), *below = NULL;
	const char *name;
	char *text;

	(void)state;
	assert_int_equal(ptah_merge_stack(given, "b+c"), 0);
	text = ptah_json_text(given);
	assert_string_equal(text, "{\"k\":1,\"over\":{\"url\":2,\"module\":\"b\",\"over\":{\"module\":\"c\"}}}");
	free(text);
	assert_int_equal(ptah_merge_split(ptah_json_get(given, "over"), &name, &below), 0);
	assert_string_equal(name, "b");
	text = ptah_json_text(below);
	assert_string_equal(text, "{\"url\":2,\"over\":{\"module\":\"c\"}}");
	free(text);
	ptah_json_free(below);
	ptah_json_free(given);
	given = json("{\"module\":\"no-name\"}");
	assert_int_equal(ptah_merge_split(given, &name, &below), -EINVAL);
	ptah_json_free(given);
}

static void
wants_one_of_those_that_go_for_each_other(void **state)
{
	static const struct ptah_option either[] = {
		{ .name = "mode", .type = PTAH_INT, .flags = PTAH_LINK, .offset = offsetof(struct args, mode) },
		{ .name = "password", .type = PTAH_STRING, .flags = PTAH_LINK | PTAH_EITHER, .offset = offsetof(struct args, cert) },
		{ .name = "key", .type = PTAH_STRING, .flags = PTAH_LINK | PTAH_EITHER, .offset = offsetof(struct args, cert) },
		{ .name = "pin", .type = PTAH_STRING, .flags = PTAH_LINK | PTAH_EITHER | PTAH_SERVER_ONLY,
		    .offset = offsetof(struct args, cert) },
		{ .name = NULL },
	};
	static const struct {
		const char *text, *missing;
	} cases[] = {
		{ "{\"mode\":1}", "password" },
		{ "{\"pin\":\"x\"}", "password" },
		{ "{\"password\":\"x\"}", NULL },
		{ "{\"key\":\"x\"}", NULL },
		{ "{\"key\":\"x\",\"password\":\"y\"}", NULL },
	};
	struct ptah_module one = module;

	(void)state;
	one.options = either;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_json *given = json(cases[i].text);
		const struct ptah_option *missing;
		struct ptah_filled filled;
		char why[200];

		assert_int_equal(ptah_options_fill(&filled, &one, PTAH_CLIENT, true, given, &missing, why, sizeof(why)), 0);
		if (cases[i].missing == NULL)
			assert_null(missing);
		else
			assert_string_equal(missing->name, cases[i].missing);
		ptah_filled_clear(&filled);
		ptah_json_free(given);
	}
}

/* ---- files ------------------------------------------------------------------------- */

struct files {
	struct ptah_file plain, key;
	struct ptah_list list;
};

static const struct ptah_option file_options[] = {
	{ .name = "plain", .type = PTAH_FILE, .offset = offsetof(struct files, plain) },
	{ .name = "key", .type = PTAH_FILE, .flags = PTAH_SECRET, .offset = offsetof(struct files, key), .min = 2, .max = 4 },
	{ .name = "list", .type = PTAH_FILE, .flags = PTAH_LIST, .offset = offsetof(struct files, list), .min = 0, .max = 4 },
	{ .name = NULL },
};

static const struct ptah_module file_module = {
	.head = PTAH_HEAD(1), .name = "files", .options = file_options, .conf_size = sizeof(struct files),
};

/* 'text' with FOLDER for where the files are; what comes of it, and in 'why' with FOLDER again. */
static int
fill_files(struct ptah_filled *filled, const char *folder, const char *text, char *why, size_t room)
{
	char line[1024] = "", said[512] = "";
	const struct ptah_option *missing;
	struct ptah_json *given;
	const char *at;
	int rc;

	for (at = text; *at != '\0'; at++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), *at == '@' ? "%s" : "%.1s", *at == '@' ? folder : at);
	given = json(line);
	rc = ptah_options_fill(filled, &file_module, PTAH_SERVER, false, given, &missing, said, sizeof(said));
	ptah_json_free(given);
	at = strstr(said, folder);
	if (at != NULL)
		snprintf(why, room, "%.*s@%s", (int)(at - said), said, at + strlen(folder));
	else
		snprintf(why, room, "%s", said);
	return rc;
}

static void
put(const char *folder, const char *name, const char *text, mode_t mode)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	out = fopen(path, "we");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void
make_files(char *folder)
{
	char path[256];

	assert_non_null(mkdtemp(folder));
	put(folder, "one", "one", 0644);
	put(folder, "four", "four", 0640);
	put(folder, "five5", "five5", 0600);
	put(folder, "open", "open", 0604);
	put(folder, "none", "", 0600);
	snprintf(path, sizeof(path), "%s/folder", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/pipe", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void
remove_files(const char *folder)
{
	char line[64];

	snprintf(line, sizeof(line), "rm -rf '%s'", folder);
	assert_int_equal(system(line), 0);
}

/* What becomes of 'value', with the folder for its @; 'name': of the file that is at fault, NULL: of none. */
static void
tries(const struct ptah_option *option, const char *folder, const char *value, int rc, const char *name)
{
	char text[256], path[256], why[512];
	const char *at = strchr(value, '@'), *file;
	struct ptah_json *given;

	if (at != NULL)
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - value), value, folder, at + 1);
	else
		snprintf(text, sizeof(text), "%s", value);
	given = json(text);
	assert_int_equal(ptah_options_try(option, given, &file, why, sizeof(why)), rc);
	if (name == NULL) {
		assert_null(file);
	} else {
		snprintf(path, sizeof(path), "%s/%s", folder, name);
		assert_string_equal(file, path);
	}
	ptah_json_free(given);
}

static void
says_what_is_wrong_with_a_file_by_a_number(void **state)
{
	char folder[] = "/tmp/ptah-files-XXXXXX";
	const struct ptah_option *plain = &file_options[0], *key = &file_options[1], *list = &file_options[2];

	(void)state;
	make_files(folder);
	tries(plain, folder, "\"@/one\"", 0, NULL);
	tries(plain, folder, "\"one\"", -EINVAL, NULL); /* of which no file can be opened */
	tries(plain, folder, "\"@/nowhere\"", -ENOENT, "nowhere");
	tries(plain, folder, "\"@/folder\"", -EISDIR, "folder");
	tries(plain, folder, "\"@/none\"", -EFBIG, "none");
	tries(key, folder, "\"@/open\"", -EPERM, "open");
	tries(list, folder, "[\"@/five5\"]", -EFBIG, "five5");
	remove_files(folder);
}

static void
reads_the_files_that_options_name(void **state)
{
	char folder[] = "/tmp/ptah-files-XXXXXX", why[512] = "", path[64];
	struct ptah_filled filled;
	const struct files *files;
	const struct ptah_file *list;

	(void)state;
	make_files(folder);
	assert_int_equal(fill_files(&filled, folder, "{\"plain\":\"@/one\",\"key\":\"@/four\",\"list\":[\"@/none\",\"@/one\"]}",
	    why, sizeof(why)), 0);
	files = filled.values;
	list = files->list.items;
	snprintf(path, sizeof(path), "%s/one", folder);
	assert_string_equal(files->plain.path, path);
	assert_int_equal(files->plain.bytes.len, 3);
	assert_string_equal((const char *)files->plain.bytes.at, "one");
	assert_int_equal(files->key.bytes.len, 4);
	assert_string_equal((const char *)files->key.bytes.at, "four");
	assert_int_equal((uintptr_t)files->key.bytes.at % 4096, 0); /* locked memory begins with a page */
	assert_int_equal(files->list.n, 2);
	assert_int_equal(list[0].bytes.len, 0);
	assert_string_equal((const char *)list[1].bytes.at, "one");
	/* What stands there by now is none of its business. */
	put(folder, "one", "two", 0644);
	assert_string_equal((const char *)files->plain.bytes.at, "one");
	ptah_filled_clear(&filled);
	assert_int_equal(fill_files(&filled, folder, "{\"list\":\"@/four\"}", why, sizeof(why)), 0);
	files = filled.values;
	assert_null(files->plain.path);
	assert_null(files->plain.bytes.at);
	assert_int_equal(files->list.n, 1);
	ptah_filled_clear(&filled);
	remove_files(folder);
}

static void
says_which_file_cannot_be_read_and_why(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "{\"plain\":\"one\"}", "option \"plain\": \"one\" is not the absolute path of a file of 1 to 1048576 bytes" },
		{ "{\"key\":\"\"}", "option \"key\": \"\" is not the absolute path of a file of 2 to 4 bytes" },
		{ "{\"plain\":{}}", "option \"plain\": an object is not the absolute path of a file of 1 to 1048576 bytes" },
		{ "{\"plain\":\"@/lost\"}", "option \"plain\": @/lost cannot be read: No such file or directory" },
		{ "{\"plain\":\"@/one/lost\"}", "option \"plain\": @/one/lost cannot be read: Not a directory" },
		{ "{\"plain\":\"@/folder\"}", "option \"plain\": @/folder is no file, but a folder" },
		{ "{\"plain\":\"@/pipe\"}", "option \"plain\": @/pipe is no file, but something else" },
		{ "{\"plain\":\"@/none\"}", "option \"plain\": @/none is 0 bytes long, and not 1 to 1048576" },
		{ "{\"key\":\"@/five5\"}", "option \"key\": @/five5 is 5 bytes long, and not 2 to 4" },
		{ "{\"key\":\"@/open\"}", "option \"key\": @/open is a secret, and open to everybody (mode 0604): chmod o-rwx it" },
		{ "{\"list\":[\"@/one\",\"@/five5\"]}", "option \"list\": @/five5 is 5 bytes long, and not 0 to 4" },
	};
	char folder[] = "/tmp/ptah-files-XXXXXX";

	(void)state;
	make_files(folder);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_filled filled;
		char why[512] = "";

		assert_int_equal(fill_files(&filled, folder, cases[i].text, why, sizeof(why)), -EINVAL);
		assert_string_equal(why, cases[i].why);
		assert_null(filled.values);
	}
	remove_files(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_type_from_json_and_from_text),
		cmocka_unit_test(leaves_out_what_was_not_said),
		cmocka_unit_test(takes_the_first_of_a_repeated_key),
		cmocka_unit_test(says_what_is_wrong_and_what_would_be_right),
		cmocka_unit_test(names_what_is_missing_and_fills_the_rest),
		cmocka_unit_test(guesses_what_an_unknown_key_means),
		cmocka_unit_test(reads_the_keys_of_the_host),
		cmocka_unit_test(lays_options_over_options),
		cmocka_unit_test(keeps_the_layers_of_a_definition),
		cmocka_unit_test(puts_names_of_a_stack_below),
		cmocka_unit_test(wants_one_of_those_that_go_for_each_other),
		cmocka_unit_test(says_what_is_wrong_with_a_file_by_a_number),
		cmocka_unit_test(reads_the_files_that_options_name),
		cmocka_unit_test(says_which_file_cannot_be_read_and_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
