/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "host/commands.h"
#include "transport/registry.h"

static void
print_row(const struct ptah_registry_row *row)
{
	if (row->problem) {
		printf("%s\n    %s\n    %s\n", row->name, row->path, row->problem);
		return;
	}
	if (row->module) {
		uint32_t can = row->module->abilities;

		printf("%s%s%s%s%s%s\n", row->name, row->module->version ? " " : "",
		    row->module->version ? row->module->version : "",
		    (can & PTAH_CAN_CLIENT) != 0 ? " client" : "",
		    (can & PTAH_CAN_SERVER) != 0 ? " server" : "",
		    (can & PTAH_NAMED_ONLY) != 0 ? " (when named, not by *)" : "");
		if (row->module->summary)
			printf("    %s\n", row->module->summary);
	} else {
		printf("%s\n", row->name);
	}
	printf("    %s\n", row->path);
}

int
ptah_command_modules(int argc, char *argv[], char *envp[])
{
	struct ptah_registry *registry = ptah_command_registry(1, argc, argv, envp);
	struct ptah_registry_row *rows = NULL;
	size_t n = 0;

	if (!registry)
		return EX_USAGE;

	int rc = ptah_registry_list(registry, &rows, &n);

	if (rc == 0) {
		for (size_t i = 0; i < n; i++)
			print_row(&rows[i]);
		ptah_registry_rows_free(rows, n);
	} else {
		fprintf(stderr, "ptah: cannot list the modules: %s\n", strerror(-rc));
	}
	ptah_registry_free(registry);
	return rc == 0 && fflush(stdout) == 0 ? EX_OK : EX_OSERR;
}
