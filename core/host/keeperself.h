/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/keeperself.h: what the files of a keeper share; keeper.h is for everybody else.
 *
 *	keeper.c         its loop, its signals, its end
 *	keeperprogram.c  one program: its start, and words for it
 *	keeperchange.c   another program in the place of the one that serves
 *
 * Threads: the only one there is.
 */
#ifndef PTAH_HOST_KEEPERSELF_H
#define PTAH_HOST_KEEPERSELF_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "host/activation.h"
#include "host/keeperwords.h"

/* Programs that may be on their way out at a time. */
#define PTAH_KEEPER_LEAVING_MOST 8u

/* Where a program is in its life. */
#define PTAH_PROGRAM_STARTS 0 /* it looks at its file */
#define PTAH_PROGRAM_TAKES 1  /* the old one hands over to it */
#define PTAH_PROGRAM_OPENS 2  /* it opens its services */
#define PTAH_PROGRAM_READY 3  /* it has, and the old one was told to leave */
#define PTAH_PROGRAM_BEGINS 4 /* the old one has left */
#define PTAH_PROGRAM_SERVES 5
#define PTAH_PROGRAM_LEAVES 6

struct ptah_program {
	struct ptah_program *next;
	pid_t pid;
	int fd; /* the way to it; -1: it has closed it */
	int state;
	bool ended;  /* what it says was said before */
	bool deaf;   /* it does not take our words: most likely it ends, and how it does says more */
	bool failed; /* it is to end, or we make it */
	bool told;   /* to drain */
	char why[PTAH_KEEPER_TEXT]; /* of that */
};

struct ptah_keeper {
	char *path;
	const char **argv;
	char **env;
	unsigned ready_s;
	int signals;
	struct ptah_activation inherited;
	struct ptah_program *programs;
	struct ptah_program *old, *new; /* who serves; who is to; or NULL */
	uint64_t until_ns;         /* the next word of a change comes by then; 0: none is awaited */
	unsigned n_interrupts;
	bool ending;
	int status;                /* of the last one that served */
};

/* ---- one program ------------------------------------------------------------------------- */

/** What lies where we were called from, or where we really are.  Gives: a path; NULL and errno. */
char *ptah_program_find(void);
/** Our environment, but for what is meant for one process.  Gives: the array alone; NULL: ENOMEM. */
char **ptah_program_environment(char *const envp[]);

/** Start one, as the first of the list.  Fails: NULL and errno. */
struct ptah_program *ptah_program_start(struct ptah_keeper *keeper);
/** It has ended: out of the list. */
void ptah_program_remove(struct ptah_keeper *keeper, struct ptah_program *program);
void ptah_program_free(struct ptah_program *program);
void ptah_program_signal(const struct ptah_program *program, int number);
/** -EPIPE: it does not listen any more; -EAGAIN: it has not for a while. */
int ptah_program_tell(struct ptah_program *program, uint32_t what, uint64_t value, const char *text, const int *fds, unsigned n);

/* ---- the change ---------------------------------------------------------------------------- */

/** One word of it, if there is one.  False: there is none. */
bool ptah_change_hear(struct ptah_keeper *keeper, struct ptah_program *program);
/** What was awaited has not come. */
void ptah_change_late(struct ptah_keeper *keeper);
/** End it, if one is under way: the new program goes, and when it has gone the old one is told why, and goes on. */
void ptah_change_stop(struct ptah_keeper *keeper, const char *why);
/** Which of both is out of the list: the one that was to serve, with its wait status ... */
void ptah_change_lost_new(struct ptah_keeper *keeper, const struct ptah_program *program, int status);
/** ... or the one that served. */
void ptah_change_lost_old(struct ptah_keeper *keeper);

#endif
