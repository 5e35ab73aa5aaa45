/* SPDX-License-Identifier: BSD-3-Clause */
/** host/inside.h: what ptah is inside a cell (host/cell.h): one service, locked up before its first module is loaded. */
#ifndef PTAH_HOST_INSIDE_H
#define PTAH_HOST_INSIDE_H

#include <stdbool.h>

/** Was this process started as one? */
bool ptah_inside_is(int argc, char *const argv[]);

/** Serve until the parent says otherwise, or is gone.  Does not return: module code that still runs must not see memory freed. */
_Noreturn void ptah_inside(char *envp[]);

#endif
