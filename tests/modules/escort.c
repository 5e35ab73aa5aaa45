/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * escort: messages in order, with a handshake, for tests of who carries them.
 *
 *     [type:1][session:8] and then, by type
 *     hello    [cookie:8]   client: zeros at first, then what it was told
 *     cookie   [cookie:8]   server: it has kept nothing yet
 *     welcome               server: its plain end is there
 *     data     [body][sum:4]; with option "free" the body begins with
 *              [len:1][host:port], for whom it is, or whose word
 *
 * A client says hello again every 100 ms until it is welcome.  A server knows
 * its links by the session, so a client may change its address.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <ptah/host.h>

#define HELLO 1u
#define COOKIE 2u
#define WELCOME 3u
#define DATA 4u
#define HEAD_LEN 9u
#define NAME_MOST 63u
#define COOKIE_LEN 8u
#define SUM_LEN 4u
#define AGAIN_NS UINT64_C(100000000)

struct escort_conf {
	const char *secret;
	uint8_t free;
};

struct escort_link {
	const struct ptah_host *host;
	struct ptah_self *self;
	const struct escort_conf *conf;
	uint8_t session[8];
	uint8_t cookie[COOKIE_LEN];
	bool is_server, is_open;
};

static const struct ptah_option options[] = {
	{ .name = "secret", .type = PTAH_STRING, .offset = offsetof(struct escort_conf, secret), .def = "sesame",
	    .help = "what the sums are made with" },
	{ .name = "free", .type = PTAH_BOOL, .flags = PTAH_SERVER_ONLY, .offset = offsetof(struct escort_conf, free),
	    .help = "each message says where it goes" },
	{ .name = NULL },
};

static void
mix(uint64_t *sum, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		*sum = (*sum ^ at[i]) * UINT64_C(1099511628211);
}

static uint64_t
sum_begin(const struct escort_link *link)
{
	uint64_t sum = UINT64_C(14695981039346656037);

	mix(&sum, link->conf->secret, strlen(link->conf->secret));
	return sum;
}

static void
sum_of(const struct escort_link *link, struct ptah_span body, uint8_t out[SUM_LEN])
{
	uint64_t sum = sum_begin(link);

	mix(&sum, link->session, sizeof(link->session));
	mix(&sum, body.at, body.len);
	for (unsigned i = 0; i < SUM_LEN; i++)
		out[i] = (uint8_t)(sum >> 8 * i);
}

static void
cookie_of(const struct escort_link *link, const char *peer, uint8_t out[COOKIE_LEN])
{
	uint64_t sum = sum_begin(link);

	mix(&sum, peer, strlen(peer));
	for (unsigned i = 0; i < COOKIE_LEN; i++)
		out[i] = (uint8_t)(sum >> 8 * i);
}

static int
say(struct escort_link *link, uint8_t type, const uint8_t *cookie)
{
	uint8_t bytes[HEAD_LEN + COOKIE_LEN] = { type };
	struct ptah_msg out = { .size = sizeof(out), .side = PTAH_SIDE_WIRE, .body = { bytes, HEAD_LEN } };

	memcpy(bytes + 1, link->session, sizeof(link->session));
	if (cookie != NULL) {
		memcpy(bytes + HEAD_LEN, cookie, COOKIE_LEN);
		out.body.len += COOKIE_LEN;
	}
	return link->host->message(link->self, &out);
}

static int
say_hello(struct escort_link *link)
{
	int rc = say(link, HELLO, link->cookie);

	return rc < 0 ? rc : link->host->timer(link->self, 0, AGAIN_NS);
}

static int
escort_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct escort_link *mine = link;

	(void)io;
	mine->host = open->host;
	mine->self = open->self;
	mine->conf = open->conf;
	mine->is_server = open->role == PTAH_SERVER;
	if (!open->messages)
		return -EINVAL;
	if (mine->is_server)
		return PTAH_GO;
	mine->host->random(mine->self, mine->session, sizeof(mine->session));
	return say_hello(mine);
}

static int
escort_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct escort_link *mine = link;

	(void)io;
	if (event->what == PTAH_EV_TIMER && !mine->is_open)
		return say_hello(mine);
	if (event->what != PTAH_EV_PLAIN)
		return PTAH_GO;
	if (event->val < 0)
		return (int)event->val;
	mine->is_open = true;
	(void)say(mine, WELCOME, NULL);
	return PTAH_OPEN;
}

static int
escort_key(const void *conf, void *worker, const struct ptah_msg *msg, uint8_t key[16])
{
	(void)conf;
	(void)worker;
	if (msg->body.len < HEAD_LEN)
		return -EPROTO;
	memcpy(key, msg->body.at + 1, 8);
	return 0;
}

