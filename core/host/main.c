/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config/sip003.h"
#include "host/commands.h"
#include "host/inside.h"
#include "host/process.h"
#include "host/serve.h"

/* Is there no parent that speaks by variables, so that it may be a person? */
static bool
is_alone(char *envp[])
{
	for (char **at = envp; *at; at++)
		if (strncmp(*at, "TOR_PT_", 7) == 0)
			return false;
	return !ptah_sip003_is_set(envp);
}

int
main(int argc, char *argv[], char *envp[])
{
	pid_t parent = getppid(); /* first of all: it may die at any time */
	const struct ptah_command *command = argc > 1 ? ptah_command_find(argv[1]) : NULL;

	if (ptah_process_fill_descriptors() != 0)
		return EX_OSERR;
	if (ptah_inside_is(argc, argv))
		ptah_inside(envp);
	if (command)
		return ptah_command_run(command, argc - 1, argv + 1, envp);
	if (argc <= 1 && isatty(STDOUT_FILENO) && is_alone(envp)) {
		ptah_command_usage(STDERR_FILENO);
		return EX_USAGE;
	}
	if (argc > 1 && argv[1][0] != '-' && is_alone(envp))
		ptah_command_hint(argv[1]); /* and the parent, if there is one, hears ENV-ERROR */
	return ptah_serve(argc, argv, envp, parent);
}
