/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/logline.h"
#include "base/scrub.h"

#define OUTPUTS 4
#define LEVEL_MASK 0xff

/* A line as its caller wrote it. */
#define RAW_LINE 4096

static struct {
	pthread_mutex_t lock; /* of all but the atomics */
	struct {
		int level;
		ptah_log_output_fn *fn;
		void *arg;
	} outputs[OUTPUTS];
	int file;
	atomic_int level; /* the most that any output hears */
	atomic_bool unsafe;
} sink = { .lock = PTHREAD_MUTEX_INITIALIZER, .file = -1 };

/* An output that logs would wait for itself. */
static _Thread_local bool in_output;

/* What the line of this thread is about. */
static _Thread_local const char *event_now, *service_now;

bool
ptah_log_hears(int level)
{
	return level <= atomic_load_explicit(&sink.level, memory_order_relaxed);
}

/* Replace control bytes by spaces. */
static void
clean(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = ' ';
	}
}

/* Scrub the 'len' bytes of 'raw' and hand them out.  A line that was cut ends in "...". */
static void
hand_out(int level, const char *area, const char *raw, size_t len, bool cut)
{
	char whole[PTAH_LOG_LINE], plain[PTAH_LOG_LINE];
	size_t n;

	if (cut)
		len = ptah_scrub_cut(raw, len);
	n = ptah_scrub(raw, len, atomic_load_explicit(&sink.unsafe, memory_order_relaxed), whole,
	    sizeof(whole) - 3);
	if (cut) {
		memcpy(whole + n, "...", 4);
		n += 3;
	}
	memcpy(plain, whole, n + 1);
	clean(plain, n);

	in_output = true;
	pthread_mutex_lock(&sink.lock);
	for (size_t i = 0; i < OUTPUTS; i++) {
		bool as_is = (sink.outputs[i].level & PTAH_LOG_AS_IS) != 0;

		if (sink.outputs[i].fn != NULL && level <= (sink.outputs[i].level & LEVEL_MASK))
			sink.outputs[i].fn(level, area, as_is ? whole : plain, n, sink.outputs[i].arg);
	}
	pthread_mutex_unlock(&sink.lock);
	in_output = false;
}

static void __attribute__((format(printf, 4, 0)))
say(int level, const char *area, const char *after, const char *format, va_list args)
{
	char raw[RAW_LINE];
	size_t len, room = sizeof(raw) - strlen(after);
	int n;

	if (in_output || !ptah_log_hears(level))
		return;
	n = vsnprintf(raw, room, format, args);
	if (n < 0)
		return;
	if ((size_t)n >= room) {
		hand_out(level, area, raw, room - 1, true);
		return;
	}
	len = (size_t)n + strlen(after);
	memcpy(raw + n, after, strlen(after) + 1);
	hand_out(level, area, raw, len, false);
}

void
ptah_log(int level, const char *area, const char *format, ...)
{
	int saved = errno;
	va_list args;

	va_start(args, format);
	say(level, area, "", format, args);
	va_end(args);
	errno = saved;
}

void
ptah_event(int level, const char *area, const char *event, const char *service, const char *format, ...)
{
	int saved = errno;
	va_list args;

	event_now = event;
	service_now = service;
	va_start(args, format);
	say(level, area, "", format, args);
	va_end(args);
	event_now = service_now = NULL;
	errno = saved;
}

const char *
ptah_log_event(void)
{
	return event_now;
}

const char *
ptah_log_service(void)
{
	return service_now;
}

void
ptah_log_rc(int level, const char *area, int rc, const char *format, ...)
{
	int saved = errno;
	char reason[128];
	va_list args;

	snprintf(reason, sizeof(reason), ": %s", strerror(-rc));
	va_start(args, format);
	say(level, area, reason, format, args);
	va_end(args);
	errno = saved;
}

