/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/socks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/kv.h"
#include "config/flag.h"

/* Longest texts of SOCKS4 (4.6). */
#define USERID_MAX 1024
#define DOMAIN_MAX 255

#define NO_METHOD 0xff

/* Where in the handshake the next byte stands. */
enum step {
	STEP_VERSION,
	/* SOCKS4: 04 | CMD PORT(2) IP(4) | USERID 00 | [DOMAIN 00] */
	STEP_V4_HEAD,
	STEP_V4_USER,
	STEP_V4_NAME,
	/* SOCKS5: 05 | N | METHOD(N) */
	STEP_COUNT,
	STEP_METHODS,
	/* From here on the method is answered. */
	/* method 02: 01 | ULEN | UNAME | PLEN | PASSWD */
	STEP_LOGIN,
	STEP_USER_LEN,
	STEP_USER,
	STEP_PASS_LEN,
	STEP_PASS,
	/* method 09: LEN(4) | JSON;  method 80: that, or bare JSON */
	STEP_OLD_BLOCK,
	STEP_BARE_BLOCK,
	STEP_BLOCK_LEN,
	STEP_BLOCK,
	/* 05 | CMD RSV ATYP | ADDR PORT(2) */
	STEP_REQUEST,
	STEP_REQUEST_HEAD,
	STEP_NAME_LEN,
	STEP_NAME,
	STEP_V4_ADDR,
	STEP_V6_ADDR,
};

void
ptah_socks_init(struct ptah_socks *socks, int dialect, bool legacy80)
{
	memset(socks, 0, sizeof(*socks));
	socks->dialect = (uint8_t)dialect;
	socks->legacy80 = legacy80;
}

void
ptah_socks_clear(struct ptah_socks *socks)
{
	ptah_buf_wipe(&socks->text);
	ptah_json_free(socks->args);
	socks->args = NULL;
}

static void
say(struct ptah_socks *socks, uint8_t first, uint8_t second)
{
	socks->out[socks->out_len++] = first;
	socks->out[socks->out_len++] = second;
}

static void
close_silently(struct ptah_socks *socks, const char *why)
{
	socks->status = PTAH_SOCKS_CLOSED;
	socks->why = why;
}

/* Answer 'rep' and be done; what was wrong first is what is said. */
static void
fail(struct ptah_socks *socks, unsigned rep, const char *why)
{
	if (socks->rep != PTAH_REP_OK)
		rep = socks->rep;
	else
		socks->why = why;
	socks->out_len += ptah_socks_reply(socks->dialect, socks->method, rep, socks->out + socks->out_len);
	socks->status = PTAH_SOCKS_FAILED;
}

static void
fail_login(struct ptah_socks *socks, const char *why)
{
	say(socks, 1, 1);
	socks->status = PTAH_SOCKS_FAILED;
	socks->why = why;
}

/* Note that the block is bad: said once the request is there, too. */
static void
fail_later(struct ptah_socks *socks, const char *why)
{
	socks->rep = PTAH_REP_BLOCK_BAD;
	socks->why = why;
	socks->hurry = true;
	socks->step = STEP_REQUEST;
}

static uint8_t
eat(struct ptah_span *in)
{
	in->len--;
	return *in->at++;
}

/* Have 'want' bytes in 'small'?  Takes as many as there are. */
static bool
fill_small(struct ptah_socks *socks, struct ptah_span *in, size_t want)
{
	while (in->len > 0 && socks->n_small < want)
		socks->small[socks->n_small++] = eat(in);
	if (socks->n_small < want)
		return false;
	socks->n_small = 0;
	return true;
}

static bool
keep(struct ptah_socks *socks, struct ptah_span *in, size_t n)
{
	if (ptah_buf_add(&socks->text, in->at, n) != 0) {
		fail(socks, PTAH_REP_GENERAL, "out of memory");
		return false;
	}
	in->at += n;
	in->len -= n;
	return true;
}

