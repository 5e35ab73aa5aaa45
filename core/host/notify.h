/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/notify.h: tell the service manager how we fare (sd_notify(3)).
 *
 * One datagram to the socket that NOTIFY_SOCKET names, "KEY=VALUE" lines; the
 * words are systemd's and stable.  Where nobody asked, all of it does nothing.
 * What cannot be sent is lost: a manager that does not listen must not stop us.
 *
 * Knows nothing of what there is to tell.
 *
 * Threads: the main one.
 */
#ifndef PTAH_HOST_NOTIFY_H
#define PTAH_HOST_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

/** {.fd = -1}: nobody listens. */
struct ptah_notify {
	int fd;
	struct sockaddr_un to;
	socklen_t to_len;
	pid_t main_pid;       /* who the manager is to take us for */
	uint64_t watchdog_ns; /* the manager kills us if it hears nothing for so long; 0: it does not */
};

/**
 * Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
 * Gives: *notify, for ptah_notify_close(), also on failure.
 * Fails: -EINVAL when a variable makes no sense; what socket(2) says.
 */
int ptah_notify_open(struct ptah_notify *notify, char *const envp[]);
void ptah_notify_close(struct ptah_notify *notify);

/** All that was asked for runs; 'status' in words for people. */
void ptah_notify_ready(const struct ptah_notify *notify, const char *status);
/** A reload begins; it ends with ptah_notify_ready(). */
void ptah_notify_reloading(const struct ptah_notify *notify);
/** The end has begun, and may take so long. */
void ptah_notify_stopping(const struct ptah_notify *notify, const char *status, uint64_t extend_ns);
/** One line for people: what "systemctl status" shows. */
void ptah_notify_status(const struct ptah_notify *notify, const char *status);
/** Still alive: call it twice in each watchdog_ns. */
void ptah_notify_alive(const struct ptah_notify *notify);

#endif
