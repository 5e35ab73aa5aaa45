/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows: the descriptor, and the options.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "check/lab.h"
#include "check/pair.h"
#include "check/rows.h"
#include "check/trial.h"
#include "transport/check.h"
#include "transport/expect.h"
#include "transport/namedfile.h"

static const char *
role_name(int who)
{
	return who == PTAH_AT_CLIENT ? "client" : "server";
}

static bool
is_line(const char *text)
{
	return text != NULL && text[0] != '\0' && strpbrk(text, "\r\n") == NULL;
}

void
ptah_row_load(const struct ptah_subject *subject)
{
	const struct ptah_module *module = subject->module;

	ptah_trial_pass("%s, ABI %u.%u, a %s", module->name, (unsigned)module->head.major, (unsigned)module->head.needs_minor,
	    (module->abilities & PTAH_IS_CARRIER) != 0 ? "carrier" : "codec");
}

void
ptah_row_texts(const struct ptah_subject *subject)
{
	const struct ptah_module *module = subject->module;

	if (!is_line(module->summary))
		ptah_trial_fail("it has no .summary of one line: ptah modules has nothing to say of it");
	if (!is_line(module->version))
		ptah_trial_fail("it has no .version of one line");
	for (size_t i = 0; module->aliases != NULL && module->aliases[i] != NULL; i++) {
		if (strcmp(module->aliases[i], module->name) == 0)
			ptah_trial_fail("its alias \"%s\" is its name", module->aliases[i]);
		for (size_t j = 0; j < i; j++)
			if (strcmp(module->aliases[i], module->aliases[j]) == 0)
				ptah_trial_fail("its alias \"%s\" is there twice", module->aliases[i]);
	}
	for (size_t i = 0; module->counters != NULL && module->counters[i] != NULL; i++) {
		const char *name = module->counters[i];

		if (i == PTAH_OPTIONS_LIMIT || name[0] == '\0' ||
		    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name))
			ptah_trial_fail("the name of its counter %zu is not of a-z, 0-9 and _, or .counters has no end", i);
		for (size_t j = 0; j < i; j++)
			if (strcmp(name, module->counters[j]) == 0)
				ptah_trial_fail("its counter \"%s\" is there twice", name);
	}
	ptah_trial_pass("%s %s: %s", module->name, module->version, module->summary);
}

/* ---- the table of options ------------------------------------------------------ */

static bool
has_name(const struct ptah_option *option, const char *name)
{
	if (strcmp(option->name, name) == 0)
		return true;
	for (size_t i = 0; option->aliases != NULL && option->aliases[i] != NULL; i++)
		if (strcmp(option->aliases[i], name) == 0)
			return true;
	return false;
}

static bool
share_role(const struct ptah_option *one, const struct ptah_option *two)
{
	return (ptah_option_is_for(one, PTAH_CLIENT) && ptah_option_is_for(two, PTAH_CLIENT)) ||
	    (ptah_option_is_for(one, PTAH_SERVER) && ptah_option_is_for(two, PTAH_SERVER));
}

/* Is an option that looks like a secret marked as one?  Names that say so plainly. */
static bool
looks_secret(const char *name)
{
	static const char *const words[] = { "password", "private", "secret", "seed" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(name, words[i]) != NULL)
			return true;
	return false;
}

static void
look_at_default(const struct ptah_module *module, const struct ptah_option *option, int who)
{
	struct ptah_json *json = ptah_json_new(PTAH_JSON_OBJECT);
	struct ptah_filled filled = { 0 };
	const struct ptah_option *missing;
	char why[PTAH_WHY_TEXT] = "";
	bool link = (option->flags & PTAH_LINK) != 0;

	if (option->def == NULL || !ptah_option_is_for(option, ptah_subject_role(who)) || json == NULL)
		return;
	if (ptah_json_set(json, option->name, ptah_json_new_text(PTAH_JSON_STRING, option->def)) < 0)
		return;
	if (ptah_options_fill(&filled, module, ptah_subject_role(who), link, json, &missing, why, sizeof(why)) < 0)
		ptah_trial_fail("it does not take its own default: %s", why);
	ptah_filled_clear(&filled);
	ptah_json_free(json);
}

