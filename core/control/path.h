/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * control/path.h: a listening socket of the file system, and whom it lets in.
 *
 * It lets in its own user, and root.  Where the folder around it lets its group
 * in and nobody else (mode 0750, as a service manager makes it), so does the
 * socket: the operator has said then who that group is.
 */
#ifndef PTAH_CONTROL_PATH_H
#define PTAH_CONTROL_PATH_H

#include <stddef.h>
#include <sys/types.h>

struct ptah_path {
	char *path;
	dev_t dev; /* of what we have put there */
	ino_t ino;
};

/**
 * Listen at 'path'.  What a process has left there that is gone is replaced, without a moment in which nothing is there.
 * Gives: a descriptor, non-blocking; and *out, for ptah_path_clear().
 * Fails: -errno, and a line in 'why': -EADDRINUSE: somebody serves there.
 */
int ptah_path_listen(struct ptah_path *out, const char *path, char *why, size_t why_room);
/** Take it away, if it is still ours.  Fine for a zeroed one. */
void ptah_path_clear(struct ptah_path *path);

#endif
