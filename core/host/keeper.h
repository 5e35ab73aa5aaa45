/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/keeper.h: the process that stays while programs come and go.
 *
 * "ptah run --upgradable" becomes one of these: a process without threads,
 * configuration or modules, which starts the program that does the work, holds
 * what the service manager opened, and passes listening sockets from a program
 * to the one that replaces it.  It is unrestricted, as the program, hardened as
 * it is, could start none; so it does as little as can be (host/keeperwords.h).
 *
 * Signals that are meant for the program reach it through the keeper, and the
 * exit status of the last program is the keeper's.
 *
 * Threads: the only one there is.
 */
#ifndef PTAH_HOST_KEEPER_H
#define PTAH_HOST_KEEPER_H

#include <stdbool.h>

/** Are we a program of a keeper already? */
bool ptah_keeper_is_there(char *const envp[]);

/**
 * Be the keeper of the program that we are, to be started with 'argv', whose first word is filled in, NULL at the end.
 * 'ready_s': how long a new one may take until it serves.
 * Gives: the exit status.
 */
int ptah_keeper_run(const char *argv[], char *const envp[], unsigned ready_s);

#endif
