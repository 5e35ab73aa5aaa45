/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/commands.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "config/argv.h"
#include "config/source.h"
#include "config/usage.h"
#include "host/invite.h"
#include "host/manual.h"
#include "transport/describe.h"
#include "transport/registry.h"

static int run_modules(int argc, char *argv[], char *envp[]);
static int run_info(int argc, char *argv[], char *envp[]);
static int run_manual(int argc, char *argv[], char *envp[]);

static const struct ptah_command commands[] = {
	{ "modules", "", "list the transports that are there, and those refused", run_modules },
	{ "info", " NAME", "print the facts and options of one", run_info },
	{ "invite", " TRANSPORT ...", "who a server is, as lines and options to write down", ptah_invite },
	{ "manual", "", "print the manual page's source: ptah manual | man -l -", run_manual },
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

const struct ptah_command *
ptah_command_find(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

int
ptah_command_usage(int fd)
{
	struct ptah_buf out = { 0 };

	ptah_buf_puts(&out, "usage: ptah [FLAG...]    under a parent program, such as Tor\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		ptah_buf_printf(&out, "       ptah %s%s%*s%s\n", commands[i].name, commands[i].arguments,
		    (int)(22 - strlen(commands[i].name) - strlen(commands[i].arguments)), "",
		    commands[i].help);
	ptah_buf_puts(&out, "       ptah --help | --version\n\n"
	    "Flags are written -NAME VALUE or -NAME=VALUE; one dash or two.\n\n");
	ptah_usage_flags(&out);
	ptah_buf_puts(&out, "  PTAH_MODULE_PATH=FOLDER:...\n"
	    "        look here for modules before -moduleDir and " PTAH_MODULE_DIR "\n\n");
	ptah_invite_usage(&out);

	int rc = out.rc == 0 && ptah_write_full(fd, out.at, out.len) == (ssize_t)out.len ?
	    EX_OK : EX_OSERR;
	ptah_buf_clear(&out);
	return rc;
}

int
ptah_command_version(void)
{
	static const char line[] = "ptah " PACKAGE_VERSION "\n";

	return ptah_write_full(STDOUT_FILENO, line, sizeof(line) - 1) > 0 ? EX_OK : EX_OSERR;
}

/* The modules that PTAH_MODULE_PATH and the flags from argv[at] on show; NULL when it was told why. */
static struct ptah_registry *
open_registry(int at, int argc, char *argv[], char *envp[])
{
	struct ptah_argv flags;

	/* The word before the flags stands where a program's name would. */
	ptah_argv_read(&flags, PTAH_AS_PTAH, argc - at + 1, argv + at - 1);
	for (int id = 0; id < PTAH_FLAG_COUNT && !flags.error[0]; id++)
		if (flags.value[id] && id != PTAH_FLAG_MODULE_DIR)
			snprintf(flags.error, sizeof(flags.error), "-%s is not for ptah %s",
			    ptah_flags[id].name, argv[0]);
	if (flags.error[0]) {
		fprintf(stderr, "ptah: %s\n", flags.error);
		return NULL;
	}

	struct ptah_registry *registry = ptah_registry_new(ptah_env_get(envp, "PTAH_MODULE_PATH"),
	    flags.value[PTAH_FLAG_MODULE_DIR]);
	if (!registry)
		perror("ptah: cannot look for modules");
	return registry;
}

static int
print(struct ptah_buf *out)
{
	bool written = ptah_write_full(STDOUT_FILENO, out->at, out->len) == (ssize_t)out->len;

	ptah_buf_clear(out);
	return written ? EX_OK : EX_OSERR;
}

static int
run_modules(int argc, char *argv[], char *envp[])
{
	struct ptah_registry *registry = open_registry(1, argc, argv, envp);
	struct ptah_buf out = { 0 };

	if (!registry)
		return EX_USAGE;

	int rc = ptah_describe_modules(registry, &out);

	ptah_registry_free(registry);
	if (rc == 0)
		return print(&out);
	fprintf(stderr, "ptah: cannot list the modules: %s\n", strerror(-rc));
	ptah_buf_clear(&out);
	return EX_OSERR;
}

static int
run_info(int argc, char *argv[], char *envp[])
{
	struct ptah_registry *registry;
	struct ptah_buf out = { 0 };
	char why[1024] = "";

	if (argc < 2 || argv[1][0] == '-') {
		fprintf(stderr, "ptah: info wants the name of a transport: ptah info NAME\n");
		return EX_USAGE;
	}
	registry = open_registry(2, argc, argv, envp);
	if (!registry)
		return EX_USAGE;

	int rc = ptah_describe_module(registry, argv[1], &out, why, sizeof(why));

	ptah_registry_free(registry);
	if (rc == 0)
		return print(&out);
	fprintf(stderr, "ptah: %s: %s\n", argv[1], why[0] ? why : strerror(-rc));
	ptah_buf_clear(&out);
	return EX_UNAVAILABLE;
}

static int
run_manual(int argc, char *argv[], char *envp[])
{
	struct ptah_buf out = { 0 };

	(void)envp;
	if (argc > 1) {
		fprintf(stderr, "ptah: manual takes no arguments: %s\n", argv[1]);
		return EX_USAGE;
	}
	return ptah_manual(&out, commands, N_COMMANDS) == 0 ? print(&out) : EX_OSERR;
}
