/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/checkmodule.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "check/report.h"
#include "check/runner.h"
#include "config/flag.h"

#define NAME "check-module"
#define EX_FAILED_ROW 1
#define BUDGET_S 1.0
#define BUDGET_MOST_S 20.0
#define WIDTH 100

enum flag { OPTIONS, JSON, JUNIT, SECONDS, ROW };

const struct ptah_ask ptah_check_module_flags[] = {
	[OPTIONS] = { .name = "options", .value = "JSON", .type = PTAH_VALUE_TEXT,
	    .help = "options instead of the module's example: an object with the members server and client, or one object for both" },
	[JSON] = { .name = "json", .help = "print one JSON object" },
	[JUNIT] = { .name = "junit", .value = "FILE", .type = PTAH_VALUE_FILE,
	    .help = "write the rows to this file, as JUnit's XML" },
	[SECONDS] = { .name = "seconds", .value = "N", .type = PTAH_VALUE_TEXT,
	    .help = "how long each row that draws samples may go on drawing (default 1)" },
	[ROW] = { .name = "row", .value = "NAME", .type = PTAH_VALUE_TEXT, .help = "look at this row only" },
	{ .name = NULL },
};

int
ptah_check_module_manual(struct ptah_buf *out)
{
	ptah_buf_puts(out, ".Bl -tag -width indent\n");
	for (size_t i = 0; i < ptah_rows_n; i++)
		ptah_buf_printf(out, ".It Li %s\n%s.\n", ptah_rows[i].name, ptah_rows[i].what);
	return ptah_buf_puts(out, ".El\n");
}

/* ---- what was asked --------------------------------------------------------------- */

static int
read_file(struct ptah_subject_wish *wish, const char *file)
{
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
	size_t len = strlen(name);

	if (len <= 3 || strcmp(name + len - 3, ".so") != 0 || len - 3 >= sizeof(wish->name))
		return ptah_asked_wrong(NAME, "\"%.200s\" is no FILE.so", file);
	memcpy(wish->name, name, len - 3);
	wish->name[len - 3] = '\0';
	wish->path = realpath(file, NULL);
	return wish->path ? 0 : ptah_asked_wrong(NAME, "%.200s: %s", file, strerror(errno));
}

static int
read_seconds(double *seconds, const char *text)
{
	char *end;

	if (!text)
		return 0;
	*seconds = strtod(text, &end);
	if (end == text || *end || !(*seconds >= 0 && *seconds <= BUDGET_MOST_S))
		return ptah_asked_wrong(NAME, "--seconds %.40s is no number from 0 to %g", text, BUDGET_MOST_S);
	return 0;
}

static int
read_row(const char *name)
{
	for (size_t i = 0; name && i < ptah_rows_n; i++)
		if (strcmp(ptah_rows[i].name, name) == 0)
			return 0;
	return name ? ptah_asked_wrong(NAME, "there is no row \"%.60s\": see man ptah", name) : 0;
}

static int
read_options(struct ptah_json **options, const char *text)
{
	char why[256] = "";

	if (!text)
		return 0;
	*options = ptah_json_parse(text, strlen(text), PTAH_JSON_BARE_KEYS, why, sizeof(why));
	if (*options && (*options)->type == PTAH_JSON_OBJECT)
		return 0;
	return ptah_asked_wrong(NAME, "--options is no JSON object%s%s", why[0] ? ": " : "", why);
}

/* ---- and done ------------------------------------------------------------------------- */

static size_t
width_of_terminal(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 40 ? size.ws_col : WIDTH;
}

static bool
put_out(int fd, struct ptah_buf *out)
{
	bool written = out->rc == 0 && ptah_write_full(fd, out->at, out->len) == (ssize_t)out->len;

	ptah_buf_clear(out);
	return written;
}

static void
on_row(const struct ptah_row *row, const struct ptah_trial *trial, void *arg)
{
	struct ptah_buf out = { 0 };

	ptah_report_row(&out, row, trial, *(size_t *)arg);
	(void)put_out(STDOUT_FILENO, &out);
}

static bool
write_junit(const struct ptah_run *run, const struct ptah_subject_wish *wish, const char *path)
{
	struct ptah_buf out = { 0 };
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;

	if (!path)
		return true;
	if (fd == -1) {
		ptah_asked_wrong(NAME, "--junit %.200s: %s", path, strerror(errno));
		return false;
	}
	ptah_report_junit(&out, run, wish);
	bool written = put_out(fd, &out);
	close(fd);
	return written;
}

static int
check(struct ptah_run_wish *wish, const char *junit, bool json)
{
	struct ptah_buf out = { 0 };
	struct ptah_run run;
	size_t width = width_of_terminal();
	int rc;

	wish->on_row = json ? NULL : on_row;
	wish->arg = &width;
	rc = ptah_run(&run, wish);
	if (rc < 0) {
		ptah_asked_wrong(NAME, "%s", strerror(-rc));
		return EX_OSERR;
	}
	if (json)
		ptah_report_json(&out, &run, &wish->subject);
	else
		ptah_report_sum(&out, &run);
	bool written = put_out(STDOUT_FILENO, &out) && write_junit(&run, &wish->subject, junit);
	rc = !written ? EX_OSERR : run.n[PTAH_FAILED] > 0 ? EX_FAILED_ROW : EX_OK;
	ptah_run_clear(&run);
	return rc;
}

int
ptah_check_module_command(const struct ptah_asked *asked, char *envp[])
{
	const char *const *values = asked->value;
	struct ptah_run_wish wish = { .budget_s = BUDGET_S };
	struct ptah_json *options = NULL;
	int rc = EX_USAGE;

	(void)envp;
	if (read_file(&wish.subject, asked->operand) == 0 && read_seconds(&wish.budget_s, values[SECONDS]) == 0 &&
	    read_row(values[ROW]) == 0 && read_options(&options, values[OPTIONS]) == 0) {
		wish.row = values[ROW];
		wish.subject.given = options;
		rc = check(&wish, values[JUNIT], values[JSON] != NULL);
	}
	ptah_json_free(options);
	free(wish.subject.path);
	return rc;
}
