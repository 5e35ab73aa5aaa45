/* SPDX-License-Identifier: BSD-3-Clause */
/* nonsense: its steps answer what cannot be; option 'kind' says how. */
#include <ptah/module.h>

#define KIND_EATEN 0u
#define KIND_MADE 1u
#define KIND_ANSWER 2u
#define KIND_TWICE 3u

struct nonsense_conf {
	uint32_t kind;
};

struct nonsense_link {
	uint32_t kind;
};

static const char *const kinds[] = { "eaten", "made", "answer", "twice", NULL };

static const struct ptah_option options[] = {
	{ .name = "kind", .type = PTAH_WORD, .words = kinds, .def = "eaten",
	    .offset = offsetof(struct nonsense_conf, kind),
	    .help = "eats more than there is, makes more than there is room for, answers 77, opens twice" },
	{ .name = NULL },
};

static int
nonsense_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct nonsense_link *mine = link;
	const struct nonsense_conf *conf = open->conf;

	(void)io;
	mine->kind = conf->kind;
	return PTAH_OPEN;
}

static int
lie(const struct nonsense_link *mine, struct ptah_side *from, struct ptah_side *to)
{
	from->eaten = mine->kind == KIND_EATEN ? from->in.len + 1 : from->in.len;
	to->made = mine->kind == KIND_MADE ? to->out.len + 1 : 0;
	return mine->kind == KIND_ANSWER ? 77 : mine->kind == KIND_TWICE ? PTAH_OPEN : PTAH_GO;
}

static int
nonsense_wrap(void *link, struct ptah_io *io)
{
	return lie(link, &io->plain, &io->wire);
}

static int
nonsense_unwrap(void *link, struct ptah_io *io)
{
	return lie(link, &io->wire, &io->plain);
}

PTAH_MODULE(nonsense) = {
	.head = PTAH_HEAD(0),
	.name = "nonsense",
	.version = "1",
	.summary = "for tests: its steps answer what cannot be",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_NAMED_ONLY,
	.options = options,
	.conf_size = sizeof(struct nonsense_conf),
	.link_size = sizeof(struct nonsense_link),
	.open = nonsense_open,
	.wrap = nonsense_wrap,
	.unwrap = nonsense_unwrap,
};
