/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/findings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* Before the sentence: a state, the name of a check. */
#define COLUMN 23

static const char *const states[] = { "ok", "warning", "fault" };

/* ---- people ------------------------------------------------------------------------------ */

static void
print_cure(struct ptah_buf *out, const char *cure)
{
	const char *word = "cure:";

	for (size_t len; *cure; cure += len + (cure[len] == '\n')) {
		len = strcspn(cure, "\n");
		ptah_buf_printf(out, "%*s%-6s%.*s\n", COLUMN, "", word, (int)len, cure);
		word = "";
	}
}

static void
count(struct ptah_buf *out, size_t n, const char *what)
{
	if (n == 0)
		ptah_buf_printf(out, "no %ss", what);
	else
		ptah_buf_printf(out, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

int
ptah_findings_print(const struct ptah_exam *exam, struct ptah_buf *out)
{
	for (size_t i = 0; i < exam->n_findings; i++) {
		const struct ptah_finding *one = &exam->findings[i];

		ptah_buf_printf(out, "%-8s%-15s%s%s%s\n", states[one->state], one->check, one->about ? one->about : "",
		    one->about ? ": " : "", one->text);
		if (one->cure)
			print_cure(out, one->cure);
	}
	ptah_buf_puts(out, "\n");
	if (exam->n_faults + exam->n_warnings == 0)
		return ptah_buf_puts(out, "all is well\n");
	count(out, exam->n_faults, "fault");
	ptah_buf_puts(out, ", ");
	count(out, exam->n_warnings, "warning");
	return ptah_buf_puts(out, "\n");
}

/* ---- programs ---------------------------------------------------------------------------- */

static int
set_text(struct ptah_json *object, const char *key, const char *text)
{
	return text ? ptah_json_set(object, key, ptah_json_new_text(PTAH_JSON_STRING, text)) : 0;
}

/* Takes nothing; gives the object, or NULL. */
static struct ptah_json *
json_of(const struct ptah_finding *one)
{
	struct ptah_json *object = ptah_json_new(PTAH_JSON_OBJECT), *cure = ptah_json_new(PTAH_JSON_ARRAY);
	int rc = object && cure ? 0 : -ENOMEM;

	for (const char *line = one->cure ? one->cure : ""; rc == 0 && *line;) {
		size_t len = strcspn(line, "\n");
		char *text = strndup(line, len);

		rc = text ? ptah_json_add(cure, ptah_json_new_text(PTAH_JSON_STRING, text)) : -ENOMEM;
		free(text);
		line += len + (line[len] == '\n');
	}
	if (rc == 0)
		rc = set_text(object, "check", one->check);
	if (rc == 0)
		rc = set_text(object, "state", states[one->state]);
	if (rc == 0)
		rc = set_text(object, "about", one->about);
	if (rc == 0)
		rc = set_text(object, "text", one->text);
	if (rc == 0) {
		rc = ptah_json_set(object, "cure", cure);
		cure = NULL;
	}
	ptah_json_free(cure);
	if (rc == 0)
		return object;
	ptah_json_free(object);
	return NULL;
}

int
ptah_findings_json(const struct ptah_exam *exam, struct ptah_buf *out)
{
	struct ptah_json *whole = ptah_json_new(PTAH_JSON_OBJECT), *list = ptah_json_new(PTAH_JSON_ARRAY);
	int rc = whole && list ? 0 : -ENOMEM;
	char number[24];

	for (size_t i = 0; rc == 0 && i < exam->n_findings; i++)
		rc = ptah_json_add(list, json_of(&exam->findings[i]));
	if (rc == 0) {
		snprintf(number, sizeof(number), "%zu", exam->n_faults);
		rc = ptah_json_set(whole, "faults", ptah_json_new_text(PTAH_JSON_NUMBER, number));
	}
	if (rc == 0) {
		snprintf(number, sizeof(number), "%zu", exam->n_warnings);
		rc = ptah_json_set(whole, "warnings", ptah_json_new_text(PTAH_JSON_NUMBER, number));
	}
	if (rc == 0) {
		rc = ptah_json_set(whole, "found", list);
		list = NULL;
	}
	if (rc == 0)
		rc = ptah_json_print(whole, out);
	ptah_json_free(list);
	ptah_json_free(whole);
	return rc == 0 ? ptah_buf_puts(out, "\n") : rc;
}
