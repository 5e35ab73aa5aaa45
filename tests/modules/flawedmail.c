/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flawedmail: keeps messages whole, and to the contract; compiled with
 * -DFLAW=n it does not, in one place.  For tests of "ptah check-module".
 *
 *     [type:1][session:8] and then, by type
 *     hello    [tag:8]                    client: once more each 100 ms, until it is welcome
 *     welcome  [tag:8]                    server: its plain end is there
 *     data     [number:4][tag:8][body]    numbers of each side begin at 0
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <ptah/host.h>

#ifndef FLAW
#define FLAW 0
#endif

#define HAS(flaw) (FLAW == (flaw))
#define LOSES_EMPTY 1
#define WANTS_NEXT 2
#define TAKES_NEWER 3
#define LONG_ENDS 4
#define CUTS_LONG 5
#define SMALL_MARGIN 6
#define CHANGES_GIVEN 7
#define KEEPS_MESSAGE 8
#define LEAKS_LINK 9
#define TRUSTS_HEAP 10
#define SAYS_TWICE 11
#define TRUSTS_LENGTH 12
#define HALF_A_TAG 13
#define SHORT_MEMORY 14
#define ENDS_AT_NOISE 15
#define MARKS_EARLY 16
#define CHANGES_AT_KEY 17
#define SHARES_SESSION 18
#define FIXED_ROOM 19

#define HELLO 1u
#define WELCOME 2u
#define DATA 3u
#define SESSION_LEN 8u
#define TAG_LEN 8u
#define HEAD_LEN (1u + SESSION_LEN)
#define NUMBER_AT HEAD_LEN
#define TAG_AT (NUMBER_AT + 4u)
#define DATA_LEN (TAG_AT + TAG_LEN)
#define WINDOW 64u
#define AGAIN_NS UINT64_C(100000000)

struct mail_args {
	const char *password;
};

struct mail_link {
	const struct ptah_host *host;
	struct ptah_self *self;
	uint64_t key, seen; /* seen: bit i is 'next' - 1 - i */
	uint32_t sent, next;
	uint8_t session[SESSION_LEN];
	uint8_t is_server, is_open;
	uint8_t *notes; /* something from the heap */
	const uint8_t *kept;
	size_t kept_len;
};

/* What a module may not have. */
static uint8_t shared[SESSION_LEN];

static const struct ptah_option options[] = {
	{ .name = "password", .type = PTAH_STRING, .flags = PTAH_LINK | PTAH_REQUIRED | PTAH_SECRET,
	    .offset = offsetof(struct mail_args, password), .help = "what both ends know" },
	{ .name = NULL },
};

static uint64_t
digest(uint64_t sum, const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
	return sum ^ sum >> 29;
}

/* Of all but the tag itself; the side that it comes from is in it, so that none can be sent back. */
static uint64_t
tag_of(const struct mail_link *mine, bool from_server, const uint8_t *at, size_t head, size_t len)
{
	size_t body = len - head - TAG_LEN, looked = HAS(HALF_A_TAG) && body > 20 ? body - 20 : body;

	return digest(digest(mine->key + from_server, at, head), at + head + TAG_LEN, looked);
}

static bool
is_right(const struct mail_link *mine, const uint8_t *at, size_t head, size_t len)
{
	uint64_t is, should = tag_of(mine, !mine->is_server, at, head, len);

	memcpy(&is, at + head, TAG_LEN);
	return is == should;
}

static void
put_head(const struct mail_link *mine, uint8_t type, uint8_t *at)
{
	at[0] = type;
	memcpy(at + 1, HAS(SHARES_SESSION) ? shared : mine->session, SESSION_LEN);
}

static int
send_out(const struct mail_link *mine, uint32_t side, const uint8_t *at, size_t len)
{
	const struct ptah_msg out = { .size = sizeof(out), .side = side, .body = { at, len } };

	return mine->host->message(mine->self, &out);
}

static int
say(const struct mail_link *mine, uint8_t type)
{
	uint8_t bytes[HEAD_LEN + TAG_LEN];

	put_head(mine, type, bytes);
	uint64_t tag = tag_of(mine, mine->is_server, bytes, HEAD_LEN, sizeof(bytes));
	memcpy(bytes + HEAD_LEN, &tag, TAG_LEN);
	return send_out(mine, PTAH_SIDE_WIRE, bytes, sizeof(bytes));
}

