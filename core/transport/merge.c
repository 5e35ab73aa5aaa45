/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "transport/options.h"

#define KEY_MODULE "module"

/* "over" as an object: its short form is a name. */
static struct ptah_json *
long_form(const struct ptah_json *json)
{
	struct ptah_json *out;

	if (json->type != PTAH_JSON_STRING)
		return ptah_json_copy(json);
	out = ptah_json_new(PTAH_JSON_OBJECT);
	if (out != NULL && ptah_json_set(out, KEY_MODULE, ptah_json_copy(json)) < 0) {
		ptah_json_free(out);
		out = NULL;
	}
	return out;
}

static bool
names_module(const struct ptah_json *over)
{
	return over->type == PTAH_JSON_STRING || (over->type == PTAH_JSON_OBJECT && ptah_json_get(over, KEY_MODULE) != NULL);
}

/* The layers 'upper' with 'lower' put below the last of them; both as "over" holds them. */
static struct ptah_json *
stand_on(const struct ptah_json *upper, const struct ptah_json *lower)
{
	struct ptah_json *out = upper->type != PTAH_JSON_NULL ? long_form(upper) : ptah_json_copy(lower);
	const struct ptah_json *next;

	if (out == NULL || upper->type == PTAH_JSON_NULL || out->type != PTAH_JSON_OBJECT)
		return out;
	next = ptah_json_get(out, PTAH_KEY_OVER);
	if (ptah_json_set(out, PTAH_KEY_OVER, next != NULL ? stand_on(next, lower) : ptah_json_copy(lower)) < 0) {
		ptah_json_free(out);
		return NULL;
	}
	return out;
}

static struct ptah_json *lay(const struct ptah_json *base, const struct ptah_json *over, bool keep);

static struct ptah_json *
lay_layers(const struct ptah_json *base, const struct ptah_json *over, bool keep)
{
	struct ptah_json *one, *two, *out = NULL;

	if (keep && names_module(over))
		return stand_on(base, over);
	one = long_form(base);
	two = long_form(over);
	if (one != NULL && two != NULL)
		out = one->type == PTAH_JSON_OBJECT && two->type == PTAH_JSON_OBJECT ?
		    lay(one, two, keep) : ptah_json_copy(two);
	ptah_json_free(one);
	ptah_json_free(two);
	return out;
}

/* 'keep': a layer that 'over' names goes below those of 'base', and not in the place of one. */
static struct ptah_json *
lay(const struct ptah_json *base, const struct ptah_json *over, bool keep)
{
	struct ptah_json *out = base != NULL ? ptah_json_copy(base) : ptah_json_new(PTAH_JSON_OBJECT);

	for (size_t i = 0; out != NULL && over != NULL && i < over->n; i++) {
		const struct ptah_json *old = ptah_json_get(out, over->keys[i]);
		struct ptah_json *value;

		if (old != NULL && strcmp(over->keys[i], PTAH_KEY_OVER) == 0)
			value = lay_layers(old, over->items[i], keep);
		else
			value = ptah_json_copy(over->items[i]);
		if (ptah_json_set(out, over->keys[i], value) < 0) {
			ptah_json_free(out);
			out = NULL;
			errno = ENOMEM;
		}
	}
	return out;
}

struct ptah_json *
ptah_merge(const struct ptah_json *base, const struct ptah_json *over)
{
	return lay(base, over, false);
}

struct ptah_json *
ptah_merge_definition(const struct ptah_json *defined, const struct ptah_json *asked)
{
	return lay(defined, asked, true);
}

