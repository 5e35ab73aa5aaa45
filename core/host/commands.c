/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/commands.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "config/flag.h"
#include "config/schema.h"
#include "config/source.h"
#include "config/usage.h"
#include "control/order.h"
#include "host/checkfile.h"
#include "host/checkmodule.h"
#include "host/completions.h"
#include "host/ctl.h"
#include "host/doctor.h"
#include "host/invite.h"
#include "host/kit.h"
#include "host/manual.h"
#include "host/run.h"
#include "transport/describe.h"
#include "transport/registry.h"

static ptah_command_fn run_modules, run_info, run_manual, run_completions;

enum { MODULE_DIR };

static const char *const pages[] = { "ptah", "ptah-conf", NULL };

static const struct ptah_ask module_flags[] = {
	[MODULE_DIR] = { .name = "moduleDir", .value = "FOLDER", .type = PTAH_VALUE_FOLDER,
	    .help = "look here for modules before the installed folder" },
	{ .name = NULL },
};

/* What is so of every command (host/manual.c), such as 64, is not told of each. */
static const struct ptah_exit run_exits[] = {
	{ EX_OK, "it was asked to end" }, { EX_UNAVAILABLE, "none of its services starts" },
	{ EX_CANTCREAT, "the log file cannot be written" }, { EX_CONFIG, "the file cannot be used" }, { 0, NULL },
};
static const struct ptah_exit info_exits[] = {
	{ EX_OK, "it was told" }, { EX_UNAVAILABLE, "the transport or the stack cannot be used" }, { 0, NULL },
};
static const struct ptah_exit invite_exits[] = {
	{ EX_OK, "it was told" }, { EX_UNAVAILABLE, "the transport cannot be used" }, { 0, NULL },
};
static const struct ptah_exit check_exits[] = {
	{ EX_OK, "nothing is wrong but what is called a warning" }, { EX_CONFIG, "something in the file is wrong" }, { 0, NULL },
};
static const struct ptah_exit doctor_exits[] = {
	{ EX_OK, "there is no fault" }, { 1, "there is a fault" }, { EX_NOINPUT, "the torrc cannot be read" }, { 0, NULL },
};
static const struct ptah_exit check_module_exits[] = {
	{ EX_OK, "no row failed" }, { 1, "a row failed" }, { 0, NULL },
};
static const struct ptah_exit new_module_exits[] = {
	{ EX_OK, "the folder was made" }, { EX_CANTCREAT, "the folder cannot be made" }, { 0, NULL },
};

