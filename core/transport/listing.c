/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The registry seen as a whole: every file of every folder, good or not.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "transport/folder.h"
#include "transport/loader.h"
#include "transport/registry.h"

struct rows {
	struct ptah_registry_row *at;
	size_t n;
};

static void
clear_row(struct ptah_registry_row *row)
{
	free(row->name);
	free(row->path);
	free(row->problem);
}

/* Adds a row; the texts are copied. */
static int
add_row(struct rows *rows, const char *name, const char *folder, const char *ending,
    const struct ptah_module *module, const char *problem, bool hidden)
{
	struct ptah_registry_row *more = reallocarray(rows->at, rows->n + 1, sizeof(*more));
	struct ptah_registry_row row = { .module = module, .definition = strcmp(ending, "json") == 0, .hidden = hidden };

	if (more == NULL)
		return -ENOMEM;
	rows->at = more;
	row.name = strdup(name);
	row.path = ptah_folder_path(folder, name, ending);
	row.problem = problem != NULL ? strdup(problem) : NULL;
	if (row.name == NULL || row.path == NULL || (row.problem == NULL) != (problem == NULL)) {
		clear_row(&row);
		return -ENOMEM;
	}
	more[rows->n++] = row;
	return 0;
}

static int
list_name(struct ptah_registry *registry, size_t at, const char *name, struct rows *rows)
{
	const char *const *folders = ptah_registry_folders(registry);
	unsigned has = ptah_folder_has(folders[at], name);
	const struct ptah_module *module = NULL;
	struct ptah_found found = { 0 };
	char why[PTAH_WHY_TEXT] = "";
	bool hidden = false;
	int rc = 0;

	if (!ptah_text_is_ptname(name, strlen(name)))
		snprintf(why, sizeof(why), "\"%s\" is no name of a transport: letters, digits and _ only", name);
	for (size_t i = 0; why[0] == '\0' && i < at; i++) {
		unsigned earlier = ptah_folder_has(folders[i], name);

		if (earlier != 0) {
			snprintf(why, sizeof(why), "hidden by %s/%s.%s", folders[i], name,
			    (earlier & PTAH_FOLDER_SO) != 0 ? "so" : "json");
			hidden = true;
		}
	}
	if (why[0] == '\0') {
		rc = ptah_registry_find(registry, name, &found, why, sizeof(why));
		if (rc == -ENOMEM)
			return rc;
		if (rc == 0) {
			module = &found.loaded->module;
			why[0] = '\0';
			if (found.loaded->path == NULL) {
				snprintf(why, sizeof(why), "hidden by the one that is built in");
				hidden = true;
				module = NULL;
			}
		}
		ptah_json_free(found.options);
		rc = 0;
	}
	if ((has & PTAH_FOLDER_SO) != 0)
		rc = add_row(rows, name, folders[at], "so", module, why[0] != '\0' ? why : NULL, hidden);
	if (rc == 0 && (has & PTAH_FOLDER_JSON) != 0)
		rc = add_row(rows, name, folders[at], "json", module, why[0] != '\0' ? why : NULL, hidden);
	return rc;
}

/* By name; of one name, what is hidden or refused comes last. */
static int
by_name(const void *a, const void *b)
{
	const struct ptah_registry_row *one = a, *two = b;
	int order = strcmp(one->name, two->name);

	if (order == 0)
		order = (one->module == NULL) - (two->module == NULL);
	return order != 0 ? order : strcmp(one->path, two->path);
}

int
ptah_registry_list(struct ptah_registry *registry, struct ptah_registry_row **out, size_t *n)
{
	const char *const *folders = ptah_registry_folders(registry);
	struct rows rows = { 0 };
	int rc = 0;

	for (size_t i = 0; rc == 0 && folders[i] != NULL; i++) {
		char **names = ptah_folder_names(folders[i]);
		bool twice = false;

		for (size_t j = 0; j < i; j++)
			if (strcmp(folders[i], folders[j]) == 0)
				twice = true;
		if (names == NULL)
			rc = -ENOMEM;
		for (size_t j = 0; rc == 0 && !twice && names[j] != NULL; j++)
			rc = list_name(registry, i, names[j], &rows);
		ptah_folder_names_free(names);
	}
	if (rc < 0) {
		ptah_registry_rows_free(rows.at, rows.n);
		return rc;
	}
	if (rows.n > 1)
		qsort(rows.at, rows.n, sizeof(*rows.at), by_name);
	*out = rows.at;
	*n = rows.n;
	return 0;
}

void
ptah_registry_rows_free(struct ptah_registry_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		clear_row(&rows[i]);
	free(rows);
}

/* A method line or a method error: what '*' owes for this row. */
static bool
is_asked(const struct ptah_registry_row *row, uint32_t role)
{
	uint32_t can = role == PTAH_CLIENT ? PTAH_CAN_CLIENT : PTAH_CAN_SERVER;

	if (row->module == NULL)
		return !row->hidden && ptah_text_is_ptname(row->name, strlen(row->name));
	return (row->module->abilities & (can | PTAH_NAMED_ONLY)) == can;
}

char **
ptah_registry_names(struct ptah_registry *registry, uint32_t role)
{
	struct ptah_registry_row *rows = NULL;
	char **names = NULL, *text;
	size_t n = 0, kept = 0, bytes = 0;

	if (ptah_registry_list(registry, &rows, &n) < 0) {
		errno = ENOMEM;
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		bytes += strlen(rows[i].name) + 1;
	names = malloc((n + 1) * sizeof(*names) + bytes);
	if (names == NULL)
		goto out;
	text = (char *)(names + n + 1);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(rows[i].name) + 1;

		if (!is_asked(&rows[i], role) || (kept > 0 && strcmp(names[kept - 1], rows[i].name) == 0))
			continue;
		names[kept++] = memcpy(text, rows[i].name, len);
		text += len;
	}
	names[kept] = NULL;
out:
	ptah_registry_rows_free(rows, n);
	return names;
}
