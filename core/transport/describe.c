/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/describe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "transport/check.h"
#include "transport/expect.h"
#include "transport/loader.h"
#include "transport/options.h"

static const char *
roles_of(uint32_t abilities)
{
	switch (abilities & (PTAH_CAN_CLIENT | PTAH_CAN_SERVER)) {
	case PTAH_CAN_CLIENT:
		return "client";
	case PTAH_CAN_SERVER:
		return "server";
	default:
		return "client and server";
	}
}

static const char *
kind_of(const struct ptah_module *module)
{
	return (module->abilities & PTAH_IS_CARRIER) != 0 ? "carrier" : "codec";
}

/* A module's text without what would break the table. */
static void
add_text(struct ptah_buf *out, const char *text)
{
	for (; text != NULL && *text != '\0'; text++)
		(void)ptah_buf_add(out, (unsigned char)*text < 0x20 || *text == 0x7f ? " " : text, 1);
}

static int
longest_name(const struct ptah_registry_row *rows, size_t n)
{
	size_t longest = strlen("NAME");

	for (size_t i = 0; i < n; i++)
		if (strlen(rows[i].name) > longest)
			longest = strlen(rows[i].name);
	return longest < 40 ? (int)longest : 40;
}

/* A folder that is not there is no error, but perhaps a slip of the pen. */
static const char *
folder_note(const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return errno == ENOENT ? " (not there)" : " (cannot be looked at)";
	if (!S_ISDIR(st.st_mode))
		return " (not a folder)";
	return access(path, R_OK | X_OK) == 0 ? "" : " (cannot be read)";
}

int
ptah_describe_modules(struct ptah_registry *registry, struct ptah_buf *out)
{
	const char *const *folders = ptah_registry_folders(registry);
	struct ptah_registry_row *rows;
	size_t n;
	int rc = ptah_registry_list(registry, &rows, &n);
	int wide = rc == 0 ? longest_name(rows, n) : 0;

	if (rc < 0)
		return rc;
	if (n > 0)
		ptah_buf_printf(out, "%-*s  %-17s  %-7s  %s\n", wide, "NAME", "CAN BE", "IS A", "FILE");
	for (size_t i = 0; i < n; i++) {
		const struct ptah_registry_row *row = &rows[i];

		ptah_buf_printf(out, "%-*s  %-17s  %-7s  %s\n", wide, row->name,
		    row->module != NULL ? roles_of(row->module->abilities) : row->hidden ? "(hidden)" : "(refused)",
		    row->module != NULL ? kind_of(row->module) : "-", row->path);
		ptah_buf_printf(out, "%-*s    ", wide, "");
		add_text(out, row->problem != NULL ? row->problem : row->module->summary);
		ptah_buf_puts(out, "\n");
	}
	if (n == 0)
		ptah_buf_puts(out, "no modules\n");
	ptah_buf_puts(out, "\nsearched, in this order:\n");
	for (size_t i = 0; folders[i] != NULL; i++)
		ptah_buf_printf(out, "    %s%s\n", folders[i], folder_note(folders[i]));
	ptah_registry_rows_free(rows, n);
	return out->rc;
}

/* ---- one module ------------------------------------------------------------ */

static void
fact(struct ptah_buf *out, const char *name, const char *text)
{
	ptah_buf_printf(out, "%-12s", name);
	add_text(out, text);
	ptah_buf_puts(out, "\n");
}

static void
describe_names(const struct ptah_module *module, const char *name, struct ptah_buf *out)
{
	fact(out, "name", name);
	if (strcmp(name, module->name) != 0)
		fact(out, "module", module->name);
	if (module->aliases != NULL && module->aliases[0] != NULL) {
		ptah_buf_printf(out, "%-12s", "also called");
		for (size_t i = 0; module->aliases[i] != NULL; i++)
			ptah_buf_printf(out, "%s%s", i > 0 ? ", " : "", module->aliases[i]);
		ptah_buf_puts(out, "\n");
	}
}

