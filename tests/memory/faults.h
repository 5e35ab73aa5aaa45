/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * memory/faults.h: what an operating system may refuse, refused on purpose.
 *
 * The linker puts these functions between our objects and the C library
 * (--wrap), and libevent asks them for its memory.  They count what is asked
 * for and refuse the n-th, and they know every piece of memory that is live.
 *
 * What others do is let be, and this is why:
 *   yajl       asks our own functions, and is left with longjmp when they have nothing (base/jsonread.c)
 *   libltdl,   load modules before anything listens; they answer with an error, which is a method error; but
 *   dlopen     glibc's own memory cannot be refused here, and where the loader has none it ends the program
 *   libsodium  takes no memory for what we use of it
 *   glibc      stdio, the time zone and the name of the host ask for theirs within; nothing of ours waits for it on
 *              a link
 *
 * Threads: any; a thread that plays a peer sets 'faults_off' for itself.
 */
#ifndef PTAH_MEMORY_FAULTS_H
#define PTAH_MEMORY_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

enum faults_kind {
	FAULTS_NONE,
	FAULTS_MEMORY,      /* ENOMEM */
	FAULTS_DESCRIPTORS, /* EMFILE, of every call that makes one */
	FAULTS_CALLS,       /* ECONNRESET, of calls on sockets */
	FAULTS_KINDS,
};

/** Of this thread: it is no part of what is tested. */
extern _Thread_local bool faults_off;

/** Before anything else: take libevent's memory, too. */
void faults_begin(void);

/** From now on refuse the n-th (from 0) of this kind.  'many': and all that follow. */
void faults_arm(enum faults_kind kind, long n, bool many);
/** Refuse nothing more.  Was anything refused? */
bool faults_disarm(void);
/** Was anything refused since it was armed? */
bool faults_refused(void);

/** Bytes that are live, and pieces. */
size_t faults_live(void);
/** Show where each piece was asked for, if that can be known. */
void faults_show(void);
/** Open descriptors of the process. */
int faults_descriptors(void);

#endif
