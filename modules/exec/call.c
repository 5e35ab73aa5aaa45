/* SPDX-License-Identifier: BSD-3-Clause */
#include "call.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "bytes.h"

#define METHOD_NONE 0x00
#define METHOD_LOGIN 0x02
#define WORD_MAX ((size_t)255)

#define REPLY4_LEN 8
#define REPLY5_HEAD 4

/* ---- SOCKS4a ------------------------------------------------------------------ */

static size_t
put_text(uint8_t *out, const char *text)
{
	size_t len = strlen(text) + 1;

	memcpy(out, text, len);
	return len;
}

static long
ask4(struct exec_call *call, uint8_t *out)
{
	static const uint8_t by_name[4] = { 0, 0, 0, 1 };
	size_t n = 8;
	bool literal;

	if (strlen(call->args) > EXEC_ARGS_MAX) {
		call->why = "the arguments are too long: move them to the program's command line (option \"args\")";
		return -EINVAL;
	}
	out[0] = 4;
	out[1] = 1;
	ptah_bytes_put16be(out + 2, call->port);
	literal = inet_pton(AF_INET, call->host, out + 4) == 1;
	if (!literal)
		memcpy(out + 4, by_name, sizeof(by_name));
	n += put_text(out + n, call->args);
	if (!literal)
		n += put_text(out + n, call->host);
	call->step = EXEC_ASKED;
	return (long)n;
}

static int
hear4(struct exec_call *call, struct ptah_span in, size_t *eaten)
{
	if (in.len < REPLY4_LEN)
		return 0;
	*eaten = REPLY4_LEN;
	if (in.at[0] == 0 && in.at[1] == 90)
		return 1;
	call->why = "the program refused the connection";
	return -EHOSTUNREACH;
}

/* ---- SOCKS5 --------------------------------------------------------------------- */

/* The first 255 bytes are the name, the rest the password, which is one NUL if there is no rest. */
static size_t
log_in(const char *args, uint8_t *out)
{
	size_t len = strlen(args), user = len < WORD_MAX ? len : WORD_MAX, rest = len - user, n = 0;

	out[n++] = 1;
	out[n++] = (uint8_t)user;
	memcpy(out + n, args, user);
	n += user;
	if (rest == 0) {
		out[n++] = 1;
		out[n++] = 0;
		return n;
	}
	out[n++] = (uint8_t)rest;
	memcpy(out + n, args + user, rest);
	return n + rest;
}

static size_t
ask5(const struct exec_call *call, uint8_t *out)
{
	size_t n = 3, len = strlen(call->host);

	out[0] = 5;
	out[1] = 1;
	out[2] = 0;
	if (inet_pton(AF_INET, call->host, out + n + 1) == 1) {
		out[n] = 1;
		n += 1 + 4;
	} else if (inet_pton(AF_INET6, call->host, out + n + 1) == 1) {
		out[n] = 4;
		n += 1 + 16;
	} else {
		out[n++] = 3;
		out[n++] = (uint8_t)len;
		memcpy(out + n, call->host, len);
		n += len;
	}
	ptah_bytes_put16be(out + n, call->port);
	return n + 2;
}

static int
refusal(struct exec_call *call, uint8_t reply)
{
	static const struct {
		int rc;
		const char *why;
	} of[] = {
		[0x01] = { -EIO, "the program failed (general failure)" },
		[0x02] = { -EACCES, "the program does not allow it" },
		[0x03] = { -ENETUNREACH, "the program cannot reach the network" },
		[0x04] = { -EHOSTUNREACH, "the program cannot reach the bridge" },
		[0x05] = { -ECONNREFUSED, "the bridge refused the program's connection" },
		[0x06] = { -ETIMEDOUT, "the program's connection timed out" },
		[0x07] = { -EOPNOTSUPP, "the program does not know the command" },
		[0x08] = { -EAFNOSUPPORT, "the program does not take this kind of address" },
	};
	size_t at = reply > 0 && reply < sizeof(of) / sizeof(of[0]) ? reply : 1;

	call->why = of[at].why;
	return of[at].rc;
}