static void
look_at_option(const struct ptah_module *module, size_t i)
{
	const struct ptah_option *option = &module->options[i];

	ptah_trial_step("option \"%s\"", option->name);
	if (!is_line(option->help))
		ptah_trial_fail("its option \"%s\" has no .help of one line: nobody will know what it is for", option->name);
	if (strcspn(option->name, " \t=;:,\"\\") != strlen(option->name) || option->name[0] == '\0')
		ptah_trial_fail("the name of its option \"%s\" has characters that k=v texts need for themselves", option->name);
	if (looks_secret(option->name) && (option->flags & PTAH_SECRET) == 0)
		ptah_trial_fail("its option \"%s\" holds a secret by its name, and is not marked PTAH_SECRET", option->name);
	for (size_t j = 0; j < i; j++)
		if (share_role(option, &module->options[j]) && has_name(&module->options[j], option->name))
			ptah_trial_fail("its option \"%s\" is there twice", option->name);
	for (int who = 0; who < 2; who++)
		look_at_default(module, option, who);
}

void
ptah_row_options(const struct ptah_subject *subject)
{
	const struct ptah_module *module = subject->module;
	size_t n = 0;

	while (module->options != NULL && module->options[n].name != NULL)
		look_at_option(module, n++);
	if (n == 0)
		ptah_trial_pass("it has none");
	ptah_trial_pass("%zu", n);
}

void
ptah_row_example(const struct ptah_subject *subject)
{
	const struct ptah_module *module = subject->module;
	struct ptah_lab lab;

	if (subject->why[0] != '\0' && module->example == NULL)
		ptah_trial_na("%s", subject->why);
	if (subject->why[0] != '\0')
		ptah_trial_fail("%s", subject->why);
	for (int who = 0; who < 2; who++) {
		const struct ptah_json *options = subject->options[who];
		char why[PTAH_WHY_TEXT];

		if ((module->abilities & (who == PTAH_AT_CLIENT ? PTAH_CAN_CLIENT : PTAH_CAN_SERVER)) == 0)
			continue;
		if (options == NULL)
			ptah_trial_fail("its example has no object \"%s\"", role_name(who));
		for (size_t i = 0; i < options->n; i++)
			if (!ptah_options_is_host(options->keys[i]) && (module->abilities & PTAH_PASSES_OPTIONS) == 0 &&
			    ptah_options_find(module, ptah_subject_role(who), options->keys[i]) == NULL) {
				ptah_options_say_unknown(module, ptah_subject_role(who), options->keys[i], why, sizeof(why));
				ptah_trial_fail("its example for the %s: %s", role_name(who), why);
			}
	}
	if ((module->abilities & PTAH_IS_CARRIER) != 0)
		ptah_trial_pass("read; a carrier is opened by the row \"relay\"");
	ptah_lab_need(&lab, subject, false);
	ptah_lab_close(&lab);
	ptah_trial_pass("both roles open with it");
}

/* ---- options that are wrong ------------------------------------------------------- */

static struct ptah_json *
without(const struct ptah_json *options, const struct ptah_option *option)
{
	struct ptah_json *json = ptah_json_new(PTAH_JSON_OBJECT);

	for (size_t i = 0; json != NULL && i < options->n; i++)
		if (!has_name(option, options->keys[i]) &&
		    ptah_json_set(json, options->keys[i], ptah_json_copy(options->items[i])) < 0)
			ptah_trial_na("no memory");
	return json;
}

static void
look_at_why(const char *why, const char *option)
{
	if (!is_line(why))
		ptah_trial_fail("it refuses option \"%s\" without a word, or with more than a line", option);
}

