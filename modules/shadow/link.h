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
#include "keys.h"
#include "opening.h"
#include "options.h"

/** Room for the first flight of either kind: salt, identities, headers, and one chunk of the largest. */
#define SHADOW_UNIT \
	(SHADOW_SALT_MAX + SHADOW_HOPS_MAX * SHADOW_IDENTITY + SHADOW_RESPONSE_BOX_MAX + SHADOW_ADDRESS_MAX + \
	    2 * SHADOW_CHUNK_HEAD + 0xffff)
/** How long a client of profile ss waits for bytes to send along with the address. */
#define SHADOW_PATIENCE_NS UINT64_C(100000000)

#define SHADOW_COUNT_REPLAYED 0u
#define SHADOW_COUNT_BROKEN 1u
#define SHADOW_COUNT_FORBIDDEN 2u
#define SHADOW_COUNT_LATE 3u

/* Stages of the way in. */
#define SHADOW_AT_SALT 0u     /* the salt and the first box are not here yet */
#define SHADOW_AT_REPLAY 1u   /* they are, and are authentic; is the salt new? */
#define SHADOW_AT_FRESH 2u    /* it is */
#define SHADOW_AT_ADDRESS 3u  /* server of profile ss: the header is not whole yet */
#define SHADOW_AT_ADMITTED 4u /* ... it is, and its destination is being dialled */
#define SHADOW_AT_STREAM 5u   /* chunks */

struct shadow_desk;
struct shadow_messages;

/** What the links of one worker share. */
struct shadow_worker {
	struct shadow_desk *desk; /* message.h; NULL: no messages yet */
	uint64_t skew_said_ns; /* when the log heard last of a clock that is wrong; 0: never */
};

struct shadow_link {
	const struct ptah_host *host;
	struct ptah_self *self;
	const struct shadow_cipher *cipher;
	const struct shadow_options *conf; /* of a server */
	struct shadow_boxes sealer;
	struct shadow_opener opener;
	uint8_t role, profile;
	uint8_t stage;       /* SHADOW_AT_ */
	bool said_salt;
	bool has_keys;  /* those that both ends know */
	bool keep_eof;       /* client of profile ss, unless half-close=send */
	bool overdue;        /* the application says nothing: the address goes alone */
	struct shadow_keys keys;
	struct shadow_worker *worker;
	struct shadow_messages *messages; /* message.h; NULL: a stream */
	uint8_t salt[SHADOW_SALT_MAX], their_salt[SHADOW_SALT_MAX];
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

/* ---- between link.c, modern.c and message.c --------------------------------- */

/** Where salts are known by. */
struct ptah_span shadow_link_scope(const struct shadow_link *link);
/** Client: write the header of where it goes.  0, or -errno and why. */
int shadow_link_aim(struct shadow_link *link, const struct ptah_open *open, struct ptah_io *io);
/** Say that a clock is wrong, once a minute. */
void shadow_link_log_skew(const struct shadow_link *link, int64_t skew);

/** The peer is no good: count it, say why, answer nothing. */
int shadow_link_refuse(const struct shadow_link *link, struct ptah_io *io, uint32_t counter, const char *reason);
/** The same for what a box or a header said. */
int shadow_link_refuse_broken(const struct shadow_link *link, struct ptah_io *io, int rc);
/** Set up the way out. */
int shadow_link_say_salt(struct shadow_link *link);
/** The peer's salt is at 'salt': set up the way in. */
int shadow_link_hear_salt(struct shadow_link *link, const uint8_t *salt);
/** Has their salt been heard before?  As ptah_host.replay; go on when it is fresh. */
int shadow_link_ask_replay(struct shadow_link *link, struct ptah_io *io, uint32_t ttl_s);
/** Keep the next payload for an end that is not there yet.  0, or 1 when it is not whole, -errno. */
int shadow_link_keep_early(struct shadow_link *link, struct ptah_io *io);
/** The header is whole, 'dest' is set, the stream begins at 'at' of what is early. */
int shadow_link_admit(struct shadow_link *link, struct ptah_io *io, size_t at);

/** Shadowsocks 2022: what goes before the chunks, with what 'io' has to go with it. */
int shadow_modern_begin(struct shadow_link *link, struct ptah_io *io);
int shadow_modern_read_salt(struct shadow_link *link, struct ptah_io *io);
int shadow_modern_is_fresh(struct shadow_link *link, struct ptah_io *io);
int shadow_modern_read_address(struct shadow_link *link, struct ptah_io *io);

#endif
