/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * scramblesuit/ticket.h: tickets as a server makes and reads them.
 *
 *     | IV 16 | AES-128-CBC: time 4, name 18, master key 32, zeros 10 | HMAC 32 |
 *
 * A client cannot look inside: it keeps one with the master key that came
 * along, and shows it at its next connection.
 */
#ifndef PTAH_SCRAMBLESUIT_TICKET_H
#define PTAH_SCRAMBLESUIT_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#include "chance.h"
#include "hmac.h"
#include "message.h"

#define SCRAMBLE_TICKET_AES_LEN 16u
#define SCRAMBLE_TICKET_MAC_LEN 32u
#define SCRAMBLE_TICKET_IV_LEN 16u
/** So long a ticket is good, and a key makes new ones. */
#define SCRAMBLE_WEEK_S INT64_C(604800)

struct scramble_ticket_keys {
	uint8_t aes[SCRAMBLE_TICKET_AES_LEN];
	uint8_t mac[SCRAMBLE_TICKET_MAC_LEN];
};

/** What makes tickets, and what made them the week before. */
struct scramble_ring {
	struct scramble_ticket_keys now, old;
	int64_t created; /* 'now' */
	bool has_old;
};

/** Draw the first keys. */
void scramble_ring_new(struct scramble_ring *ring, const struct ptah_chance *chance, int64_t unix_s);
/** Is it time for new keys? */
bool scramble_ring_is_due(const struct scramble_ring *ring, int64_t unix_s);
/** Draw them; the ones before stay for reading, the ones before those go. */
void scramble_ring_turn(struct scramble_ring *ring, const struct ptah_chance *chance, int64_t unix_s);

/** Make the ticket for a master key.  -ENOMEM. */
int scramble_ticket_seal(const struct scramble_ticket_keys *keys, struct ptah_hmac *hmac,
    const uint8_t iv[SCRAMBLE_TICKET_IV_LEN], int64_t unix_s, const uint8_t master[SCRAMBLE_MASTER_LEN],
    uint8_t ticket[SCRAMBLE_TICKET_LEN]);
/** Read one: 1 and its master key; 0 if it is none of ours, or too old.  -ENOMEM. */
int scramble_ticket_open(const struct scramble_ring *ring, struct ptah_hmac *hmac,
    const uint8_t ticket[SCRAMBLE_TICKET_LEN], int64_t unix_s, uint8_t master[SCRAMBLE_MASTER_LEN]);

#endif