void
ptah_log_often(int level, struct ptah_often *often, const char *area, const char *format, ...)
{
	uint64_t now = ptah_clock_now_ns();
	uint64_t pause = 10 * PTAH_NS_PER_S;
	char more[64] = "";
	va_list args;

	if (often->said > 0 && now < often->next_ns) {
		often->n++;
		return;
	}
	if (often->n > 0)
		snprintf(more, sizeof(more), " (and %lu more like it)", often->n);
	for (unsigned long i = 0; i < often->said && i < 3; i++)
		pause *= 10;
	often->next_ns = now + pause;
	often->said++;
	often->n = 0;
	va_start(args, format);
	say(level, area, more, format, args);
	va_end(args);
}

/* With the lock held. */
static void
find_level(void)
{
	int most = PTAH_LOG_NONE;

	for (size_t i = 0; i < OUTPUTS; i++) {
		int level = sink.outputs[i].level & LEVEL_MASK;

		if (sink.outputs[i].fn != NULL && level > most)
			most = level;
	}
	atomic_store_explicit(&sink.level, most, memory_order_relaxed);
}

int
ptah_log_add(int level, ptah_log_output_fn *output, void *arg)
{
	int rc = -ENOSPC;

	pthread_mutex_lock(&sink.lock);
	for (size_t i = 0; i < OUTPUTS && rc != 0; i++) {
		if (sink.outputs[i].fn != NULL)
			continue;
		sink.outputs[i].level = level;
		sink.outputs[i].fn = output;
		sink.outputs[i].arg = arg;
		rc = 0;
	}
	find_level();
	pthread_mutex_unlock(&sink.lock);
	return rc;
}

void
ptah_log_remove(ptah_log_output_fn *output, void *arg)
{
	pthread_mutex_lock(&sink.lock);
	for (size_t i = 0; i < OUTPUTS; i++) {
		if (sink.outputs[i].fn == output && sink.outputs[i].arg == arg)
			sink.outputs[i].fn = NULL;
	}
	find_level();
	pthread_mutex_unlock(&sink.lock);
}

void
ptah_log_unsafe(bool show_addresses)
{
	atomic_store_explicit(&sink.unsafe, show_addresses, memory_order_relaxed);
}

static void
to_file(int level, const char *area, const char *text, size_t len, void *arg)
{
	static const char *const names[] = { "", "ERROR", "WARN", "INFO", "INFO", "DEBUG" };
	char head[96], date[PTAH_LOG_TIME];

	(void)arg;
	snprintf(head, sizeof(head), "%s %s %s: ", ptah_log_time(date), names[level], area);
	ptah_log_write(sink.file, head, text, len);
}

int
ptah_log_file_open(const char *path, int level)
{
	int rc;
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);

	if (fd == -1)
		return -errno;
	/* An older file may be open to more than us; one that is not ours stays as it is. */
	if (fchmod(fd, 0600) == -1 && errno != EPERM) {
		rc = -errno;
		close(fd);
		return rc;
	}
	ptah_log_file_close();
	pthread_mutex_lock(&sink.lock);
	sink.file = fd;
	pthread_mutex_unlock(&sink.lock);
	rc = ptah_log_add(level, to_file, NULL);
	if (rc != 0)
		ptah_log_file_close();
	return rc;
}

void
ptah_log_file_close(void)
{
	ptah_log_remove(to_file, NULL);
	pthread_mutex_lock(&sink.lock);
	if (sink.file != -1)
		close(sink.file);
	sink.file = -1;
	pthread_mutex_unlock(&sink.lock);
}

int
ptah_log_level_parse(const char *word)
{
	static const struct {
		const char *word;
		int level;
	} words[] = {
		{ "NONE", PTAH_LOG_NONE },
		{ "ERROR", PTAH_LOG_ERROR },
		{ "WARN", PTAH_LOG_WARN },
		{ "INFO", PTAH_LOG_INFO },
		{ "DEBUG", PTAH_LOG_DEBUG },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(word, words[i].word) == 0)
			return words[i].level;
	}
	return -EINVAL;
}

_Noreturn void
ptah_assert_failed(const char *truth, const char *file, int line)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "ptah: bug at %s:%d: %s\n", file, line, truth);

	if (n > 0)
		(void)!ptah_write_full(STDERR_FILENO, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
	abort();
}