/* Have 'want' bytes in 'text'? */
static bool
fill_text(struct ptah_socks *socks, struct ptah_span *in, size_t want)
{
	size_t lack = want - socks->text.len;

	return keep(socks, in, in->len < lack ? in->len : lack) && socks->text.len == want;
}

/* Have a text and the NUL behind it, which is eaten?  At most 'max' bytes. */
static bool
fill_until_nul(struct ptah_socks *socks, struct ptah_span *in, size_t max, const char *too_long)
{
	const uint8_t *nul = in->len > 0 ? memchr(in->at, 0, in->len) : NULL;
	size_t n = nul != NULL ? (size_t)(nul - in->at) : in->len;

	if (socks->text.len + n > max) {
		fail(socks, PTAH_REP_GENERAL, too_long);
		return false;
	}
	if (!keep(socks, in, n) || nul == NULL)
		return false;
	eat(in);
	return true;
}

/* Turn the arguments in 'text' into 'args', and empty it. */
static int
parse_args(struct ptah_socks *socks, size_t len)
{
	struct ptah_kv kv;
	int rc = ptah_kv_parse_socks(&kv, (const char *)socks->text.at, len);

	ptah_buf_wipe(&socks->text);
	if (rc != 0)
		return rc;
	socks->args = ptah_json_from_kv(&kv, NULL);
	ptah_kv_clear(&kv);
	return socks->args != NULL ? 0 : -ENOMEM;
}

/* Turn the block in 'text' into 'args', and empty it; then the request comes. */
static void
parse_block(struct ptah_socks *socks, size_t len)
{
	char why[128];

	socks->args = ptah_json_parse((const char *)socks->text.at, len, 0, why, sizeof(why));
	ptah_buf_wipe(&socks->text);
	if (socks->args == NULL && errno == ENOMEM) {
		fail(socks, PTAH_REP_GENERAL, "out of memory");
	} else if (socks->args == NULL) {
		fail_later(socks, "the JSON block is not valid");
	} else if (socks->args->type != PTAH_JSON_OBJECT) {
		fail_later(socks, "the JSON block is not an object");
	} else {
		socks->step = STEP_REQUEST;
	}
}

static bool
is_zero(const uint8_t *at, size_t len)
{
	while (len > 0 && *at == 0) {
		at++;
		len--;
	}
	return len == 0;
}

/* The request is whole. */
static void
finish(struct ptah_socks *socks, const char *host)
{
	if (socks->rep != PTAH_REP_OK) {
		fail(socks, socks->rep, socks->why);
		return;
	}
	socks->dest_bad = ptah_dest_set(&socks->dest, host, socks->port) != 0;
	if (socks->dest_bad)
		memset(&socks->dest, 0, sizeof(socks->dest));
	socks->status = PTAH_SOCKS_REQUEST;
}

/* A literal address; all zeros are no destination at all. */
static void
finish_literal(struct ptah_socks *socks, int family, const uint8_t *bytes, size_t len, const uint8_t port[2])
{
	char host[INET6_ADDRSTRLEN];

	socks->port = (uint16_t)(port[0] << 8 | port[1]);
	if (socks->rep == PTAH_REP_OK && socks->port == 0 && is_zero(bytes, len)) {
		socks->status = PTAH_SOCKS_REQUEST;
		return;
	}
	inet_ntop(family, bytes, host, sizeof(host));
	finish(socks, host);
}

/* A name in the first 'len' bytes of 'text'. */
static void
finish_name(struct ptah_socks *socks, size_t len)
{
	char host[PTAH_HOST_TEXT] = "";

	/* One with a NUL inside is no name; "" makes it a bad one. */
	if (memchr(socks->text.at, 0, len) == NULL) {
		memcpy(host, socks->text.at, len);
		host[len] = '\0';
	}
	ptah_buf_clear(&socks->text);
	finish(socks, host);
}

/*
 * The steps.  Each is called with at least one byte and eats what it needs;
 * it goes on to the next step or ends the handshake.
 */

