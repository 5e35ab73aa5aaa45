/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/folder.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "loop/worker.h"

#define DEFINITION_MAX ((size_t)256 * 1024)

char *
ptah_folder_path(const char *folder, const char *name, const char *ending)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s.%s", folder, name, ending) == -1)
		return NULL;
	return path;
}

static bool
is_there(const char *folder, const char *name, const char *ending)
{
	struct stat st;
	char *path = ptah_folder_path(folder, name, ending);
	bool there = path != NULL && lstat(path, &st) == 0;

	free(path);
	return there;
}

unsigned
ptah_folder_has(const char *folder, const char *name)
{
	return (is_there(folder, name, "so") ? PTAH_FOLDER_SO : 0) |
	    (is_there(folder, name, "json") ? PTAH_FOLDER_JSON : 0);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "name.so" or "name.json" to "name"; 0 for other files. */
static size_t
stem_len(const char *file)
{
	const char *dot = strrchr(file, '.');

	if (dot == NULL || dot == file || file[0] == '.')
		return 0;
	return strcmp(dot, ".so") == 0 || strcmp(dot, ".json") == 0 ? (size_t)(dot - file) : 0;
}

static int
read_names(DIR *dir, char ***names, size_t *n)
{
	size_t room = 0;

	for (;;) {
		struct dirent *entry = readdir(dir);
		size_t len = entry != NULL ? stem_len(entry->d_name) : 0;

		if (entry == NULL)
			return 0;
		if (len == 0)
			continue;
		if (*n + 2 > room) {
			char **more = reallocarray(*names, room + 32, sizeof(*more));

			if (more == NULL)
				return -ENOMEM;
			*names = more;
			room += 32;
		}
		(*names)[*n] = strndup(entry->d_name, len);
		if ((*names)[*n] == NULL)
			return -ENOMEM;
		(*names)[++*n] = NULL;
	}
}

char **
ptah_folder_names(const char *folder)
{
	DIR *dir = opendir(folder);
	char **names = calloc(1, sizeof(*names));
	size_t n = 0, kept = 0;
	int rc = names != NULL ? 0 : -ENOMEM;

	if (dir != NULL && rc == 0)
		rc = read_names(dir, &names, &n);
	if (dir != NULL)
		closedir(dir);
	if (rc < 0) {
		ptah_folder_names_free(names);
		errno = -rc;
		return NULL;
	}
	if (n > 1)
		qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && strcmp(names[kept - 1], names[i]) == 0)
			free(names[i]);
		else
			names[kept++] = names[i];
	}
	names[kept] = NULL;
	return names;
}

void
ptah_folder_names_free(char **names)
{
	for (size_t i = 0; names != NULL && names[i] != NULL; i++)
		free(names[i]);
	free(names);
}

/* A link in the folder may lead out of it: then both ways must be safe. */
int
ptah_folder_real(const char *folder, const char *path, char **real, char *at, char *why, size_t why_room)
{
	char *whole = realpath(path, NULL), *home = realpath(folder, NULL);
	size_t len = home != NULL ? strlen(home) : 0;
	int rc = 0;

	*real = NULL;
	if (whole == NULL || home == NULL) {
		rc = -errno;
		snprintf(why, why_room, "cannot follow %s: %s", path, strerror(-rc));
	} else if (strncmp(whole, home, len) != 0 || whole[len] != '/') {
		rc = ptah_file_is_trusted(home, at, why, why_room);
	}
	free(home);
	if (rc < 0)
		free(whole);
	else
		*real = whole;
	return rc;
}

static int
bad_definition(char *why, size_t why_room, const char *what)
{
	snprintf(why, why_room, "%s: write {\"module\": \"NAME\", ...options} or {\"stack\": [\"TOP\", \"BELOW\"], ...options}", what);
	return -EINVAL;
}

static bool
is_name(const struct ptah_json *json)
{
	return json != NULL && json->type == PTAH_JSON_STRING && ptah_text_is_ptname(json->text, strlen(json->text));
}

