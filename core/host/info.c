/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "host/commands.h"
#include "transport/registry.h"

static const char *const type_names[] = {
	[PTAH_STRING] = "text", [PTAH_HEX] = "hex", [PTAH_BASE64] = "base64",
	[PTAH_BASE32] = "base32", [PTAH_INT] = "integer", [PTAH_BOOL] = "boolean",
	[PTAH_ADDRESS] = "host:port", [PTAH_DURATION] = "duration", [PTAH_WORD] = "word",
	[PTAH_NESTED] = "JSON",
};

static const struct {
	uint32_t bit;
	const char *text;
} abilities[] = {
	{ PTAH_CAN_CLIENT, "client" },
	{ PTAH_CAN_SERVER, "server" },
	{ PTAH_CAN_STREAM, "carries streams" },
	{ PTAH_CAN_MESSAGE, "keeps messages" },
	{ PTAH_CAN_HALF_CLOSE, "passes half-closes on" },
	{ PTAH_IS_CARRIER, "makes its own streams" },
	{ PTAH_IS_FREE, "goes where the application says" },
	{ PTAH_NO_ADDRESS, "needs no server address" },
	{ PTAH_OWN_SOCKETS, "cannot use an upstream proxy" },
	{ PTAH_NAMED_ONLY, "must be named: * leaves it out" },
	{ PTAH_UNMAPS, "can be unloaded" },
	{ PTAH_SPAWNS, "starts programs" },
};

static void
print_names(const char *head, const char *const *names)
{
	if (!names || !names[0])
		return;
	printf("%s", head);
	for (size_t i = 0; names[i]; i++)
		printf("%s%s", i > 0 ? ", " : "", names[i]);
	printf("\n");
}

static void
print_bounds(const struct ptah_option *option)
{
	if (option->min == 0 && option->max == 0)
		return;
	switch (option->type) {
	case PTAH_INT:
		printf(", %" PRId64 " to %" PRId64, option->min, option->max);
		break;
	case PTAH_DURATION:
		printf(", %" PRId64 " to %" PRId64 " ns", option->min, option->max);
		break;
	case PTAH_STRING:
		printf(", %" PRId64 " to %" PRId64 " characters", option->min, option->max);
		break;
	case PTAH_HEX:
	case PTAH_BASE64:
	case PTAH_BASE32:
		printf(", %" PRId64 " to %" PRId64 " bytes", option->min, option->max);
		break;
	default:
		break;
	}
}

static void
print_option(const struct ptah_option *option)
{
	const size_t n = sizeof(type_names) / sizeof(type_names[0]);
	uint32_t flags = option->flags;
	bool known = option->type < n && type_names[option->type];

	printf("    %s\n        ", option->name);
	if (option->type == PTAH_WORD && option->words)
		for (size_t i = 0; option->words[i]; i++)
			printf("%s%s", i > 0 ? " | " : "", option->words[i]);
	else
		printf("%s", known ? type_names[option->type] : "of a newer kind");
	print_bounds(option);
	if ((flags & PTAH_LIST) != 0)
		printf(", a list");
	if ((flags & PTAH_REQUIRED) != 0)
		printf(", required");
	if (option->def)
		printf(", default %s", option->def);
	if ((flags & PTAH_CLIENT_ONLY) != 0)
		printf(", client only");
	if ((flags & PTAH_SERVER_ONLY) != 0)
		printf(", server only");
	printf((flags & PTAH_LINK) != 0 ? ", per connection" : ", at start");
	if ((flags & PTAH_STATIC_ONLY) != 0)
		printf(", not from a bridge line");
	if ((flags & PTAH_SECRET) != 0)
		printf(", secret");
	printf("\n");
	print_names("        also called ", option->aliases);
	if (option->help)
		printf("        %s\n", option->help);
}

static void
print_options(const struct ptah_module *module)
{
	const char *at = (const char *)module->options;

	if (!at || !module->options->name) {
		printf("options: none\n");
		return;
	}
	printf("options:\n");
	for (;; at += module->head.option_size) {
		/* A module of an older minor has shorter rows. */
		struct ptah_option option = { 0 };
		size_t len = module->head.option_size;

		memcpy(&option, at, len < sizeof(option) ? len : sizeof(option));
		if (!option.name)
			return;
		print_option(&option);
	}
}

static void
print_module(const struct ptah_registry_row *row)
{
	const struct ptah_module *module = row->module;
	bool first = true;

	printf("%s%s%s\n", row->name, module->version ? " " : "",
	    module->version ? module->version : "");
	if (module->summary)
		printf("    %s\n", module->summary);
	printf("file: %s\n", row->path);
	printf("ABI: %u.%u\n", (unsigned)module->head.major, (unsigned)module->head.minor);
	print_names("also called: ", module->aliases);
	printf("abilities: ");
	for (size_t i = 0; i < sizeof(abilities) / sizeof(abilities[0]); i++) {
		if ((module->abilities & abilities[i].bit) == 0)
			continue;
		printf("%s%s", first ? "" : ", ", abilities[i].text);
		first = false;
	}
	printf("\ndatagrams: %s\n", (module->abilities & PTAH_CAN_MESSAGE) != 0 ?
	    "end to end" : "framed by the host on a stream");
	print_options(module);
	print_names("counters: ", module->counters);
}

static bool
is_called(const struct ptah_registry_row *row, const char *name)
{
	if (strcmp(row->name, name) == 0)
		return true;
	if (!row->module || row->problem || !row->module->aliases)
		return false;
	for (size_t i = 0; row->module->aliases[i]; i++)
		if (strcmp(row->module->aliases[i], name) == 0)
			return true;
	return false;
}

static int
print_called(const struct ptah_registry_row *rows, size_t n, const char *name)
{
	const struct ptah_registry_row *bad = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!is_called(&rows[i], name))
			continue;
		if (rows[i].module && !rows[i].problem) {
			print_module(&rows[i]);
			return EX_OK;
		}
		if (!bad)
			bad = &rows[i];
	}
	if (bad)
		fprintf(stderr, "ptah: %s (%s): %s\n", name, bad->path,
		    bad->problem ? bad->problem : "a definition in JSON, not a module");
	else
		fprintf(stderr, "ptah: no module is called %s: see ptah modules\n", name);
	return EX_UNAVAILABLE;
}

int
ptah_command_info(int argc, char *argv[], char *envp[])
{
	struct ptah_registry *registry;
	struct ptah_registry_row *rows = NULL;
	size_t n = 0;

	if (argc < 2 || argv[1][0] == '-') {
		fprintf(stderr, "ptah: info wants the name of a module: ptah info NAME\n");
		return EX_USAGE;
	}
	registry = ptah_command_registry(2, argc, argv, envp);
	if (!registry)
		return EX_USAGE;

	int rc = ptah_registry_list(registry, &rows, &n);

	if (rc != 0) {
		fprintf(stderr, "ptah: cannot list the modules: %s\n", strerror(-rc));
		rc = EX_OSERR;
	} else {
		rc = print_called(rows, n, argv[1]);
		ptah_registry_rows_free(rows, n);
	}
	ptah_registry_free(registry);
	return fflush(stdout) == 0 ? rc : EX_OSERR;
}
