/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/invitation.h: who a server is, as what its operator and its clients
 * must write down.
 *
 * A transport whose home keeps an identity in the state folder is opened as a
 * server would be, and asked.  One that makes options instead (generate) has
 * them kept as NAME_server.json and NAME_client.json.  It prints nothing.
 *
 * Threads: the main one; it runs a loop of its own meanwhile.
 */
#ifndef PTAH_HOST_INVITATION_H
#define PTAH_HOST_INVITATION_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/json.h"

struct ptah_registry;

/** All lent. */
struct ptah_invitation_wish {
	const char *name, *bind, *advertise;
	const char *folder;              /* the state folder, absolute */
	const struct ptah_json *options; /* of the server; an object */
	bool anew;                       /* make an identity where there is one */
};

struct ptah_invitation {
	bool made;                       /* the identity is new */
	bool in_state;                   /* a server reads it from the state folder, not from its options */
	char address[PTAH_DEST_TEXT];    /* where clients connect to */
	struct ptah_json *files, *kept;  /* arrays of paths: where the identity is, what was there before */
	struct ptah_json *server, *client; /* options */
	struct ptah_json *bridge;        /* of these, what a bridge line says */
};

/**
 * Read the identity that is there, or make one.
 * Gives: *out for ptah_invitation_clear(), also on failure.
 * Fails: -errno and 'why', with the next step.
 */
int ptah_invitation_make(struct ptah_invitation *out, struct ptah_registry *registry,
    const struct ptah_invitation_wish *wish, char *why, size_t room);

/** Wipes and frees. */
void ptah_invitation_clear(struct ptah_invitation *invitation);

#endif
