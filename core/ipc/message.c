/* SPDX-License-Identifier: BSD-3-Clause */
#include "ipc/message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/plan.h"

void
ptah_ipc_init(struct ptah_ipc *ipc, int out_fd, int err_fd, int wake_fd)
{
	ptah_lines_init(&ipc->out, out_fd, wake_fd);
	ptah_lines_init(&ipc->err, err_fd, wake_fd);
	ipc->error_streams = PTAH_STREAM_ERR;
	ipc->dialect = PTAH_D3;
	ipc->role = PTAH_ROLE_CLIENT;
}

void
ptah_ipc_clear(struct ptah_ipc *ipc)
{
	ptah_lines_clear(&ipc->out);
	ptah_lines_clear(&ipc->err);
}

/* Make 'line', which has room for PTAH_LINE_MAX + 1 and no LF yet, printable ASCII with its LF; its length. */
static size_t
finish_line(char *line)
{
	size_t len = strlen(line);

	if (len > PTAH_LINE_MAX - 1)
		len = PTAH_LINE_MAX - 1;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || (unsigned char)line[i] > 0x7e)
			line[i] = '?';
	while (len > 0 && line[len - 1] == ' ')
		len--;
	line[len++] = '\n';
	return len;
}

static int
say(struct ptah_ipc *ipc, unsigned streams, char *line)
{
	size_t len = finish_line(line);
	int rc = 0;

	if ((streams & PTAH_STREAM_OUT) != 0)
		rc = ptah_lines_say(&ipc->out, line, len);
	if (rc != -EINTR && (streams & PTAH_STREAM_ERR) != 0) {
		int also = ptah_lines_say(&ipc->err, line, len);

		if (also == -EINTR)
			rc = also;
	}
	return rc;
}

int
ptah_ipc_version(struct ptah_ipc *ipc, const char *token)
{
	char line[PTAH_LINE_MAX + 1];

	snprintf(line, sizeof(line), "VERSION %s", token);
	return say(ipc, PTAH_STREAM_OUT, line);
}

int
ptah_ipc_fatal(struct ptah_ipc *ipc, unsigned streams, const char *keyword, const char *text)
{
	char line[PTAH_LINE_MAX + 1];

	snprintf(line, sizeof(line), "%s %s", keyword, text);
	return say(ipc, streams, line);
}

int
ptah_ipc_status(struct ptah_ipc *ipc, const char *version)
{
	char line[PTAH_LINE_MAX + 1];

	snprintf(line, sizeof(line),
	    "STATUS TRANSPORT=ptah TYPE=version IMPLEMENTATION=ptah VERSION=%s", version);
	return say(ipc, PTAH_STREAM_OUT, line);
}

void
ptah_ipc_offer_status(struct ptah_ipc *ipc, const char *text, size_t len)
{
	char line[PTAH_LINE_MAX + 1];

	snprintf(line, sizeof(line), "STATUS %.*s", (int)(len < PTAH_LINE_MAX ? len : PTAH_LINE_MAX), text);
	(void)ptah_lines_offer(&ipc->out, line, finish_line(line));
}

int
ptah_ipc_proxy_done(struct ptah_ipc *ipc)
{
	char line[PTAH_LINE_MAX + 1] = "PROXY DONE";

	return say(ipc, PTAH_STREAM_OUT, line);
}

int
ptah_ipc_cmethod(struct ptah_ipc *ipc, const char *name, const char *proto,
    const struct ptah_addr *addr)
{
	char line[PTAH_LINE_MAX + 1], text[PTAH_ADDR_TEXT];

	if (snprintf(line, sizeof(line), "CMETHOD %s %s %s", name, proto,
	    ptah_addr_format(addr, text)) >= PTAH_LINE_MAX)
		return -EMSGSIZE;
	return say(ipc, PTAH_STREAM_OUT, line);
}

int
ptah_ipc_smethod(struct ptah_ipc *ipc, const char *name, const char *addr,
    const struct ptah_kv *args)
{
	char line[PTAH_LINE_MAX + 1], *text = NULL;
	bool has_args = args && args->n > 0;
	int rc = has_args ? ptah_kv_format_args(args, &text) : 0;

	if (rc != 0)
		return rc;
	rc = snprintf(line, sizeof(line), "SMETHOD %s %s%s%s", name, addr,
	    has_args ? " ARGS:" : "", has_args ? text : "") >= PTAH_LINE_MAX ? -EMSGSIZE : 0;
	free(text);
	return rc == 0 ? say(ipc, PTAH_STREAM_OUT, line) : rc;
}

int
ptah_ipc_method_error(struct ptah_ipc *ipc, const char *name, const char *text)
{
	char line[PTAH_LINE_MAX + 1];

	snprintf(line, sizeof(line), "%sMETHOD-ERROR %s %s",
	    ipc->role == PTAH_ROLE_CLIENT ? "C" : "S", name,
	    text && text[strspn(text, " ")] ? text : "it did not say why");
	return say(ipc, ipc->error_streams, line);
}

int
ptah_ipc_methods_done(struct ptah_ipc *ipc)
{
	char line[PTAH_LINE_MAX + 1];

	snprintf(line, sizeof(line), "%sMETHODS DONE",
	    ipc->role == PTAH_ROLE_CLIENT ? "C" : "S");
	return say(ipc, PTAH_STREAM_OUT, line);
}
