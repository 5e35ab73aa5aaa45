/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "ntor.h"
#include "x25519two.h"

#define PROTOCOL "ntor-curve25519-sha256-1"
#define KEY_LEN PTAH_NTOR_KEY_LEN

/* Everything that the MACs cover; B stands in it twice, and no swap for the client. */
struct transcript {
	uint8_t exp1[KEY_LEN], exp2[KEY_LEN];
	uint8_t b[KEY_LEN], b_again[KEY_LEN], x[KEY_LEN], y[KEY_LEN];
	uint8_t protocol[sizeof(PROTOCOL) - 1];
	uint8_t node[PTAH_NTOR_NODE_LEN];
};

#define SUFFIX_AT offsetof(struct transcript, b)
_Static_assert(sizeof(struct transcript) == 236, "only bytes, so no gaps");

static struct ptah_span
text(const char *s)
{
	return (struct ptah_span){ (const uint8_t *)s, strlen(s) };
}

void
ptah_ntor_identity(uint8_t public[KEY_LEN], const uint8_t secret[KEY_LEN])
{
	crypto_scalarmult_curve25519_base(public, secret);
}

/* Both products are made, whatever comes of the first. */
static int
multiply(struct transcript *t, const uint8_t s1[KEY_LEN], const uint8_t p1[KEY_LEN],
    const uint8_t s2[KEY_LEN], const uint8_t p2[KEY_LEN])
{
	uint8_t exp[2][KEY_LEN];
	struct ptah_x25519_job jobs[2];
	int rc;

	memcpy(jobs[0].scalar, s1, KEY_LEN);
	memcpy(jobs[0].point, p1, KEY_LEN);
	memcpy(jobs[1].scalar, s2, KEY_LEN);
	memcpy(jobs[1].point, p2, KEY_LEN);
	rc = ptah_x25519_two(exp, jobs);
	memcpy(t->exp1, exp[0], KEY_LEN);
	memcpy(t->exp2, exp[1], KEY_LEN);
	explicit_bzero(jobs, sizeof(jobs));
	explicit_bzero(exp, sizeof(exp));
	return rc;
}

static int
derive(struct ptah_hmac *hmac, const struct transcript *t, struct ptah_ntor *out)
{
	struct ptah_span all = { (const uint8_t *)t, sizeof(*t) };
	struct ptah_span suffix = { all.at + SUFFIX_AT, all.len - SUFFIX_AT };
	uint8_t verify[KEY_LEN];
	int rc = ptah_hmac_once(hmac, text(PROTOCOL ":key_extract"), all, out->key_seed);

	if (rc == 0)
		rc = ptah_hmac_once(hmac, text(PROTOCOL ":key_verify"), all, verify);
	if (rc == 0)
		rc = ptah_hmac_start(hmac, text(PROTOCOL ":mac"));
	if (rc == 0)
		rc = ptah_hmac_add(hmac, (struct ptah_span){ verify, sizeof(verify) });
	if (rc == 0)
		rc = ptah_hmac_add(hmac, suffix);
	if (rc == 0)
		rc = ptah_hmac_add(hmac, text("Server"));
	if (rc == 0)
		rc = ptah_hmac_end(hmac, out->auth);
	explicit_bzero(verify, sizeof(verify));
	return rc;
}

static void
write_suffix(struct transcript *t, const uint8_t b[KEY_LEN], const uint8_t x[KEY_LEN],
    const uint8_t y[KEY_LEN], const uint8_t node[PTAH_NTOR_NODE_LEN])
{
	memcpy(t->b, b, KEY_LEN);
	memcpy(t->b_again, b, KEY_LEN);
	memcpy(t->x, x, KEY_LEN);
	memcpy(t->y, y, KEY_LEN);
	memcpy(t->protocol, PROTOCOL, sizeof(t->protocol));
	memcpy(t->node, node, PTAH_NTOR_NODE_LEN);
}

int
ptah_ntor_client(struct ptah_hmac *hmac, const uint8_t x[KEY_LEN], const uint8_t x_public[KEY_LEN],
    const uint8_t y_public[KEY_LEN], const uint8_t b_public[KEY_LEN],
    const uint8_t node[PTAH_NTOR_NODE_LEN], struct ptah_ntor *out)
{
	struct transcript t;
	int rc = multiply(&t, x, y_public, x, b_public);

	write_suffix(&t, b_public, x_public, y_public, node);
	if (rc == 0)
		rc = derive(hmac, &t, out);
	if (rc != 0)
		ptah_ntor_clear(out);
	explicit_bzero(&t, sizeof(t));
	return rc;
}

int
ptah_ntor_server(struct ptah_hmac *hmac, const uint8_t y[KEY_LEN], const uint8_t y_public[KEY_LEN],
    const uint8_t b[KEY_LEN], const uint8_t b_public[KEY_LEN],
    const uint8_t node[PTAH_NTOR_NODE_LEN], const uint8_t x_public[KEY_LEN], struct ptah_ntor *out)
{
	struct transcript t;
	int rc = multiply(&t, y, x_public, b, x_public);

	write_suffix(&t, b_public, x_public, y_public, node);
	if (rc == 0)
		rc = derive(hmac, &t, out);
	if (rc != 0)
		ptah_ntor_clear(out);
	explicit_bzero(&t, sizeof(t));
	return rc;
}

int
ptah_ntor_check(const struct ptah_ntor *mine, const uint8_t auth[KEY_LEN])
{
	return sodium_memcmp(mine->auth, auth, KEY_LEN) == 0 ? 0 : -EBADMSG;
}

int
ptah_ntor_link_keys(struct ptah_hmac *hmac, const struct ptah_ntor *ntor,
    uint8_t keys[PTAH_NTOR_LINK_KEYS_LEN])
{
	return ptah_hkdf(hmac, text(PROTOCOL ":key_extract"),
	    (struct ptah_span){ ntor->key_seed, KEY_LEN }, text(PROTOCOL ":key_expand"),
	    (struct ptah_room){ keys, PTAH_NTOR_LINK_KEYS_LEN });
}

void
ptah_ntor_clear(struct ptah_ntor *ntor)
{
	explicit_bzero(ntor, sizeof(*ntor));
}