const struct ptah_command ptah_commands[] = {
	{ .name = "run", .flags = ptah_run_flags, .run = ptah_run_command, .help = "run the services of a file",
	    .about = "It stays in the foreground and writes its log to standard error.\n"
	    "SIGHUP reads the file again, SIGINT ends it with the last link, SIGTERM at once; SIGUSR1 logs counters.",
	    .exits = run_exits,
	    .operand = { .value = "FILE", .type = PTAH_VALUE_FILE, .help = "the configuration, JSON with comments", .required = true } },
	{ .name = "ctl", .flags = ptah_ctl_flags, .run = ptah_ctl_command, .help = "ask a running ptah, or tell it what to do",
	    .about = "It speaks with the ptah run that has the control socket:\n"
	    "status shows its services in a table, links its links, reload lets it read its file again,\n"
	    "and drain lets it take nothing new and end with its last link; these two wait until that is done.\n"
	    "upgrade starts the program file as it is now in its place: no port is closed, live links go on,\n"
	    "and where the new one does not serve nothing changes; it needs `ptah run --upgradable`.\n"
	    "In the UDP modes the next datagram of a source makes a new link, and the target hears it from a new port.\n"
	    "A server that makes its listener itself (exec, a carrier) has its port to itself: with one of these an upgrade is\n"
	    "refused (Address already in use), and one that a reload changes, and not its port, goes on as it was before.\n"
	    "At most 4096 sockets are handed over, one for each address and worker: with more an upgrade is refused, too.",
	    .exits = ptah_ctl_exits,
	    .operand = { .value = "ORDER", .type = PTAH_VALUE_WORD, .words = ptah_order_words, .help = "what" } },
	{ .name = "modules", .flags = module_flags, .run = run_modules,
	    .help = "list the transports that are there, and those refused" },
	{ .name = "info", .flags = module_flags, .run = run_info, .help = "print the facts and options of one",
	    .about = "It says what the transport can stand on, and what can stand on it, of those that are there.\n"
	    "Of a stack it prints the facts of each layer, or says why it cannot be.",
	    .exits = info_exits,
	    .operand = { .value = "NAME", .type = PTAH_VALUE_NAME, .help = "the transport, or a stack of them, top first: a+b" } },
	{ .name = "invite", .flags = ptah_invite_flags, .run = ptah_invite,
	    .help = "who a server is, as lines and options to write down",
	    .about = "It prints the bridge line of a server, the lines of both torrcs and the options of both sides.\n"
	    "It reads the identity that is there, or makes one.",
	    .exits = invite_exits,
	    .operand = { .value = "TRANSPORT", .type = PTAH_VALUE_NAME, .help = "the server's" } },
	{ .name = "check", .flags = ptah_checkfile_flags, .run = ptah_checkfile_command,
	    .help = "is this configuration of ptah run right?",
	    .about = "It says all that is wrong with the file, a line each: file, line, column, path in it, and what it is.\n"
	    "It loads the modules that the file names, asks them about their options, and starts nothing.\n"
	    "With --json each is an object with file, line, column, path, level (error or warning) and text, in the order of\n"
	    "the file; line and column are null, and path is empty, where it is about the file as a whole.\n"
	    "These members stay as they are; there may be more of them one day.\n"
	    "The array is empty when nothing is wrong.",
	    .exits = check_exits,
	    .operand = { .value = "FILE", .type = PTAH_VALUE_FILE, .optional = true,
	    .help = "the configuration; see man ptah-conf" } },
	{ .name = "doctor", .flags = ptah_doctor_flags, .run = ptah_doctor_command,
	    .help = "what is wrong with a set-up on this machine, and what cures it",
	    .about = "It looks at a configuration, or at the torrc of a Tor that starts ptah, and at this machine, and changes nothing.\n"
	    "Each check says ok, warning or fault, and below that which line or command cures it.\n"
	    "Without a file it takes /etc/ptah/ptah.json or, where there is none, /etc/tor/torrc.\n"
	    "Run it as root: then it sees what the user may who will run ptah, and who has a port that is taken.",
	    .exits = doctor_exits,
	    .operand = { .value = "FILE", .type = PTAH_VALUE_FILE, .optional = true,
	    .help = "a configuration of ptah run" } },
	{ .name = "check-module", .flags = ptah_check_module_flags, .run = ptah_check_module_command,
	    .help = "does a module keep to the contract?",
	    .about = "It puts a module, whoever wrote it, through all that the contract asks of it, and prints a table.\n"
	    "Each row of it is looked at in a process of its own, so that a module that crashes or hangs is a row.",
	    .exits = check_module_exits,
	    .operand = { .value = "FILE", .type = PTAH_VALUE_FILE, .help = "the module, NAME.so" } },
	{ .name = "new-module", .flags = ptah_kit_flags, .run = ptah_kit_new_module,
	    .help = "write a folder to begin a transport in",
	    .about = "It builds against the installed ptah, and works at once: make && make check && make install.",
	    .exits = new_module_exits,
	    .operand = { .value = "NAME", .type = PTAH_VALUE_TEXT, .help = "the transport's, and the folder's" } },
	{ .name = "manual", .run = run_manual, .help = "print a manual page's source: ptah manual | man -l -",
	    .operand = { .value = "PAGE", .type = PTAH_VALUE_WORD, .words = pages, .optional = true,
	    .help = "which, without one ptah" } },
	{ .name = "completions", .run = run_completions, .help = "print what a shell needs to complete ptah's words",
	    .operand = { .value = "SHELL", .type = PTAH_VALUE_WORD, .words = ptah_completions_shells, .help = "which" } },
	{ .name = NULL },
};

