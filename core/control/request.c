/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/request.h"

#include <string.h>
#include <strings.h>

#include "base/addr.h"

/* What is left to read; a line is taken off its front. */
struct rest {
	const uint8_t *at;
	size_t len;
};

static struct ptah_span
span_of(const uint8_t *at, size_t len)
{
	return (struct ptah_span){ at, len };
}

static bool
is(struct ptah_span text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

static bool
is_name(struct ptah_span text, const char *word)
{
	return text.len == strlen(word) && strncasecmp((const char *)text.at, word, text.len) == 0;
}

static bool
copy(char *out, size_t room, struct ptah_span text)
{
	if (text.len >= room)
		return false;
	memcpy(out, text.at, text.len);
	out[text.len] = '\0';
	return true;
}

/* RFC 9110, 5.6.2. */
static bool
is_token(struct ptah_span text)
{
	static const char more[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = text.at[i];
		bool fine = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    (c != '\0' && strchr(more, c) != NULL);

		if (!fine)
			return false;
	}
	return text.len > 0;
}

/* One line, without its end; there is one. */
static struct ptah_span
take_line(struct rest *rest)
{
	const uint8_t *end = memchr(rest->at, '\n', rest->len);
	struct ptah_span line = span_of(rest->at, (size_t)(end - rest->at));

	rest->at += line.len + 1;
	rest->len -= line.len + 1;
	line.len--; /* CR: the caller has seen that it is there */
	return line;
}

/* Up to the byte 'c', which goes too; all of it where there is none. */
static struct ptah_span
take_until(struct ptah_span *line, char c)
{
	const uint8_t *end = line->len > 0 ? memchr(line->at, c, line->len) : NULL;
	struct ptah_span word = span_of(line->at, end != NULL ? (size_t)(end - line->at) : line->len);

	line->at += word.len + (end != NULL);
	line->len -= word.len + (end != NULL);
	return word;
}

static struct ptah_span
trim(struct ptah_span text)
{
	while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t'))
		text = span_of(text.at + 1, text.len - 1);
	while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* "/path?query", or "http://host/path?query" as a proxy has it.  0, or a status. */
static int
read_target(struct ptah_request *out, struct ptah_span target)
{
	static const char scheme[] = "http://";
	const size_t n = sizeof(scheme) - 1;

	for (size_t i = 0; i < target.len; i++)
		if (target.at[i] <= ' ' || target.at[i] >= 0x7f)
			return 400;
	if (target.len >= n && strncasecmp((const char *)target.at, scheme, n) == 0) {
		const uint8_t *path = memchr(target.at + n, '/', target.len - n);

		if (path == NULL || !copy(out->host, sizeof(out->host), span_of(target.at + n, (size_t)(path - target.at) - n)) ||
		    out->host[0] == '\0')
			return 400;
		target = span_of(path, target.len - (size_t)(path - target.at));
	}
	if (target.len == 0 || target.at[0] != '/')
		return 400;
	return copy(out->path, sizeof(out->path), take_until(&target, '?')) ? 0 : 404; /* nothing is that far down */
}

static int
read_first(struct ptah_request *out, struct ptah_span line, bool *needs_host)
{
	struct ptah_span method = take_until(&line, ' '), target = take_until(&line, ' ');

	if (!is_token(method))
		return 400;
	if (is(line, "HTTP/1.1"))
		*needs_host = true;
	else if (!is(line, "HTTP/1.0"))
		return line.len == 8 && memcmp(line.at, "HTTP/", 5) == 0 ? 505 : 400;
	out->head = is(method, "HEAD");
	if (!out->head && !is(method, "GET"))
		return 405;
	return read_target(out, target);
}

/* RFC 9112, 3.2: an absolute target says where it goes, and Host must be there all the same. */
static int
read_host(struct ptah_request *out, struct ptah_span value, bool *has_host)
{
	bool absolute = out->host[0] != '\0' && !*has_host;

	if (*has_host)
		return 400;
	*has_host = true;
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] <= ' ' || value.at[i] >= 0x7f)
			return 400;
	if (absolute)
		return 0;
	return copy(out->host, sizeof(out->host), value) ? 0 : 400;
}

static int
read_header(struct ptah_request *out, struct ptah_span line, bool *has_host)
{
	const uint8_t *colon = memchr(line.at, ':', line.len);
	struct ptah_span name, value;

	if (colon == NULL)
		return 400;
	name = span_of(line.at, (size_t)(colon - line.at));
	value = trim(span_of(colon + 1, line.len - name.len - 1));
	if (!is_token(name)) /* a blank before the colon, or a folded line */
		return 400;
	for (size_t i = 0; i < value.len; i++)
		if ((value.at[i] < ' ' && value.at[i] != '\t') || value.at[i] == 0x7f)
			return 400;
	if (is_name(name, "Host"))
		return read_host(out, value, has_host);
	/* No request that we answer has a body. */
	if (is_name(name, "Transfer-Encoding") || (is_name(name, "Content-Length") && !is(value, "0")))
		return 413;
	return 0;
}

/* The length with the empty line at the end; 0: that is not there yet; a status less than 0: it never can be. */
static long
measure(struct ptah_span in)
{
	size_t line = 0;

	for (size_t i = 0; i < in.len && i < PTAH_REQUEST_MAX; i++) {
		if (in.at[i] != '\n')
			continue;
		if (i == line || in.at[i - 1] != '\r')
			return -400;
		if (i == line + 1)
			return (long)i + 1;
		line = i + 1;
	}
	return in.len < PTAH_REQUEST_MAX ? 0 : -431;
}

long
ptah_request_parse(struct ptah_request *out, struct ptah_span in)
{
	long len = measure(in);
	bool needs_host = false, has_host = false;
	int wrong;

	*out = (struct ptah_request){ 0 };
	if (len <= 0)
		return len;

	struct rest rest = { in.at, (size_t)len };

	wrong = read_first(out, take_line(&rest), &needs_host);
	while (wrong == 0) {
		struct ptah_span line = take_line(&rest);

		if (line.len == 0)
			break;
		wrong = read_header(out, line, &has_host);
	}
	if (wrong == 0 && needs_host && !has_host)
		wrong = 400;
	return wrong == 0 ? len : -wrong;
}

/* The name without its port, which must be digits; "[...]" loses its brackets. */
static bool
cut_port(char *host)
{
	char *end = host[0] == '[' ? strchr(host, ']') : NULL;
	char *colon = strchr(end != NULL ? end : host, ':');

	if (host[0] == '[' && (end == NULL || (end[1] != '\0' && end[1] != ':')))
		return false;
	if (colon != NULL) {
		if (colon[1 + strspn(colon + 1, "0123456789")] != '\0')
			return false;
		*colon = '\0';
	}
	if (end != NULL) {
		*end = '\0';
		memmove(host, host + 1, strlen(host));
	}
	return true;
}

bool
ptah_request_host_is_local(const char *host)
{
	char name[PTAH_REQUEST_HOST];
	struct ptah_addr addr;

	if (!copy(name, sizeof(name), span_of((const uint8_t *)host, strlen(host))) || !cut_port(name))
		return false;
	if (strcasecmp(name, "localhost") == 0)
		return true;
	return ptah_addr_parse_host(&addr, name, 0) == 0 && ptah_addr_is_loopback(&addr);
}
