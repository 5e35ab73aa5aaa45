/* SPDX-License-Identifier: BSD-3-Clause */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int
is_there(const char *path)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* A descriptor that holds it, or -errno.  Where the file system knows no such locks it is held by nobody. */
static int
hold(const char *path)
{
	int fd = is_there(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd == -1)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK) {
		close(fd);
		return -EBUSY;
	}
	return fd;
}

static char *
path_of(const char *state, const char *name, unsigned number)
{
	char *path;
	int n = number == 1 ? asprintf(&path, "%s/exec-%s", state, name) : asprintf(&path, "%s/exec-%s.%u", state, name, number);

	return n == -1 ? NULL : path;
}

int
exec_folder_take(struct exec_folder *folder, const char *state, const char *name, unsigned most, char *why, size_t room)
{
	int rc = -EBUSY;

	*folder = (struct exec_folder){ NULL, -1 };
	/* The state folder itself is made with the first state. */
	if (!is_there(state)) {
		rc = -errno;
		snprintf(why, room, "cannot make the state folder %s: %s", state, strerror(-rc));
		return rc;
	}
	for (unsigned i = 1; rc == -EBUSY && i <= most; i++) {
		free(folder->path);
		folder->path = path_of(state, name, i);
		rc = folder->path != NULL ? hold(folder->path) : -ENOMEM;
	}
	if (rc >= 0) {
		folder->fd = rc;
		return 0;
	}
	if (rc == -EBUSY)
		snprintf(why, room, "its state folder exec-%s is in use, by another process or another transport of this one: "
		    "give it a name of its own by a NAME.json, or another state folder", name);
	else
		snprintf(why, room, "cannot use its state folder exec-%s: %s", name, strerror(-rc));
	exec_folder_clear(folder);
	return rc;
}

void
exec_folder_clear(struct exec_folder *folder)
{
	if (folder->path != NULL && folder->fd != -1)
		close(folder->fd);
	free(folder->path);
	*folder = (struct exec_folder){ NULL, -1 };
}
