/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/judge.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/faults.h"
#include "transport/folder.h"
#include "transport/loader.h"
#include "transport/merge.h"
#include "transport/options.h"
#include "transport/registry.h"

struct judge {
	struct ptah_registry *registry;
	const struct ptah_instance_wish *wish;
	ptah_judge_fn *fn;
	void *arg;
	struct ptah_judged *judged;
	crypto_generichash_state code;
	bool heard;
	bool hopeless; /* what a module would say of all its options together is not worth asking */
};

static void
tell(struct judge *j, const struct ptah_judge_fault *fault)
{
	j->heard = true;
	j->hopeless = j->hopeless || (fault->how & PTAH_FAULT_KEY) == 0;
	j->fn(fault, j->arg);
}

/* It is about the options. */
static void
say(struct judge *j, const struct ptah_json *value, const char *text)
{
	tell(j, &(struct ptah_judge_fault){ .value = value, .how = PTAH_FAULT_OPTIONS, .text = text });
}

/* It is what ptah_options_try() has said. */
static void
say_tried(struct judge *j, const struct ptah_json *value, int rc, const char *file, const char *text)
{
	struct ptah_judge_fault fault = { .value = value, .how = PTAH_FAULT_OPTIONS, .about = file, .text = text };

	if (file != NULL && rc == -EACCES)
		fault.how |= PTAH_FAULT_CLOSED;
	else if (file != NULL && rc == -EPERM)
		fault.how |= PTAH_FAULT_OPEN;
	tell(j, &fault);
}

/* ---- names -------------------------------------------------------------------------------- */

/* The nearest of the names that there are, for free(); NULL if none is near. */
static char *
nearest_name(struct ptah_registry *registry, const char *name)
{
	struct ptah_registry_row *rows;
	const char **known, *near = NULL;
	char *copy = NULL;
	size_t n, used = 0;

	if (ptah_registry_list(registry, &rows, &n) != 0)
		return NULL;
	known = calloc(n + 1, sizeof(*known));
	for (size_t i = 0; known != NULL && i < n; i++)
		if (rows[i].problem == NULL)
			known[used++] = rows[i].name;
	if (known != NULL)
		near = ptah_text_nearest(name, known);
	if (near != NULL)
		copy = strdup(near);
	free(known);
	ptah_registry_rows_free(rows, n);
	return copy;
}

/* The module's file, if it has one: what is wrong is wrong with that.  Gives: NULL, or a path. */
static char *
file_of(const struct judge *j, const char *name)
{
	for (const char *const *folder = ptah_registry_folders(j->registry); *folder != NULL; folder++) {
		unsigned has = ptah_folder_has(*folder, name);

		if (has != 0)
			return has == PTAH_FOLDER_SO ? ptah_folder_path(*folder, name, "so") : NULL;
	}
	return NULL;
}

static void
say_absent(struct judge *j, const char *name, const struct ptah_json *at, int rc, const char *why)
{
	char *near = rc == -ENOENT ? nearest_name(j->registry, name) : NULL;
	char *file = rc != -ENOENT ? file_of(j, name) : NULL, text[PTAH_WHY_TEXT + 800];

	if (rc != -ENOENT && file != NULL && strstr(why, file) == NULL)
		snprintf(text, sizeof(text), "transport \"%.64s\": %.600s: %s", name, file, why);
	else if (rc != -ENOENT)
		snprintf(text, sizeof(text), "transport \"%.64s\": %s", name, why);
	else
		snprintf(text, sizeof(text), "there is no transport \"%.64s\"%s%.64s%s", name,
		    near != NULL ? "; did you mean \"" : ": ", near != NULL ? near : "ptah modules lists those that there are",
		    near != NULL ? "\"?" : "");
	tell(j, &(struct ptah_judge_fault){ .value = at, .text = text });
	free(file);
	free(near);
}

/* ---- one layer ---------------------------------------------------------------------------- */

static int
keep_secret(struct judge *j, const struct ptah_option *option, const struct ptah_json *value)
{
	if (!ptah_option_hides(option) || value->at == 0 || j->judged->secret != NULL)
		return 0;
	j->judged->secret = ptah_json_copy(value);
	return j->judged->secret != NULL ? 0 : -ENOMEM;
}

static int
note_file(struct judge *j, const char *path)
{
	if (j->judged->files == NULL)
		j->judged->files = ptah_json_new(PTAH_JSON_ARRAY);
	return j->judged->files != NULL ? ptah_json_add(j->judged->files, ptah_json_new_text(PTAH_JSON_STRING, path)) : -ENOMEM;
}

/* Those that an option names, or its default does: there or not. */
static int
note_files(struct judge *j, const struct ptah_option *option, const struct ptah_json *value)
{
	const struct ptah_json *const one[] = { value };
	const struct ptah_json *const *items = value != NULL && value->type == PTAH_JSON_ARRAY ?
	    (const struct ptah_json *const *)value->items : one;
	size_t n = value == NULL ? 0 : value->type == PTAH_JSON_ARRAY ? value->n : 1;
	int rc = 0;

	if (option->type != PTAH_FILE)
		return 0;
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (items[i]->type == PTAH_JSON_STRING && items[i]->text[0] == '/')
			rc = note_file(j, items[i]->text);
	return rc == 0 && value == NULL && option->def != NULL ? note_file(j, option->def) : rc;
}

