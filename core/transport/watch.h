/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/watch.h: sees that modules, definitions of transports, or files that options name, have changed on disk.
 *
 * The kernel (inotify) says that something happens in a folder; once it has been quiet for a
 * moment all files are looked at. Where the kernel cannot say so, they are looked at each few
 * seconds. Who is told looks for himself what it means.
 *
 * Threads: the one of the loop that it was given.
 */
#ifndef PTAH_TRANSPORT_WATCH_H
#define PTAH_TRANSPORT_WATCH_H

struct ptah_json;
struct ptah_watch;
struct ptah_worker;

#define PTAH_WATCH_MODULES 1u
#define PTAH_WATCH_FILES 2u

/** Hears what has changed: PTAH_WATCH_ bits.  Anything but 0: it is to be told again a little later. */
typedef int ptah_watch_fn(unsigned what, void *arg);

/**
 * Watch folders, those that are not there yet, too.
 * Lends: 'folders', NULL at the end, and the loop, for the life of the watch.
 * Gives: a watch for ptah_watch_stop().
 * Fails: NULL and errno (ENOMEM).
 */
struct ptah_watch *ptah_watch_start(struct ptah_worker *loop, const char *const *folders, ptah_watch_fn *fn, void *arg);

/**
 * Watch these files, too, an array of paths, and no longer those that were named before.  One that was not, and was changed
 * just now, is told of to be sure: whoever read it may have read what it was.
 * Fails: -ENOMEM, and all is as it was.
 */
int ptah_watch_files(struct ptah_watch *watch, const struct ptah_json *paths);

/** All is as it should be now: only what changes from here on is a change.  NULL is fine. */
void ptah_watch_note(struct ptah_watch *watch);

/** NULL is fine. */
void ptah_watch_stop(struct ptah_watch *watch);

#endif
