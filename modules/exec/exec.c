/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exec: any managed transport program as a module.  It is started as Tor would
 * start it, and its links go through it.
 */
#include "exec.h"

#include <string.h>

#include "home.h"
#include "link.h"
#include "refuse.h"

#define AT(member) offsetof(struct exec_conf, member)

/* Whoever must speak first is not kept waiting for longer. */
#define CLIENT_FIRST_MAX_NS INT64_C(10000000000)

static const char *const start_words[] = { "lazy", "eager", NULL };

static const struct ptah_option options[] = {
	{ .name = "exec", .type = PTAH_STRING, .flags = PTAH_REQUIRED, .min = 2, .max = 4095, .offset = AT(exec),
	    .help = "the program, an absolute path" },
	{ .name = "args", .type = PTAH_STRING, .flags = PTAH_LIST, .offset = AT(args),
	    .help = "its command line, without its name" },
	{ .name = "name", .type = PTAH_STRING, .min = 1, .max = 64, .offset = AT(name),
	    .help = "the program's name for its transport, if it is not ours" },
	{ .name = "env", .type = PTAH_NESTED, .offset = AT(env), .help = "more variables for it, as an object" },
	{ .name = "options", .type = PTAH_NESTED, .offset = AT(options),
	    .help = "options for the transport, as an object; those of a bridge line win" },
	{ .name = "start", .type = PTAH_WORD, .flags = PTAH_CLIENT_ONLY, .words = start_words, .def = "lazy",
	    .offset = AT(start), .help = "with the first connection, or at once" },
	{ .name = "no-new-privs", .type = PTAH_BOOL, .def = "true", .offset = AT(no_new_privs),
	    .help = "the program gains no privileges by its file's capabilities or owner" },
	{ .name = "ext-orport", .type = PTAH_BOOL, .flags = PTAH_SERVER_ONLY, .def = "true", .offset = AT(ext_orport),
	    .help = "hear from the program who each client is; false for one that only knows an ORPort" },
	{ .name = "client-first", .type = PTAH_DURATION, .flags = PTAH_SERVER_ONLY, .def = "500ms", .max = CLIENT_FIRST_MAX_NS,
	    .offset = AT(client_first_ns),
	    .help = "hear the target only after the client, or after this long: obfs4proxy's client may hold an earlier word" },
	{ .name = NULL },
};

int
exec_is_ours(const char *key)
{
	static const char *const hosts[] = { "serverAddress", "half-close", "messages", "over" };

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (strcmp(hosts[i], key) == 0)
			return 1;
	for (const struct ptah_option *option = options; option->name != NULL; option++)
		if (strcmp(option->name, key) == 0)
			return 1;
	return 0;
}

static int
conf_check(const void *conf, uint32_t role, char *why, size_t room)
{
	const struct exec_conf *mine = conf;

	(void)role;
	if (mine->exec[0] == '/')
		return 0;
	return ptah_refuse(why, room, "the option \"exec\" must be an absolute path, as /usr/bin/obfs4proxy");
}

PTAH_MODULE(exec) = {
	.head = PTAH_HEAD(0),
	.name = "exec",
	.version = "1.0",
	.summary = "any managed transport program, started as Tor would",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_IS_CARRIER | PTAH_NO_ADDRESS | PTAH_SPAWNS |
	    PTAH_NAMED_ONLY | PTAH_PASSES_OPTIONS | PTAH_UNMAPS,
	.options = options,
	.conf_size = sizeof(struct exec_conf),
	.home_size = sizeof(struct exec_home),
	.link_size = sizeof(struct exec_link),
	.conf_check = conf_check,
	.home_open = exec_home_open,
	.home_event = exec_home_event,
	.home_close = exec_home_close,
	.event = exec_link_event,
	.close = exec_link_close,
	.dial = exec_link_dial,
	.listen = exec_home_listen,
};