const struct ptah_command *
ptah_command_find(const char *name)
{
	for (const struct ptah_command *command = ptah_commands; command->name; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

static int
print_to(int fd, struct ptah_buf *out)
{
	bool written = out->rc == 0 && ptah_write_full(fd, out->at, out->len) == (ssize_t)out->len;

	ptah_buf_clear(out);
	return written ? EX_OK : EX_OSERR;
}

static int
print(struct ptah_buf *out)
{
	return print_to(STDOUT_FILENO, out);
}

int
ptah_command_run(const struct ptah_command *command, int argc, char *argv[], char *envp[])
{
	struct ptah_asked asked;
	struct ptah_buf out = { 0 };
	int rc = ptah_asked_read(&asked, command, argc, argv);

	if (rc < 0)
		return EX_USAGE;
	if (rc == 0)
		return command->run(&asked, envp);
	(void)ptah_asked_usage(&out, command);
	return print(&out);
}

int
ptah_command_usage(int fd)
{
	struct ptah_buf out = { 0 };

	ptah_buf_puts(&out, "usage: ptah [FLAG...]    under a parent program, such as Tor\n");
	for (const struct ptah_command *command = ptah_commands; command->name; command++) {
		char operand[64] = "";

		if (command->operand.value)
			snprintf(operand, sizeof(operand), command->operand.optional ? "[%s]" : "%s", command->operand.value);
		ptah_buf_printf(&out, "       ptah %s %s%*s%s\n", command->name, operand,
		    (int)(21 - strlen(command->name) - strlen(operand)), "", command->help);
	}
	ptah_buf_puts(&out, "       ptah COMMAND --help\n       ptah --help | --version\n\n"
	    "Flags are written -NAME VALUE or -NAME=VALUE; one dash or two.\n\n");
	ptah_usage_flags(&out);
	ptah_buf_puts(&out, "  PTAH_MODULE_PATH=FOLDER:...\n"
	    "        look here for modules before -moduleDir and " PTAH_MODULE_DIR "\n");
	return print_to(fd, &out);
}

void
ptah_command_hint(const char *word)
{
	const char *known[sizeof(ptah_commands) / sizeof(ptah_commands[0])];
	const char *near;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		known[i] = ptah_commands[i].name;
	near = ptah_text_nearest(word, known);
	if (near)
		fprintf(stderr, "ptah: there is no command \"%.100s\"; did you mean \"%s\"?\n", word, near);
	else
		fprintf(stderr, "ptah: there is no command \"%.100s\": `ptah --help` lists them\n", word);
}

int
ptah_command_version(void)
{
	static const char line[] = "ptah " PACKAGE_VERSION "\n";

	return ptah_write_full(STDOUT_FILENO, line, sizeof(line) - 1) > 0 ? EX_OK : EX_OSERR;
}

/* The modules that PTAH_MODULE_PATH and --moduleDir show; NULL when it was told why. */
static struct ptah_registry *
open_registry(const struct ptah_asked *asked, char *envp[])
{
	struct ptah_registry *registry = ptah_registry_new(ptah_env_get(envp, "PTAH_MODULE_PATH"),
	    asked->value[MODULE_DIR]);

	if (!registry)
		perror("ptah: cannot look for modules");
	return registry;
}

static int
run_modules(const struct ptah_asked *asked, char *envp[])
{
	struct ptah_registry *registry = open_registry(asked, envp);
	struct ptah_buf out = { 0 };

	if (!registry)
		return EX_OSERR;

	int rc = ptah_describe_modules(registry, &out);

	ptah_registry_free(registry);
	if (rc == 0)
		return print(&out);
	fprintf(stderr, "ptah: cannot list the modules: %s\n", strerror(-rc));
	ptah_buf_clear(&out);
	return EX_OSERR;
}

static int
run_info(const struct ptah_asked *asked, char *envp[])
{
	struct ptah_registry *registry = open_registry(asked, envp);
	struct ptah_buf out = { 0 };
	char why[1024] = "";

	if (!registry)
		return EX_OSERR;

	int rc = ptah_describe_module(registry, asked->operand, &out, why, sizeof(why));

	ptah_registry_free(registry);
	if (rc == 0)
		return print(&out);
	fprintf(stderr, "ptah: %s: %s\n", asked->operand, why[0] ? why : strerror(-rc));
	ptah_buf_clear(&out);
	return EX_UNAVAILABLE;
}

static int
run_manual(const struct ptah_asked *asked, char *envp[])
{
	struct ptah_buf out = { 0 };

	(void)envp;
	if (asked->operand && strcmp(asked->operand, "ptah-conf") == 0)
		(void)ptah_confmanual_print(&out);
	else
		(void)ptah_manual(&out, ptah_commands);
	return print(&out);
}

static int
run_completions(const struct ptah_asked *asked, char *envp[])
{
	struct ptah_buf out = { 0 };

	(void)envp;
	(void)ptah_completions(&out, asked->operand, ptah_commands);
	return print(&out);
}