/* How datagrams go: does it carry streams at all, keep messages, and that only when it is told to? */
static const char *
messages_of(bool stream, bool messages, bool asked)
{
	if (!stream)
		return "a datagram each, over UDP, and nothing else: for the UDP modes";
	if (!messages)
		return "framed on a stream, above it";
	return asked ?
	    "framed on a stream; with option messages=true a datagram each, over UDP, which client and server must both be told" :
	    "a datagram each, over UDP; with option messages=false framed on a stream, which client and server must both be told";
}

static unsigned
handshake_ms(const struct ptah_module *module)
{
	return module->handshake_ms != 0 ? module->handshake_ms : PTAH_HANDSHAKE_MS;
}

static void
describe_abilities(const struct ptah_module *module, struct ptah_buf *out)
{
	uint32_t can = module->abilities;
	bool carrier = (can & PTAH_IS_CARRIER) != 0;

	fact(out, "can be", roles_of(module->abilities));
	fact(out, "is a", carrier ? "carrier: it makes its own streams" : "codec: it turns bytes into bytes on a stream");
	fact(out, "messages", messages_of((can & PTAH_CAN_STREAM) != 0, (can & PTAH_CAN_MESSAGE) != 0,
	    (can & PTAH_MESSAGES_ASKED) != 0));
	fact(out, "half-close", (can & PTAH_HOLDS_EOF) != 0 ?
	    "an EOF of the server's side goes through; a client keeps its own back (option half-close)" :
	    (can & PTAH_CAN_HALF_CLOSE) != 0 ? "an EOF of one side goes through" :
	    "as the transport says; the host may hold the wire open instead (option half-close)");
	if ((can & PTAH_IS_FREE) != 0)
		fact(out, "destination", "the application says where to");
	else if ((can & PTAH_NO_ADDRESS) != 0)
		fact(out, "server", "needs no address");
	if ((can & PTAH_OWN_SOCKETS) != 0)
		fact(out, "proxy", "cannot go through an upstream proxy");
	if ((can & PTAH_SPAWNS) != 0)
		fact(out, "programs", "starts other programs");
	if ((can & PTAH_NAMED_ONLY) != 0)
		fact(out, "asked for", "by name only; \"*\" leaves it out");
	fact(out, "replaced", (can & PTAH_UNMAPS) != 0 ? "its old code is unloaded behind the last link" :
	    "its old code stays in memory: it does not say that it may be unloaded");
	if ((can & PTAH_ANSWERS_ALL) != 0)
		fact(out, "probes", "a server answers whoever connects: who probes it knows what it is");
	ptah_buf_printf(out, "%-12swithin %u s\n", "handshake", (handshake_ms(module) + 999) / 1000);
}

static void
describe_option(const struct ptah_option *option, struct ptah_buf *out)
{
	char expected[512];

	ptah_expect_text(option, expected, sizeof(expected));
	ptah_buf_printf(out, "  %s", option->name);
	for (size_t i = 0; option->aliases != NULL && option->aliases[i] != NULL; i++)
		ptah_buf_printf(out, ", %s", option->aliases[i]);
	ptah_buf_puts(out, "\n      ");
	add_text(out, option->help != NULL ? option->help : "");
	ptah_buf_printf(out, "\n      %s%s", (option->flags & PTAH_LIST) != 0 ? "list, each " : "", expected);
	if (option->def != NULL && !ptah_option_hides(option)) {
		ptah_buf_puts(out, "; default ");
		add_text(out, option->def);
	}
	if ((option->flags & PTAH_REQUIRED) != 0)
		ptah_buf_puts(out, "; required");
	if ((option->flags & PTAH_EITHER) != 0)
		ptah_buf_puts(out, "; one of these is required");
	if ((option->flags & PTAH_CLIENT_ONLY) != 0)
		ptah_buf_puts(out, "; client");
	if ((option->flags & PTAH_SERVER_ONLY) != 0)
		ptah_buf_puts(out, "; server");
	if ((option->flags & PTAH_SECRET) != 0)
		ptah_buf_puts(out, "; secret");
	if ((option->flags & PTAH_LINK) == 0)
		ptah_buf_puts(out, "; of the transport");
	else if ((option->flags & PTAH_STATIC_ONLY) != 0)
		ptah_buf_puts(out, "; of each connection, but never from a bridge line");
	else
		ptah_buf_puts(out, "; of each connection: a bridge line may say it");
	ptah_buf_puts(out, "\n");
}

