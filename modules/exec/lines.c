/* SPDX-License-Identifier: BSD-3-Clause */
#include "lines.h"

#include <string.h>

#include <ptah/host.h>

/* Cut the next word off; "" when there is none. */
static char *
next_word(char **rest)
{
	char *word = *rest + strspn(*rest, " "), *end = word + strcspn(word, " ");

	*rest = *end != '\0' ? end + 1 : end;
	*end = '\0';
	return word;
}

static void
malformed(struct exec_line *out, const char *why)
{
	out->word = EXEC_MALFORMED;
	out->text = why;
}

/* ---- each kind of line ------------------------------------------------------ */

static void
read_text(char *rest, struct exec_line *out)
{
	out->text = rest;
}

static void
read_named_error(char *rest, struct exec_line *out)
{
	out->name = next_word(&rest);
	out->text = rest;
	if (*out->name == '\0')
		malformed(out, "no transport is named");
}

static void
read_cmethod(char *rest, struct exec_line *out)
{
	const char *proto;

	out->name = next_word(&rest);
	proto = next_word(&rest);
	out->address = next_word(&rest);
	out->socks = strcmp(proto, "socks5") == 0 ? 5 : strcmp(proto, "socks4") == 0 ? 4 : 0;
	if (*out->name == '\0' || *out->address == '\0')
		malformed(out, "a CMETHOD wants a name, a protocol and an address");
	else if (out->socks == 0)
		malformed(out, "a CMETHOD of neither socks4 nor socks5");
}

static void
read_smethod(char *rest, struct exec_line *out)
{
	out->name = next_word(&rest);
	out->address = next_word(&rest);
	/* What else may stand there is not for us. */
	for (char *word = next_word(&rest); *word != '\0'; word = next_word(&rest))
		if (strncmp(word, "ARGS:", 5) == 0)
			out->args = word + 5;
	if (*out->name == '\0' || *out->address == '\0')
		malformed(out, "an SMETHOD wants a name and an address");
}

static int
is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* A byte behind a backslash. */
static char
unescape(char **at)
{
	char c = *(*at)++;

	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'r':
		return '\r';
	default:
		break;
	}
	if (is_octal(c)) {
		int n = c - '0';

		for (int i = 0; i < 2 && is_octal(**at); i++)
			n = n * 8 + (*(*at)++ - '0');
		return (char)n;
	}
	return c;
}

/*
 * The value of the next KEY=VALUE, a plain word or a C string in quotes, which
 * is decoded in place.  NULL: there is none, or it does not end.
 */
static char *
next_value(char **rest, char **key)
{
	char *at = *rest + strspn(*rest, " "), *value, *to;

	*key = at;
	at = strchr(at, '=');
	if (at == NULL)
		return NULL;
	*at++ = '\0';
	value = at;
	if (*at != '"') {
		*rest = at;
		return next_word(rest);
	}
	to = value = ++at;
	while (*at != '"') {
		int escaped = *at == '\\';

		at += escaped;
		if (*at == '\0')
			return NULL;
		*to++ = escaped ? unescape(&at) : *at;
		at += !escaped;
	}
	*rest = at + 1;
	*to = '\0';
	return value;
}

static uint32_t
level_of(const char *severity)
{
	static const struct {
		const char *word;
		uint32_t level;
	} levels[] = {
		{ "error", PTAH_LOG_LEVEL_ERROR },
		{ "warning", PTAH_LOG_LEVEL_WARN },
		{ "notice", PTAH_LOG_LEVEL_INFO },
		{ "info", PTAH_LOG_LEVEL_INFO },
		{ "debug", PTAH_LOG_LEVEL_DEBUG },
	};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(levels[i].word, severity) == 0)
			return levels[i].level;
	return 0;
}

static void
read_log(char *rest, struct exec_line *out)
{
	char *key, *value;

	while ((value = next_value(&rest, &key)) != NULL) {
		if (strcmp(key, "SEVERITY") == 0)
			out->level = level_of(value);
		else if (strcmp(key, "MESSAGE") == 0)
			out->text = value;
	}
	if (out->level == 0 || *out->text == '\0')
		malformed(out, "a LOG line wants SEVERITY and MESSAGE");
}

/* ---- which kind -------------------------------------------------------------- */

static const struct {
	const char *keyword;
	enum exec_word word;
	void (*read)(char *rest, struct exec_line *out);
} kinds[] = {
	{ "VERSION", EXEC_VERSION, read_text },
	{ "VERSION-ERROR", EXEC_VERSION_ERROR, read_text },
	{ "ENV-ERROR", EXEC_ENV_ERROR, read_text },
	{ "PROXY", EXEC_PROXY_DONE, NULL },
	{ "PROXY-ERROR", EXEC_PROXY_ERROR, read_text },
	{ "CMETHOD", EXEC_CMETHOD, read_cmethod },
	{ "CMETHOD-ERROR", EXEC_CMETHOD_ERROR, read_named_error },
	{ "CMETHODS", EXEC_CMETHODS_DONE, NULL },
	{ "SMETHOD", EXEC_SMETHOD, read_smethod },
	{ "SMETHOD-ERROR", EXEC_SMETHOD_ERROR, read_named_error },
	{ "SMETHODS", EXEC_SMETHODS_DONE, NULL },
	{ "LOG", EXEC_LOG, read_log },
	{ "STATUS", EXEC_STATUS, read_text },
};

void
exec_line_read(char *line, struct exec_line *out)
{
	char *rest = line;
	const char *keyword = next_word(&rest);

	*out = (struct exec_line){ .word = EXEC_UNKNOWN, .name = "", .address = "", .args = "", .text = "" };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].keyword, keyword) != 0)
			continue;
		out->word = kinds[i].word;
		if (kinds[i].read != NULL)
			kinds[i].read(rest, out);
		else if (strcmp(next_word(&rest), "DONE") != 0)
			malformed(out, "only DONE may stand there");
		return;
	}
}

/* ---- lines out of bytes --------------------------------------------------------- */

size_t
exec_reader_take(struct exec_reader *reader, const uint8_t *at, size_t len, char **line)
{
	const uint8_t *lf = len > 0 ? memchr(at, '\n', len) : NULL;
	size_t n = lf != NULL ? (size_t)(lf - at) : len;

	*line = NULL;
	if (reader->skipping || n > EXEC_LINE_MAX - reader->len) {
		reader->skipping = lf == NULL;
		reader->len = 0;
		return lf != NULL ? n + 1 : n;
	}
	if (n > 0)
		memcpy(reader->line + reader->len, at, n);
	reader->len += n;
	if (lf == NULL)
		return n;
	if (reader->len > 0 && reader->line[reader->len - 1] == '\r')
		reader->len--;
	reader->line[reader->len] = '\0';
	/* A NUL in it ends nothing: such a line is no words. */
	if (memchr(reader->line, '\0', reader->len) == NULL)
		*line = reader->line;
	reader->len = 0;
	return n + 1;
}
