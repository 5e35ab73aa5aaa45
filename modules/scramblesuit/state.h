/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * scramblesuit/state.h: who a bridge is, and the text of its state file.
 *
 *     {"password":"<base32>","prng-seed":"<64 hex>",
 *      "ticket-aes-key":"<32 hex>","ticket-hmac-key":"<64 hex>","ticket-key-created":1795215293,
 *      "old-ticket-aes-key":"<32 hex>","old-ticket-hmac-key":"<64 hex>"}
 *
 * It knows no file: texts in, texts out.
 */
#ifndef PTAH_SCRAMBLESUIT_STATE_H
#define PTAH_SCRAMBLESUIT_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "hello.h"
#include "ticket.h"

#define SCRAMBLE_STATE_ROOM 1024u
/** A longer text is no such file. */
#define SCRAMBLE_STATE_MAX 4096u

/** What never changes while a bridge runs. */
struct scramble_identity {
	uint8_t secret[SCRAMBLE_SECRET_LEN];
	uint8_t seed[SCRAMBLE_SEED_LEN];
};

/** Read it.  Fails: -EBADMSG, and *why gets what is wrong with it. */
int scramble_state_read(const char *text, size_t len, struct scramble_identity *identity, struct scramble_ring *ring,
    const char **why);
/** Write it: its length. */
size_t scramble_state_write(const struct scramble_identity *identity, const struct scramble_ring *ring,
    char out[SCRAMBLE_STATE_ROOM]);

#endif
