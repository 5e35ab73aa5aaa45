/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A link: plain bytes into chunks behind a salt, and back.  What Shadowsocks
 * 2022 does before the first chunk stands in modern.c.
 */
#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

#define TIMER_PATIENCE 0u
#define COOKIE_THEIRS 1u
#define COOKIE_OURS 2u

struct ptah_span
shadow_link_scope(const struct shadow_link *link)
{
	/* Apart, for a client and a server may live in one process. */
	static const uint8_t client[] = "shadow client", server[] = "shadow server";

	return link->role == PTAH_CLIENT ? (struct ptah_span){ client, sizeof(client) - 1 } :
	    (struct ptah_span){ server, sizeof(server) - 1 };
}

/* A server says nothing, and the host closes at a moment that tells nothing. */
int
shadow_link_refuse(const struct shadow_link *link, struct ptah_io *io, uint32_t counter, const char *reason)
{
	link->host->count(link->self, counter, 1);
	io->reason = reason;
	/* SIP022 has a server close its side, so that whoever probes need not be waited for. */
	io->manner = link->cipher->modern && link->stage < SHADOW_AT_STREAM ? PTAH_SHUT : PTAH_SILENT;
	return link->role == PTAH_SERVER ? PTAH_REJECT : -EBADMSG;
}

int
shadow_link_refuse_broken(const struct shadow_link *link, struct ptah_io *io, int rc)
{
	if (rc == -ENOMEM)
		return rc;
	return shadow_link_refuse(link, io, SHADOW_COUNT_BROKEN, rc == -EPROTO ? "a chunk's length cannot be" :
	    rc == -EOVERFLOW ? "this link has carried all that its keys are good for" :
	    link->stage == SHADOW_AT_SALT ? "the peer has another password or cipher" : "a chunk is not authentic");
}

/* ---- plain to wire -------------------------------------------------------- */

int
shadow_link_say_salt(struct shadow_link *link)
{
	uint8_t session[SHADOW_KEY_MAX];
	int rc = shadow_session_key(link->cipher, shadow_keys_own(&link->keys), link->salt, session);

	if (rc == 0)
		rc = shadow_boxes_init(&link->sealer, link->cipher, session, true);
	explicit_bzero(session, sizeof(session));
	if (rc < 0)
		return rc;
	/* So that nobody can send it back to us; how that is answered changes nothing. */
	(void)link->host->replay(link->self, shadow_link_scope(link), (struct ptah_span){ link->salt, link->cipher->key_len },
	    link->cipher->modern ? SHADOW_SALT_TTL_S : 0, COOKIE_OURS);
	link->said_salt = true;
	return 0;
}

/* Salt and address, if they have not been said. */
static int
begin(struct shadow_link *link, struct ptah_io *io)
{
	const struct ptah_span address = { link->address, link->address_len };
	long n;
	int rc;

	if (link->said_salt)
		return 0;
	if (link->cipher->modern)
		return shadow_modern_begin(link, io);
	rc = shadow_link_say_salt(link);
	if (rc < 0)
		return rc;
	memcpy(io->wire.out.at, link->salt, link->cipher->key_len);
	io->wire.made = link->cipher->key_len;
	if (address.len > 0) {
		n = shadow_chunk_seal(&link->sealer, address, io->wire.out.at + io->wire.made);
		if (n < 0)
			return (int)n;
		io->wire.made += (size_t)n;
	}
	io->flush = 1;
	return 0;
}

/* Both directions have keys of their own: those that both ends know are needed no more. */
static void
forget_keys(struct shadow_link *link)
{
	if (link->has_keys && link->said_salt && link->stage == SHADOW_AT_STREAM) {
		explicit_bzero(&link->keys, sizeof(link->keys));
		link->has_keys = false;
	}
}

