/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * link.h: one link of shadow, either role.
 *
 * Threads: its worker.
 */
#ifndef PTAH_SHADOW_LINK_H
#define PTAH_SHADOW_LINK_H

#include <ptah/host.h>

#include "address.h"
#include "chunks.h"
#include "options.h"

/** Room for the first flight: salt, address header and one chunk. */
#define SHADOW_UNIT (SHADOW_SALT_MAX + SHADOW_ADDRESS_MAX + 2 * SHADOW_CHUNK_HEAD + 0x3fff)
/** How long a client of profile ss waits for bytes to send along with the address. */
#define SHADOW_PATIENCE_NS UINT64_C(100000000)

#define SHADOW_COUNT_REPLAYED 0u
#define SHADOW_COUNT_BROKEN 1u
#define SHADOW_COUNT_FORBIDDEN 2u

struct shadow_link {
	const struct ptah_host *host;
	struct ptah_self *self;
	const struct shadow_cipher *cipher;
	const struct shadow_options *conf; /* of a server */
	struct shadow_boxes sealer;
	struct shadow_opener opener;
	uint8_t role, profile;
	uint8_t stage;       /* of the way in */
	bool said_salt;
	bool keep_eof;       /* client of profile ss, unless half-close=send */
	bool overdue;        /* the application says nothing: the address goes alone */
	uint8_t key[SHADOW_KEY_MAX], salt[SHADOW_SALT_MAX], their_salt[SHADOW_SALT_MAX];
	uint8_t address[SHADOW_ADDRESS_MAX]; /* client: its header */
	uint16_t address_len;
	char dest[SHADOW_DEST_TEXT];         /* server: what the client's said */
	/* Server: opened before there was an end to take it. */
	uint8_t *early;
	size_t early_at, early_len;
};

int shadow_link_open(void *link, const struct ptah_open *open, struct ptah_io *io);
int shadow_link_wrap(void *link, struct ptah_io *io);
int shadow_link_unwrap(void *link, struct ptah_io *io);
int shadow_link_event(void *link, const struct ptah_event *event, struct ptah_io *io);
void shadow_link_close(void *link, int why);

#endif