/* How long a reply is: its bound address tells.  0: not known yet. */
static size_t
reply_len(struct ptah_span in)
{
	if (in.len < REPLY5_HEAD + 1)
		return 0;
	switch (in.at[3]) {
	case 1:
		return REPLY5_HEAD + 4 + 2;
	case 4:
		return REPLY5_HEAD + 16 + 2;
	case 3:
		return REPLY5_HEAD + 1 + (size_t)in.at[4] + 2;
	default:
		return SIZE_MAX;
	}
}

static int
hear_reply(struct exec_call *call, struct ptah_span in, size_t *eaten)
{
	size_t len;

	/* A refusal need not have an address that makes sense. */
	if (in.len >= 2 && (in.at[0] != 5 || in.at[1] != 0)) {
		if (in.at[0] == 5)
			return refusal(call, in.at[1]);
		call->why = "the program's answer is no SOCKS5";
		return -EPROTO;
	}
	len = reply_len(in);
	if (len == SIZE_MAX) {
		call->why = "the program's reply has an address of no known kind";
		return -EPROTO;
	}
	if (len == 0 || in.len < len)
		return 0;
	*eaten += len;
	return 1;
}

static int
hear_method(struct exec_call *call, uint8_t method, uint8_t *out, size_t *said)
{
	switch (method) {
	case METHOD_LOGIN:
		*said = log_in(call->args, out);
		call->step = EXEC_LOGGED_IN;
		return 0;
	case METHOD_NONE:
		if (*call->args != '\0') {
			call->why = "the program takes no arguments";
			return -EACCES;
		}
		*said = ask5(call, out);
		call->step = EXEC_ASKED;
		return 0;
	default:
		call->why = "the program wants another login than by user name and password";
		return -EACCES;
	}
}

static int
hear5(struct exec_call *call, struct ptah_span in, size_t *eaten, uint8_t *out, size_t *said)
{
	if (call->step == EXEC_ASKED)
		return hear_reply(call, in, eaten);
	if (in.len < 2)
		return 0;
	*eaten = 2;
	if (call->step == EXEC_GREETED) {
		if (in.at[0] == 5)
			return hear_method(call, in.at[1], out, said);
		call->why = "the program's answer is no SOCKS5";
		return -EPROTO;
	}
	if (in.at[1] != 0) {
		call->why = "the program refused the arguments";
		return -EACCES;
	}
	*said = ask5(call, out);
	call->step = EXEC_ASKED;
	return 0;
}

/* ---- both -------------------------------------------------------------------------- */

long
exec_call_begin(struct exec_call *call, uint8_t out[EXEC_CALL_ROOM])
{
	size_t n = 2;

	if (strlen(call->host) > WORD_MAX) {
		call->why = "the bridge's name is too long";
		return -EINVAL;
	}
	if (call->socks == 4)
		return ask4(call, out);
	if (strlen(call->args) > EXEC_ARGS_MAX) {
		call->why = "arguments of more than 510 bytes fit into no SOCKS login: move them to the program's command line (option \"args\")";
		return -EINVAL;
	}
	call->step = EXEC_GREETED;
	out[0] = 5;
	/* As Tor does: without arguments no login, which would be an empty name. */
	out[n++] = *call->args != '\0' ? METHOD_LOGIN : METHOD_NONE;
	out[1] = (uint8_t)(n - 2);
	return (long)n;
}

int
exec_call_hear(struct exec_call *call, struct ptah_span in, size_t *eaten, uint8_t out[EXEC_CALL_ROOM], size_t *said)
{
	*eaten = *said = 0;
	return call->socks == 4 ? hear4(call, in, eaten) : hear5(call, in, eaten, out, said);
}