static int
wrap(struct shadow_link *mine, struct ptah_io *io)
{
	size_t eaten = 0, made = 0;
	int rc;

	if (io->wire.out.len < SHADOW_UNIT) {
		io->wire.more = io->plain.in.len > 0 || mine->overdue;
		return PTAH_GO;
	}
	if (io->plain.in.len > 0 || mine->overdue || (io->plain.ended && mine->address_len > 0)) {
		mine->overdue = false;
		rc = begin(mine, io);
		if (rc == 0)
			rc = shadow_chunks_seal(&mine->sealer, ptah_span_from(io->plain.in, io->plain.eaten),
			    (struct ptah_room){ io->wire.out.at + io->wire.made, io->wire.out.len - io->wire.made },
			    &eaten, &made);
		if (rc < 0) {
			io->reason = "a chunk cannot be made";
			return rc;
		}
		io->plain.eaten += eaten;
		io->wire.made += made;
	}
	/* Many a Shadowsocks server drops the answer when it hears EOF. */
	if (io->plain.ended && io->plain.eaten == io->plain.in.len && mine->keep_eof)
		io->plain.hold = 1;
	return PTAH_GO;
}

/* ---- wire to plain -------------------------------------------------------- */

int
shadow_link_keep_early(struct shadow_link *link, struct ptah_io *io)
{
	struct ptah_span in = ptah_span_from(io->wire.in, io->wire.eaten);
	size_t need = link->opener.has_length ? (size_t)link->opener.length + SHADOW_TAG : SHADOW_LENGTH_BOX;
	uint8_t *more;
	int rc;

	io->wire.want = need;
	if (in.len < need)
		return 1;
	io->wire.eaten += need;
	if (!link->opener.has_length)
		return shadow_opener_length(&link->opener, in.at);
	more = realloc(link->early, link->early_len + link->opener.length);
	if (more == NULL)
		return -ENOMEM;
	link->early = more;
	rc = shadow_box_open(&link->opener.boxes, in.at, link->opener.length, link->early + link->early_len);
	link->early_len += link->opener.length;
	link->opener.has_length = false;
	return rc;
}

static void
forget_early(struct shadow_link *link)
{
	if (link->early != NULL)
		explicit_bzero(link->early, link->early_len);
	free(link->early);
	link->early = NULL;
	link->early_at = link->early_len = 0;
}

int
shadow_link_admit(struct shadow_link *link, struct ptah_io *io, size_t at)
{
	link->early_at = at;
	if (link->conf->allow.n > 0) {
		if (!shadow_address_allowed(&link->conf->allow, link->dest))
			return shadow_link_refuse(link, io, SHADOW_COUNT_FORBIDDEN, "the address is not one that \"allow\" names");
		io->dest = link->dest;
	}
	link->stage = SHADOW_AT_ADMITTED;
	io->wire.want = PTAH_NEVER;
	return PTAH_ADMIT;
}

/* The header may be spread over any number of chunks. */
static int
read_address(struct shadow_link *link, struct ptah_io *io)
{
	int rc, n;

	if (link->cipher->modern)
		return shadow_modern_read_address(link, io);
	for (;;) {
		n = shadow_address_read((struct ptah_span){ link->early, link->early_len }, link->dest);
		if (n < 0)
			return shadow_link_refuse(link, io, SHADOW_COUNT_BROKEN, "the address is none");
		if (n > 0)
			break;
		rc = shadow_link_keep_early(link, io);
		if (rc < 0)
			return shadow_link_refuse_broken(link, io, rc);
		if (rc > 0)
			return PTAH_GO;
	}
	return shadow_link_admit(link, io, (size_t)n);
}

static int
is_fresh(struct shadow_link *link, struct ptah_io *io)
{
	io->wire.hold = 0;
	if (link->cipher->modern)
		return shadow_modern_is_fresh(link, io);
	io->wire.eaten = (size_t)link->cipher->key_len + SHADOW_LENGTH_BOX;
	io->wire.want = 0;
	if (link->role == PTAH_SERVER && link->profile == SHADOW_SS) {
		link->stage = SHADOW_AT_ADDRESS;
		return read_address(link, io);
	}
	link->stage = SHADOW_AT_STREAM;
	return link->role == PTAH_SERVER ? PTAH_OPEN : PTAH_GO;
}

