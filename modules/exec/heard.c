/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "home.h"
#include "words.h"

/* How much is heard of it in a second; more waits in its pipe. */
#define TALK_MAX ((size_t)256 * 1024)
#define BREATHE_NS EXEC_NS_PER_S

/* ---- methods ---------------------------------------------------------------------- */

/* An "ip:port" of this machine: what it offers to others is none of ours to dial. */
static int
is_loopback(const char *address)
{
	char ip[64];
	const char *colon = strrchr(address, ':');
	size_t len = colon != NULL ? (size_t)(colon - address) : sizeof(ip);
	struct in6_addr v6;
	struct in_addr v4;

	if (len >= sizeof(ip))
		return 0;
	memcpy(ip, address, len);
	ip[len] = '\0';
	if (inet_pton(AF_INET, ip, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (len < 2 || ip[0] != '[' || ip[len - 1] != ']')
		return 0;
	ip[len - 1] = '\0';
	return inet_pton(AF_INET6, ip + 1, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static int
keep_address(struct exec_home *home, const char *address)
{
	if (strlen(address) >= sizeof(home->address)) {
		exec_life_fail(home, "the program's address is too long");
		return 0;
	}
	strcpy(home->address, address);
	return 1;
}

static void
hear_cmethod(struct exec_home *home, const struct exec_line *line)
{
	if (!is_loopback(line->address))
		exec_life_fail(home, "the program listens at an address that is not of this machine's loopback");
	else if (keep_address(home, line->address))
		home->socks = line->socks;
}

static void
hear_smethod(struct exec_home *home, const struct exec_line *line)
{
	free(home->args);
	home->args = NULL;
	if (*line->args != '\0' && exec_words_read(line->args, &home->args) < 0)
		exec_life_fail(home, "the program's ARGS cannot be read");
	else
		(void)keep_address(home, line->address);
}

static void
hear_method(struct exec_home *home, const struct exec_line *line)
{
	if (strcmp(line->name, home->name) != 0)
		return;
	switch (line->word) {
	case EXEC_CMETHOD:
		if (!home->is_server)
			hear_cmethod(home, line);
		break;
	case EXEC_SMETHOD:
		if (home->is_server)
			hear_smethod(home, line);
		break;
	default:
		exec_life_fail(home, "the program says of %s: %s", home->name, *line->text != '\0' ? line->text : "an error");
		break;
	}
}

static void
hear_done(struct exec_home *home)
{
	if (home->address[0] == '\0')
		exec_life_fail(home, "the program does not offer %s: give its own name for it as option \"name\"", home->name);
	else if (home->proxy != NULL && !home->proxied)
		exec_life_fail(home, "the program did not take the upstream proxy");
	else
		exec_life_ready(home);
}

/* ---- lines ------------------------------------------------------------------------- */

/* Words while it starts. */
static void
hear_of_start(struct exec_home *home, const struct exec_line *line)
{
	if (line->word == EXEC_VERSION) {
		if (strcmp(line->text, "1") == 0)
			home->versioned = 1;
		else
			exec_life_fail(home, "the program speaks version %s of the protocol, not 1", line->text);
		return;
	}
	switch (line->word) {
	case EXEC_VERSION_ERROR:
		exec_life_fail(home, "the program says: VERSION-ERROR %s", line->text);
		return;
	case EXEC_ENV_ERROR:
		exec_life_fail(home, "the program says: ENV-ERROR %s", line->text);
		return;
	case EXEC_PROXY_ERROR:
		exec_life_fail(home, "the program cannot use the upstream proxy: %s", line->text);
		return;
	default:
		break;
	}
	if (!home->versioned) {
		exec_life_fail(home, "the program does not begin with VERSION");
		return;
	}
	switch (line->word) {
	case EXEC_PROXY_DONE:
		home->proxied = 1;
		break;
	case EXEC_CMETHODS_DONE:
	case EXEC_SMETHODS_DONE:
		if ((line->word == EXEC_SMETHODS_DONE) == home->is_server)
			hear_done(home);
		break;
	default:
		hear_method(home, line);
		break;
	}
}

static void
hear_line(struct exec_home *home, char *text)
{
	struct exec_line line;

	exec_line_read(text, &line);
	switch (line.word) {
	case EXEC_UNKNOWN:
		break;
	case EXEC_MALFORMED:
		exec_say(home, PTAH_LOG_LEVEL_INFO, "a line of the program is ignored: %s", line.text);
		break;
	case EXEC_LOG:
		exec_say(home, line.level, "%s", line.text);
		break;
	case EXEC_STATUS:
		home->host->status(home->self, line.text, strlen(line.text));
		break;
	default:
		if (home->state == EXEC_STARTING)
			hear_of_start(home, &line);
		break;
	}
}

/* ---- streams ------------------------------------------------------------------------ */

/* Whoever floods us is heard a part at a time. */
static void
mind(struct exec_home *home, size_t n)
{
	if (home->talked == 0)
		home->host->timer(home->self, EXEC_T_BREATHE, BREATHE_NS);
	home->talked += n;
	if (home->talked > TALK_MAX)
		for (int i = 1; i < 3; i++)
			if (home->stdio[i] != NULL)
				home->host->ask(home->stdio[i], 0, 1, 0);
}

void
exec_heard_timer(struct exec_home *home)
{
	int was_held = home->talked > TALK_MAX;

	home->talked = 0;
	for (int i = 1; was_held && i < 3; i++)
		if (home->stdio[i] != NULL)
			home->host->ask(home->stdio[i], 0, 0, 0);
}

static void
forget(struct exec_home *home, int i, const struct ptah_event *event)
{
	if ((event->val & PTAH_STREAM_FAILED) == 0)
		home->host->drop(event->stream);
	home->stdio[i] = NULL;
}

void
exec_heard(struct exec_home *home, const struct ptah_event *event)
{
	struct ptah_span in = event->body;
	int i = 0;

	while (i < 3 && home->stdio[i] != event->stream)
		i++;
	if (i == 3)
		return;
	mind(home, in.len);
	home->host->eat(event->stream, in.len);
	/* Any line may end the program, and its streams with it. */
	while (i > 0 && in.len > 0 && home->stdio[i] == event->stream) {
		char *line;

		in = ptah_span_from(in, exec_reader_take(i == 1 ? home->out : home->err, in.at, in.len, &line));
		if (line != NULL && i == 1)
			hear_line(home, line);
		else if (line != NULL)
			exec_say(home, PTAH_LOG_LEVEL_DEBUG, "stderr: %s", line);
	}
	if (home->stdio[i] == event->stream && (event->val & (PTAH_STREAM_ENDED | PTAH_STREAM_FAILED)) != 0)
		forget(home, i, event);
}
