/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "config/source.h"

#define NS_PER_US 1000u

/* A whole unsigned number, and nothing else. */
static int
number(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 ? 0 : -EINVAL;
}

/* A path, or a name in the abstract space, which is written with an '@'. */
static int
read_address(struct ptah_notify *notify, const char *where)
{
	size_t len = strlen(where);

	if ((where[0] != '/' && where[0] != '@') || len < 2 || len >= sizeof(notify->to.sun_path))
		return -EINVAL;
	notify->to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(notify->to.sun_path, where, len + 1);
	notify->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	if (where[0] == '@') {
		notify->to.sun_path[0] = '\0';
		notify->to_len--; /* every byte of such a name counts, so no NUL behind it */
	}
	return 0;
}

static int
read_watchdog(struct ptah_notify *notify, char *const envp[])
{
	const char *usec = ptah_env_get(envp, "WATCHDOG_USEC"), *pid = ptah_env_get(envp, "WATCHDOG_PID");
	uint64_t n;

	if (!usec)
		return 0;
	if (pid && number(pid, &n) != 0)
		return -EINVAL;
	if (pid && n != (uint64_t)getpid()) /* it is meant for another process */
		return 0;
	if (number(usec, &n) != 0 || n == 0 || n > UINT64_MAX / NS_PER_US)
		return -EINVAL;
	notify->watchdog_ns = n * NS_PER_US;
	return 0;
}

int
ptah_notify_open(struct ptah_notify *notify, char *const envp[])
{
	const char *where = ptah_env_get(envp, "NOTIFY_SOCKET");
	int rc;

	*notify = (struct ptah_notify){ .fd = -1, .main_pid = getpid() };
	if (!where)
		return 0;
	rc = read_address(notify, where);
	if (rc == 0)
		rc = read_watchdog(notify, envp);
	if (rc != 0)
		return rc;
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return notify->fd == -1 ? -errno : 0;
}

void
ptah_notify_close(struct ptah_notify *notify)
{
	if (notify->fd != -1)
		close(notify->fd);
	*notify = (struct ptah_notify){ .fd = -1 };
}

static void __attribute__((format(printf, 2, 3)))
tell(const struct ptah_notify *notify, const char *format, ...)
{
	char text[1024];
	va_list args;
	int n;

	if (notify->fd == -1)
		return;
	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0)
		return;

	size_t len = (size_t)n < sizeof(text) ? (size_t)n : ptah_text_utf8_cut(text, sizeof(text) - 1, sizeof(text) - 1);

	(void)!sendto(notify->fd, text, len, MSG_NOSIGNAL, (const struct sockaddr *)&notify->to, notify->to_len);
}

void
ptah_notify_ready(const struct ptah_notify *notify, const char *status)
{
	tell(notify, "READY=1\nMAINPID=%ld\nSTATUS=%s", (long)notify->main_pid, status);
}

void
ptah_notify_reloading(const struct ptah_notify *notify)
{
	struct timespec now;

	/* The manager compares this with its own clock: the monotonic one, by name. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	tell(notify, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reading the configuration again",
	    (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / NS_PER_US);
}

void
ptah_notify_stopping(const struct ptah_notify *notify, const char *status, uint64_t extend_ns)
{
	tell(notify, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu\nSTATUS=%s", (unsigned long long)(extend_ns / NS_PER_US), status);
}

void
ptah_notify_status(const struct ptah_notify *notify, const char *status)
{
	tell(notify, "STATUS=%s", status);
}

void
ptah_notify_alive(const struct ptah_notify *notify)
{
	tell(notify, "WATCHDOG=1");
}