static void
step_version(struct ptah_socks *socks, struct ptah_span *in)
{
	uint8_t version = eat(in);

	if (version == 5) {
		socks->step = STEP_COUNT;
	} else if (version == 4 && socks->dialect == PTAH_D1) {
		socks->method = PTAH_SOCKS_V4;
		socks->step = STEP_V4_HEAD;
	} else {
		close_silently(socks, version == 4 ? "SOCKS4 belongs to version 1" : "this is not SOCKS");
	}
}

static void
step_v4_head(struct ptah_socks *socks, struct ptah_span *in)
{
	if (!fill_small(socks, in, 7))
		return;
	if (socks->small[0] != 1)
		fail(socks, PTAH_REP_COMMAND, "a command other than CONNECT");
	socks->step = STEP_V4_USER;
}

static void
step_v4_user(struct ptah_socks *socks, struct ptah_span *in)
{
	const uint8_t *ip = socks->small + 3;
	int rc;

	if (!fill_until_nul(socks, in, USERID_MAX, "a SOCKS4 user id of more than 1024 bytes"))
		return;
	if (socks->text.len > 0) {
		rc = parse_args(socks, socks->text.len);
		if (rc != 0) {
			fail(socks, PTAH_REP_GENERAL, rc == -ENOMEM ? "out of memory" : "the arguments are not k=v;k=v");
			return;
		}
	}
	if (is_zero(ip, 3) && ip[3] != 0)
		socks->step = STEP_V4_NAME;
	else
		finish_literal(socks, AF_INET, ip, 4, socks->small + 1);
}

static void
step_v4_name(struct ptah_socks *socks, struct ptah_span *in)
{
	if (!fill_until_nul(socks, in, DOMAIN_MAX, "a host name of more than 255 bytes"))
		return;
	socks->port = (uint16_t)(socks->small[1] << 8 | socks->small[2]);
	if (socks->text.len == 0)
		fail(socks, PTAH_REP_GENERAL, "an empty host name");
	else
		finish_name(socks, socks->text.len);
}

/* Methods by preference (4.2), and what they are in 'offered'. */
static const uint8_t methods_d1[] = { PTAH_SOCKS_LOGIN, PTAH_SOCKS_JSON, PTAH_SOCKS_OLD_JSON, PTAH_SOCKS_NONE };
static const uint8_t methods_later[] = { PTAH_SOCKS_JSON, PTAH_SOCKS_OLD_JSON, PTAH_SOCKS_NONE, PTAH_SOCKS_LOGIN };

static uint8_t
offer_bit(uint8_t method)
{
	for (unsigned i = 0; i < sizeof(methods_d1); i++) {
		if (methods_d1[i] == method)
			return (uint8_t)(1 << i);
	}
	return 0;
}

static void
choose_method(struct ptah_socks *socks)
{
	const uint8_t *order = socks->dialect == PTAH_D1 ? methods_d1 : methods_later;
	uint8_t method = NO_METHOD;

	if (!socks->legacy80)
		socks->offered &= (uint8_t)~offer_bit(PTAH_SOCKS_OLD_JSON);
	for (unsigned i = 0; i < sizeof(methods_d1) && method == NO_METHOD; i++) {
		if ((socks->offered & offer_bit(order[i])) != 0)
			method = order[i];
	}
	say(socks, 5, method);
	if (method == NO_METHOD) {
		socks->status = PTAH_SOCKS_FAILED;
		socks->why = "no authentication method that we know";
		return;
	}
	socks->method = method;
	if (method == PTAH_SOCKS_LOGIN)
		socks->step = STEP_LOGIN;
	else if (method == PTAH_SOCKS_JSON)
		socks->step = STEP_BLOCK_LEN;
	else if (method == PTAH_SOCKS_OLD_JSON)
		socks->step = STEP_OLD_BLOCK;
	else
		socks->step = STEP_REQUEST;
}

static void
step_count(struct ptah_socks *socks, struct ptah_span *in)
{
	socks->left = eat(in);
	socks->step = STEP_METHODS;
	if (socks->left == 0)
		choose_method(socks);
}

