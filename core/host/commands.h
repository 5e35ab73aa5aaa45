/* SPDX-License-Identifier: BSD-3-Clause */
/** host/commands.h: what people ask the program; each returns its exit status. */
#ifndef PTAH_HOST_COMMANDS_H
#define PTAH_HOST_COMMANDS_H

struct ptah_plan;
struct ptah_registry;

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
/** -generateConfig. */
int ptah_command_generate(const struct ptah_plan *plan);

ptah_command_fn ptah_command_modules, ptah_command_info;

/**
 * The modules that the flags behind a subcommand and PTAH_MODULE_PATH show.
 * argv[at] and on are flags; what is wrong is said on stderr.
 * Gives: for ptah_registry_free(); NULL when it was told why.
 */
struct ptah_registry *ptah_command_registry(int at, int argc, char *argv[], char *envp[]);

#endif
