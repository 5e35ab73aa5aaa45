/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * scramblesuit/home.h: what all links of an instance share: a server's
 * identity and the keys of its tickets, a client's tickets.
 *
 * Links ask by mail, for their workers are others:
 *
 *     client  'T' server               give me the ticket for it   ->  'T' body, or 'N'
 *     client  'S' body server          keep this one
 *     server  'K'                      which keys make tickets?    ->  'K' a struct scramble_ring
 */
#ifndef PTAH_SCRAMBLESUIT_HOME_H
#define PTAH_SCRAMBLESUIT_HOME_H

#include <stdatomic.h>

#include <ptah/host.h>

#include "state.h"
#include "store.h"

#define SCRAMBLE_MAIL_TAKE 'T'
#define SCRAMBLE_MAIL_NONE 'N'
#define SCRAMBLE_MAIL_STORE 'S'
#define SCRAMBLE_MAIL_KEYS 'K'
/** Longest name of a server in a letter. */
#define SCRAMBLE_SERVER_MAX 512u

struct scramble_answer; /* a letter that waits until a file is on disk */

struct scramble_home {
	const struct scramble_identity *identity; /* server: locked memory, read-only once ready */
	atomic_flag *skew_said; /* server: a clock that is wrong is worth one line */
	/* What follows is the home's alone. */
	struct scramble_ring *ring; /* server: locked memory */
	struct scramble_store store;
	struct scramble_answer *answers;
	const struct ptah_host *host;
	struct ptah_self *self;
	uint64_t cookie; /* of the last file */
	bool writing, dirty; /* client: its file is on the way, and not the latest */
	bool is_ready;
};

int scramble_home_open(void *home, const struct ptah_start *start);
int scramble_home_event(void *home, const struct ptah_event *event);
void scramble_home_close(void *home);

#endif