/* Must it be there by now?  What a connection may bring, it may lack. */
static bool
is_due(const struct judge *j, const struct ptah_option *option)
{
	return (option->flags & PTAH_LINK) == 0 || j->wish->role == PTAH_SERVER || j->wish->alone;
}

static void
say_missing(struct judge *j, const char *name, const struct ptah_option *option)
{
	char why[PTAH_WHY_TEXT], text[PTAH_WHY_TEXT + 80];

	ptah_options_say_missing(option, why, sizeof(why));
	snprintf(text, sizeof(text), "%.64s: %s", name, why);
	say(j, NULL, text);
}

/* The file that an option's default names. */
static int
try_default(struct judge *j, const struct ptah_option *option)
{
	struct ptah_json *value;
	char why[PTAH_WHY_TEXT];
	const char *file;
	int rc;

	if (option->type != PTAH_FILE || option->def == NULL)
		return 0;
	value = ptah_json_new_text(PTAH_JSON_STRING, option->def);
	rc = value != NULL ? ptah_options_try(option, value, &file, why, sizeof(why)) : -ENOMEM;
	if (rc < 0 && rc != -ENOMEM)
		say_tried(j, NULL, rc, file, why);
	ptah_json_free(value);
	return rc == -ENOMEM ? rc : 0;
}

static int
judge_options(struct judge *j, const char *name, const struct ptah_module *module, const struct ptah_json *options)
{
	const struct ptah_option *either = NULL;
	bool either_said = false;
	char why[PTAH_WHY_TEXT];
	const char *file;

	for (const struct ptah_option *option = module->options; option != NULL && option->name != NULL; option++) {
		const struct ptah_json *value = ptah_options_said(option, options);

		if (!ptah_option_is_for(option, j->wish->role))
			continue;
		if ((option->flags & PTAH_EITHER) != 0) {
			either_said = either_said || value != NULL;
			either = either != NULL || !is_due(j, option) ? either : option;
		}
		if (note_files(j, option, value) != 0)
			return -ENOMEM;
		if (value == NULL) {
			if ((option->flags & PTAH_REQUIRED) != 0 && option->def == NULL && is_due(j, option))
				say_missing(j, name, option);
			if (try_default(j, option) != 0)
				return -ENOMEM;
			continue;
		}

		int rc = ptah_options_try(option, value, &file, why, sizeof(why));

		if (rc < 0 && rc != -ENOMEM)
			say_tried(j, value, rc, file, why);
		if (rc == -ENOMEM || keep_secret(j, option, value) != 0)
			return -ENOMEM;
	}
	if (either != NULL && !either_said)
		say_missing(j, name, either);
	return 0;
}

/* The host's own keys, but for one that the module has, too, and which was judged as its own. */
static void
judge_host_keys(struct judge *j, const struct ptah_module *module, const struct ptah_json *options)
{
	int half_close, messages;
	char server[PTAH_DEST_TEXT], why[PTAH_WHY_TEXT];
	const char *const keys[] = { PTAH_KEY_SERVER, PTAH_KEY_HALF_CLOSE };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const struct ptah_json *value = ptah_json_get(options, keys[i]);
		struct ptah_json one = { .type = PTAH_JSON_OBJECT, .n = 1, .keys = (char *[]){ (char *)keys[i] },
			.items = (struct ptah_json *[]){ (struct ptah_json *)value } };

		if (value != NULL && ptah_options_find(module, j->wish->role, keys[i]) == NULL &&
		    ptah_options_host(&one, &half_close, server, why, sizeof(why)) != 0)
			say(j, value, why);
	}
	if (ptah_options_messages(options, &messages, why, sizeof(why)) != 0)
		say(j, ptah_json_get(options, PTAH_KEY_MESSAGES), why);
}

/* Keys that no layer took. */
static void
judge_unknown(struct judge *j, const char *name, const struct ptah_module *module, const struct ptah_json *options)
{
	char why[PTAH_WHY_TEXT], text[PTAH_WHY_TEXT + 80];

	if ((module->abilities & PTAH_PASSES_OPTIONS) != 0)
		return;
	for (size_t i = 0; i < options->n; i++) {
		const char *key = options->keys[i];

		if (ptah_options_is_host(key) || ptah_options_find(module, j->wish->role, key) != NULL)
			continue;
		ptah_options_say_unknown(module, j->wish->role, key, why, sizeof(why));
		snprintf(text, sizeof(text), "%.64s: %s", name, why);
		tell(j, &(struct ptah_judge_fault){ .value = options->items[i], .how = PTAH_FAULT_OPTIONS | PTAH_FAULT_KEY, .text = text });
	}
}

static int judge_layer(struct judge *j, const char *name, const struct ptah_json *at, struct ptah_json *options,
    unsigned layer);

