/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/check.h"

#include <errno.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "loop/worker.h"

/* What minor 0 had: nothing that is shorter was ever built. */
#define LEAST_MODULE (offsetof(struct ptah_module, bridge_args) + sizeof(void *))
#define LEAST_OPTION (offsetof(struct ptah_option, help) + sizeof(void *))
#define MOST_BYTES 65536u

static int refuse(char *why, size_t why_room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int
refuse(char *why, size_t why_room, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, why_room, format, args);
	va_end(args);
	return -ELIBBAD;
}

int
ptah_check_head(const struct ptah_head *head, char *why, size_t why_room)
{
	if (head->magic != PTAH_ABI_MAGIC)
		return refuse(why, why_room, "its descriptor begins with %08x, not with ptah's %08x: it is no ptah module",
		    (unsigned)head->magic, (unsigned)PTAH_ABI_MAGIC);
	if (head->major != PTAH_ABI_MAJOR)
		return refuse(why, why_room, "it was built for ABI %u and this is %u: build it again with this ptah's headers",
		    (unsigned)head->major, (unsigned)PTAH_ABI_MAJOR);
	if (head->needs_minor > PTAH_ABI_MINOR)
		return refuse(why, why_room, "it needs ABI %u.%u and this is %u.%u: it wants a newer ptah",
		    (unsigned)head->major, (unsigned)head->needs_minor, (unsigned)PTAH_ABI_MAJOR, (unsigned)PTAH_ABI_MINOR);
	if (head->size < LEAST_MODULE || head->size > MOST_BYTES || head->option_size < LEAST_OPTION ||
	    head->option_size > MOST_BYTES || head->option_size % alignof(struct ptah_option) != 0)
		return refuse(why, why_room, "its descriptor says sizes that cannot be (%u and %u bytes): set .head = PTAH_HEAD(0)",
		    (unsigned)head->size, (unsigned)head->option_size);
	return 0;
}

size_t
ptah_check_value_size(const struct ptah_option *option)
{
	if ((option->flags & PTAH_LIST) != 0)
		return sizeof(struct ptah_list);
	switch (option->type) {
	case PTAH_STRING:
	case PTAH_ADDRESS:
	case PTAH_NESTED:
		return sizeof(const char *);
	case PTAH_HEX:
	case PTAH_BASE64:
	case PTAH_BASE32:
		return sizeof(struct ptah_span);
	case PTAH_INT:
	case PTAH_DURATION:
		return sizeof(int64_t);
	case PTAH_FILE:
		return sizeof(struct ptah_file);
	case PTAH_BOOL:
		return sizeof(uint8_t);
	case PTAH_WORD:
		return sizeof(uint32_t);
	default:
		return 0;
	}
}

/* An unknown flag could mean "secret": refuse rather than guess. */
#define KNOWN_FLAGS \
	(PTAH_LINK | PTAH_REQUIRED | PTAH_SECRET | PTAH_STATIC_ONLY | PTAH_LIST | PTAH_CLIENT_ONLY | PTAH_SERVER_ONLY | \
	    PTAH_ONCE | PTAH_EITHER)

/* In one without PTAH_HEAD(1) an older host would not know the type, and say so of the option and not of the host. */
static int
check_file(const struct ptah_module *module, const struct ptah_option *option, char *why, size_t why_room)
{
	if (option->type != PTAH_FILE)
		return 0;
	if (module->head.needs_minor < 1)
		return refuse(why, why_room, "its option \"%s\" is a PTAH_FILE, which begins with ABI 1.1: set .head = PTAH_HEAD(1)",
		    option->name);
	if ((option->flags & PTAH_LINK) != 0)
		return refuse(why, why_room, "its option \"%s\" is a file, and a bridge line must not name files of this machine: "
		    "PTAH_FILE goes without PTAH_LINK", option->name);
	if (option->min < 0 || option->max > PTAH_FILE_MOST)
		return refuse(why, why_room, "its option \"%s\" is a file of more than %d bytes, or of less than none: look at .min and .max",
		    option->name, PTAH_FILE_MOST);
	return 0;
}

static int
check_option(const struct ptah_module *module, const struct ptah_option *option, char *why, size_t why_room)
{
	size_t whole = (option->flags & PTAH_LINK) != 0 ? module->args_size : module->conf_size;
	struct ptah_option item = *option;
	size_t size;

	item.flags &= ~PTAH_LIST;
	size = ptah_check_value_size(&item);
	if (size == 0 || (option->flags & ~KNOWN_FLAGS) != 0)
		return refuse(why, why_room, "its option \"%s\" has a type or flag that this ptah does not know", option->name);
	size = ptah_check_value_size(option);
	if (option->offset > whole || whole - option->offset < size || option->offset % (size < 8 ? size : 8) != 0)
		return refuse(why, why_room, "its option \"%s\" lies outside of its struct: look at .offset and at %s",
		    option->name, (option->flags & PTAH_LINK) != 0 ? ".args_size" : ".conf_size");
	if (option->type == PTAH_WORD && (option->words == NULL || option->words[0] == NULL))
		return refuse(why, why_room, "its option \"%s\" has no .words", option->name);
	if (option->min > option->max)
		return refuse(why, why_room, "its option \"%s\" has a .min above its .max", option->name);
	if ((option->flags & (PTAH_CLIENT_ONLY | PTAH_SERVER_ONLY)) == (PTAH_CLIENT_ONLY | PTAH_SERVER_ONLY))
		return refuse(why, why_room, "its option \"%s\" is for nobody: client only and server only", option->name);
	if ((option->flags & PTAH_ONCE) != 0 &&
	    (option->flags & (PTAH_SECRET | PTAH_LINK | PTAH_LIST)) != PTAH_SECRET)
		return refuse(why, why_room, "its option \"%s\" is gone once it was read: PTAH_ONCE goes with PTAH_SECRET, "
		    "and with neither PTAH_LINK nor PTAH_LIST", option->name);
	if ((option->flags & PTAH_STATIC_ONLY) != 0 && (option->flags & PTAH_LINK) == 0)
		return refuse(why, why_room, "its option \"%s\" is static anyhow: PTAH_STATIC_ONLY goes with PTAH_LINK", option->name);
	return check_file(module, option, why, why_room);
}

