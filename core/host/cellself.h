/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/cellself.h: a cell, for the files that make it: cell.c has its lives, cellears.c hears what it says,
 * cellorders.c tells it what it needs, celllinks.c asks for its links.
 */
#ifndef PTAH_HOST_CELLSELF_H
#define PTAH_HOST_CELLSELF_H

#include <event2/util.h>

#include "base/log.h"
#include "config/reach.h"
#include "host/cell.h"
#include "host/cellwords.h"
#include "loop/alarm.h"
#include "stats/stats.h"
#include "wire/agent.h"
#include "wire/dial.h"

struct event;
struct ptah_place;
struct ptah_proc;
struct ptah_tally;

/** A life of the cell: a process. */
struct ptah_cell_life {
	struct ptah_proc *proc; /* NULL: there is none now */
	int fds[3];             /* ours of its stdin, stdout, stderr */
	int fd;                 /* the way to it */
	int statm;              /* its memory, of which it is not asked; -1: not known */
	struct event *on_word, *on_last_words;
	struct ptah_agent *agents[PTAH_WORKERS_MAX];
	uint64_t born_ns, answered_ns;
	bool listens, killed;
	struct ptah_stats stats; /* as it said last */
};

/** Its links, as far as they were told. */
struct ptah_cell_list {
	ptah_muster_fn *fn; /* NULL: nobody has asked */
	void *arg;
	uint32_t number;
	unsigned most;
	bool waits; /* for the next piece */
	struct ptah_mustered *links;
	size_t n;
	uint64_t more;
};

struct ptah_cell {
	struct ptah_crew *crew;
	const struct ptah_plan *plan;
	const struct ptah_dispatcher_says *says;
	void *arg;
	unsigned n_workers;
	struct ptah_reach reach;
	struct ptah_dial_how dial;
	struct ptah_place *places[1 + PTAH_ALSO_MAX];
	unsigned n_places;
	/* What it serves as: lent to whoever was told. */
	struct ptah_addr bound; /* of the first place */
	char address[PTAH_DEST_TEXT];
	struct ptah_kv args;
	struct ptah_cell_life life;
	struct ptah_cell_list list;
	struct ptah_alarm tick, again, late;
	struct ptah_tally *tally;
	unsigned n_quick; /* lives, one after the other, that were short */
	char *why; /* it does not start; or NULL */
	bool told, draining, drained, ending, ended;
	struct ptah_letter letters[3]; /* drained, ended, failed: told in a turn of their own */
	unsigned n_lines;
	uint64_t lines_ns;
	struct ptah_often refused, muted;
};

/** Take what it has said. */
void ptah_cell_hear(struct ptah_cell *cell);
/** Events of it. */
void ptah_cell_on_word(evutil_socket_t fd, short what, void *cell);
void ptah_cell_on_last_words(evutil_socket_t fd, short what, void *cell);

/** Say a word that needs no more.  -errno. */
int ptah_cell_tell(const struct ptah_cell *cell, uint32_t what, uint64_t value);
/** All that it needs to begin, and where it may go from then on.  -errno. */
int ptah_cell_tell_beginning(struct ptah_cell *cell);

/** A piece of its links has come. */
void ptah_cell_hear_links(struct ptah_cell *cell, uint64_t value, const char *bytes, size_t len);

/** Its counters, or a level, stand there now. */
void ptah_cell_count(struct ptah_cell *cell, enum ptah_stat which, uint64_t now);

/** Its last link has ended. */
void ptah_cell_drained(struct ptah_cell *cell);

#endif
