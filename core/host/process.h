/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/process.h: what the kernel and the parent hand to a new process.
 *
 * Threads: the main one, before there are others.
 */
#ifndef PTAH_HOST_PROCESS_H
#define PTAH_HOST_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/** Signals as descriptors: one that ends us is readable on 'end', the others on 'other'. */
struct ptah_signals {
	int end;   /* SIGTERM, SIGINT, SIGHUP */
	int other; /* SIGUSR1 */
};

/** Put /dev/null where descriptors 0 to 2 are closed, so that no socket gets their numbers.  -errno. */
int ptah_process_fill_descriptors(void);

/** Block the signals and open their descriptors; ignore SIGPIPE.  -errno. */
int ptah_process_take_signals(struct ptah_signals *signals);

/** The next signal of a descriptor, or 0 if there is none now. */
int ptah_process_next_signal(int fd);

/**
 * Let libevent speak by our log, which it would else pass by, and end with
 * EX_SOFTWARE where it cannot go on and would exit by itself.
 */
void ptah_process_hear_libevent(void);

/** Raise the soft limit of descriptors to the hard one; say so in the log.  The limit now. */
unsigned ptah_process_raise_descriptors(void);

/**
 * Have SIGTERM when the parent dies ('wanted'), or else not.  'first' is what
 * getppid() said first thing.  False: the parent has gone already.
 */
bool ptah_process_follow_parent(pid_t first, bool wanted);

/** Processors that we may run on. */
unsigned ptah_process_processors(void);

#endif