/* Put who it was before the body, in its room. */
static void
put_peer(struct ptah_msg *msg)
{
	size_t len = msg->peer != NULL ? strlen(msg->peer) : 0;

	if (len > NAME_MOST)
		len = 0;
	uint8_t *at = msg->room.at + (msg->body.at - msg->room.at) - len - 1;
	at[0] = (uint8_t)len;
	if (len > 0)
		memcpy(at + 1, msg->peer, len);
	msg->body = (struct ptah_span){ at, msg->body.len + len + 1 };
}

static int
escort_wrap(void *link, const struct ptah_msg *msg)
{
	struct escort_link *mine = link;
	struct ptah_msg out = *msg;

	if (mine->conf->free)
		put_peer(&out);
	uint8_t *at = out.room.at + (out.body.at - out.room.at) - HEAD_LEN;
	sum_of(mine, out.body, at + HEAD_LEN + out.body.len);
	at[0] = DATA;
	memcpy(at + 1, mine->session, sizeof(mine->session));
	out.side = PTAH_SIDE_WIRE;
	out.body = (struct ptah_span){ at, HEAD_LEN + out.body.len + SUM_LEN };
	return mine->host->message(mine->self, &out) == -EMSGSIZE ? PTAH_REJECT : PTAH_GO;
}

static int
take_data(struct escort_link *link, const struct ptah_msg *msg)
{
	struct ptah_msg out = *msg;
	uint8_t sum[SUM_LEN];

	if (msg->body.len < HEAD_LEN + SUM_LEN || !link->is_open)
		return PTAH_REJECT;
	out.side = PTAH_SIDE_PLAIN;
	out.body = (struct ptah_span){ msg->body.at + HEAD_LEN, msg->body.len - HEAD_LEN - SUM_LEN };
	sum_of(link, out.body, sum);
	if (memcmp(sum, out.body.at + out.body.len, SUM_LEN) != 0)
		return PTAH_REJECT;
	char name[NAME_MOST + 1] = "";
	if (link->conf->free) {
		size_t len = out.body.len > 0 ? out.body.at[0] : 0;

		if (len == 0 || len > NAME_MOST || out.body.len < len + 1)
			return PTAH_REJECT;
		memcpy(name, out.body.at + 1, len);
		out.dest = name;
		out.body = ptah_span_from(out.body, len + 1);
	}
	return link->host->message(link->self, &out);
}

static int
take_hello(struct escort_link *link, const struct ptah_msg *msg)
{
	uint8_t right[COOKIE_LEN];

	memcpy(link->session, msg->body.at + 1, sizeof(link->session));
	cookie_of(link, msg->peer != NULL ? msg->peer : "", right);
	if (memcmp(right, msg->body.at + HEAD_LEN, COOKIE_LEN) == 0 && !link->is_open)
		return PTAH_ADMIT;
	/* It was not heard, perhaps. */
	(void)say(link, link->is_open ? WELCOME : COOKIE, link->is_open ? NULL : right);
	return link->is_open ? PTAH_GO : PTAH_REJECT;
}

static int
escort_unwrap(void *link, const struct ptah_msg *msg)
{
	struct escort_link *mine = link;
	uint8_t type = msg->body.len >= HEAD_LEN ? msg->body.at[0] : 0;
	bool has_cookie = msg->body.len == HEAD_LEN + COOKIE_LEN;

	if (type == DATA)
		return take_data(mine, msg);
	if (mine->is_server)
		return type == HELLO && has_cookie ? take_hello(mine, msg) : PTAH_REJECT;
	if (msg->body.len < HEAD_LEN || memcmp(msg->body.at + 1, mine->session, sizeof(mine->session)) != 0 || mine->is_open)
		return PTAH_GO;
	if (type == COOKIE && has_cookie) {
		memcpy(mine->cookie, msg->body.at + HEAD_LEN, COOKIE_LEN);
		return say_hello(mine);
	}
	if (type != WELCOME)
		return PTAH_GO;
	mine->is_open = true;
	return PTAH_OPEN;
}

PTAH_MODULE(escort) = {
	.head = PTAH_HEAD(0),
	.name = "escort",
	.version = "1",
	.summary = "for tests: messages with a cookie, a session and a sum",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_MESSAGE | PTAH_NAMED_ONLY,
	.handshake_ms = 10000,
	.options = options,
	.conf_size = sizeof(struct escort_conf),
	.link_size = sizeof(struct escort_link),
	.msg_head = HEAD_LEN + 1 + NAME_MOST,
	.msg_tail = SUM_LEN,
	.open = escort_open,
	.event = escort_event,
	.key = escort_key,
	.wrap_message = escort_wrap,
	.unwrap_message = escort_unwrap,
};