int
shadow_link_hear_salt(struct shadow_link *link, const uint8_t *salt)
{
	uint8_t session[SHADOW_KEY_MAX];
	int rc;

	memcpy(link->their_salt, salt, link->cipher->key_len);
	rc = shadow_session_key(link->cipher, shadow_keys_own(&link->keys), link->their_salt, session);
	if (rc == 0)
		rc = shadow_boxes_init(&link->opener.boxes, link->cipher, session, false);
	explicit_bzero(session, sizeof(session));
	return rc;
}

int
shadow_link_ask_replay(struct shadow_link *link, struct ptah_io *io, uint32_t ttl_s)
{
	const struct ptah_span salt = { link->their_salt, link->cipher->key_len };
	int rc = link->host->replay(link->self, shadow_link_scope(link), salt, ttl_s, COOKIE_THEIRS);

	if (rc == 1)
		return is_fresh(link, io);
	if (rc != -EINPROGRESS)
		return shadow_link_refuse(link, io, SHADOW_COUNT_REPLAYED, "a stream that was heard before");
	link->stage = SHADOW_AT_REPLAY;
	io->wire.hold = 1;
	return PTAH_GO;
}

static int
read_salt(struct shadow_link *link, struct ptah_io *io)
{
	const size_t salt_len = link->cipher->key_len;
	int rc;

	if (link->cipher->modern)
		return shadow_modern_read_salt(link, io);
	io->wire.want = salt_len + SHADOW_LENGTH_BOX;
	if (io->wire.in.len < io->wire.want)
		return PTAH_GO;
	rc = shadow_link_hear_salt(link, io->wire.in.at);
	if (rc == 0)
		rc = shadow_opener_length(&link->opener, io->wire.in.at + salt_len);
	if (rc < 0)
		return shadow_link_refuse_broken(link, io, rc);
	return shadow_link_ask_replay(link, io, 0);
}

/* 1 when all of it has gone. */
static int
give_early(struct shadow_link *link, struct ptah_io *io)
{
	size_t n = link->early_len - link->early_at;

	if (n > io->plain.out.len)
		n = io->plain.out.len;
	if (n > 0)
		memcpy(io->plain.out.at, link->early + link->early_at, n);
	io->plain.made = n;
	link->early_at += n;
	if (link->early_at < link->early_len) {
		io->plain.more = 1;
		return 0;
	}
	forget_early(link);
	return 1;
}

static int
read_stream(struct shadow_link *link, struct ptah_io *io)
{
	struct shadow_opened opened;
	struct ptah_room room;
	int rc;

	if (link->early != NULL && give_early(link, io) == 0)
		return PTAH_GO;
	/* A full end has no room at all, and nothing was made. */
	room = io->plain.out;
	if (room.at != NULL)
		room.at += io->plain.made;
	room.len -= io->plain.made;
	rc = shadow_opener_open(&link->opener, io->wire.in, room, &opened);
	io->wire.eaten = opened.eaten;
	io->plain.made += opened.made;
	io->wire.want = opened.need;
	if (rc < 0)
		return shadow_link_refuse_broken(link, io, rc);
	if (opened.no_room)
		io->plain.more = 1;
	if (io->wire.ended && !opened.no_room) {
		/* The peer wants no more: what was held back of our EOF may go. */
		io->wire.finish = io->plain.hold;
		if (opened.eaten < io->wire.in.len) {
			io->reason = "the stream ended within a chunk";
			return -ECONNRESET;
		}
	}
	return PTAH_GO;
}

static int
unwrap(struct shadow_link *mine, struct ptah_io *io)
{
	switch (mine->stage) {
	case SHADOW_AT_SALT:
		return read_salt(mine, io);
	case SHADOW_AT_FRESH:
		return is_fresh(mine, io);
	case SHADOW_AT_ADDRESS:
		return read_address(mine, io);
	case SHADOW_AT_STREAM:
		return read_stream(mine, io);
	default:
		return PTAH_GO;
	}
}

int
shadow_link_wrap(void *link, struct ptah_io *io)
{
	int rc = wrap(link, io);

	forget_keys(link);
	return rc;
}

int
shadow_link_unwrap(void *link, struct ptah_io *io)
{
	int rc = unwrap(link, io);

	forget_keys(link);
	return rc;
}

/* ---- life ----------------------------------------------------------------- */

