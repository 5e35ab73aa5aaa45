/* SPDX-License-Identifier: BSD-3-Clause */
/** host/commands.h: what people ask the program, by its first word; the table of the subcommands. */
#ifndef PTAH_HOST_COMMANDS_H
#define PTAH_HOST_COMMANDS_H

#include "host/asked.h"

/** The rows; the last has no name. */
extern const struct ptah_command ptah_commands[];

/** The one named 'name', or NULL. */
const struct ptah_command *ptah_command_find(const char *name);
/** Do what stands behind its name, argv[0], and give the exit status. */
int ptah_command_run(const struct ptah_command *command, int argc, char *argv[], char *envp[]);

/** The usage text. */
int ptah_command_usage(int fd);
/** The first word is none of them: say which was meant, or where they stand. */
void ptah_command_hint(const char *word);
/** One line on stdout. */
int ptah_command_version(void);

#endif
