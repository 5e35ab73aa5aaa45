/* SPDX-License-Identifier: BSD-3-Clause */
/** host/serve.h: one life under a parent process (ipc.md 3.4, 8). */
#ifndef PTAH_HOST_SERVE_H
#define PTAH_HOST_SERVE_H

#include <sys/types.h>

/** Read the settings, do what they say, until the end.  'parent': getppid() at birth.  Exit status. */
int ptah_serve(int argc, char *argv[], char *envp[], pid_t parent);

#endif
