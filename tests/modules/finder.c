/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * finder: a client that knows its servers by itself, tries one after another,
 * and says how its link ended.  Bytes go as they are, each through a step.  It
 * looks at the host's clocks, random bytes and mail addresses on the way.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <ptah/host.h>

struct finder_args {
	struct ptah_list places;
	uint8_t wait, hear;
};

struct finder_link {
	const struct ptah_host *host;
	struct ptah_self *self;
	uint64_t born_ns;
	uint32_t attempt;
	bool hears;
};

static const struct ptah_option options[] = {
	{ .name = "places", .type = PTAH_ADDRESS, .flags = PTAH_LINK | PTAH_LIST | PTAH_CLIENT_ONLY,
	    .offset = offsetof(struct finder_args, places), .help = "servers, the best one first" },
	{ .name = "wait", .type = PTAH_BOOL, .flags = PTAH_LINK,
	    .offset = offsetof(struct finder_args, wait), .help = "never open" },
	{ .name = "hear", .type = PTAH_BOOL, .flags = PTAH_LINK,
	    .offset = offsetof(struct finder_args, hear), .help = "open when the peer has said a byte, a '+'" },
	{ .name = NULL },
};

static int
finder_endpoint(const struct ptah_open *open, char *server, size_t room)
{
	const struct finder_args *args = open->args;
	const char *const *places = args->places.items;

	if (open->attempt >= args->places.n)
		return -ENOENT;
	return (size_t)snprintf(server, room, "%s", places[open->attempt]) < room ? 0 : -ENAMETOOLONG;
}

/* What every life may ask for; -errno if it makes no sense. */
static int
look_around(struct finder_link *mine)
{
	uint8_t one[16] = { 0 }, two[16] = { 0 };

	mine->born_ns = mine->host->now_ns(mine->self);
	mine->host->random(mine->self, one, sizeof(one));
	mine->host->random(mine->self, two, sizeof(two));
	if (mine->born_ns == 0 || mine->host->wall_s(mine->self) < 1700000000 || memcmp(one, two, sizeof(one)) == 0)
		return -EDOM;
	return mine->host->id(mine->self) != PTAH_HOME ? 0 : -EDOM;
}

static int
finder_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	const struct finder_args *args = open->args;
	struct finder_link *mine = link;
	int rc;

	(void)io;
	mine->host = open->host;
	mine->self = open->self;
	mine->attempt = open->attempt;
	rc = look_around(mine);
	if (rc < 0)
		return rc;
	mine->hears = args->hear;
	return args->wait || args->hear ? PTAH_GO : PTAH_OPEN;
}

static void
copy(struct ptah_side *from, struct ptah_side *to)
{
	size_t n = from->in.len < to->out.len ? from->in.len : to->out.len;

	if (n > 0)
		memcpy(to->out.at, from->in.at, n);
	from->eaten = to->made = n;
}

static int
finder_wrap(void *link, struct ptah_io *io)
{
	(void)link;
	copy(&io->plain, &io->wire);
	return PTAH_GO;
}

static int
finder_unwrap(void *link, struct ptah_io *io)
{
	struct finder_link *mine = link;

	if (!mine->hears) {
		copy(&io->wire, &io->plain);
		return PTAH_GO;
	}
	if (io->wire.in.len == 0)
		return PTAH_GO;
	io->wire.eaten = 1;
	mine->hears = false;
	return io->wire.in.at[0] == '+' ? PTAH_OPEN : -EBADMSG;
}

static void
finder_close(void *link, int why)
{
	struct finder_link *mine = link;
	char line[64];
	int n = snprintf(line, sizeof(line), "attempt %u ended with %d", mine->attempt, why);

	if (mine->host->now_ns(mine->self) >= mine->born_ns)
		mine->host->log(mine->self, PTAH_LOG_LEVEL_INFO, line, (size_t)n);
}

PTAH_MODULE(finder) = {
	.head = PTAH_HEAD(0),
	.name = "finder",
	.version = "1",
	.summary = "for tests: knows its servers by itself",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE | PTAH_NAMED_ONLY,
	.handshake_ms = 3000, /* longer than a machine may stop between two steps of a test */
	.options = options,
	.args_size = sizeof(struct finder_args),
	.link_size = sizeof(struct finder_link),
	.open = finder_open,
	.wrap = finder_wrap,
	.unwrap = finder_unwrap,
	.close = finder_close,
	.endpoint = finder_endpoint,
};
