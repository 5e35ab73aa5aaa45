/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/extor.h: the client's side of the Extended ORPort: prove that we can
 * read the cookie, say who the client is, wait for leave.
 *
 * A pure machine: it is given what came and says what to send.  The server
 * speaks first.  Bytes behind its OKAY belong to the tunnelled stream.
 *
 * Sources: ipc.md section 5; Tor's ext-orport specification, proposals 196 and 217.
 */
#ifndef PTAH_PLAIN_EXTOR_H
#define PTAH_PLAIN_EXTOR_H

#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

#include "base/addr.h"
#include "base/buf.h"

/* The whole exchange, connection included. */
#define PTAH_EXTOR_MS 5000

#define PTAH_EXTOR_COOKIE 32
#define PTAH_EXTOR_NONCE 32
#define PTAH_EXTOR_HASH 32

#define PTAH_EXTOR_MORE 0 /* wants more input */
#define PTAH_EXTOR_OPEN 1 /* the client's stream may begin */
#define PTAH_EXTOR_FAIL 2 /* send what was appended, close both sides */

struct ptah_extor {
	const char *why; /* of FAIL, for the log; a constant without secrets */

	/* The machine's own. */
	int step;
	const char *transport;
	char peer[PTAH_ADDR_TEXT];
	uint8_t cookie[PTAH_EXTOR_COOKIE];
	uint8_t nonce[PTAH_EXTOR_NONCE];
	uint8_t got[64];
	uint16_t n_got, left, n_types, n_skipped;
	uint8_t has_cookie_type;
};

/**
 * Read the cookie; anew for each connection, since Tor may write it late.
 * Fails: -EBADMSG if it is not one, or what open and read say.
 */
int ptah_extor_cookie_read(const char *path, uint8_t cookie[static PTAH_EXTOR_COOKIE]);

/**
 * Begin.  'peer' NULL, without address or with port 0: USERADDR is left out.
 * 'nonce' NULL: a random one.  End with ptah_extor_clear().
 * Lends: transport, as long as the machine lives.
 */
void ptah_extor_init(struct ptah_extor *extor, const uint8_t cookie[static PTAH_EXTOR_COOKIE],
    const uint8_t *nonce, const struct ptah_addr *peer, const char *transport);

/** Wipe it. */
void ptah_extor_clear(struct ptah_extor *extor);

/**
 * Take what came; *eaten says how much of it.  Appends answers to 'out'.
 * PTAH_EXTOR_..., or -ENOMEM.
 */
int ptah_extor_feed(struct ptah_extor *extor, struct ptah_span in, size_t *eaten, struct ptah_buf *out);

/** HMAC-SHA256(cookie, 'label' || client nonce || server nonce); for the machine and its tests. */
#define PTAH_EXTOR_BY_SERVER "ExtORPort authentication server-to-client hash"
#define PTAH_EXTOR_BY_CLIENT "ExtORPort authentication client-to-server hash"
void ptah_extor_hash(const char *label, const uint8_t cookie[static PTAH_EXTOR_COOKIE],
    const uint8_t client[static PTAH_EXTOR_NONCE], const uint8_t server[static PTAH_EXTOR_NONCE],
    uint8_t out[static PTAH_EXTOR_HASH]);

#endif