int
ptah_merge_split(const struct ptah_json *json, const char **name, struct ptah_json **options)
{
	const struct ptah_json *module = json->type == PTAH_JSON_OBJECT ? ptah_json_get(json, KEY_MODULE) : json;
	struct ptah_json *out;

	*name = NULL;
	*options = NULL;
	if (module == NULL || module->type != PTAH_JSON_STRING ||
	    !ptah_text_is_ptname(module->text, strlen(module->text)))
		return -EINVAL;
	out = ptah_json_new(PTAH_JSON_OBJECT);
	for (size_t i = 0; out != NULL && json->type == PTAH_JSON_OBJECT && i < json->n; i++) {
		if (strcmp(json->keys[i], KEY_MODULE) == 0)
			continue;
		if (ptah_json_set(out, json->keys[i], ptah_json_copy(json->items[i])) < 0) {
			ptah_json_free(out);
			out = NULL;
		}
	}
	if (out == NULL)
		return -ENOMEM;
	*name = module->text;
	*options = out;
	return 0;
}

bool
ptah_merge_takes(const struct ptah_module *module, const char *key)
{
	return ptah_options_is_host(key) || ptah_options_find(module, PTAH_CLIENT, key) != NULL || ptah_options_find(module, PTAH_SERVER, key) != NULL;
}

/* Add a copy of what 'to' has not; with 'win', instead of what it has.  -ENOMEM. */
static int
add(struct ptah_json *to, const char *key, const struct ptah_json *value, bool win)
{
	return !win && ptah_json_get(to, key) != NULL ? 0 : ptah_json_set(to, key, ptah_json_copy(value));
}

/* What is said beside "over", but meant for below. */
static struct ptah_json *
flow(const struct ptah_module *module, const struct ptah_json *options)
{
	struct ptah_json *out = ptah_json_new(PTAH_JSON_OBJECT);
	int rc = out != NULL ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < options->n; i++) {
		const char *key = options->keys[i];

		if (strncmp(key, PTAH_KEY_BELOW, strlen(PTAH_KEY_BELOW)) == 0)
			rc = add(out, key + strlen(PTAH_KEY_BELOW), options->items[i], true);
		else if (!ptah_merge_takes(module, key))
			rc = add(out, key, options->items[i], false);
	}
	if (rc == 0)
		return out;
	ptah_json_free(out);
	return NULL;
}

struct ptah_json *
ptah_merge_below(const struct ptah_module *module, const struct ptah_json *options, const struct ptah_json *own)
{
	struct ptah_json *flat = flow(module, options), *out;

	if (own == NULL)
		own = ptah_json_get(options, PTAH_KEY_OVER);
	out = flat != NULL ? ptah_merge(flat, own != NULL && own->type == PTAH_JSON_OBJECT ? own : NULL) : NULL;
	ptah_json_free(flat);
	if (out == NULL)
		errno = ENOMEM;
	return out;
}

int
ptah_merge_stack(struct ptah_json *options, const char *names)
{
	const char *plus = strchr(names, '+');
	size_t len = plus != NULL ? (size_t)(plus - names) : strlen(names);
	char *name = strndup(names, len);
	struct ptah_json *below = ptah_json_new(PTAH_JSON_OBJECT), *merged = NULL;
	const struct ptah_json *old = ptah_json_get(options, PTAH_KEY_OVER), *said = ptah_json_get(old, KEY_MODULE);
	int rc = -ENOMEM;

	if (name == NULL || below == NULL)
		goto out;
	/* Where it is said already, the value that says so stays: it may know where it stands in a file. */
	if ((said == NULL || said->type != PTAH_JSON_STRING || strcmp(said->text, name) != 0) &&
	    ptah_json_set(below, KEY_MODULE, ptah_json_new_text(PTAH_JSON_STRING, name)) < 0)
		goto out;
	merged = ptah_merge(old != NULL && old->type == PTAH_JSON_OBJECT ? old : NULL, below);
	if (merged == NULL)
		goto out;
	rc = plus != NULL ? ptah_merge_stack(merged, plus + 1) : 0;
	if (rc == 0) {
		rc = ptah_json_set(options, PTAH_KEY_OVER, merged);
		merged = NULL;
	}
out:
	ptah_json_free(merged);
	ptah_json_free(below);
	free(name);
	return rc;
}
