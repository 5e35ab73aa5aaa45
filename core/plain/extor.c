/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/extor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/file.h"
#include "base/log.h"
#include "base/random.h"

static const char cookie_magic[32] = "! Extended ORPort Auth Cookie !\n"; /* no NUL */

#define SAFE_COOKIE 0x01
#define STATUS_OK 0x01

/* COMMAND(2) BODYLEN(2) BODY */
#define CMD_DONE 0x0000
#define CMD_USERADDR 0x0001
#define CMD_TRANSPORT 0x0002
#define CMD_OKAY 0x1000
#define CMD_DENY 0x1001

#define TYPES_MAX 255
#define SKIPPED_MAX 16

enum step {
	STEP_TYPES,  /* AuthType* 00 */
	STEP_HASH,   /* ServerHash(32) ServerNonce(32) */
	STEP_STATUS, /* Status(1) */
	STEP_HEAD,
	STEP_BODY,      /* of a frame that is skipped */
	STEP_OKAY_BODY, /* then the stream begins */
	STEP_OPEN,
	STEP_FAILED,
};

int
ptah_extor_cookie_read(const char *path, uint8_t cookie[static PTAH_EXTOR_COOKIE])
{
	uint8_t file[sizeof(cookie_magic) + PTAH_EXTOR_COOKIE + 1];
	int rc = 0;

	/* Not blocking: should it be a pipe, the worker must not wait for it. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1)
		return -errno;

	ssize_t n = ptah_read_full(fd, file, sizeof(file));
	if (n < 0) {
		rc = (int)n;
		goto out;
	}
	if (n != (ssize_t)sizeof(file) - 1 || memcmp(file, cookie_magic, sizeof(cookie_magic)) != 0) {
		rc = -EBADMSG;
		goto out;
	}
	memcpy(cookie, file + sizeof(cookie_magic), PTAH_EXTOR_COOKIE);

out:
	explicit_bzero(file, sizeof(file));
	close(fd);
	return rc;
}

void
ptah_extor_hash(const char *label, const uint8_t cookie[static PTAH_EXTOR_COOKIE],
    const uint8_t client[static PTAH_EXTOR_NONCE], const uint8_t server[static PTAH_EXTOR_NONCE],
    uint8_t out[static PTAH_EXTOR_HASH])
{
	crypto_auth_hmacsha256_state hmac;

	/* Only here, so that a ptah without an Extended ORPort does not pay for it. */
	ptah_assert(sodium_init() != -1);
	crypto_auth_hmacsha256_init(&hmac, cookie, PTAH_EXTOR_COOKIE);
	crypto_auth_hmacsha256_update(&hmac, (const uint8_t *)label, strlen(label));
	crypto_auth_hmacsha256_update(&hmac, client, PTAH_EXTOR_NONCE);
	crypto_auth_hmacsha256_update(&hmac, server, PTAH_EXTOR_NONCE);
	crypto_auth_hmacsha256_final(&hmac, out);
	explicit_bzero(&hmac, sizeof(hmac));
}

void
ptah_extor_init(struct ptah_extor *extor, const uint8_t cookie[static PTAH_EXTOR_COOKIE], const uint8_t *nonce,
    const struct ptah_addr *peer, const char *transport)
{
	memset(extor, 0, sizeof(*extor));
	extor->step = STEP_TYPES;
	extor->transport = transport;
	memcpy(extor->cookie, cookie, sizeof(extor->cookie));
	if (nonce != NULL)
		memcpy(extor->nonce, nonce, sizeof(extor->nonce));
	else
		ptah_random_bytes(extor->nonce, sizeof(extor->nonce));
	if (peer != NULL && ptah_addr_port(peer) != 0)
		ptah_addr_format_peer(peer, extor->peer);
}

void
ptah_extor_clear(struct ptah_extor *extor)
{
	explicit_bzero(extor, sizeof(*extor));
	extor->step = STEP_FAILED;
}

static void
fail(struct ptah_extor *extor, const char *why)
{
	extor->step = STEP_FAILED;
	extor->why = why;
}

static uint8_t
eat(struct ptah_span *in)
{
	in->len--;
	return *in->at++;
}

/* Have 'want' bytes in 'got'? */
static bool
fill(struct ptah_extor *extor, struct ptah_span *in, size_t want)
{
	while (in->len > 0 && extor->n_got < want)
		extor->got[extor->n_got++] = eat(in);
	if (extor->n_got < want)
		return false;
	extor->n_got = 0;
	return true;
}

static void
send_frame(struct ptah_buf *out, unsigned command, const char *body)
{
	size_t len = strlen(body);
	uint8_t head[4] = { (uint8_t)(command >> 8), (uint8_t)command, (uint8_t)(len >> 8), (uint8_t)len };

	ptah_buf_add(out, head, sizeof(head));
	ptah_buf_puts(out, body);
}

