/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * veil: frames of "length (2 bytes, big-endian), masked bytes", after a
 * handshake of four bytes each way.  For stacks: it works above any transport
 * and below any.
 *
 *     client                          server
 *     'v' 'e' key key ->              checks the key
 *                     <- 'i' 'l' 0 0  then frames both ways; length 0: EOF
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ptah/host.h>

#define HELLO_LEN 4u
#define FRAME_MOST 1000u
#define FRAME_HEAD 2u

struct veil_args {
	int64_t key;
};

struct veil_link {
	uint8_t mask;
	uint8_t key[2];
	uint32_t role, open;
	uint32_t said_eof, heard_eof;
};

static const struct ptah_option options[] = {
	{ .name = "key", .type = PTAH_INT, .flags = PTAH_LINK | PTAH_REQUIRED, .min = 1, .max = 65535,
	    .offset = offsetof(struct veil_args, key), .help = "mask that both ends know" },
	{ .name = NULL },
};

static void
make_hello(const struct veil_link *mine, uint8_t *at)
{
	memcpy(at, mine->role == PTAH_CLIENT ? "ve" : "il", 2);
	memset(at + 2, 0, 2);
	if (mine->role == PTAH_CLIENT)
		memcpy(at + 2, mine->key, 2);
}

static int
veil_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	const struct veil_args *args = open->args;
	struct veil_link *mine = link;

	mine->role = open->role;
	mine->key[0] = (uint8_t)(args->key >> 8);
	mine->key[1] = (uint8_t)args->key;
	mine->mask = mine->key[0] ^ mine->key[1] ^ 0x5a;
	if (open->role == PTAH_CLIENT) {
		make_hello(mine, io->wire.out.at);
		io->wire.made = HELLO_LEN;
	}
	io->wire.want = HELLO_LEN;
	io->plain.want = PTAH_NEVER;
	return PTAH_GO;
}

static int
shake_hands(struct veil_link *mine, struct ptah_io *io)
{
	const uint8_t *hello = io->wire.in.at;

	if (io->wire.in.len < HELLO_LEN)
		return io->wire.ended ? -ECONNRESET : PTAH_GO;
	if (memcmp(hello, mine->role == PTAH_CLIENT ? "il" : "ve", 2) != 0 ||
	    (mine->role == PTAH_SERVER && memcmp(hello + 2, mine->key, 2) != 0)) {
		io->reason = "the other side has another key";
		return mine->role == PTAH_CLIENT ? -EBADMSG : PTAH_REJECT;
	}
	if (mine->role == PTAH_SERVER) {
		if (io->wire.out.len < HELLO_LEN)
			return PTAH_GO;
		make_hello(mine, io->wire.out.at);
		io->wire.made = HELLO_LEN;
	}
	io->wire.eaten = HELLO_LEN;
	io->wire.want = FRAME_HEAD;
	io->plain.want = 0;
	mine->open = 1;
	return PTAH_OPEN;
}

static void
mask(const struct veil_link *mine, uint8_t *to, const uint8_t *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = from[i] ^ mine->mask;
}

static int
veil_wrap(void *link, struct ptah_io *io)
{
	struct veil_link *mine = link;
	const uint8_t *from = io->plain.in.at;
	size_t left = io->plain.in.len, room = io->wire.out.len, made = 0;

	while (left > 0 && room > made + FRAME_HEAD) {
		size_t n = left < FRAME_MOST ? left : FRAME_MOST;
		uint8_t *to = io->wire.out.at + made;

		if (n > room - made - FRAME_HEAD)
			n = room - made - FRAME_HEAD;
		to[0] = (uint8_t)(n >> 8);
		to[1] = (uint8_t)n;
		mask(mine, to + FRAME_HEAD, from, n);
		from += n;
		left -= n;
		made += FRAME_HEAD + n;
	}
	if (io->plain.ended && left == 0 && !mine->said_eof && room >= made + FRAME_HEAD) {
		memset(io->wire.out.at + made, 0, FRAME_HEAD);
		made += FRAME_HEAD;
		mine->said_eof = 1;
		if (mine->heard_eof)
			io->wire.finish = 1;
	}
	io->plain.eaten = io->plain.in.len - left;
	io->wire.made = made;
	return PTAH_GO;
}

static int
veil_unwrap(void *link, struct ptah_io *io)
{
	struct veil_link *mine = link;
	const uint8_t *from = io->wire.in.at;
	size_t left = io->wire.in.len, room = io->plain.out.len, made = 0;

	if (!mine->open)
		return shake_hands(mine, io);
	io->wire.want = FRAME_HEAD;
	while (left >= FRAME_HEAD) {
		size_t n = (size_t)from[0] << 8 | from[1];

		if (n > FRAME_MOST || mine->heard_eof) {
			io->reason = "a frame that cannot be";
			return -EPROTO;
		}
		if (left - FRAME_HEAD < n) {
			io->wire.want = FRAME_HEAD + n;
			break;
		}
		if (room - made < n)
			break;
		mask(mine, io->plain.out.at + made, from + FRAME_HEAD, n);
		from += FRAME_HEAD + n;
		left -= FRAME_HEAD + n;
		made += n;
		if (n == 0) {
			mine->heard_eof = 1;
			io->plain.finish = 1;
			if (mine->said_eof)
				io->wire.finish = 1;
		}
	}
	io->wire.eaten = io->wire.in.len - left;
	io->plain.made = made;
	if (io->wire.ended && !mine->heard_eof && left < FRAME_HEAD + FRAME_MOST && (left < FRAME_HEAD || io->wire.want > left)) {
		io->reason = "the wire ended inside of a link";
		return -ECONNRESET;
	}
	return PTAH_GO;
}

static int
veil_generate(const void *conf, const char *advertise, struct ptah_room server, struct ptah_room client)
{
	int n = snprintf((char *)server.at, server.len, "{\"key\": 4711}");
	int m = snprintf((char *)client.at, client.len, "{\"key\": 4711, \"serverAddress\": \"%s\"}", advertise);

	(void)conf;
	return n > 0 && (size_t)n < server.len && m > 0 && (size_t)m < client.len ? 0 : -ENOSPC;
}

PTAH_MODULE(veil) = {
	.head = PTAH_HEAD(0),
	.name = "veil",
	.version = "1",
	.summary = "for tests: masks each byte, in frames",
	.example = "{\"server\": {\"key\": 4711}, \"client\": {\"key\": 4711}}",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_NAMED_ONLY,
	.options = options,
	.args_size = sizeof(struct veil_args),
	.link_size = sizeof(struct veil_link),
	.unit = FRAME_HEAD + FRAME_MOST,
	.open = veil_open,
	.wrap = veil_wrap,
	.unwrap = veil_unwrap,
	.generate = veil_generate,
};
