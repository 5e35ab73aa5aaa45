/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * folio: a module whose options name files.
 *
 * Bytes go through as they are, but for some that a server's peer sends: 'F' is
 * answered by what "file" holds, 'K' by "key", 'L' by all of "list", 'P' by the path of
 * "file", and 'O' by "once", which is gone when the first link comes; four digits that say
 * how many bytes follow stand before each answer.
 */
#include <stdio.h>
#include <string.h>

#include <ptah/module.h>

/* The longest answer. */
#define MOST ((size_t)4096)

struct folio_conf {
	struct ptah_file file, key, once;
	struct ptah_list list;
	uint8_t tells;
};

struct folio_link {
	const struct folio_conf *conf;
};

#define AT(field) .offset = offsetof(struct folio_conf, field)

static const struct ptah_option options[] = {
	{ .name = "file", .type = PTAH_FILE, .flags = PTAH_SERVER_ONLY | PTAH_REQUIRED, AT(file), .help = "what 'F' tells" },
	{ .name = "key", .type = PTAH_FILE, .flags = PTAH_SERVER_ONLY | PTAH_SECRET, AT(key), .min = 4, .max = 64,
	    .help = "what 'K' tells" },
	{ .name = "list", .type = PTAH_FILE, .flags = PTAH_SERVER_ONLY | PTAH_LIST, AT(list), .min = 0, .max = 64,
	    .help = "what 'L' tells" },
	{ .name = "once", .type = PTAH_FILE, .flags = PTAH_SERVER_ONLY | PTAH_SECRET | PTAH_ONCE, AT(once), .help = "what 'O' tells" },
	{ .name = "tells", .type = PTAH_BOOL, .flags = PTAH_SERVER_ONLY, .def = "true", AT(tells),
	    .help = "false: every byte goes through as it is" },
	{ .name = NULL },
};

/* A module that takes what it is given for text: what stands behind the bytes must be a NUL. */
static int
folio_conf_check(const void *conf, uint32_t role, char *why, size_t room)
{
	const struct folio_conf *mine = conf;
	const struct ptah_span *bytes = &mine->file.bytes;

	if (role != PTAH_SERVER)
		return 0;
	if (bytes->at[bytes->len] != '\0' || (mine->key.path != NULL && mine->key.bytes.at[mine->key.bytes.len] != '\0')) {
		snprintf(why, room, "a file does not end with a NUL");
		return -1;
	}
	if (mine->once.path != NULL && mine->once.bytes.len == 0) {
		snprintf(why, room, "what shall be read once is not there");
		return -1;
	}
	if (strncmp((const char *)bytes->at, "bad", 3) == 0) {
		snprintf(why, room, "option \"file\": what %s holds is bad", mine->file.path);
		return -1;
	}
	return 0;
}

static int
folio_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct folio_link *mine = link;

	(void)io;
	mine->conf = open->conf;
	return PTAH_OPEN;
}

static int
folio_wrap(void *link, struct ptah_io *io)
{
	size_t n = io->plain.in.len < io->wire.out.len ? io->plain.in.len : io->wire.out.len;

	(void)link;
	if (n > 0)
		memcpy(io->wire.out.at, io->plain.in.at, n);
	io->plain.eaten = n;
	io->wire.made = n;
	return PTAH_GO;
}

static size_t
add(char *out, size_t used, struct ptah_span bytes)
{
	size_t n = bytes.len < MOST - used ? bytes.len : MOST - used;

	if (n > 0)
		memcpy(out + used, bytes.at, n);
	return used + n;
}

/* Room for an answer or not, what is asked is eaten: tests ask for one at a time. */
static void
answer(const struct folio_conf *conf, char what, struct ptah_side *wire)
{
	const struct ptah_file *files = conf->list.items;
	char text[MOST], digits[8];
	size_t n = 0;

	if (what == 'F')
		n = add(text, n, conf->file.bytes);
	else if (what == 'K')
		n = add(text, n, conf->key.bytes);
	else if (what == 'O')
		n = add(text, n, conf->once.bytes);
	else if (what == 'P')
		n = add(text, n, (struct ptah_span){ (const uint8_t *)conf->file.path, strlen(conf->file.path) });
	for (size_t i = 0; what == 'L' && i < conf->list.n; i++)
		n = add(text, n, files[i].bytes);
	snprintf(digits, sizeof(digits), "%04u", (unsigned)n);
	if (wire->out.len - wire->made < n + 4)
		return;
	memcpy(wire->out.at + wire->made, digits, 4);
	if (n > 0)
		memcpy(wire->out.at + wire->made + 4, text, n);
	wire->made += n + 4;
}

static int
folio_unwrap(void *link, struct ptah_io *io)
{
	struct folio_link *mine = link;

	while (io->wire.eaten < io->wire.in.len && io->plain.made < io->plain.out.len) {
		uint8_t byte = io->wire.in.at[io->wire.eaten++];

		if (mine->conf->tells && byte != '\0' && strchr("FKLOP", byte) != NULL)
			answer(mine->conf, (char)byte, &io->wire);
		else
			io->plain.out.at[io->plain.made++] = byte;
	}
	return PTAH_GO;
}

PTAH_MODULE(folio) = {
	.head = PTAH_HEAD(1),
	.name = "folio",
	.version = "1",
	.summary = "tells what is in its files; for tests",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE | PTAH_UNMAPS | PTAH_NAMED_ONLY,
	.options = options,
	.conf_size = sizeof(struct folio_conf),
	.link_size = sizeof(struct folio_link),
	.conf_check = folio_conf_check,
	.open = folio_open,
	.wrap = folio_wrap,
	.unwrap = folio_unwrap,
};
