/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dummy: the identity transport.  Bytes go over the wire as they are, so it
 * hides nothing; it shows that everything around a transport works.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ptah/host.h>

struct dummy_conf {
	const char *args;
};

struct dummy_args {
	const char *refuse;
};

static const struct ptah_option options[] = {
	{ .name = "args", .type = PTAH_NESTED, .flags = PTAH_SERVER_ONLY,
	    .offset = offsetof(struct dummy_conf, args),
	    .help = "object of strings that the server announces as its ARGS" },
	{ .name = "refuse", .type = PTAH_NESTED, .flags = PTAH_LINK,
	    .offset = offsetof(struct dummy_args, refuse),
	    .help = "any value of this is refused (to see what a refusal looks like)" },
	{ .name = NULL },
};

static int
dummy_args_check(const void *conf, const void *args, uint32_t role, char *why, size_t room)
{
	const struct dummy_args *mine = args;

	(void)conf;
	(void)role;
	if (mine->refuse == NULL)
		return 0;
	snprintf(why, room, "option \"refuse\" is there, so dummy refuses; leave it out");
	return -EINVAL;
}

static int
dummy_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)io;
	if (open->settings != NULL) {
		char line[4096];
		int n = snprintf(line, sizeof(line), "settings %s", open->settings);

		if (n > 0)
			open->host->log(open->self, PTAH_LOG_LEVEL_DEBUG, line,
			    (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
	}
	return PTAH_PASS;
}

static int
dummy_bridge_args(const void *conf, const char *bound, struct ptah_room args)
{
	const struct dummy_conf *mine = conf;
	int n = snprintf((char *)args.at, args.len, "%s", mine->args != NULL ? mine->args : "{}");

	(void)bound;
	return n >= 0 && (size_t)n < args.len ? n : -ENOSPC;
}

/* Once it is open they pass it by; what comes before that can only be lost. */
static int
dummy_message(void *link, const struct ptah_msg *msg)
{
	(void)link;
	(void)msg;
	return PTAH_REJECT;
}

PTAH_MODULE(dummy) = {
	.head = PTAH_HEAD(0),
	.name = "dummy",
	.version = "1",
	.summary = "identity: the wire carries the plain bytes; no protection at all",
	.example = "{\"server\": {}, \"client\": {}}",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE |
	    PTAH_CAN_MESSAGE | PTAH_MESSAGES_ASKED | PTAH_UNMAPS,
	.options = options,
	.conf_size = sizeof(struct dummy_conf),
	.args_size = sizeof(struct dummy_args),
	.args_check = dummy_args_check,
	.open = dummy_open,
	.wrap_message = dummy_message,
	.unwrap_message = dummy_message,
	.bridge_args = dummy_bridge_args,
};
