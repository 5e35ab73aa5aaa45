/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/crew.h: what there is once in a process, however many plans are at work:
 * workers, modules, what the process may hold, and what it remembers.
 *
 * Knows no plan and no service; dispatchers (host/dispatcher.h) work over it.
 *
 * Threads: the one of the loop that it was given.
 */
#ifndef PTAH_HOST_CREW_H
#define PTAH_HOST_CREW_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/worker.h"
#include "stats/tally.h"
#include "transport/child.h"
#include "wire/listen.h"

struct ptah_broker;
struct ptah_places;
struct ptah_registry;
struct ptah_remember;

/** Lent for the life of the crew, all that it points to but the texts, which it copies. */
struct ptah_crew_how {
	unsigned n_workers;
	unsigned peer_timeout_s;   /* worker->gone_s */
	const char *module_path, *module_dir; /* or NULL */
	const char *replay_folder; /* remember there what came; NULL: until the end only */
	unsigned descriptors;      /* how many there may be */
	bool hot;                  /* modules may be replaced while they are used */
	bool serves;               /* there are servers, so there will be peers to reject */
	char *const *envp;         /* isolated services get of it what the dynamic loader wants; or NULL */
	bool guarded;              /* the parent process keeps others away from its state */
	struct ptah_broker *broker; /* dials for all of it; NULL: it dials itself */
	/** A module has a STATUS line for the parent.  On any thread. */
	void (*on_status)(const char *text, size_t len, void *arg);
	void *arg;
};

/** Read it freely. */
struct ptah_crew {
	struct ptah_worker *loop; /* of the main thread */
	struct ptah_worker **workers;
	unsigned n_workers;
	struct ptah_registry *registry;
	struct ptah_quota quota;
	struct ptah_places *places;
	struct ptah_tallies tallies; /* counters of services */
	bool held; /* services bind, and take nothing until they are released */
	/* Its own. */
	struct ptah_crew_how how;
	char *texts[3];                 /* of 'how' */
	struct ptah_hands hands;
	struct ptah_remember *remember; /* NULL: until the end only */
	struct ptah_deadline look;
	struct ptah_letter *letters;    /* by worker */
	unsigned n_turns;               /* dispatchers that were ever started */
};

/**
 * Make all of it, and let the workers run.
 * Lends: 'loop', which runs on this thread.
 * Gives: a crew for ptah_crew_stop().
 * Fails: NULL and errno.
 */
struct ptah_crew *ptah_crew_start(const struct ptah_crew_how *how, struct ptah_worker *loop);

/** What is open now is no link's: share what is left among them.  Ask before there are links. */
void ptah_crew_set_quota(struct ptah_crew *crew);

/** Run the loop until *over, or until it is so late: false.  While the machine stood still it has not become later. */
bool ptah_crew_run_until(struct ptah_crew *crew, const bool *over, uint64_t until_ns);

/**
 * End the workers and free all.  No dispatcher is left.  NULL is fine.
 * Fails: -ETIMEDOUT: something hangs; nothing is freed, and all that is left to do is to leave.
 */
int ptah_crew_stop(struct ptah_crew *crew, uint64_t until_ns);

/** Sum of all counters; and a line of the log with them. */
void ptah_crew_stats(const struct ptah_crew *crew, struct ptah_stats *sum);
void ptah_crew_log_stats(const struct ptah_crew *crew);

#endif