static int
say_hello(const struct mail_link *mine)
{
	int rc = say(mine, HELLO);

	return rc < 0 ? rc : mine->host->timer(mine->self, 0, AGAIN_NS);
}

static int
mail_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	const struct mail_args *args = open->args;
	struct mail_link *mine = link;

	(void)io;
	if (!open->messages)
		return -EINVAL;
	mine->host = open->host;
	mine->self = open->self;
	mine->is_server = open->role == PTAH_SERVER;
	mine->key = digest(UINT64_C(0xcbf29ce484222325), (const uint8_t *)args->password, strlen(args->password));
	mine->notes = malloc(100);
	if (mine->notes == NULL && !HAS(TRUSTS_HEAP))
		return -ENOMEM;
	memset(mine->notes, 1, 100);
	if (mine->is_server)
		return PTAH_GO;
	mine->host->random(mine->self, mine->session, SESSION_LEN);
	memcpy(shared, mine->session, SESSION_LEN);
	return say_hello(mine);
}

static int
mail_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct mail_link *mine = link;

	(void)io;
	if (event->what == PTAH_EV_TIMER && HAS(KEEPS_MESSAGE) && mine->kept != NULL) {
		(void)send_out(mine, PTAH_SIDE_WIRE, mine->kept, mine->kept_len);
		mine->kept = NULL;
		return PTAH_GO;
	}
	if (event->what == PTAH_EV_TIMER && !mine->is_open)
		return say_hello(mine);
	if (event->what != PTAH_EV_PLAIN || mine->is_open)
		return PTAH_GO;
	if (event->val < 0)
		return (int)event->val;
	mine->is_open = 1;
	(void)say(mine, WELCOME);
	return PTAH_OPEN;
}

static int
mail_key(const void *conf, void *worker, const struct ptah_msg *msg, uint8_t key[16])
{
	(void)conf;
	(void)worker;
	if (msg->body.len < HEAD_LEN && !HAS(TRUSTS_LENGTH))
		return -EPROTO;
	memset(key, 0, 16);
	memcpy(key, msg->body.at + 1, SESSION_LEN);
	if (HAS(CHANGES_AT_KEY))
		msg->room.at[0] ^= 1;
	return 0;
}

/* ---- messages ------------------------------------------------------------------ */

static void
make_data(struct mail_link *mine, uint8_t *at, size_t len)
{
	uint32_t number = mine->sent++;

	put_head(mine, DATA, at);
	memcpy(at + NUMBER_AT, &number, sizeof(number));
	uint64_t tag = tag_of(mine, mine->is_server, at, TAG_AT, DATA_LEN + len);
	memcpy(at + TAG_AT, &tag, TAG_LEN);
}

static int
mail_wrap(void *link, const struct ptah_msg *msg)
{
	struct mail_link *mine = link;
	uint8_t copy[DATA_LEN + 4096], *at = msg->room.at + (msg->body.at - msg->room.at) - DATA_LEN;
	size_t len = msg->body.len;
	int rc;

	if (HAS(LOSES_EMPTY) && len == 0)
		return PTAH_REJECT;
	if (HAS(CUTS_LONG) && len > 8192)
		len = 8192;
	if (HAS(FIXED_ROOM)) {
		if (len > sizeof(copy) - DATA_LEN)
			return PTAH_REJECT;
		memcpy(copy + DATA_LEN, msg->body.at, len);
		at = copy;
	}
	make_data(mine, at, len);
	if (HAS(KEEPS_MESSAGE) && len == 511) {
		mine->kept = at;
		mine->kept_len = DATA_LEN + len;
		return mine->host->timer(mine->self, 1, AGAIN_NS);
	}
	if (HAS(LONG_ENDS) && DATA_LEN + len > 65507)
		return -EMSGSIZE;
	rc = send_out(mine, PTAH_SIDE_WIRE, at, DATA_LEN + len);
	if (HAS(SAYS_TWICE) && len == 33) {
		make_data(mine, copy, 0);
		memcpy(copy + DATA_LEN, msg->body.at, len);
		mine->sent--;
		make_data(mine, copy, len);
		rc = send_out(mine, PTAH_SIDE_WIRE, copy, DATA_LEN + len);
	}
	if (HAS(CHANGES_GIVEN))
		memset(at, 0, DATA_LEN);
	return rc == -EMSGSIZE ? PTAH_REJECT : rc;
}