static int
check_options(const struct ptah_module *module, char *why, size_t why_room)
{
	if (module->options == NULL)
		return 0;
	for (size_t i = 0; module->options[i].name != NULL; i++) {
		int rc;

		if (i == PTAH_OPTIONS_LIMIT)
			return refuse(why, why_room, "its table of options has no end: close it with { .name = NULL }");
		rc = check_option(module, &module->options[i], why, why_room);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
check_sizes(const struct ptah_module *module, char *why, size_t why_room)
{
	const struct {
		const char *name;
		uint32_t is, most;
	} sizes[] = {
		{ "conf_size", module->conf_size, PTAH_LIFE_LIMIT },
		{ "args_size", module->args_size, PTAH_LIFE_LIMIT },
		{ "home_size", module->home_size, PTAH_LIFE_LIMIT },
		{ "worker_size", module->worker_size, PTAH_LIFE_LIMIT },
		{ "link_size", module->link_size, PTAH_LIFE_LIMIT },
		{ "unit", module->unit, (uint32_t)PTAH_SCRATCH_LEN },
		{ "msg_head", module->msg_head, PTAH_MSG_ROOM_LIMIT },
		{ "msg_tail", module->msg_tail, PTAH_MSG_ROOM_LIMIT },
		{ "handshake_ms", module->handshake_ms, PTAH_HANDSHAKE_LIMIT_MS },
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (sizes[i].is > sizes[i].most)
			return refuse(why, why_room, "its %s is %u, and the most is %u", sizes[i].name,
			    (unsigned)sizes[i].is, (unsigned)sizes[i].most);
	return 0;
}

static int
check_hooks(const struct ptah_module *module, char *why, size_t why_room)
{
	uint32_t can = module->abilities;
	const char *lacks = NULL;

	if ((can & (PTAH_CAN_CLIENT | PTAH_CAN_SERVER)) == 0)
		return refuse(why, why_room, "it is neither client nor server: set PTAH_CAN_CLIENT or PTAH_CAN_SERVER");
	if ((can & (PTAH_CAN_STREAM | PTAH_CAN_MESSAGE)) == 0)
		return refuse(why, why_room, "it carries nothing: set PTAH_CAN_STREAM or PTAH_CAN_MESSAGE");
	if ((can & PTAH_IS_CARRIER) != 0) {
		if ((can & PTAH_CAN_CLIENT) != 0 && module->dial == NULL)
			lacks = "dial";
		else if ((can & PTAH_CAN_SERVER) != 0 && module->listen == NULL)
			lacks = "listen";
		else if ((can & PTAH_CAN_SERVER) != 0 && module->home_open == NULL)
			lacks = "home_open";
	} else if ((can & PTAH_CAN_STREAM) != 0 && module->open == NULL) {
		lacks = "open";
	}
	if ((can & PTAH_CAN_MESSAGE) != 0 && (can & PTAH_IS_CARRIER) == 0 &&
	    (module->wrap_message == NULL || module->unwrap_message == NULL))
		lacks = "wrap_message and unwrap_message";
	if (lacks != NULL)
		return refuse(why, why_room, "it says that it is a %s, and has no .%s",
		    (can & PTAH_IS_CARRIER) != 0 ? "carrier" : "codec", lacks);
	return 0;
}

int
ptah_check_module(const struct ptah_module *module, const char *name, char *why, size_t why_room)
{
	int rc;

	if (module->name == NULL || !ptah_text_is_ptname(module->name, strlen(module->name)))
		return refuse(why, why_room, "its .name is no name of a transport: letters, digits and _ only");
	if (strcmp(module->name, name) != 0)
		return refuse(why, why_room, "it calls itself \"%s\": name the file %s.so, or the module \"%s\"",
		    module->name, module->name, name);
	for (size_t i = 0; module->aliases != NULL && module->aliases[i] != NULL; i++)
		if (i == PTAH_OPTIONS_LIMIT || !ptah_text_is_ptname(module->aliases[i], strlen(module->aliases[i])))
			return refuse(why, why_room, "its .aliases hold what is no name of a transport, or have no end");
	rc = check_hooks(module, why, why_room);
	if (rc == 0)
		rc = check_sizes(module, why, why_room);
	if (rc == 0)
		rc = check_options(module, why, why_room);
	return rc;
}
