/* SPDX-License-Identifier: BSD-3-Clause */
/** host/commands.h: what people ask the program; each returns its exit status. */
#ifndef PTAH_HOST_COMMANDS_H
#define PTAH_HOST_COMMANDS_H

/** A subcommand: argv[0] is its name. */
typedef int ptah_command_fn(int argc, char *argv[], char *envp[]);

struct ptah_command {
	const char *name, *arguments, *help;
	ptah_command_fn *run;
};

/** The one named 'name', or NULL. */
const struct ptah_command *ptah_command_find(const char *name);

/** The usage text. */
int ptah_command_usage(int fd);
/** One line on stdout. */
int ptah_command_version(void);

#endif
