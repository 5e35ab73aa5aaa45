/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client's link: ask the home where the program listens, and call there as
 * Tor would.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "call.h"
#include "link.h"
#include "words.h"

/* A bridge that has no address is called by one that nobody has. */
#define NOWHERE "0.0.2.0"
#define NOWHERE_PORT 1

/* What is known until the program has taken the connection. */
struct exec_dialling {
	struct ptah_stream *stream;
	struct exec_call call;
	char *args;
	char host_name[256];
};

/* "host:port" or "[v6]:port". */
static int
read_server(struct exec_dialling *dialling, const char *server)
{
	const char *colon, *host = server;
	size_t len;

	dialling->call.host = dialling->host_name;
	dialling->call.port = NOWHERE_PORT;
	if (server == NULL || *server == '\0') {
		strcpy(dialling->host_name, NOWHERE);
		return 0;
	}
	colon = strrchr(server, ':');
	len = colon != NULL ? (size_t)(colon - server) : 0;
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(dialling->host_name))
		return -EINVAL;
	memcpy(dialling->host_name, host, len);
	dialling->call.port = (uint16_t)atoi(colon + 1);
	return 0;
}

int
exec_link_dial(void *opaque, const struct ptah_open *open, struct ptah_io *io)
{
	static const uint8_t ask = EXEC_ASK;
	const struct exec_conf *conf = open->conf;
	struct exec_link *link = opaque;
	struct exec_dialling *dialling = calloc(1, sizeof(*dialling));
	int rc;

	if (dialling == NULL)
		return -ENOMEM;
	link->host = open->host;
	link->self = open->self;
	link->dialling = dialling;
	rc = read_server(dialling, open->server);
	if (rc == 0)
		rc = exec_words_write(open->settings, conf->options, exec_is_ours, NULL, &dialling->args);
	if (rc == -EINVAL)
		io->reason = "options for the program must be texts, numbers, truth values or lists of them";
	if (rc < 0)
		return rc;
	dialling->call.args = dialling->args;
	if (link->host->id(link->self) == 0)
		return -ENOMEM;
	return link->host->mail(link->self, PTAH_HOME, (struct ptah_span){ &ask, 1 });
}

/* The home's answer. */
static int
on_letter(struct exec_link *link, struct ptah_span body, struct ptah_io *io)
{
	char text[EXEC_LETTER_MAX];
	size_t len = body.len < sizeof(text) ? body.len : sizeof(text) - 1;

	memcpy(text, body.at, len);
	text[len] = '\0';
	if (text[0] != EXEC_CALL || len < 2) {
		/* What it said outlives no link, as a reason must: so that is for the log. */
		if (len > 1)
			link->host->log(link->self, PTAH_LOG_LEVEL_INFO, text + 1, len - 1);
		io->reason = "the program does not run";
		return -EHOSTUNREACH;
	}
	link->dialling->call.socks = (unsigned)(text[1] - '0');
	link->dialling->stream = link->host->dial(link->self, PTAH_LOCAL, text + 2, NULL);
	return link->dialling->stream != NULL ? 0 : -ENOMEM;
}

static int
say(struct exec_link *link, const uint8_t *bytes, size_t len)
{
	return link->host->write(link->dialling->stream, (struct ptah_span){ bytes, len }) == len ? 0 : -EIO;
}

static int
begin(struct exec_link *link)
{
	uint8_t out[EXEC_CALL_ROOM];
	long n = exec_call_begin(&link->dialling->call, out);

	return n < 0 ? (int)n : say(link, out, (size_t)n);
}

static void
forget(struct exec_link *link)
{
	struct exec_dialling *dialling = link->dialling;

	if (dialling == NULL)
		return;
	if (dialling->args != NULL)
		sodium_memzero(dialling->args, strlen(dialling->args));
	free(dialling->args);
	free(dialling);
	link->dialling = NULL;
}

static int
hear(struct exec_link *link, struct ptah_span in)
{
	uint8_t out[EXEC_CALL_ROOM];
	size_t eaten, said;
	int rc;

	do {
		rc = exec_call_hear(&link->dialling->call, in, &eaten, out, &said);
		link->host->eat(link->dialling->stream, eaten);
		in = ptah_span_from(in, eaten);
		if (rc == 0 && said > 0)
			rc = say(link, out, said);
		sodium_memzero(out, said);
	} while (rc == 0 && eaten > 0);
	if (rc != 1)
		return rc;
	rc = link->host->give(link->self, link->dialling->stream);
	forget(link);
	return rc;
}

static int
on_stream(struct exec_link *link, const struct ptah_event *event)
{
	if ((event->val & PTAH_STREAM_FAILED) != 0) {
		link->dialling->stream = NULL;
		link->dialling->call.why = "the program's connection failed";
		return event->rc;
	}
	if ((event->val & PTAH_STREAM_OPENED) != 0)
		return begin(link);
	if ((event->val & PTAH_STREAM_INPUT) != 0) {
		int rc = hear(link, event->body);

		if (rc != 0 || (event->val & PTAH_STREAM_ENDED) == 0)
			return rc;
	}
	if ((event->val & PTAH_STREAM_ENDED) != 0) {
		link->dialling->call.why = "the program closed the connection";
		return -ECONNRESET;
	}
	return 0;
}

int
exec_link_event(void *opaque, const struct ptah_event *event, struct ptah_io *io)
{
	struct exec_link *link = opaque;
	int rc = 0;

	if (link->dialling == NULL)
		return 0;
	if (event->what == PTAH_EV_MAIL)
		return on_letter(link, event->body, io);
	if (event->what == PTAH_EV_STREAM && event->stream == link->dialling->stream)
		rc = on_stream(link, event);
	if (rc < 0 && link->dialling != NULL)
		io->reason = link->dialling->call.why;
	return rc;
}

void
exec_link_close(void *opaque, int why)
{
	(void)why;
	forget(opaque);
}