static int
judge_below(struct judge *j, const struct ptah_module *module, const struct ptah_json *options,
    const struct ptah_json *over, unsigned layer)
{
	struct ptah_json *own = NULL, *below;
	const char *name;
	int rc = ptah_merge_split(over, &name, &own);

	if (rc == -EINVAL) {
		say(j, over, "option \"over\": write \"NAME\" or {\"module\": \"NAME\", ...options}");
		return 0;
	}
	if (rc < 0)
		return rc;
	below = ptah_merge_below(module, options, own);
	ptah_json_free(own);
	if (below == NULL)
		return -ENOMEM;
	return judge_layer(j, name, over->type == PTAH_JSON_OBJECT ? ptah_json_get(over, "module") : over, below,
	    layer + 1);
}

/* What the name stands for: code, and what a definition lays under the options. */
static int
note_code(struct judge *j, const char *name, const struct ptah_found *found)
{
	char *text = found->options != NULL ? ptah_json_text(found->options) : NULL;

	if (found->options != NULL && text == NULL)
		return -ENOMEM;
	crypto_generichash_update(&j->code, (const unsigned char *)name, strlen(name) + 1);
	crypto_generichash_update(&j->code, found->loaded->hash, sizeof(found->loaded->hash));
	if (text != NULL) {
		crypto_generichash_update(&j->code, (const unsigned char *)text, strlen(text) + 1);
		explicit_bzero(text, strlen(text));
	}
	free(text);
	return 0;
}

/* A layer and those below it.  Takes: options.  'at': where its name stands. */
static int
judge_layer(struct judge *j, const char *name, const struct ptah_json *at, struct ptah_json *options, unsigned layer)
{
	struct ptah_found found = { 0 };
	struct ptah_json *whole = NULL;
	char why[PTAH_WHY_TEXT] = "";
	int rc = ptah_registry_find(j->registry, name, &found, why, sizeof(why));

	if (rc < 0 && rc != -ENOMEM) {
		say_absent(j, name, at, rc, why);
		rc = 0;
		goto out;
	}
	if (rc == 0)
		rc = note_code(j, name, &found);
	whole = rc == 0 ? ptah_merge(found.options, options) : NULL;
	if (whole == NULL) {
		rc = -ENOMEM;
		goto out;
	}

	const struct ptah_module *module = &found.loaded->module;
	const struct ptah_json *over = ptah_json_get(whole, PTAH_KEY_OVER);

	judge_host_keys(j, module, whole);
	rc = judge_options(j, name, module, whole);
	if (over != NULL && over->type == PTAH_JSON_NULL)
		over = NULL;
	if (over == NULL)
		judge_unknown(j, name, module, whole);
	else if (rc == 0 && layer + 1 < PTAH_LAYERS_MAX)
		rc = judge_below(j, module, whole, over, layer);
out:
	ptah_json_free(whole);
	ptah_json_free(found.options);
	ptah_json_free(options);
	return rc;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* What a module says of its options together, and how the layers go together. */
static int
try_whole(struct judge *j)
{
	char why[PTAH_WHY_TEXT] = "";
	int rc = ptah_instance_try(j->registry, j->wish, &j->judged->tried, why, sizeof(why));

	if (rc < 0 && rc != -ENOMEM) {
		say(j, NULL, why);
		rc = 0;
	} else if (rc == 0 && j->wish->alone && j->judged->tried.homeless) {
		say(j, NULL, "no server to connect to: give \"" PTAH_KEY_SERVER "\": \"HOST:PORT\"");
	}
	return rc;
}

void
ptah_judged_clear(struct ptah_judged *judged)
{
	ptah_json_free(judged->secret);
	ptah_json_free(judged->files);
	judged->secret = judged->files = NULL;
}

int
ptah_judge(struct ptah_registry *registry, const struct ptah_instance_wish *wish, ptah_judge_fn *fn, void *arg,
    struct ptah_judged *judged)
{
	struct judge j = { .registry = registry, .wish = wish, .fn = fn, .arg = arg, .judged = judged };
	struct ptah_json *options = wish->options != NULL ? ptah_json_copy(wish->options) :
	    ptah_json_new(PTAH_JSON_OBJECT);
	char *name = strdup(wish->name), *plus = name != NULL ? strchr(name, '+') : NULL;
	int rc = options != NULL && name != NULL ? 0 : -ENOMEM;

	memset(judged, 0, sizeof(*judged));
	crypto_generichash_init(&j.code, NULL, 0, sizeof(judged->code));
	if (rc == 0 && plus != NULL) {
		*plus = '\0';
		rc = ptah_merge_stack(options, plus + 1);
	}
	if (rc == 0) {
		rc = judge_layer(&j, name, NULL, options, 0);
		options = NULL;
	}
	crypto_generichash_final(&j.code, judged->code, sizeof(judged->code));
	if (rc == 0 && !j.hopeless)
		rc = try_whole(&j);
	ptah_json_free(options);
	free(name);
	return rc < 0 ? rc : j.heard;
}