static void
describe_facts(const struct ptah_found *found, const char *name, struct ptah_buf *out)
{
	const struct ptah_module *module = &found->loaded->module;

	describe_names(module, name, out);
	fact(out, "version", module->version != NULL ? module->version : "-");
	fact(out, "summary", module->summary != NULL ? module->summary : "-");
	fact(out, "file", found->loaded->path != NULL ? found->loaded->path : "(built in)");
	ptah_buf_printf(out, "%-12s%u.%u\n", "ABI", module->head.major, module->head.minor);
	describe_abilities(module, out);
	if (module->example != NULL)
		fact(out, "example", module->example);
}

static int
describe_definition(const struct ptah_found *found, struct ptah_buf *out)
{
	char *text = found->options != NULL ? ptah_json_text(found->options) : NULL;

	if (text != NULL)
		fact(out, "defined as", text);
	else if (found->options != NULL)
		return -ENOMEM;
	free(text);
	return 0;
}

static void
describe_options(const struct ptah_module *module, struct ptah_buf *out)
{
	for (const struct ptah_option *option = module->options; option != NULL && option->name != NULL; option++)
		describe_option(option, out);
}

/* Those that the host reads; of 'module', or of a stack (NULL). */
static void
describe_host_options(const struct ptah_module *module, struct ptah_buf *out)
{
	ptah_buf_puts(out, "  serverAddress\n      where a client connects to: host:port\n");
	/* A module that takes part in it says so in words of its own. */
	if (module == NULL || ptah_options_find(module, PTAH_CLIENT, PTAH_KEY_HALF_CLOSE) == NULL)
		ptah_buf_puts(out, "  half-close\n      what follows when one side has said all: auto, send, hold\n");
	ptah_buf_puts(out, "  messages\n      in the UDP modes, true: a datagram each, false: framed on a stream; the same for client and server\n"
	    "  over\n      the transport to stand on: \"NAME\", or {\"module\": \"NAME\", ...its options}\n");
}

static int
describe(struct ptah_registry *registry, const struct ptah_found *found, const struct ptah_stack *stack, const char *name,
    struct ptah_buf *out)
{
	const struct ptah_module *module = &found->loaded->module;
	int rc;

	describe_facts(found, name, out);
	rc = describe_definition(found, out);
	if (rc == 0)
		rc = ptah_describe_standing(registry, stack, out);
	if (rc < 0)
		return rc;
	ptah_buf_puts(out, "\noptions:\n");
	describe_options(module, out);
	describe_host_options(module, out);
	return out->rc;
}

/* ---- several on one another ------------------------------------------------- */

/* What they are together. */
static void
describe_together(const struct ptah_stack *stack, const struct ptah_stack_can *can, struct ptah_buf *out)
{
	const uint32_t bottom = stack->module[stack->n - 1]->abilities;
	unsigned longest = 0;

	ptah_buf_printf(out, "%-12s%s", "stack", stack->module[0]->name);
	for (unsigned i = 1; i < stack->n; i++)
		ptah_buf_printf(out, "+%s", stack->module[i]->name);
	ptah_buf_puts(out, "\n");
	fact(out, "can be", roles_of(can->roles));
	fact(out, "messages", messages_of(can->stream, can->messages, can->asked));
	if ((bottom & PTAH_OWN_SOCKETS) != 0)
		fact(out, "proxy", "cannot go through an upstream proxy");
	for (unsigned i = 0; i < stack->n; i++)
		longest = handshake_ms(stack->module[i]) > longest ? handshake_ms(stack->module[i]) : longest;
	ptah_buf_printf(out, "%-12swithin %u s, all layers together\n", "handshake", (longest + 999) / 1000);
}

