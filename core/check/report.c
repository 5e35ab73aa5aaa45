/* SPDX-License-Identifier: BSD-3-Clause */
#include "check/report.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

static const char *const verdicts[] = {
	[PTAH_UNDECIDED] = "",
	[PTAH_PASSED] = "pass",
	[PTAH_FAILED] = "FAIL",
	[PTAH_NOT_APPLICABLE] = "n/a",
	[PTAH_SKIPPED] = "skipped",
};

#define NAME_WIDTH 14
#define VERDICT_WIDTH 9

/* ---- for people ------------------------------------------------------------------ */

/* Words behind a margin, broken at blanks. */
static void
put_words(struct ptah_buf *out, const char *text, size_t margin, size_t width)
{
	size_t room = width > margin + 20 ? width - margin : 20;

	while (*text != '\0') {
		size_t n = strlen(text);

		if (n > room) {
			n = room;
			while (n > 0 && text[n] != ' ')
				n--;
			if (n == 0)
				n = strcspn(text, " ");
		}
		ptah_buf_printf(out, "%.*s\n", (int)n, text);
		text += n;
		while (*text == ' ')
			text++;
		if (*text != '\0')
			ptah_buf_printf(out, "%*s", (int)margin, "");
	}
}

void
ptah_report_row(struct ptah_buf *out, const struct ptah_row *row, const struct ptah_trial *trial, size_t width)
{
	size_t margin = NAME_WIDTH + VERDICT_WIDTH;

	ptah_buf_printf(out, "%-*s%-*s", NAME_WIDTH, row->name, VERDICT_WIDTH, verdicts[trial->verdict]);
	if (trial->verdict != PTAH_FAILED) {
		put_words(out, trial->text[0] != '\0' ? trial->text : "-", margin, width);
		return;
	}
	put_words(out, trial->text, margin, width);
	if (trial->step[0] != '\0') {
		ptah_buf_printf(out, "%*sat: ", (int)margin, "");
		put_words(out, trial->step, margin + 4, width);
	}
	ptah_buf_printf(out, "%*s(", (int)margin, "");
	put_words(out, row->what, margin + 1, width);
	if (out->len > 0 && out->at[out->len - 1] == '\n') {
		out->len--;
		ptah_buf_puts(out, ")\n");
	}
}

void
ptah_report_sum(struct ptah_buf *out, const struct ptah_run *run)
{
	ptah_buf_printf(out, "\n%u passed, %u failed, %u not applicable, %u skipped\n", run->n[PTAH_PASSED],
	    run->n[PTAH_FAILED], run->n[PTAH_NOT_APPLICABLE], run->n[PTAH_SKIPPED]);
}

/* ---- for machines ----------------------------------------------------------------- */

