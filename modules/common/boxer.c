/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "boxer.h"
#include "bytes.h"

#define SEED_AT 48 /* of the DRBG, in the keys of a direction */

struct ptah_boxer *
ptah_boxer_new_with(const char *vectors)
{
	const struct ptah_salsa *salsa = ptah_salsa_find(vectors);
	struct ptah_boxer *boxer;

	if (salsa == NULL) {
		errno = ENOTSUP;
		return NULL;
	}
	boxer = calloc(1, sizeof(*boxer));
	if (boxer == NULL)
		return NULL;
	boxer->salsa = salsa;
	boxer->poly1305 = EVP_MAC_fetch(NULL, "POLY1305", NULL);
	if (boxer->poly1305 != NULL)
		boxer->mac = EVP_MAC_CTX_new(boxer->poly1305);
	if (boxer->mac == NULL) {
		ptah_boxer_free(boxer);
		errno = ENOMEM;
		return NULL;
	}
	return boxer;
}

struct ptah_boxer *
ptah_boxer_new(void)
{
	return ptah_boxer_new_with(NULL);
}

const char *
ptah_boxer_vectors(const struct ptah_boxer *boxer)
{
	return boxer->salsa->name;
}

void
ptah_boxer_free(struct ptah_boxer *boxer)
{
	if (boxer == NULL)
		return;
	EVP_MAC_CTX_free(boxer->mac);
	EVP_MAC_free(boxer->poly1305);
	explicit_bzero(boxer, sizeof(*boxer));
	free(boxer);
}

/* libcrypto's Poly1305 is four times as fast as libsodium's; it fails for want of memory only. */
int
ptah_pass_tag(struct ptah_boxer *boxer, const uint8_t key[PTAH_BOX_MAC_KEY_LEN], const uint8_t *at,
    size_t len, uint8_t tag[PTAH_BOX_TAG_LEN])
{
	size_t tag_len;

	if (EVP_MAC_init(boxer->mac, key, PTAH_BOX_MAC_KEY_LEN, NULL) != 1 ||
	    EVP_MAC_update(boxer->mac, at, len) != 1 ||
	    EVP_MAC_final(boxer->mac, tag, &tag_len, PTAH_BOX_TAG_LEN) != 1)
		return -ENOMEM;
	return 0;
}

void
ptah_pass_start(struct ptah_boxer *boxer, const struct ptah_frame_key *key)
{
	for (int i = 0; i < 8; i++)
		boxer->key[i] = ptah_bytes_get32le(key->subkey + 4 * i);
	boxer->n_jobs = 0;
	boxer->n_edges = 0;
}

void
ptah_pass_run(struct ptah_boxer *boxer)
{
	if (boxer->n_jobs > 0)
		boxer->salsa->run(boxer->key, boxer->jobs, boxer->n_jobs);
	boxer->n_jobs = 0;
}

void
ptah_pass_add(struct ptah_boxer *boxer, uint64_t counter, uint64_t block, const uint8_t *in,
    uint8_t *out)
{
	boxer->jobs[boxer->n_jobs++] = (struct ptah_salsa_job){
		.in = in,
		.out = out,
		.nonce = __builtin_bswap64(counter), /* big-endian on the wire */
		.block = block,
	};
	if (boxer->n_jobs == PTAH_PASS_JOBS)
		ptah_pass_run(boxer);
}

uint8_t *
ptah_pass_edge(struct ptah_boxer *boxer, uint8_t *to, size_t len)
{
	struct ptah_edge *edge = &boxer->edges[boxer->n_edges++];

	memset(edge->block, 0, sizeof(edge->block));
	edge->to = to;
	edge->len = len;
	return edge->block;
}

void
ptah_pass_settle(struct ptah_boxer *boxer)
{
	ptah_pass_run(boxer);
	for (size_t i = 0; i < boxer->n_edges; i++)
		if (boxer->edges[i].len > 0)
			memcpy(boxer->edges[i].to, boxer->edges[i].block, boxer->edges[i].len);
}

void
ptah_pass_end(struct ptah_boxer *boxer, size_t n_frames)
{
	explicit_bzero(boxer->first, n_frames * sizeof(boxer->first[0]));
	explicit_bzero(boxer->edges, boxer->n_edges * sizeof(boxer->edges[0]));
	explicit_bzero(boxer->key, sizeof(boxer->key));
}

void
ptah_frame_key_init(struct ptah_frame_key *key, const uint8_t keys[PTAH_FRAME_KEYS_LEN])
{
	crypto_core_hsalsa20(key->subkey, keys + crypto_core_hsalsa20_KEYBYTES, keys, NULL);
	ptah_drbg_init(&key->lengths, keys + SEED_AT);
	key->counter = 1;
}