static int
describe_layer(struct ptah_registry *registry, const struct ptah_stack *stack, unsigned i, struct ptah_buf *out,
    char *why, size_t why_room)
{
	struct ptah_found found;
	int rc = ptah_registry_find(registry, stack->name[i], &found, why, why_room);

	if (rc < 0)
		return rc;
	ptah_buf_printf(out, "\nlayer %u%s:\n\n", i + 1, i == 0 ? ", the top" : i + 1 == stack->n ? ", on the wire" : "");
	describe_facts(&found, stack->name[i], out);
	ptah_buf_printf(out, "\noptions of %s:\n", stack->name[i]);
	describe_options(&found.loaded->module, out);
	ptah_json_free(found.options);
	return out->rc;
}

static int
describe_stack(struct ptah_registry *registry, const struct ptah_stack *stack, const struct ptah_found *found,
    const char *name, struct ptah_buf *out, char *why, size_t why_room)
{
	static const struct ptah_stack none = { .n = 0 };
	const struct ptah_stack_can can = ptah_stack_judge(stack, &none);
	int rc = 0;

	if (can.problem != PTAH_STACK_FINE) {
		ptah_stack_say(stack, &can, why, why_room);
		return -EINVAL;
	}
	fact(out, "name", name);
	describe_together(stack, &can, out);
	if (found != NULL)
		rc = describe_definition(found, out);
	if (rc == 0)
		rc = ptah_describe_standing(registry, stack, out);
	ptah_buf_puts(out, "\noptions of the stack (one that a layer does not know is for the one below it; over.KEY is KEY of that one):\n");
	describe_host_options(NULL, out);
	for (unsigned i = 0; rc == 0 && i < stack->n; i++)
		rc = describe_layer(registry, stack, i, out, why, why_room);
	return rc;
}

/* "did you mean": the nearest of all that could be asked for. */
static void
say_nearest(struct ptah_registry *registry, const char *name, char *why, size_t why_room)
{
	struct ptah_registry_row *rows;
	const char **known, *near = NULL;
	size_t n, kept = 0;

	snprintf(why, why_room, "there is no transport \"%s\"; `ptah modules` lists what there is", name);
	if (ptah_registry_list(registry, &rows, &n) < 0)
		return;
	known = calloc(n + 1, sizeof(*known));
	for (size_t i = 0; known != NULL && i < n; i++)
		if (rows[i].module != NULL)
			known[kept++] = rows[i].name;
	if (known != NULL)
		near = ptah_text_nearest(name, known);
	if (near != NULL)
		snprintf(why, why_room, "there is no transport \"%s\"; did you mean \"%s\"?", name, near);
	free(known);
	ptah_registry_rows_free(rows, n);
}

/* Takes: nothing; 'stack' has been found. */
static int
describe_found(struct ptah_registry *registry, const struct ptah_stack *stack, const char *name, struct ptah_buf *out,
    char *why, size_t why_room)
{
	struct ptah_found found;
	int rc;

	if (strchr(name, '+') != NULL)
		return describe_stack(registry, stack, NULL, name, out, why, why_room);
	rc = ptah_registry_find(registry, name, &found, why, why_room);
	if (rc < 0)
		return rc;
	rc = stack->n > 1 ? describe_stack(registry, stack, &found, name, out, why, why_room) :
	    describe(registry, &found, stack, name, out);
	ptah_json_free(found.options);
	return rc;
}

int
ptah_describe_module(struct ptah_registry *registry, const char *name, struct ptah_buf *out,
    char *why, size_t why_room)
{
	struct ptah_stack stack;
	const char *nobody;
	int rc = ptah_stack_find(&stack, registry, name, NULL, &nobody, why, why_room);

	if (rc == -ENOENT)
		say_nearest(registry, nobody, why, why_room);
	if (rc == 0)
		rc = describe_found(registry, &stack, name, out, why, why_room);
	if (rc == -ENOMEM)
		snprintf(why, why_room, "out of memory");
	ptah_stack_clear(&stack);
	return rc;
}
