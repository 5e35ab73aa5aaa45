/* SPDX-License-Identifier: BSD-3-Clause */
#include "orport.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "bytes.h"

#define SAFE_COOKIE 0x01

#define HEAD_LEN 4 /* command, length of the body */
#define DONE 0x0000
#define USERADDR 0x0001
#define OKAY 0x1000
#define COMMANDS_MAX 16 /* more are no use to anybody */
#define BODY_MAX 1024

static const char header[32] = "! Extended ORPort Auth Cookie !\n"; /* no NUL */

int
exec_cookie_write(const char *path, const uint8_t cookie[EXEC_COOKIE_LEN])
{
	uint8_t file[sizeof(header) + EXEC_COOKIE_LEN];
	int fd, rc = 0;

	memcpy(file, header, sizeof(header));
	memcpy(file + sizeof(header), cookie, EXEC_COOKIE_LEN);
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1) {
		rc = -errno;
	} else {
		if (write(fd, file, sizeof(file)) != (ssize_t)sizeof(file))
			rc = -EIO;
		if (close(fd) == -1 && rc == 0)
			rc = -errno;
	}
	sodium_memzero(file, sizeof(file));
	return rc;
}

static void
hash(const char *label, const uint8_t *cookie, const uint8_t *client, const uint8_t *server, uint8_t out[32])
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, cookie, EXEC_COOKIE_LEN);
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)label, strlen(label));
	crypto_auth_hmacsha256_update(&state, client, EXEC_NONCE_LEN);
	crypto_auth_hmacsha256_update(&state, server, EXEC_NONCE_LEN);
	crypto_auth_hmacsha256_final(&state, out);
	sodium_memzero(&state, sizeof(state));
}

size_t
exec_orport_begin(struct exec_orport *orport, uint8_t out[EXEC_ORPORT_ROOM])
{
	memset(orport, 0, sizeof(*orport));
	out[0] = SAFE_COOKIE;
	out[1] = 0;
	return 2;
}

static int
fail(struct exec_orport *orport, int rc, const char *why)
{
	orport->why = why;
	return rc;
}

/* The program's nonce has come: prove that we have the cookie, too. */
static size_t
prove(struct exec_orport *orport, const uint8_t *cookie, const uint8_t *client, const uint8_t *server, uint8_t *out)
{
	hash("ExtORPort authentication server-to-client hash", cookie, client, server, out);
	memcpy(out + 32, server, EXEC_NONCE_LEN);
	hash("ExtORPort authentication client-to-server hash", cookie, client, server, orport->proof);
	return 32 + EXEC_NONCE_LEN;
}

static int
hear_proof(struct exec_orport *orport, const uint8_t *proof, uint8_t *out, size_t *said)
{
	int same = sodium_memcmp(orport->proof, proof, sizeof(orport->proof)) == 0;

	sodium_memzero(orport->proof, sizeof(orport->proof));
	if (!same)
		return fail(orport, -EACCES, "a visitor does not know the cookie");
	out[0] = 1;
	*said = 1;
	orport->step = EXEC_COMMANDS;
	return 0;
}

static int
hear_command(struct exec_orport *orport, struct ptah_span in, size_t *eaten, uint8_t *out, size_t *said)
{
	unsigned command = ptah_bytes_get16be(in.at);
	size_t len = ptah_bytes_get16be(in.at + 2);

	if (len > BODY_MAX)
		return fail(orport, -EPROTO, "a command of the program is too long");
	if (in.len < HEAD_LEN + len)
		return 0;
	if (++orport->commands > COMMANDS_MAX)
		return fail(orport, -EPROTO, "the program sends too many commands");
	*eaten = HEAD_LEN + len;
	if (command == USERADDR && len < sizeof(orport->peer)) {
		memcpy(orport->peer, in.at + HEAD_LEN, len);
		orport->peer[len] = '\0';
	}
	if (command != DONE)
		return 0;
	ptah_bytes_put16be(out, OKAY);
	ptah_bytes_put16be(out + 2, 0);
	*said = HEAD_LEN;
	orport->step = EXEC_DONE;
	return 1;
}

int
exec_orport_hear(struct exec_orport *orport, const uint8_t cookie[EXEC_COOKIE_LEN],
    const uint8_t nonce[EXEC_NONCE_LEN], struct ptah_span in, size_t *eaten, uint8_t out[EXEC_ORPORT_ROOM], size_t *said)
{
	static const size_t wanted[] = {
		[EXEC_TYPE] = 1, [EXEC_NONCE] = EXEC_NONCE_LEN, [EXEC_PROOF] = 32, [EXEC_COMMANDS] = HEAD_LEN, [EXEC_DONE] = 0,
	};
	size_t want = wanted[orport->step];

	*eaten = *said = 0;
	if (in.len < want)
		return 0;
	switch (orport->step) {
	case EXEC_TYPE:
		*eaten = want;
		if (in.at[0] != SAFE_COOKIE)
			return fail(orport, -EACCES, "a visitor knows no login by cookie");
		orport->step = EXEC_NONCE;
		return 0;
	case EXEC_NONCE:
		*eaten = want;
		*said = prove(orport, cookie, in.at, nonce, out);
		orport->step = EXEC_PROOF;
		return 0;
	case EXEC_PROOF:
		*eaten = want;
		return hear_proof(orport, in.at, out, said);
	case EXEC_COMMANDS:
		return hear_command(orport, in, eaten, out, said);
	default:
		return 1;
	}
}
