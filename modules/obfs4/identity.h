/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * obfs4/identity.h: who a bridge is, and how that is written down.
 *
 * The two files and the cert are obfs4proxy's, byte for byte where it reads
 * them.  It knows no file and no option: texts in, texts out.
 */
#ifndef PTAH_OBFS4_IDENTITY_H
#define PTAH_OBFS4_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "chance.h"

#define OBFS4_NODE_ID_LEN 20u
#define OBFS4_KEY_LEN 32u
#define OBFS4_SEED_LEN 24u
#define OBFS4_IAT_MODES 3u

/** The key of every mark and MAC: public key, then node id. */
#define OBFS4_MAC_KEY_LEN (OBFS4_KEY_LEN + OBFS4_NODE_ID_LEN)
/** A cert is node id, then public key, in base64 without padding. */
#define OBFS4_CERT_LEN 70u

/** Room for the text of obfs4_state.json, of obfs4_bridgeline.txt. */
#define OBFS4_STATE_ROOM 512u
#define OBFS4_BRIDGELINE_ROOM 1024u

/** What a client knows of a bridge. */
struct obfs4_bridge {
	uint8_t node_id[OBFS4_NODE_ID_LEN];
	uint8_t public_key[OBFS4_KEY_LEN];
};

/** What the bridge itself knows. */
struct obfs4_identity {
	struct obfs4_bridge bridge;
	uint8_t private_key[OBFS4_KEY_LEN]; /* clamped at use, not here */
	uint8_t seed[OBFS4_SEED_LEN];
	uint8_t iat_mode;
};

void obfs4_mac_key(const struct obfs4_bridge *bridge, uint8_t out[static OBFS4_MAC_KEY_LEN]);

void obfs4_cert_write(const struct obfs4_bridge *bridge, char out[static OBFS4_CERT_LEN + 1]);
/** Fails: -EINVAL, and *why gets what is wrong with it. */
int obfs4_cert_read(const char *text, struct obfs4_bridge *out, const char **why);

/** "0", "1" or "2"; a plus before it is fine.  -EINVAL. */
int obfs4_iat_read(const char *text, uint8_t *out);

/** Draw a new one; its seed never gives a burst of length 0, which would end obfs4proxy 0.0.14. */
void obfs4_identity_new(struct obfs4_identity *out, const struct ptah_chance *chance);
/** Compute the public key. */
void obfs4_identity_finish(struct obfs4_identity *identity);

/** Read obfs4_state.json.  Fails: -EBADMSG, and *why. */
int obfs4_state_read(const char *text, size_t len, struct obfs4_identity *out, const char **why);
/** Write it: its length. */
size_t obfs4_state_write(const struct obfs4_identity *identity, char out[static OBFS4_STATE_ROOM]);
/** Write obfs4_bridgeline.txt: its length. */
size_t obfs4_bridgeline_write(const struct obfs4_identity *identity, char out[static OBFS4_BRIDGELINE_ROOM]);

#endif
