/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/logline.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

/* All that stands around the text of a line. */
#define AROUND 512

const char *
ptah_log_time(char out[static PTAH_LOG_TIME])
{
	struct timespec now;
	struct tm utc;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	n = strftime(out, PTAH_LOG_TIME, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(out + n, PTAH_LOG_TIME - n, ".%03ldZ", now.tv_nsec / 1000000);
	return out;
}

void
ptah_log_write(int fd, const char *head, const char *text, size_t len)
{
	char line[PTAH_LOG_LINE + AROUND];
	size_t head_len = strlen(head);

	if (head_len > sizeof(line) - 1)
		return;
	len = ptah_text_utf8_cut(text, len, sizeof(line) - 1 - head_len);
	memcpy(line, head, head_len);
	memcpy(line + head_len, text, len);
	line[head_len + len] = '\n';
	/* A log that cannot be written is not worth more than this try. */
	(void)!ptah_write_full(fd, line, head_len + len + 1);
}

void
ptah_log_to_stderr(int level, const char *area, const char *text, size_t len, void *arg)
{
	(void)level;
	(void)area;
	(void)arg;
	ptah_log_write(STDERR_FILENO, "ptah: ", text, len);
}

void
ptah_log_to_journal(int level, const char *area, const char *text, size_t len, void *arg)
{
	static const int priorities[] = { 2, 3, 4, 5, 6, 7 }; /* of syslog(3), by our level */
	char head[64];

	(void)arg;
	snprintf(head, sizeof(head), "<%d>%s: ", priorities[level], area);
	ptah_log_write(STDERR_FILENO, head, text, len);
}

/* Add a text as the inside of a JSON string, as far as there is room.  It is UTF-8 without control bytes: the log saw to that. */
static size_t
put_json(char *out, size_t at, size_t room, const char *text, size_t len)
{
	for (size_t i = 0; i < len && at + 2 < room; i++) {
		if (text[i] == '"' || text[i] == '\\')
			out[at++] = '\\';
		out[at++] = text[i];
	}
	return at;
}

static size_t
put_member(char *out, size_t at, size_t room, const char *key, const char *text, size_t len)
{
	int n = snprintf(out + at, room - at, "%s\"%s\":\"", at > 0 ? "," : "{", key);

	if (n < 0 || (size_t)n >= room - at)
		return at;
	at = put_json(out, at + (size_t)n, room - 1, text, len);
	out[at++] = '"';
	return at;
}

void
ptah_log_to_json(int level, const char *area, const char *text, size_t len, void *arg)
{
	static const char *const names[] = { "", "error", "warn", "notice", "info", "debug" };
	const char *event = ptah_log_event(), *service = ptah_log_service();
	char line[2 * PTAH_LOG_LINE + AROUND], date[PTAH_LOG_TIME]; /* each byte of it may need a backslash */
	size_t at = 0;

	(void)arg;
	if (!event)
		event = "log";
	ptah_log_time(date);
	at = put_member(line, at, AROUND, "time", date, strlen(date));
	at = put_member(line, at, AROUND, "level", names[level], strlen(names[level]));
	at = put_member(line, at, AROUND, "area", area, strlen(area));
	at = put_member(line, at, AROUND, "event", event, strlen(event));
	if (service)
		at = put_member(line, at, AROUND, "service", service, strlen(service));
	at = put_member(line, at, sizeof(line) - 2, "text", text, len);
	line[at++] = '}';
	line[at++] = '\n';
	(void)!ptah_write_full(STDERR_FILENO, line, at);
}
