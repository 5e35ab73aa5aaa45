/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gate: a server that lets peers in, or not, in every way there is.  The
 * client's first byte says which:
 *
 *     'i' in at once            'd' in, to the server's option 'dest', as peer 192.0.2.7:7
 *     'p' in, peer without an address
 *     's' rejected, silently    'h' rejected, shut     'n' rejected now
 *     'e' an error
 *
 * With 'd' the server opens in two moments: it answers '+' once the plain end
 * is there, '-' when there is none.  All others are answered '+' at once.
 */
#include <errno.h>

#include <ptah/host.h>

struct gate_conf {
	const char *dest;
};

struct gate_args {
	const char *knock;
};

struct gate_link {
	const char *dest;
	uint32_t role, waiting;
};

static const struct ptah_option options[] = {
	{ .name = "dest", .type = PTAH_ADDRESS, .flags = PTAH_SERVER_ONLY,
	    .offset = offsetof(struct gate_conf, dest), .help = "where 'd' leads" },
	{ .name = "knock", .type = PTAH_STRING, .flags = PTAH_LINK | PTAH_CLIENT_ONLY, .def = "i", .min = 1, .max = 1,
	    .offset = offsetof(struct gate_args, knock), .help = "the byte to say" },
	{ .name = NULL },
};

static int
gate_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	const struct gate_conf *conf = open->conf;
	const struct gate_args *args = open->args;
	struct gate_link *mine = link;

	mine->role = open->role;
	mine->dest = conf->dest;
	io->plain.want = PTAH_NEVER;
	io->wire.want = 1;
	if (open->role == PTAH_CLIENT) {
		io->wire.out.at[0] = (uint8_t)args->knock[0];
		io->wire.made = 1;
	}
	return PTAH_GO;
}

static int
let_in(struct ptah_io *io, uint8_t word)
{
	io->wire.out.at[0] = word;
	io->wire.made = 1;
	return PTAH_PASS;
}

static int
reject(struct ptah_io *io, uint32_t manner)
{
	io->manner = manner;
	io->reason = "knocked wrongly";
	return PTAH_REJECT;
}

static int
gate_unwrap(void *link, struct ptah_io *io)
{
	struct gate_link *mine = link;
	uint8_t word;

	if (mine->waiting || io->wire.in.len == 0)
		return PTAH_GO;
	word = io->wire.in.at[0];
	io->wire.eaten = 1;
	if (mine->role == PTAH_CLIENT)
		return word == '+' ? PTAH_PASS : -ECONNREFUSED;
	switch (word) {
	case 'i':
		return let_in(io, '+');
	case 'p':
		io->peer = "";
		return let_in(io, '+');
	case 'd':
		mine->waiting = 1;
		io->wire.want = PTAH_NEVER;
		io->dest = mine->dest;
		io->peer = "192.0.2.7:7";
		return PTAH_ADMIT;
	case 's':
		return reject(io, PTAH_SILENT);
	case 'h':
		return reject(io, PTAH_SHUT);
	case 'n':
		return reject(io, PTAH_NOW);
	default:
		return -EPROTO;
	}
}

static int
gate_wrap(void *link, struct ptah_io *io)
{
	(void)link;
	(void)io;
	return PTAH_GO;
}

static int
gate_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct gate_link *mine = link;

	if (event->what != PTAH_EV_PLAIN || !mine->waiting)
		return PTAH_GO;
	mine->waiting = 0;
	if (event->val == 0)
		return let_in(io, '+');
	io->wire.out.at[0] = '-';
	io->wire.made = 1;
	io->wire.finish = 1;
	return (int)event->val;
}

PTAH_MODULE(gate) = {
	.head = PTAH_HEAD(0),
	.name = "gate",
	.version = "1",
	.summary = "for tests: admits and rejects in every manner",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE | PTAH_NAMED_ONLY,
	.options = options,
	.conf_size = sizeof(struct gate_conf),
	.args_size = sizeof(struct gate_args),
	.link_size = sizeof(struct gate_link),
	.open = gate_open,
	.wrap = gate_wrap,
	.unwrap = gate_unwrap,
	.event = gate_event,
};
