/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/faults.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP 16

/* A text that is one line whatever came from the file. */
static void
flatten(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
}

static int
make_room(struct ptah_faults *faults)
{
	if (faults->n % STEP != 0)
		return 0;

	struct ptah_fault *more = realloc(faults->at, (faults->n + STEP) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	faults->at = more;
	return 0;
}

int
ptah_faults_vadd(struct ptah_faults *faults, unsigned how, unsigned line, unsigned column, const char *path,
    const char *format, va_list args)
{
	bool warning = (how & PTAH_FAULT_WARNING) != 0;
	struct ptah_fault fault = { .line = line, .column = column, .how = how, .warning = warning };

	*(warning ? &faults->n_warnings : &faults->n_errors) += 1;
	if (faults->n == PTAH_FAULTS_MOST)
		return 0;
	if (make_room(faults) != 0)
		return -ENOMEM;
	if (vasprintf(&fault.text, format, args) == -1)
		return -ENOMEM;
	fault.path = strdup(path);
	if (!fault.path) {
		free(fault.text);
		return -ENOMEM;
	}
	flatten(fault.text);
	flatten(fault.path);
	faults->at[faults->n++] = fault;
	return 0;
}

int
ptah_faults_add(struct ptah_faults *faults, unsigned how, unsigned line, unsigned column, const char *path,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int rc = ptah_faults_vadd(faults, how, line, column, path, format, args);
	va_end(args);
	return rc;
}

int
ptah_faults_about(struct ptah_faults *faults, const char *about)
{
	/* Of those that are counted only, nothing is kept. */
	if (!about || faults->n == 0 || faults->n < faults->n_errors + faults->n_warnings)
		return 0;

	struct ptah_fault *last = &faults->at[faults->n - 1];

	free(last->about);
	last->about = strdup(about);
	return last->about ? 0 : -ENOMEM;
}

static int
compare(const void *a, const void *b)
{
	const struct ptah_fault *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;

	int order = strcmp(x->path, y->path);

	return order != 0 ? order : strcmp(x->text, y->text);
}

void
ptah_faults_sort(struct ptah_faults *faults)
{
	if (faults->n > 0)
		qsort(faults->at, faults->n, sizeof(*faults->at), compare);
}

int
ptah_fault_print(const struct ptah_fault *fault, const char *file, struct ptah_buf *out)
{
	ptah_buf_printf(out, "%s:", file);
	if (fault->line > 0)
		ptah_buf_printf(out, "%u:%u:", fault->line, fault->column);
	if (fault->path[0])
		ptah_buf_printf(out, " %s:", fault->path);
	return ptah_buf_printf(out, " %s%s", fault->warning ? "warning: " : "", fault->text);
}

static int
set_text(struct ptah_json *object, const char *key, const char *text)
{
	return ptah_json_set(object, key, ptah_json_new_text(PTAH_JSON_STRING, text));
}

static int
set_place(struct ptah_json *object, const char *key, unsigned at)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", at);
	return ptah_json_set(object, key, at > 0 ? ptah_json_new_text(PTAH_JSON_NUMBER, text) : ptah_json_new(PTAH_JSON_NULL));
}

struct ptah_json *
ptah_fault_json(const struct ptah_fault *fault, const char *file)
{
	struct ptah_json *object = ptah_json_new(PTAH_JSON_OBJECT);

	if (object && set_text(object, "file", file) == 0 && set_place(object, "line", fault->line) == 0 &&
	    set_place(object, "column", fault->column) == 0 && set_text(object, "path", fault->path) == 0 &&
	    set_text(object, "level", fault->warning ? "warning" : "error") == 0 && set_text(object, "text", fault->text) == 0)
		return object;
	ptah_json_free(object);
	return NULL;
}

void
ptah_faults_clear(struct ptah_faults *faults)
{
	for (size_t i = 0; i < faults->n; i++) {
		free(faults->at[i].path);
		free(faults->at[i].text);
		free(faults->at[i].about);
	}
	free(faults->at);
	memset(faults, 0, sizeof(*faults));
}
