/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * proc/child.h: start another program, talk with it, hear how it ended.
 *
 * The program gets three descriptors, no others, default signals, a process group of
 * its own, no terminal, and its death sentence should ours come first.  Nobody needs SIGCHLD for it.
 *
 * Threads: the one whose event_base it was given.
 */
#ifndef PTAH_PROC_CHILD_H
#define PTAH_PROC_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct event_base;
struct ptah_proc;

/** Hears the wait status (as of waitpid(2)); the proc is still to be freed, here if you like. */
typedef void ptah_proc_fn(struct ptah_proc *proc, int status, void *arg);

/**
 * Start argv[0], a path, with exactly this environment (NULL: an empty one).
 * 'may_gain': its file's owner or capabilities may give it privileges that we have not.
 * Gives: a proc for ptah_proc_free(), and in fds[0..2] our ends of its stdin, stdout
 * and stderr: non-blocking stream sockets.
 * Fails: NULL and errno, also when it cannot be executed.
 */
struct ptah_proc *ptah_proc_start(struct event_base *base, const char *const argv[], const char *const env[],
    bool may_gain, int fds[3], ptah_proc_fn *fn, void *arg);

/** Its number, for as long as it has not been said to have ended. */
pid_t ptah_proc_pid(const struct ptah_proc *proc);

/** Signal it, if it still runs.  -ESRCH, or what kill says. */
int ptah_proc_kill(struct ptah_proc *proc, int sig);

/** Kill it if it still runs, and forget it; 'fn' will not run.  NULL is fine. */
void ptah_proc_free(struct ptah_proc *proc);

#endif
