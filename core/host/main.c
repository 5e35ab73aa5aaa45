/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config/sip003.h"
#include "host/commands.h"
#include "host/inside.h"
#include "host/process.h"
#include "host/serve.h"

/* Nothing was asked, by nobody but a person? */
static int
is_alone(int argc, char *envp[])
{
	if (argc > 1 || !isatty(STDOUT_FILENO))
		return 0;
	for (char **at = envp; *at; at++)
		if (strncmp(*at, "TOR_PT_", 7) == 0)
			return 0;
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
	if (is_alone(argc, envp)) {
		ptah_command_usage(STDERR_FILENO);
		return EX_USAGE;
	}
	return ptah_serve(argc, argv, envp, parent);
}