static void
step_methods(struct ptah_socks *socks, struct ptah_span *in)
{
	for (; in->len > 0 && socks->left > 0; socks->left--)
		socks->offered |= offer_bit(eat(in));
	if (socks->left == 0)
		choose_method(socks);
}

static void
step_login(struct ptah_socks *socks, struct ptah_span *in)
{
	if (eat(in) != 1)
		fail_login(socks, "a login of an unknown version");
	socks->step = STEP_USER_LEN;
}

/* For the user name and the password alike. */
static void
step_login_len(struct ptah_socks *socks, struct ptah_span *in)
{
	uint8_t len = eat(in);

	if (len == 0)
		fail_login(socks, socks->step == STEP_USER_LEN ? "an empty user name" : "an empty password");
	socks->left = (uint32_t)socks->text.len + len; /* what 'text' holds then */
	socks->step++;
}

static void
step_user(struct ptah_socks *socks, struct ptah_span *in)
{
	if (fill_text(socks, in, socks->left))
		socks->step = STEP_PASS_LEN;
}

static void
step_pass_len(struct ptah_socks *socks, struct ptah_span *in)
{
	/* Its length tells a lone NUL from a last byte of the text. */
	socks->small[0] = *in->at;
	step_login_len(socks, in);
}

static void
step_pass(struct ptah_socks *socks, struct ptah_span *in)
{
	size_t len;
	int rc;

	if (!fill_text(socks, in, socks->left))
		return;
	len = socks->text.len;
	if (socks->small[0] == 1 && socks->text.at[len - 1] == 0)
		len--;
	rc = parse_args(socks, len);
	if (rc != 0) {
		fail_login(socks, rc == -ENOMEM ? "out of memory" : "the arguments are not k=v;k=v");
		return;
	}
	say(socks, 1, 0);
	socks->step = STEP_REQUEST;
}

/* Which of its two encodings does method 80 have here (4.5)? */
static void
step_old_block(struct ptah_socks *socks, struct ptah_span *in)
{
	if (*in->at == '{' || *in->at == ' ' || *in->at == '\t' || *in->at == '\r' || *in->at == '\n')
		socks->step = STEP_BARE_BLOCK;
	else if (*in->at == 0)
		socks->step = STEP_BLOCK_LEN;
	else
		fail(socks, PTAH_REP_BLOCK_BAD, "neither JSON nor its length");
}

static void
step_bare_block(struct ptah_socks *socks, struct ptah_span *in)
{
	size_t room = PTAH_SOCKS_BLOCK_MAX - socks->text.len;
	size_t extra;
	long end;

	if (!keep(socks, in, in->len < room ? in->len : room))
		return;
	end = ptah_json_scan_more(&socks->scan, socks->text.at, socks->text.len);
	if (end < 0) {
		fail(socks, PTAH_REP_BLOCK_BAD, "the JSON block is not valid");
	} else if (end > 0) {
		extra = socks->text.len - (size_t)end;
		in->at -= extra;
		in->len += extra;
		parse_block(socks, (size_t)end);
	} else if (socks->text.len == PTAH_SOCKS_BLOCK_MAX) {
		fail(socks, PTAH_REP_BLOCK_LONG, "a JSON block of more than 65536 bytes");
	}
}

static void
step_block_len(struct ptah_socks *socks, struct ptah_span *in)
{
	const uint8_t *len = socks->small;

	if (!fill_small(socks, in, 4))
		return;
	socks->left = (uint32_t)len[0] << 24 | (uint32_t)len[1] << 16 | (uint32_t)len[2] << 8 | len[3];
	socks->step = STEP_BLOCK;
	if (socks->left > PTAH_SOCKS_BLOCK_MAX)
		fail(socks, PTAH_REP_BLOCK_LONG, "a JSON block of more than 65536 bytes");
	else if (socks->left == 0)
		fail_later(socks, "the JSON block is empty");
}

static void
step_block(struct ptah_socks *socks, struct ptah_span *in)
{
	if (fill_text(socks, in, socks->left))
		parse_block(socks, socks->text.len);
}