void
ptah_row_required(const struct ptah_subject *subject)
{
	const struct ptah_module *module = subject->module;
	unsigned n = 0;

	for (int who = 0; who < 2; who++)
		for (size_t i = 0; subject->options[who] != NULL && module->options != NULL && module->options[i].name != NULL; i++) {
			const struct ptah_option *option = &module->options[i];
			struct ptah_filling filling;
			struct ptah_json *less;
			char why[PTAH_WHY_TEXT] = "";

			if (!ptah_option_is_for(option, ptah_subject_role(who)) || (option->flags & PTAH_EITHER) != 0)
				continue;
			ptah_trial_step("a %s without option \"%s\"", role_name(who), option->name);
			less = without(subject->options[who], option);
			int rc = ptah_filling_make(&filling, module, ptah_subject_role(who), less, why, sizeof(why));
			if (rc < 0)
				look_at_why(why, option->name);
			else if ((option->flags & PTAH_REQUIRED) != 0)
				ptah_trial_fail("a %s does without option \"%s\", which is required", role_name(who), option->name);
			n += rc < 0;
			ptah_filling_clear(&filling);
			ptah_json_free(less);
		}
	ptah_trial_pass("%u refused", n);
}

/* Odd texts: some are refused by the host already, and what is not comes to the module. */
static const char *const odd[] = {
	"", "0", "1", "-1", "65536", "9223372036854775807", "-9223372036854775808", "true", "false", "a", "x=y;z",
	"00", "ff", "AAAA", "127.0.0.1:1", "[::1]:65535", "example.com:80", "{}", "[]", "{\"a\":[1,null]}", "1h", "0.000001s",
	"\xc3\xa4\xe2\x82\xac", "%s%n%d", "/../../etc",
};
#define LONG_TEXT 20000u

/* A link with these options, for a moment. */
static void
try_lab(const struct ptah_subject *subject, int who, struct ptah_json *options, const char *name)
{
	struct ptah_subject other = *subject;
	struct ptah_lab lab;
	char problem[PTAH_CHECK_WHY + PTAH_WHY_TEXT] = "";

	other.options[who] = options;
	if (ptah_lab_open(&lab, &other, false, problem, sizeof(problem))) {
		struct ptah_pair pair = { .loose = true };

		/* The peer has other options: what they carry is theirs to say. */
		ptah_pair_open(&pair, &lab, 1);
		ptah_pair_say(&pair, PTAH_AT_CLIENT, 100);
		ptah_pair_say(&pair, PTAH_AT_SERVER, 100);
		(void)ptah_pair_settle(&pair, 5000);
		ptah_pair_close(&pair, 0);
	} else {
		look_at_why(problem, name);
	}
	ptah_lab_close(&lab);
}

static bool
is_usable(const struct ptah_subject *subject)
{
	const uint32_t both = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM;

	return (subject->module->abilities & (both | PTAH_IS_CARRIER)) == both;
}

static bool
try_value(const struct ptah_subject *subject, int who, const struct ptah_option *option, const char *text)
{
	struct ptah_json *options = without(subject->options[who], option);
	struct ptah_filling filling;
	char why[PTAH_WHY_TEXT] = "";
	int rc;

	ptah_trial_step("a %s with option \"%s\" of \"%.60s\"", role_name(who), option->name, text);
	if (options == NULL || ptah_json_set(options, option->name, ptah_json_new_text(PTAH_JSON_STRING, text)) < 0)
		ptah_trial_na("no memory");
	rc = ptah_filling_make(&filling, subject->module, ptah_subject_role(who), options, why, sizeof(why));
	if (rc < 0)
		look_at_why(why, option->name);
	ptah_filling_clear(&filling);
	if (rc >= 0 && is_usable(subject))
		try_lab(subject, who, options, option->name);
	ptah_json_free(options);
	return rc >= 0;
}

/* What certificates and lists could be, and are not: 'len' bytes of each. */
static void
try_file(const struct ptah_subject *subject, int who, const struct ptah_option *option, size_t len, unsigned *tried,
    unsigned *worked)
{
	static const char *const bodies[] = { "\xff\0\x80", "-----BEGIN CERTIFICATE-----\n", "a", "\n" };
	static const size_t lens[] = { 3, 28, 1, 1 };
	const char *folder = subject->wish->folder;
	char path[PATH_MAX];
	uint8_t *bytes = malloc(len + 1);

	if (bytes == NULL || folder == NULL || snprintf(path, sizeof(path), "%s/named", folder) >= (int)sizeof(path))
		ptah_trial_na("no memory, or no folder");
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++, (*tried)++) {
		for (size_t k = 0; k < len; k++)
			bytes[k] = (uint8_t)bodies[i][k % lens[i]];
		if (ptah_file_write_atomic(path, bytes, len) < 0)
			ptah_trial_na("no room for a file in %s", folder);
		*worked += try_value(subject, who, option, path);
	}
	free(bytes);
}