static bool
is_fresh(const struct mail_link *mine, uint32_t number)
{
	if (HAS(WANTS_NEXT))
		return number == mine->next;
	if (number >= mine->next)
		return true;
	if (HAS(TAKES_NEWER))
		return false;
	if (mine->next - number > WINDOW)
		return HAS(SHORT_MEMORY);
	return (mine->seen >> (mine->next - 1 - number) & 1) == 0;
}

static void
mark(struct mail_link *mine, uint32_t number)
{
	if (number >= mine->next) {
		uint32_t by = number - mine->next + 1;

		mine->seen = by < WINDOW ? mine->seen << by : 0;
		mine->next = number + 1;
	}
	if (mine->next - number <= WINDOW)
		mine->seen |= UINT64_C(1) << (mine->next - 1 - number);
}

static int
take_data(struct mail_link *mine, const uint8_t *at, size_t len)
{
	uint32_t number;

	if (!mine->is_open || (len < DATA_LEN && !HAS(TRUSTS_LENGTH)))
		return PTAH_REJECT;
	memcpy(&number, at + NUMBER_AT, sizeof(number));
	if (!is_fresh(mine, number))
		return PTAH_REJECT;
	if (HAS(MARKS_EARLY))
		mark(mine, number);
	if (!is_right(mine, at, TAG_AT, len))
		return HAS(ENDS_AT_NOISE) ? -EBADMSG : PTAH_REJECT;
	mark(mine, number);
	return send_out(mine, PTAH_SIDE_PLAIN, at + DATA_LEN, len - DATA_LEN);
}

static int
take_hello(struct mail_link *mine)
{
	/* It was not heard, perhaps. */
	if (mine->is_open)
		return say(mine, WELCOME);
	return PTAH_ADMIT;
}

static int
mail_unwrap(void *link, const struct ptah_msg *msg)
{
	struct mail_link *mine = link;
	const uint8_t *at = msg->body.at;
	size_t len = msg->body.len;

	if (len < HEAD_LEN && !HAS(TRUSTS_LENGTH))
		return mine->is_server ? PTAH_REJECT : PTAH_GO;
	if (mine->is_server)
		memcpy(mine->session, at + 1, SESSION_LEN);
	if (at[0] == DATA)
		return mine->is_server || mine->is_open ? take_data(mine, at, len) : PTAH_GO;
	if (len != HEAD_LEN + TAG_LEN || !is_right(mine, at, HEAD_LEN, len) || at[0] != (mine->is_server ? HELLO : WELCOME))
		return mine->is_server || mine->is_open ? PTAH_REJECT : PTAH_GO;
	if (mine->is_server)
		return take_hello(mine);
	if (mine->is_open)
		return PTAH_GO;
	mine->is_open = 1;
	return PTAH_OPEN;
}

static void
mail_close(void *link, int why)
{
	struct mail_link *mine = link;

	(void)why;
	if (!HAS(LEAKS_LINK))
		free(mine->notes);
}

PTAH_MODULE(flawedmail) = {
	.head = PTAH_HEAD(0),
	.name = "flawedmail",
	.version = "1",
	.summary = "for tests: keeps messages whole, and to the contract, or does not",
	.example = "{\"server\": {\"password\": \"p\"}, \"client\": {\"password\": \"p\"}}",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_MESSAGE | PTAH_NAMED_ONLY,
	.options = options,
	.args_size = sizeof(struct mail_args),
	.link_size = sizeof(struct mail_link),
	.msg_head = DATA_LEN - (HAS(SMALL_MARGIN) ? 1 : 0),
	.open = mail_open,
	.event = mail_event,
	.close = mail_close,
	.key = mail_key,
	.wrap_message = mail_wrap,
	.unwrap_message = mail_unwrap,
};