static void
step_request(struct ptah_socks *socks, struct ptah_span *in)
{
	if (eat(in) != 5)
		fail(socks, PTAH_REP_GENERAL, "a request of another version");
	socks->step = STEP_REQUEST_HEAD;
}

static void
step_request_head(struct ptah_socks *socks, struct ptah_span *in)
{
	if (!fill_small(socks, in, 3))
		return;
	if (socks->small[1] != 0)
		fail(socks, PTAH_REP_GENERAL, "a reserved byte that is not 0");
	else if (socks->small[0] != 1)
		fail(socks, PTAH_REP_COMMAND, "a command other than CONNECT");
	else if (socks->small[2] == 1)
		socks->step = STEP_V4_ADDR;
	else if (socks->small[2] == 3)
		socks->step = STEP_NAME_LEN;
	else if (socks->small[2] == 4)
		socks->step = STEP_V6_ADDR;
	else
		fail(socks, PTAH_REP_ADDRESS, "an unknown type of address");
}

static void
step_name_len(struct ptah_socks *socks, struct ptah_span *in)
{
	socks->left = eat(in);
	socks->step = STEP_NAME;
	if (socks->left == 0)
		fail(socks, PTAH_REP_GENERAL, "an empty host name");
}

static void
step_name(struct ptah_socks *socks, struct ptah_span *in)
{
	const uint8_t *port;

	if (!fill_text(socks, in, socks->left + 2))
		return;
	port = socks->text.at + socks->left;
	socks->port = (uint16_t)(port[0] << 8 | port[1]);
	finish_name(socks, socks->left);
}

static void
step_v4_addr(struct ptah_socks *socks, struct ptah_span *in)
{
	if (fill_small(socks, in, 6))
		finish_literal(socks, AF_INET, socks->small, 4, socks->small + 4);
}

static void
step_v6_addr(struct ptah_socks *socks, struct ptah_span *in)
{
	if (fill_small(socks, in, 18))
		finish_literal(socks, AF_INET6, socks->small, 16, socks->small + 16);
}

static void (*const steps[])(struct ptah_socks *socks, struct ptah_span *in) = {
	[STEP_VERSION] = step_version,
	[STEP_V4_HEAD] = step_v4_head,
	[STEP_V4_USER] = step_v4_user,
	[STEP_V4_NAME] = step_v4_name,
	[STEP_COUNT] = step_count,
	[STEP_METHODS] = step_methods,
	[STEP_LOGIN] = step_login,
	[STEP_USER_LEN] = step_login_len,
	[STEP_USER] = step_user,
	[STEP_PASS_LEN] = step_pass_len,
	[STEP_PASS] = step_pass,
	[STEP_OLD_BLOCK] = step_old_block,
	[STEP_BARE_BLOCK] = step_bare_block,
	[STEP_BLOCK_LEN] = step_block_len,
	[STEP_BLOCK] = step_block,
	[STEP_REQUEST] = step_request,
	[STEP_REQUEST_HEAD] = step_request_head,
	[STEP_NAME_LEN] = step_name_len,
	[STEP_NAME] = step_name,
	[STEP_V4_ADDR] = step_v4_addr,
	[STEP_V6_ADDR] = step_v6_addr,
};

size_t
ptah_socks_feed(struct ptah_socks *socks, struct ptah_span in)
{
	const uint8_t *start = in.at;

	while (in.len > 0 && socks->status == PTAH_SOCKS_MORE)
		steps[socks->step](socks, &in);
	return (size_t)(in.at - start);
}

void
ptah_socks_timeout(struct ptah_socks *socks)
{
	if (socks->status != PTAH_SOCKS_MORE)
		return;
	if (socks->step < STEP_LOGIN)
		close_silently(socks, "the handshake was not finished in time");
	else if (socks->step >= STEP_OLD_BLOCK && socks->step <= STEP_BLOCK)
		fail(socks, PTAH_REP_BLOCK_LATE, "the JSON block was not finished in time");
	else
		fail(socks, PTAH_REP_GENERAL, "the request was not finished in time");
}
