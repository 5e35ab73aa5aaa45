/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/torrc.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"

/* As deep as Tor goes. */
#define INCLUDES_MOST 31

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* ---- one line ------------------------------------------------------------------ */

static int
cut_words(struct ptah_torrc_line *line)
{
	const char *at = line->value;
	size_t most = strlen(at) / 2 + 2;

	line->words = calloc(most, sizeof(*line->words));
	if (!line->words)
		return -ENOMEM;
	while (*at) {
		size_t len = strcspn(at, " \t");

		if (len > 0) {
			line->words[line->n_words] = strndup(at, len);
			if (!line->words[line->n_words++])
				return -ENOMEM;
		}
		at += len + strspn(at + len, " \t");
	}
	return 0;
}

/* A value in quotation marks: what stands between them. */
static int
unquote(struct ptah_torrc_line *line, const char *text, struct ptah_buf *out)
{
	for (text++; *text && *text != '"'; text++) {
		if (*text == '\\' && text[1])
			text++;
		ptah_buf_add(out, text, 1);
	}
	if (*text != '"')
		line->wrong = "the quotation mark at the beginning of its value has no partner";
	return out->rc;
}

static int
read_value(struct ptah_torrc_line *line, const char *text)
{
	struct ptah_buf out = { 0 };
	size_t len = strcspn(text, "#");

	if (text[0] == '"') {
		(void)unquote(line, text, &out);
	} else {
		while (len > 0 && is_blank(text[len - 1]))
			len--;
		ptah_buf_add(&out, text, len);
	}
	ptah_buf_puts(&out, "");
	line->value = out.at ? ptah_buf_take_text(&out) : strdup("");
	ptah_buf_clear(&out);
	return line->value ? cut_words(line) : -ENOMEM;
}

static void
clear_line(struct ptah_torrc_line *line)
{
	for (size_t i = 0; i < line->n_words; i++)
		free(line->words[i]);
	free(line->words);
	free(line->file);
	free(line->key);
	free(line->value);
}

/* Takes: line. */
static int
push(struct ptah_torrc *torrc, struct ptah_torrc_line line)
{
	struct ptah_torrc_line *more = torrc->n < PTAH_TORRC_LINES ? realloc(torrc->lines, (torrc->n + 1) * sizeof(*more)) : NULL;

	if (!more) {
		clear_line(&line);
		return torrc->n < PTAH_TORRC_LINES ? -ENOMEM : -E2BIG;
	}
	torrc->lines = more;
	torrc->lines[torrc->n++] = line;
	return 0;
}

/* A line without its continuation marks.  Nothing is added for one that is empty. */
static int
add_line(struct ptah_torrc *torrc, const char *file, unsigned number, const char *text)
{
	struct ptah_torrc_line line = { .line = number };
	int rc = -ENOMEM;

	while (is_blank(*text))
		text++;
	if (*text == '#' || *text == '\0')
		return 0;
	if (*text == '+' || *text == '/')
		text++;

	size_t len = strcspn(text, " \t\r#");

	line.file = strdup(file);
	line.key = strndup(text, len);
	text += len;
	while (is_blank(*text))
		text++;
	if (line.file && line.key)
		rc = read_value(&line, text);
	if (rc == 0)
		return push(torrc, line);
	clear_line(&line);
	return rc;
}

/* ---- a text -------------------------------------------------------------------- */

int
ptah_torrc_parse(struct ptah_torrc *torrc, const char *file, const char *text, size_t len)
{
	struct ptah_buf whole = { 0 };
	unsigned number = 0, first = 1;
	int rc = 0;

	while (len > 0 && rc == 0) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;
		bool goes_on = n > 0 && text[n - 1] == '\\' && end;

		number++;
		if (whole.len == 0)
			first = number;
		/* A comment between lines that belong together ends nothing. */
		if (whole.len == 0 || n == 0 || text[0] != '#')
			ptah_buf_add(&whole, text, goes_on ? n - 1 : n);
		else
			goes_on = true;
		text += end ? n + 1 : n;
		len -= end ? n + 1 : n;
		if (goes_on && len > 0 && whole.rc == 0)
			continue;
		ptah_buf_add(&whole, "", 1); /* at the last, for a line without a byte */
		rc = whole.rc != 0 ? whole.rc : add_line(torrc, file, first, (const char *)whole.at);
		ptah_buf_clear(&whole);
	}
	ptah_buf_clear(&whole);
	return rc;
}

/* ---- files --------------------------------------------------------------------- */

static int read_path(struct ptah_torrc *torrc, const char *path, unsigned depth);

/* Takes: line.  What it includes stands behind it, so of options that count once the last is the last. */
static int
take_line(struct ptah_torrc *torrc, struct ptah_torrc_line line, unsigned depth)
{
	char *path = ptah_torrc_is(&line, "%include") ? strdup(line.value) : NULL;
	size_t at = torrc->n;
	int rc = push(torrc, line);

	if (rc == 0 && path && (depth >= INCLUDES_MOST || read_path(torrc, path, depth + 1) != 0))
		torrc->lines[at].wrong = "what it includes cannot be read";
	free(path);
	return rc;
}

static int
read_file(struct ptah_torrc *torrc, const char *path, unsigned depth)
{
	struct ptah_torrc own = { 0 };
	uint8_t *text = NULL;
	size_t len = 0, i = 0;
	int rc = ptah_file_read(path, PTAH_TORRC_MAX, &text, &len);

	if (rc == 0)
		rc = ptah_torrc_parse(&own, path, (const char *)text, len);
	free(text);
	for (; rc == 0 && i < own.n; i++)
		rc = take_line(torrc, own.lines[i], depth);
	for (; i < own.n; i++)
		clear_line(&own.lines[i]);
	free(own.lines);
	return rc;
}

/* A file, a folder, or a pattern of such. */
static int
read_path(struct ptah_torrc *torrc, const char *path, unsigned depth)
{
	char pattern[4096];
	struct stat st;
	glob_t found = { 0 };
	bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	int rc;

	snprintf(pattern, sizeof(pattern), folder ? "%s/*" : "%s", path);
	rc = glob(pattern, 0, NULL, &found);
	if (rc != 0)
		return folder && rc == GLOB_NOMATCH ? 0 : -ENOENT;
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++) {
		if (stat(found.gl_pathv[i], &st) == 0 && S_ISDIR(st.st_mode))
			continue;
		rc = read_file(torrc, found.gl_pathv[i], depth);
	}
	globfree(&found);
	return rc;
}

int
ptah_torrc_read(struct ptah_torrc *torrc, const char *path)
{
	return read_file(torrc, path, 0);
}

/* ---- and asked ------------------------------------------------------------------- */

bool
ptah_torrc_is(const struct ptah_torrc_line *line, const char *key)
{
	return strcasecmp(line->key, key) == 0;
}

const struct ptah_torrc_line *
ptah_torrc_last(const struct ptah_torrc *torrc, const char *key)
{
	for (size_t i = torrc->n; i > 0; i--)
		if (ptah_torrc_is(&torrc->lines[i - 1], key))
			return &torrc->lines[i - 1];
	return NULL;
}

void
ptah_torrc_clear(struct ptah_torrc *torrc)
{
	for (size_t i = 0; i < torrc->n; i++)
		clear_line(&torrc->lines[i]);
	free(torrc->lines);
	*torrc = (struct ptah_torrc){ 0 };
}
