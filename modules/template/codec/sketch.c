/* SPDX-License-Identifier: BSD-3-Clause */
/* sketch: both ends know a key, and cover what they say with it.  README.md draws the wire. */
#include <errno.h>
#include <string.h>
#include <sodium.h>
#include <ptah/host.h>

enum { SECRET_LEN = 16, KEY_LEN = 32, SALT_LEN = 16, MARK_LEN = 16, HEAD_LEN = SALT_LEN + MARK_LEN + 1, PADDING_MOST = 255, BLOCK = 64 };

struct args { struct ptah_span key; };
struct cover { uint8_t key[KEY_LEN + MARK_LEN], block[BLOCK]; uint64_t at; };
struct link { const struct ptah_host *host; struct ptah_self *self; uint8_t secret[SECRET_LEN]; uint32_t role, open; struct cover to_wire, from_wire; };

static const struct ptah_option options[] = {
	{ .name = "key", .type = PTAH_HEX, .flags = PTAH_LINK | PTAH_REQUIRED | PTAH_SECRET, .offset = offsetof(struct args, key),
	    .min = SECRET_LEN, .max = SECRET_LEN, .help = "16 bytes that both ends know, in hex" },
	{ .name = NULL },
};

/* Begin the direction whose salt this is; behind its key lies the mark that shows the peer that we know the secret. */
static void
begin(struct cover *cover, const struct link *mine, const uint8_t *salt)
{
	(void)crypto_generichash(cover->key, sizeof(cover->key), salt, SALT_LEN, mine->secret, SECRET_LEN);
	cover->at = 0;
}

/* Cover the next bytes of a direction, or uncover them: it is the same. */
static void
apply(struct cover *cover, uint8_t *to, const uint8_t *from, size_t len)
{
	static const uint8_t zeros[BLOCK];

	for (size_t i = 0; i < len; i++, cover->at++) {
		if (cover->at % BLOCK == 0)
			(void)crypto_stream_chacha20_xor_ic(cover->block, zeros, BLOCK, zeros, cover->at / BLOCK, cover->key);
		to[i] = from[i] ^ cover->block[cover->at % BLOCK];
	}
}

static void
say_hello(struct link *mine, struct ptah_io *io)
{
	uint8_t *at = io->wire.out.at, *padding = at + HEAD_LEN;

	mine->host->random(mine->self, at, HEAD_LEN + PADDING_MOST);
	begin(&mine->to_wire, mine, at);
	memcpy(at + SALT_LEN, mine->to_wire.key + KEY_LEN, MARK_LEN);
	io->wire.made = HEAD_LEN + (size_t)padding[-1]; /* there: how much of it there is */
	apply(&mine->to_wire, padding - 1, padding - 1, io->wire.made - HEAD_LEN + 1);
}

/* Nothing of the peer's hello is eaten until all of it is here. */
static int
hear_hello(struct link *mine, struct ptah_io *io)
{
	uint8_t padding[1 + PADDING_MOST];
	const uint8_t *at = io->wire.in.at;

	if (io->wire.in.len < io->wire.want || io->wire.out.len == 0)
		return io->wire.ended ? -ECONNRESET : PTAH_GO;
	begin(&mine->from_wire, mine, at);
	if (sodium_memcmp(mine->from_wire.key + KEY_LEN, at + SALT_LEN, MARK_LEN) != 0) {
		io->reason = "the peer does not know the key";
		return mine->role == PTAH_SERVER ? PTAH_REJECT : -EBADMSG;
	}
	apply(&mine->from_wire, padding, at + HEAD_LEN - 1, 1);
	io->wire.want = HEAD_LEN + (size_t)padding[0];
	if (io->wire.in.len < io->wire.want)
		return io->wire.ended ? -ECONNRESET : PTAH_GO;
	apply(&mine->from_wire, padding + 1, at + HEAD_LEN, padding[0]);
	if (mine->role == PTAH_SERVER)
		say_hello(mine, io);
	io->wire.eaten = io->wire.want;
	io->wire.want = io->plain.want = 0;
	return mine->open = PTAH_OPEN;
}

static int
sketch_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct link *mine = link;

	*mine = (struct link){ .host = open->host, .self = open->self, .role = open->role };
	memcpy(mine->secret, ((const struct args *)open->args)->key.at, SECRET_LEN);
	if (mine->role == PTAH_CLIENT)
		say_hello(mine, io);
	io->wire.want = HEAD_LEN, io->plain.want = PTAH_NEVER;
	return sodium_init() < 0 ? -EIO : PTAH_GO;
}

static int
carry(struct cover *cover, struct ptah_side *from, struct ptah_side *to)
{
	from->eaten = to->made = from->in.len < to->out.len ? from->in.len : to->out.len;
	apply(cover, to->out.at, from->in.at, from->eaten);
	return PTAH_GO;
}

static int
sketch_wrap(void *link, struct ptah_io *io)
{
	return carry(&((struct link *)link)->to_wire, &io->plain, &io->wire);
}

static int
sketch_unwrap(void *link, struct ptah_io *io)
{
	return ((struct link *)link)->open ? carry(&((struct link *)link)->from_wire, &io->wire, &io->plain) : hear_hello(link, io);
}

PTAH_MODULE(sketch) = {
	.head = PTAH_HEAD(0), .name = "sketch", .version = "1",
	.summary = "a beginning: covers each byte with a key that both ends know",
	.example = "{\"server\": {\"key\": \"000102030405060708090a0b0c0d0e0f\"}, "
	    "\"client\": {\"key\": \"000102030405060708090a0b0c0d0e0f\"}}",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE,
	.options = options, .args_size = sizeof(struct args), .link_size = sizeof(struct link), .unit = HEAD_LEN + PADDING_MOST,
	.open = sketch_open, .wrap = sketch_wrap, .unwrap = sketch_unwrap,
};
