/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/upgrade.h: a program and its keeper (host/keeper.h): how it takes over
 * from the program before it, and hands over to the next.
 *
 * Knows no services: who runs them says which serve, and what happens to them.
 *
 * Threads: the main one.
 */
#ifndef PTAH_HOST_UPGRADE_H
#define PTAH_HOST_UPGRADE_H

#include <stdbool.h>

struct ptah_crew;
struct ptah_upgrade;

/** What whoever runs the services hears. */
struct ptah_upgrade_says {
	/** The next program has read its file: say which services serve, by ptah_upgrade_serves(). */
	void (*on_hold)(void *arg);
	/** It is about to serve: give all else up that only one process can have; it writes the state. */
	void (*on_leave)(void *arg);
	/** It has that, and takes connections: end with the last link. */
	void (*on_done)(void *arg);
	/** It does not, after on_leave(): have all that again. */
	void (*on_return)(void *arg);
	/** It does not: go on. */
	void (*on_stay)(const char *why, void *arg);
	/** The program before us leaves: we are the one. */
	void (*on_yours)(void *arg);
	/** The keeper has gone. */
	void (*on_lost)(void *arg);
};

/** Gives: *out, for ptah_upgrade_close(); NULL: there is no keeper.  Fails: -EINVAL: that is no way to one; -ENOMEM. */
int ptah_upgrade_open(struct ptah_upgrade **out, char *const envp[]);
/** NULL is fine. */
void ptah_upgrade_close(struct ptah_upgrade *upgrade);

/**
 * Our file is good: wait until we may begin, and know what is handed over.
 * Fails: -EPIPE: the keeper has gone; or it has been told why not: -E2BIG, -EMFILE: that is more than we can take; -ENOMEM.
 */
int ptah_upgrade_meet(struct ptah_upgrade *upgrade);
/** Is there a program before us?  NULL: no. */
bool ptah_upgrade_is_heir(const struct ptah_upgrade *upgrade);
/** How many workers there must be; 0: any number. */
unsigned ptah_upgrade_workers(const struct ptah_upgrade *upgrade);
/** Does the program before us serve this label? */
bool ptah_upgrade_was_served(const struct ptah_upgrade *upgrade, const char *label);

/**
 * There is a crew: give it what was handed over, and hear the keeper from now on.
 * Lends: all, until ptah_upgrade_close().
 */
int ptah_upgrade_begin(struct ptah_upgrade *upgrade, struct ptah_crew *crew, const struct ptah_upgrade_says *says, void *arg);
/** An heir: all that is to serve does; on_yours() follows. */
void ptah_upgrade_ready(struct ptah_upgrade *upgrade);
/** It does not, and we end.  NULL is fine. */
void ptah_upgrade_fail(struct ptah_upgrade *upgrade, const char *why);

/** Ask for a program in our place: on_hold(), then on_leave() or on_stay() follows. */
int ptah_upgrade_ask(struct ptah_upgrade *upgrade);
/** From on_hold(). */
void ptah_upgrade_serves(struct ptah_upgrade *upgrade, const char *label);

#endif