/* ["a", "b", {"module": "c", ...}] to {"module": "a", "over": {"module": "b", "over": {...}}}. */
static struct ptah_json *
nest_stack(const struct ptah_json *stack, size_t at)
{
	const struct ptah_json *item = stack->items[at];
	struct ptah_json *out;
	int rc = 0;

	if (item->type == PTAH_JSON_OBJECT) {
		out = ptah_json_copy(item);
	} else {
		out = ptah_json_new(PTAH_JSON_OBJECT);
		if (out != NULL)
			rc = ptah_json_set(out, "module", ptah_json_copy(item));
	}
	if (out != NULL && rc == 0 && at + 1 < stack->n)
		rc = ptah_json_set(out, "over", nest_stack(stack, at + 1));
	if (rc < 0) {
		ptah_json_free(out);
		return NULL;
	}
	return out;
}

static int
check_stack(const struct ptah_json *stack, char *why, size_t why_room)
{
	if (stack->type != PTAH_JSON_ARRAY || stack->n == 0 || stack->n > PTAH_LAYERS_MAX)
		return bad_definition(why, why_room, "\"stack\" is not a list of 1 to 8 transports");
	for (size_t i = 0; i < stack->n; i++) {
		const struct ptah_json *item = stack->items[i];

		if (!is_name(item) && (item->type != PTAH_JSON_OBJECT || !is_name(ptah_json_get(item, "module"))))
			return bad_definition(why, why_room, "an item of \"stack\" names no transport");
	}
	return 0;
}

/* Everything of 'from' but the keys that say which module. */
static int
add_options(struct ptah_json *to, const struct ptah_json *from)
{
	for (size_t i = 0; i < from->n; i++) {
		int rc;

		if (strcmp(from->keys[i], "module") == 0 || strcmp(from->keys[i], "stack") == 0)
			continue;
		rc = ptah_json_set(to, from->keys[i], ptah_json_copy(from->items[i]));
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
take_definition(const struct ptah_json *json, char **module, struct ptah_json **options, char *why, size_t why_room)
{
	const struct ptah_json *name = NULL, *stack = NULL;
	struct ptah_json *nested = NULL, *out = NULL;
	int rc = 0;

	if (json->type != PTAH_JSON_OBJECT)
		return bad_definition(why, why_room, "it is not an object");
	name = ptah_json_get(json, "module");
	stack = ptah_json_get(json, "stack");
	if ((name == NULL) == (stack == NULL))
		return bad_definition(why, why_room, "it must have \"module\" or \"stack\"");
	if (stack != NULL) {
		rc = check_stack(stack, why, why_room);
		if (rc < 0)
			return rc;
		nested = nest_stack(stack, 0);
		name = nested != NULL ? ptah_json_get(nested, "module") : NULL;
	} else if (!is_name(name)) {
		return bad_definition(why, why_room, "its \"module\" names no transport");
	}
	out = ptah_json_new(PTAH_JSON_OBJECT);
	*module = name != NULL ? strdup(name->text) : NULL;
	rc = out != NULL && *module != NULL ? 0 : -ENOMEM;
	if (rc == 0 && nested != NULL)
		rc = add_options(out, nested);
	if (rc == 0)
		rc = add_options(out, json);
	ptah_json_free(nested);
	if (rc < 0) {
		snprintf(why, why_room, "out of memory");
		free(*module);
		*module = NULL;
		ptah_json_free(out);
		return rc;
	}
	*options = out;
	return 0;
}

int
ptah_folder_definition(const char *real, char **module, struct ptah_json **options, char *at, char *why, size_t why_room)
{
	uint8_t *text = NULL;
	struct ptah_json *json;
	size_t len = 0;
	int rc;

	*module = NULL;
	*options = NULL;
	rc = ptah_file_is_trusted(real, at, why, why_room);
	if (rc < 0)
		return rc;
	rc = ptah_file_read(real, DEFINITION_MAX, &text, &len);
	if (rc < 0) {
		snprintf(why, why_room, "cannot read it: %s", strerror(-rc));
		return rc;
	}
	json = ptah_json_parse((const char *)text, len, PTAH_JSON_COMMENTS, why, why_room);
	if (json == NULL) {
		rc = -errno;
		if (rc == -ENOMEM)
			snprintf(why, why_room, "out of memory");
	} else {
		rc = take_definition(json, module, options, why, why_room);
	}
	ptah_json_free(json);
	explicit_bzero(text, len);
	free(text);
	return rc;
}
