/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * scramblesuit/store.h: a client's tickets, and the text that obfs4proxy keeps
 * them in:
 *
 *     {"192.0.2.1:443":{"key-ticket":"<base32: master key, ticket>","issuedAt":1795215293}}
 *
 * It knows no file: texts in, texts out.
 */
#ifndef PTAH_SCRAMBLESUIT_STORE_H
#define PTAH_SCRAMBLESUIT_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"

/** As many are kept; of more the eldest goes. */
#define SCRAMBLE_STORE_MAX 1024u
/** A longer text is not read. */
#define SCRAMBLE_STORE_TEXT_MAX ((size_t)1024 * 1024)

struct scramble_kept {
	char *server;
	uint8_t body[SCRAMBLE_TICKET_PAYLOAD_LEN]; /* master key, ticket */
	int64_t issued;
};

/** Zeroed is empty. */
struct scramble_store {
	struct scramble_kept *kept;
	size_t n;
};

void scramble_store_clear(struct scramble_store *store);

/**
 * Read such a text; what is damaged or too old in it is left out.
 * Fails: -EBADMSG (it is no JSON object), -ENOMEM.
 */
int scramble_store_read(struct scramble_store *store, const char *text, size_t len, int64_t unix_s);
/**
 * Gives: the text; wipe and free() it.
 * Fails: NULL (ENOMEM).
 */
char *scramble_store_text(const struct scramble_store *store, size_t *len);

/** Keep a ticket for this server, in place of one that is there.  -ENOMEM. */
int scramble_store_put(struct scramble_store *store, struct ptah_span server,
    const uint8_t body[SCRAMBLE_TICKET_PAYLOAD_LEN], int64_t unix_s);
/**
 * Take the ticket for this server out.
 * Returns 1 and the ticket; 0 if there is none; 2 if there was one that is too old.
 */
int scramble_store_take(struct scramble_store *store, struct ptah_span server, int64_t unix_s,
    uint8_t body[SCRAMBLE_TICKET_PAYLOAD_LEN]);

#endif