static void
try_option(const struct ptah_subject *subject, int who, const struct ptah_option *option, unsigned *tried, unsigned *worked)
{
	char text[LONG_TEXT + 1];
	const int64_t edges[] = { option->min, option->max, option->min - (option->min != INT64_MIN),
		option->max + (option->max != INT64_MAX) };

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++, (*tried)++)
		*worked += try_value(subject, who, option, odd[i]);
	for (size_t i = 0; i < 4; i++, (*tried)++) {
		snprintf(text, sizeof(text), "%lld", (long long)edges[i]);
		*worked += try_value(subject, who, option, text);
	}
	for (size_t i = 0; option->type == PTAH_WORD && option->words[i] != NULL; i++, (*tried)++)
		*worked += try_value(subject, who, option, option->words[i]);
	if (option->type == PTAH_FILE) {
		size_t min, max;

		ptah_namedfile_bounds(option, &min, &max);
		try_file(subject, who, option, min, tried, worked);
		try_file(subject, who, option, max < LONG_TEXT ? max : LONG_TEXT, tried, worked);
	}
	memset(text, 'a', LONG_TEXT);
	text[LONG_TEXT] = '\0';
	*worked += try_value(subject, who, option, text);
	(*tried)++;
}

void
ptah_row_extremes(const struct ptah_subject *subject)
{
	const struct ptah_module *module = subject->module;
	unsigned tried = 0, worked = 0;

	for (int who = 0; who < 2; who++)
		for (size_t i = 0; subject->options[who] != NULL && module->options != NULL && module->options[i].name != NULL; i++)
			if (ptah_option_is_for(&module->options[i], ptah_subject_role(who)))
				try_option(subject, who, &module->options[i], &tried, &worked);
	if (tried == 0)
		ptah_trial_na("it has no options");
	ptah_trial_pass("%u values, of which %u were taken", tried, worked);
}

/* ---- options that it makes ------------------------------------------------------------ */

void
ptah_row_generate(const struct ptah_subject *subject)
{
	const struct ptah_module *module = subject->module;
	struct ptah_subject made = *subject;
	struct ptah_filling filling;
	char texts[2][8192] = { "", "" }, why[PTAH_WHY_TEXT] = "";
	struct ptah_lab lab;
	struct ptah_pair pair = { 0 };

	if (module->generate == NULL)
		ptah_trial_na("it has no .generate");
	ptah_trial_step("making options for 192.0.2.1:443");
	if (ptah_filling_make(&filling, module, PTAH_SERVER, subject->options[PTAH_AT_SERVER], why, sizeof(why)) < 0)
		ptah_trial_fail("the options of its server are refused: %s", why);
	int rc = module->generate(filling.conf.values, "192.0.2.1:443",
	    (struct ptah_room){ (uint8_t *)texts[PTAH_AT_SERVER], sizeof(texts[0]) },
	    (struct ptah_room){ (uint8_t *)texts[PTAH_AT_CLIENT], sizeof(texts[0]) });
	ptah_filling_clear(&filling);
	if (rc < 0)
		ptah_trial_fail("generate fails with %s", strerror(-rc));
	for (int who = 0; who < 2; who++) {
		made.options[who] = ptah_json_parse(texts[who], strnlen(texts[who], sizeof(texts[who])), 0, why, sizeof(why));
		if (made.options[who] == NULL || made.options[who]->type != PTAH_JSON_OBJECT)
			ptah_trial_fail("what it makes for the %s is no JSON object", role_name(who));
	}
	if (!is_usable(subject))
		ptah_trial_pass("two objects; what they carry is for the row \"relay\"");
	ptah_lab_need(&lab, &made, false);
	ptah_pair_open(&pair, &lab, 1);
	ptah_pair_say(&pair, PTAH_AT_CLIENT, 5000);
	ptah_pair_say(&pair, PTAH_AT_SERVER, 5000);
	ptah_pair_need(&pair, "with options that it made itself");
	ptah_pair_close(&pair, 0);
	ptah_lab_close(&lab);
	ptah_trial_pass("they fit together");
}