/* A module's texts may hold anything. */
static const char *
clean(char *room, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (ptah_text_is_utf8((const uint8_t *)text, len))
		return text;
	snprintf(room, size, "%s", text);
	for (char *at = room; *at != '\0'; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	return room;
}

static void
set_text(struct ptah_json *json, const char *key, const char *text)
{
	char room[PTAH_TRIAL_TEXT];

	(void)ptah_json_set(json, key, ptah_json_new_text(PTAH_JSON_STRING, clean(room, sizeof(room), text)));
}

static void
set_number(struct ptah_json *json, const char *key, double number, int digits)
{
	char text[64];

	snprintf(text, sizeof(text), "%.*f", digits, number);
	(void)ptah_json_set(json, key, ptah_json_new_text(PTAH_JSON_NUMBER, text));
}

static struct ptah_json *
row_json(const struct ptah_row *row, const struct ptah_trial *trial)
{
	static const char *const words[] = { "", "pass", "fail", "n/a", "skipped" };
	struct ptah_json *json = ptah_json_new(PTAH_JSON_OBJECT);

	if (json == NULL)
		return NULL;
	set_text(json, "name", row->name);
	set_text(json, "what", row->what);
	set_text(json, "verdict", words[trial->verdict]);
	set_text(json, "text", trial->text);
	set_text(json, "step", trial->verdict == PTAH_FAILED ? trial->step : "");
	set_number(json, "seconds", trial->seconds, 3);
	return json;
}

void
ptah_report_json(struct ptah_buf *out, const struct ptah_run *run, const struct ptah_subject_wish *wish)
{
	struct ptah_json *json = ptah_json_new(PTAH_JSON_OBJECT), *rows = ptah_json_new(PTAH_JSON_ARRAY);

	if (json == NULL || rows == NULL) {
		out->rc = -12;
		return;
	}
	for (size_t i = 0; i < ptah_rows_n; i++)
		if (run->trials[i].verdict != PTAH_UNDECIDED)
			(void)ptah_json_add(rows, row_json(&ptah_rows[i], &run->trials[i]));
	set_text(json, "module", wish->name);
	set_text(json, "file", wish->path);
	(void)ptah_json_set(json, "rows", rows);
	set_number(json, "passed", run->n[PTAH_PASSED], 0);
	set_number(json, "failed", run->n[PTAH_FAILED], 0);
	set_number(json, "notApplicable", run->n[PTAH_NOT_APPLICABLE], 0);
	set_number(json, "skipped", run->n[PTAH_SKIPPED], 0);
	(void)ptah_json_print(json, out);
	ptah_buf_puts(out, "\n");
	ptah_json_free(json);
}

/* As the value of an attribute. */
static void
put_xml(struct ptah_buf *out, const char *text)
{
	char room[PTAH_TRIAL_TEXT];

	for (text = clean(room, sizeof(room), text); *text != '\0'; text++) {
		const char *entity = *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : *text == '&' ? "&amp;" :
		    *text == '"' ? "&quot;" : (unsigned char)*text < ' ' ? " " : NULL;

		if (entity != NULL)
			ptah_buf_puts(out, entity);
		else
			ptah_buf_add(out, text, 1);
	}
}

static void
put_case(struct ptah_buf *out, const struct ptah_row *row, const struct ptah_trial *trial, const char *module)
{
	bool failed = trial->verdict == PTAH_FAILED;

	ptah_buf_puts(out, "  <testcase classname=\"");
	put_xml(out, module);
	ptah_buf_puts(out, "\" name=\"");
	put_xml(out, row->name);
	ptah_buf_printf(out, "\" time=\"%.3f\"", trial->seconds);
	if (trial->verdict == PTAH_PASSED) {
		ptah_buf_puts(out, "/>\n");
		return;
	}
	ptah_buf_printf(out, ">\n    <%s message=\"", failed ? "failure" : "skipped");
	put_xml(out, trial->text);
	if (failed && trial->step[0] != '\0') {
		ptah_buf_puts(out, " (at: ");
		put_xml(out, trial->step);
		ptah_buf_puts(out, ")");
	}
	ptah_buf_puts(out, "\"/>\n  </testcase>\n");
}

void
ptah_report_junit(struct ptah_buf *out, const struct ptah_run *run, const struct ptah_subject_wish *wish)
{
	unsigned all = 0;

	for (int verdict = PTAH_PASSED; verdict <= PTAH_SKIPPED; verdict++)
		all += run->n[verdict];
	ptah_buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"ptah check-module ");
	put_xml(out, wish->name);
	ptah_buf_printf(out, "\" tests=\"%u\" failures=\"%u\" skipped=\"%u\">\n", all, run->n[PTAH_FAILED],
	    run->n[PTAH_NOT_APPLICABLE] + run->n[PTAH_SKIPPED]);
	for (size_t i = 0; i < ptah_rows_n; i++)
		if (run->trials[i].verdict != PTAH_UNDECIDED)
			put_case(out, &ptah_rows[i], &run->trials[i], wish->name);
	ptah_buf_puts(out, "</testsuite>\n");
}