static void
take_type(struct ptah_extor *extor, struct ptah_span *in, struct ptah_buf *out)
{
	static const uint8_t none = 0, safe_cookie = SAFE_COOKIE;
	uint8_t type = eat(in);

	if (type == SAFE_COOKIE)
		extor->has_cookie_type = 1;
	if (type != 0) {
		if (++extor->n_types > TYPES_MAX)
			fail(extor, "its list of authentication types does not end");
	} else if (!extor->has_cookie_type) {
		ptah_buf_add(out, &none, 1);
		fail(extor, "it does not know SAFE_COOKIE");
	} else {
		ptah_buf_add(out, &safe_cookie, 1);
		ptah_buf_add(out, extor->nonce, sizeof(extor->nonce));
		extor->step = STEP_HASH;
	}
}

static void
take_hash(struct ptah_extor *extor, struct ptah_span *in, struct ptah_buf *out)
{
	const uint8_t *server_nonce = extor->got + PTAH_EXTOR_HASH;
	uint8_t hash[PTAH_EXTOR_HASH];

	if (!fill(extor, in, PTAH_EXTOR_HASH + PTAH_EXTOR_NONCE))
		return;
	ptah_extor_hash(PTAH_EXTOR_BY_SERVER, extor->cookie, extor->nonce, server_nonce, hash);
	if (sodium_memcmp(hash, extor->got, sizeof(hash)) != 0) {
		fail(extor, "it does not know our cookie");
	} else {
		ptah_extor_hash(PTAH_EXTOR_BY_CLIENT, extor->cookie, extor->nonce, server_nonce, hash);
		ptah_buf_add(out, hash, sizeof(hash));
		extor->step = STEP_STATUS;
	}
	explicit_bzero(hash, sizeof(hash));
}

static void
take_status(struct ptah_extor *extor, struct ptah_span *in, struct ptah_buf *out)
{
	if (eat(in) != STATUS_OK) {
		fail(extor, "it does not accept our cookie");
		return;
	}
	if (extor->peer[0] != '\0')
		send_frame(out, CMD_USERADDR, extor->peer);
	if (strlen(extor->transport) <= UINT16_MAX)
		send_frame(out, CMD_TRANSPORT, extor->transport);
	send_frame(out, CMD_DONE, "");
	extor->step = STEP_HEAD;
}

static void
take_head(struct ptah_extor *extor, struct ptah_span *in)
{
	unsigned command;

	if (!fill(extor, in, 4))
		return;
	command = (unsigned)extor->got[0] << 8 | extor->got[1];
	extor->left = (uint16_t)(extor->got[2] << 8 | extor->got[3]);
	if (command == CMD_OKAY) {
		extor->step = extor->left > 0 ? STEP_OKAY_BODY : STEP_OPEN;
	} else if (command == CMD_DENY) {
		fail(extor, "it denies this client");
	} else if (++extor->n_skipped > SKIPPED_MAX) {
		fail(extor, "it sends frames without end");
	} else {
		extor->step = extor->left > 0 ? STEP_BODY : STEP_HEAD;
	}
}

static void
skip_body(struct ptah_extor *extor, struct ptah_span *in, enum step next)
{
	size_t n = in->len < extor->left ? in->len : extor->left;

	in->at += n;
	in->len -= n;
	extor->left = (uint16_t)(extor->left - n);
	if (extor->left == 0)
		extor->step = (int)next;
}

int
ptah_extor_feed(struct ptah_extor *extor, struct ptah_span in, size_t *eaten, struct ptah_buf *out)
{
	const uint8_t *start = in.at;

	while (in.len > 0 && extor->step < STEP_OPEN) {
		switch ((enum step)extor->step) {
		case STEP_TYPES:
			take_type(extor, &in, out);
			break;
		case STEP_HASH:
			take_hash(extor, &in, out);
			break;
		case STEP_STATUS:
			take_status(extor, &in, out);
			break;
		case STEP_HEAD:
			take_head(extor, &in);
			break;
		case STEP_BODY:
			skip_body(extor, &in, STEP_HEAD);
			break;
		case STEP_OKAY_BODY:
			skip_body(extor, &in, STEP_OPEN);
			break;
		case STEP_OPEN:
		case STEP_FAILED:
			break;
		}
	}
	*eaten = (size_t)(in.at - start);
	if (out->rc != 0)
		return out->rc;
	if (extor->step == STEP_OPEN)
		return PTAH_EXTOR_OPEN;
	return extor->step == STEP_FAILED ? PTAH_EXTOR_FAIL : PTAH_EXTOR_MORE;
}