int
shadow_link_aim(struct shadow_link *link, const struct ptah_open *open, struct ptah_io *io)
{
	const struct shadow_options *options = open->args;
	const char *dest = options->target != NULL ? options->target : open->dest;
	int n;

	if (options->profile != SHADOW_SS)
		return 0;
	if (dest == NULL) {
		io->reason = "profile ss needs a destination: option \"target\", or a SOCKS request beside \"serverAddress\"";
		return -EDESTADDRREQ;
	}
	n = shadow_address_write(dest, link->address);
	if (n < 0) {
		io->reason = "the destination cannot be written into a Shadowsocks header";
		return n;
	}
	link->address_len = (uint16_t)n;
	return 0;
}

static int
open_client(struct shadow_link *link, const struct ptah_open *open, struct ptah_io *io)
{
	const struct shadow_options *options = open->args;
	uint8_t prefix[SHADOW_PREFIX_MAX];
	int n;

	if (options->prefix != NULL) {
		n = shadow_prefix_read(options->prefix, prefix);
		if (n < 0)
			return n;
		memcpy(link->salt, prefix, (size_t)n);
	}
	n = shadow_link_aim(link, open, io);
	if (n < 0)
		return n;
	if (options->profile == SHADOW_SS) {
		link->keep_eof = options->half_close != SHADOW_HALF_CLOSE_SEND;
		n = link->host->timer(link->self, TIMER_PATIENCE, SHADOW_PATIENCE_NS);
		if (n < 0)
			return n;
	}
	return PTAH_OPEN;
}

int
shadow_link_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct shadow_link *mine = link;
	const struct shadow_options *options = open->role == PTAH_CLIENT ? open->args : open->conf;
	char why[200]; /* nobody reads it: the options were checked before */
	int rc;

	mine->host = open->host;
	mine->self = open->self;
	mine->role = (uint8_t)open->role;
	mine->profile = (uint8_t)options->profile;
	mine->cipher = shadow_cipher_find(options->cipher);
	if (mine->cipher == NULL)
		return -EINVAL;
	mine->worker = open->worker;
	if (open->messages)
		return shadow_messages_open(mine, open, io);
	rc = shadow_keys_read(&mine->keys, mine->cipher, options->password, options->key, why, sizeof(why));
	if (rc < 0)
		return rc;
	mine->has_keys = true;
	mine->host->random(mine->self, mine->salt, mine->cipher->key_len);
	io->wire.want = mine->cipher->modern ? 0 : (size_t)mine->cipher->key_len + SHADOW_LENGTH_BOX;
	if (open->role == PTAH_CLIENT)
		return open_client(mine, open, io);
	mine->conf = open->conf;
	return PTAH_GO;
}

int
shadow_link_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct shadow_link *mine = link;

	switch (event->what) {
	case PTAH_EV_TIMER:
		if (mine->said_salt)
			return PTAH_GO;
		mine->overdue = true;
		return shadow_link_wrap(mine, io);
	case PTAH_EV_REPLAY:
		if (mine->stage != SHADOW_AT_REPLAY || event->cookie != COOKIE_THEIRS)
			return PTAH_GO;
		if (event->val != 1)
			return shadow_link_refuse(mine, io, SHADOW_COUNT_REPLAYED, "a stream that was heard before");
		mine->stage = SHADOW_AT_FRESH;
		io->wire.hold = 0;
		io->wire.want = 0;
		return PTAH_GO;
	case PTAH_EV_PLAIN:
		if (mine->stage != SHADOW_AT_ADMITTED)
			return PTAH_GO;
		if (event->val < 0)
			return (int)event->val;
		mine->stage = SHADOW_AT_STREAM;
		io->wire.want = 0;
		io->plain.more = mine->early_at < mine->early_len;
		return PTAH_OPEN;
	default:
		return PTAH_GO;
	}
}

void
shadow_link_close(void *link, int why)
{
	struct shadow_link *mine = link;

	(void)why;
	shadow_messages_close(mine);
	forget_early(mine);
	shadow_boxes_clear(&mine->sealer);
	shadow_boxes_clear(&mine->opener.boxes);
}
