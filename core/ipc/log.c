/* SPDX-License-Identifier: BSD-3-Clause */
#include "ipc/log.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "config/flag.h"

/* No level between WARN and INFO on the way to a parent: a notice is an INFO. */
static const char *const words[] = {
	[PTAH_LOG_NONE] = "ERROR", [PTAH_LOG_ERROR] = "ERROR", [PTAH_LOG_WARN] = "WARN",
	[PTAH_LOG_NOTICE] = "INFO", [PTAH_LOG_INFO] = "INFO", [PTAH_LOG_DEBUG] = "DEBUG",
};
static const char *const severities[] = {
	[PTAH_LOG_NONE] = "error", [PTAH_LOG_ERROR] = "error", [PTAH_LOG_WARN] = "warning",
	[PTAH_LOG_NOTICE] = "info", [PTAH_LOG_INFO] = "info", [PTAH_LOG_DEBUG] = "debug",
};

/* Readable by every parent without any escape (3.5). */
static char
plain(char c)
{
	if (c == '"')
		return '\'';
	if (c == '\\')
		return '/';
	return (unsigned char)c < 0x20 || (unsigned char)c > 0x7e ? '?' : c;
}

static size_t
quoted_line(int level, const char *text, size_t len, char out[static PTAH_LINE_MAX])
{
	size_t n = (size_t)snprintf(out, PTAH_LINE_MAX, "LOG SEVERITY=%s MESSAGE=\"",
	    severities[level]);

	for (size_t i = 0; i < len && n < PTAH_LINE_MAX - 2; i++)
		out[n++] = plain(text[i]);
	out[n++] = '"';
	out[n++] = '\n';
	return n;
}

static size_t
bare_line(const char *head, const char *text, size_t len, char out[static PTAH_LINE_MAX])
{
	size_t n = strlen(head);

	memcpy(out, head, n);
	len = ptah_text_utf8_cut(text, len, PTAH_LINE_MAX - 1 - n);
	for (size_t i = 0; i < len; i++, n++)
		out[n] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
	out[n++] = '\n';
	return n;
}

size_t
ptah_ipc_log_line(int dialect, int level, const char *text, size_t len,
    char out[static PTAH_LINE_MAX])
{
	char head[16];

	if (dialect == PTAH_D1)
		return quoted_line(level, text, len, out);
	snprintf(head, sizeof(head), "LOG %s ", words[level]);
	return bare_line(head, text, len, out);
}

static void
to_parent(int level, const char *area, const char *text, size_t len, void *arg)
{
	struct ptah_ipc *ipc = arg;
	char line[PTAH_LINE_MAX];

	(void)area;
	ptah_lines_offer(&ipc->out, line, ptah_ipc_log_line(ipc->dialect, level, text, len, line));
}

static void
to_stderr(int level, const char *area, const char *text, size_t len, void *arg)
{
	struct ptah_ipc *ipc = arg;
	char line[PTAH_LINE_MAX];

	(void)level;
	(void)area;
	ptah_lines_offer(&ipc->err, line, bare_line("ptah: ", text, len, line));
}

int
ptah_ipc_log_start(struct ptah_ipc *ipc, int level)
{
	return ptah_log_add(level | PTAH_LOG_AS_IS, to_parent, ipc);
}

int
ptah_ipc_talk_start(struct ptah_ipc *ipc, int level)
{
	return ptah_log_add(level | PTAH_LOG_AS_IS, to_stderr, ipc);
}

void
ptah_ipc_log_stop(struct ptah_ipc *ipc)
{
	ptah_log_remove(to_parent, ipc);
	ptah_log_remove(to_stderr, ipc);
}
