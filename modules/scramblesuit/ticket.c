/* SPDX-License-Identifier: BSD-3-Clause */
#include "ticket.h"

#include <errno.h>
#include <string.h>

#include <openssl/evp.h>
#include <sodium.h>

#include "bytes.h"

#define STATE_LEN 64u
#define SEALED_LEN (SCRAMBLE_TICKET_IV_LEN + STATE_LEN) /* what the MAC covers */
#define NAME "ScrambleSuitTicket"
#define NAME_LEN (sizeof(NAME) - 1)
#define NAME_AT 4u
#define MASTER_AT (NAME_AT + NAME_LEN)

/* ---- keys ------------------------------------------------------------------------ */

static void
draw(struct scramble_ring *ring, const struct ptah_chance *chance, int64_t unix_s)
{
	ptah_chance_bytes(chance, ring->now.aes, sizeof(ring->now.aes));
	ptah_chance_bytes(chance, ring->now.mac, sizeof(ring->now.mac));
	ring->created = unix_s;
}

void
scramble_ring_new(struct scramble_ring *ring, const struct ptah_chance *chance, int64_t unix_s)
{
	memset(ring, 0, sizeof(*ring));
	draw(ring, chance, unix_s);
}

bool
scramble_ring_is_due(const struct scramble_ring *ring, int64_t unix_s)
{
	return unix_s - ring->created >= SCRAMBLE_WEEK_S;
}

void
scramble_ring_turn(struct scramble_ring *ring, const struct ptah_chance *chance, int64_t unix_s)
{
	ring->old = ring->now;
	ring->has_old = true;
	draw(ring, chance, unix_s);
}

/* ---- tickets ---------------------------------------------------------------------- */

static int
run_cbc(const struct scramble_ticket_keys *keys, const uint8_t *iv, const uint8_t in[static STATE_LEN],
    uint8_t out[static STATE_LEN], int encrypt)
{
	EVP_CIPHER_CTX *cbc = EVP_CIPHER_CTX_new();
	int n = 0, rc = -ENOMEM;

	if (cbc != NULL && EVP_CipherInit_ex(cbc, EVP_aes_128_cbc(), NULL, keys->aes, iv, encrypt) == 1 &&
	    EVP_CIPHER_CTX_set_padding(cbc, 0) == 1 && EVP_CipherUpdate(cbc, out, &n, in, STATE_LEN) == 1 && n == STATE_LEN)
		rc = 0;
	EVP_CIPHER_CTX_free(cbc);
	return rc;
}

static int
mac_of(const struct scramble_ticket_keys *keys, struct ptah_hmac *hmac, const uint8_t *ticket,
    uint8_t mac[static PTAH_HMAC_LEN])
{
	return ptah_hmac_once(hmac, (struct ptah_span){ keys->mac, sizeof(keys->mac) },
	    (struct ptah_span){ ticket, SEALED_LEN }, mac);
}

int
scramble_ticket_seal(const struct scramble_ticket_keys *keys, struct ptah_hmac *hmac,
    const uint8_t iv[static SCRAMBLE_TICKET_IV_LEN], int64_t unix_s, const uint8_t master[static SCRAMBLE_MASTER_LEN],
    uint8_t ticket[static SCRAMBLE_TICKET_LEN])
{
	uint8_t state[STATE_LEN] = { 0 };
	int rc;

	ptah_bytes_put32le(state, (uint32_t)unix_s);
	memcpy(state + NAME_AT, NAME, NAME_LEN);
	memcpy(state + MASTER_AT, master, SCRAMBLE_MASTER_LEN);
	memcpy(ticket, iv, SCRAMBLE_TICKET_IV_LEN);
	rc = run_cbc(keys, iv, state, ticket + SCRAMBLE_TICKET_IV_LEN, 1);
	sodium_memzero(state, sizeof(state));
	return rc == 0 ? mac_of(keys, hmac, ticket, ticket + SEALED_LEN) : rc;
}

/* Whose is it?  Both MACs are always computed; NULL: nobody's. */
static int
find_keys(const struct scramble_ring *ring, struct ptah_hmac *hmac, const uint8_t *ticket,
    const struct scramble_ticket_keys **keys)
{
	const struct scramble_ticket_keys *both[] = { &ring->now, &ring->old };

	*keys = NULL;
	for (size_t i = 0; i < 2; i++) {
		uint8_t mac[PTAH_HMAC_LEN];
		int rc = mac_of(both[i], hmac, ticket, mac);

		if (rc < 0)
			return rc;
		if (sodium_memcmp(mac, ticket + SEALED_LEN, sizeof(mac)) == 0 && (i == 0 || ring->has_old) && *keys == NULL)
			*keys = both[i];
	}
	return 0;
}

int
scramble_ticket_open(const struct scramble_ring *ring, struct ptah_hmac *hmac,
    const uint8_t ticket[static SCRAMBLE_TICKET_LEN], int64_t unix_s, uint8_t master[static SCRAMBLE_MASTER_LEN])
{
	const struct scramble_ticket_keys *keys;
	uint8_t state[STATE_LEN];
	int64_t age;
	int rc = find_keys(ring, hmac, ticket, &keys);

	if (rc < 0 || keys == NULL)
		return rc;
	rc = run_cbc(keys, ticket, ticket + SCRAMBLE_TICKET_IV_LEN, state, 0);
	if (rc == 0) {
		age = unix_s - (int64_t)ptah_bytes_get32le(state);
		rc = memcmp(state + NAME_AT, NAME, NAME_LEN) == 0 && age <= SCRAMBLE_WEEK_S;
		memcpy(master, state + MASTER_AT, SCRAMBLE_MASTER_LEN);
	}
	sodium_memzero(state, sizeof(state));
	return rc;
}
