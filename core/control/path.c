/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/path.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16
/* Behind the path while it is not ready. */
#define NEW ".new"

static bool
address_of(struct sockaddr_un *addr, const char *path, const char *more)
{
	int n;

	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s%s", path, more);
	return n > 0 && (size_t)n < sizeof(addr->sun_path);
}

/* Is somebody there who answers? */
static bool
is_served(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool served;

	if (fd == -1)
		return false;
	served = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN;
	close(fd);
	return served;
}

static mode_t
mode_for(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)] = ".";
	struct stat st;

	if (slash)
		snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	if (stat(folder, &st) == 0 && (st.st_mode & S_IXGRP) != 0 && (st.st_mode & S_IRWXO) == 0)
		return 0660;
	return 0600;
}

/* Bound and listening under another name, then renamed: it is never there without its mode. */
static int
place(int fd, const struct sockaddr_un *at, const struct sockaddr_un *new, struct ptah_path *out)
{
	struct stat st;

	if (unlink(new->sun_path) == -1 && errno != ENOENT)
		return -errno;
	if (bind(fd, (const struct sockaddr *)new, sizeof(*new)) == -1)
		return -errno;
	if (chmod(new->sun_path, mode_for(at->sun_path)) == -1 || listen(fd, BACKLOG) == -1 ||
	    stat(new->sun_path, &st) == -1 || rename(new->sun_path, at->sun_path) == -1) {
		int rc = -errno;

		(void)unlink(new->sun_path);
		return rc;
	}
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	return 0;
}

static int
refuse(int rc, const char *path, const char *words, char *why, size_t why_room)
{
	snprintf(why, why_room, "%s: %s", path, words ? words : strerror(-rc));
	return rc;
}

int
ptah_path_listen(struct ptah_path *out, const char *path, char *why, size_t why_room)
{
	struct sockaddr_un at, new;
	struct stat st;
	int rc, fd;

	if (!address_of(&at, path, "") || !address_of(&new, path, NEW))
		return refuse(-ENAMETOOLONG, path, "too long for a socket", why, why_room);
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return refuse(-EEXIST, path, "something is there that is no socket: move it away", why, why_room);
	if (is_served(&at))
		return refuse(-EADDRINUSE, path, "another process serves there: end it, or name another path", why, why_room);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return refuse(-errno, path, NULL, why, why_room);
	out->path = strdup(path);
	rc = out->path ? place(fd, &at, &new, out) : -ENOMEM;
	if (rc == 0)
		return fd;
	free(out->path);
	out->path = NULL;
	close(fd);
	return refuse(rc, path, rc == -ENOENT ? "there is no such folder: make it first" : NULL, why, why_room);
}

void
ptah_path_clear(struct ptah_path *path)
{
	struct stat st;

	if (path->path && lstat(path->path, &st) == 0 && st.st_dev == path->dev && st.st_ino == path->ino)
		(void)unlink(path->path);
	free(path->path);
	*path = (struct ptah_path){ 0 };
}
