/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/upgradeself.h: what the files of an upgrade share; upgrade.h is for everybody else.
 *
 *	upgrade.c   the words of the keeper, and who has the state
 *	legacy.c    what a program hands over to the next
 *
 * Threads: the main one.
 */
#ifndef PTAH_HOST_UPGRADESELF_H
#define PTAH_HOST_UPGRADESELF_H

#include <stdbool.h>
#include <stdint.h>

#include "host/keeperwords.h"
#include "host/upgrade.h"
#include "loop/deadline.h"
#include "wire/pass.h"

struct event;

/* A word that was passed on, with what came along. */
struct ptah_handed {
	struct ptah_handed *next;
	unsigned n;
	int fds[PTAH_PASS_MOST];
	struct ptah_keeper_word word;
};

struct ptah_upgrade {
	int fd;
	bool heir;
	unsigned n_workers;
	struct ptah_handed *handed; /* what an heir was given, until there is a crew; and the labels, to the end */
	unsigned n_handed;
	struct ptah_crew *crew;
	const struct ptah_upgrade_says *says;
	void *arg;
	struct event *on_word;
	struct ptah_deadline tell;
	uint64_t n_told; /* of the replay filter */
	bool holding;    /* state is not written */
	bool leaving;    /* another one has all of it, and is about to serve, or does */
	int rc;          /* of what was handed over */
};

/** Hand over what is known of the sockets; and what the replay filter remembers.  -errno. */
int ptah_legacy_tell_places(const struct ptah_upgrade *upgrade);
int ptah_legacy_tell_replay(struct ptah_upgrade *upgrade);
/** The same again, if more is remembered now. */
void ptah_legacy_tell_news(struct ptah_upgrade *upgrade);
/** There is a crew: give it what was handed over.  Takes: what came along.  -errno. */
int ptah_legacy_take(struct ptah_upgrade *upgrade, struct ptah_handed *handed);
/** What the program before us remembers.  Lends: fd. */
void ptah_legacy_take_replay(struct ptah_upgrade *upgrade, int fd);

#endif
