/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * exec/folder.h: the state folder of a program, for it alone: exec-NAME in
 * ours.
 *
 * As long as it is held nobody else takes it, neither another transport of
 * this process nor another process: two programs would write over each other's
 * identity, and our cookie.
 */
#ifndef PTAH_EXEC_FOLDER_H
#define PTAH_EXEC_FOLDER_H

#include <stddef.h>

struct exec_folder {
	char *path; /* NULL: none */
	int fd;
};

/**
 * Make it, if need be, and take it.  Where another has it take the first free one of exec-NAME.2 .. exec-NAME.'most'.
 * Fails: -errno and 'why'; nothing to clear.
 */
int exec_folder_take(struct exec_folder *folder, const char *state, const char *name, unsigned most, char *why, size_t room);

/** Give it up, and leave what lies there.  Of one that was never taken, too. */
void exec_folder_clear(struct exec_folder *folder);

#endif
