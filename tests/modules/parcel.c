/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parcel: keeps messages whole: each goes over the wire behind four bytes that
 * say which link it belongs to, so that a client may change its address.
 */
#include <errno.h>
#include <string.h>

#include <ptah/host.h>

#define MARK_LEN 4u

struct parcel_args {
	struct ptah_span mark;
};

struct parcel_link {
	const struct ptah_host *host;
	struct ptah_self *self;
	uint8_t mark[MARK_LEN];
};

static const struct ptah_option options[] = {
	{ .name = "mark", .type = PTAH_HEX, .flags = PTAH_LINK, .min = MARK_LEN, .max = MARK_LEN, .def = "00000001",
	    .offset = offsetof(struct parcel_args, mark), .help = "what the link is known by" },
	{ .name = NULL },
};

static int
parcel_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	const struct parcel_args *args = open->args;
	struct parcel_link *mine = link;

	(void)io;
	mine->host = open->host;
	mine->self = open->self;
	memcpy(mine->mark, args->mark.at, MARK_LEN);
	return PTAH_OPEN;
}

static int
parcel_key(const void *conf, void *worker, const struct ptah_msg *msg, uint8_t key[16])
{
	(void)conf;
	(void)worker;
	if (msg->body.len < MARK_LEN)
		return -EPROTO;
	memset(key, 0, 16);
	memcpy(key, msg->body.at, MARK_LEN);
	return 0;
}

static int
parcel_wrap(void *link, const struct ptah_msg *msg)
{
	struct parcel_link *mine = link;
	struct ptah_msg out = *msg;
	uint8_t *head = msg->room.at + (msg->body.at - msg->room.at) - MARK_LEN;

	memcpy(head, mine->mark, MARK_LEN);
	out.side = PTAH_SIDE_WIRE;
	out.body.at = head;
	out.body.len += MARK_LEN;
	return mine->host->message(mine->self, &out);
}

static int
parcel_unwrap(void *link, const struct ptah_msg *msg)
{
	struct parcel_link *mine = link;
	struct ptah_msg out = *msg;

	if (msg->body.len < MARK_LEN)
		return PTAH_REJECT;
	out.side = PTAH_SIDE_PLAIN;
	out.body.at += MARK_LEN;
	out.body.len -= MARK_LEN;
	return mine->host->message(mine->self, &out);
}

PTAH_MODULE(parcel) = {
	.head = PTAH_HEAD(0),
	.name = "parcel",
	.version = "1",
	.summary = "for tests: keeps messages whole",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_MESSAGE | PTAH_NAMED_ONLY,
	.options = options,
	.args_size = sizeof(struct parcel_args),
	.link_size = sizeof(struct parcel_link),
	.msg_head = MARK_LEN,
	.open = parcel_open,
	.key = parcel_key,
	.wrap_message = parcel_wrap,
	.unwrap_message = parcel_unwrap,
};
