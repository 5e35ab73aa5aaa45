/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/state.h: the small named files of an instance,
 * <state>/<ptname>_<name>.
 *
 * The first use takes the lock file <state>/<ptname>_lock, so that a second
 * opening of the same state, by us or by another process, is refused; it is
 * removed with the instance.  Nothing is made before that first use.
 *
 * Threads: reading on the home's worker; writing is done by a thread of its own.
 */
#ifndef PTAH_TRANSPORT_STATE_H
#define PTAH_TRANSPORT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

/** Longest file. */
#define PTAH_STATE_MAX ((size_t)16 * 1024 * 1024)

struct ptah_state;
struct ptah_states;
struct ptah_writer;

/** The state of one transport; no file is touched.  NULL: ENOMEM. */
struct ptah_state *ptah_state_new(const char *folder, const char *ptname);
/** The parent process sees to it that no other writes there: take no lock. */
void ptah_state_guard(struct ptah_state *state);
/** Gives up the lock.  NULL is fine. */
void ptah_state_free(struct ptah_state *state);

/** Those of one process that may follow one another.  NULL: ENOMEM. */
struct ptah_states *ptah_states_new(void);
/** All of them are freed.  NULL is fine. */
void ptah_states_free(struct ptah_states *states);

/**
 * It is one of those from now on.  Of two that are the same the one with the higher turn has the lock, and alone writes:
 * an instance that is to replace another one begins with what that one wrote, and that one, should it have to go on, gets
 * the lock back when the newer is freed.  Two of one turn are refused as two processes are.  Before its first use.
 * True: there was an older one; ptah_writer_settle() before anything is read.
 */
bool ptah_state_join(struct ptah_state *state, struct ptah_states *states, unsigned turn);

/**
 * Another process writes all of them from now on: give their locks up, and take none.  Nothing may wait in the writer,
 * which is held (ptah_writer_hold()).
 */
void ptah_states_yield(struct ptah_states *states);
/** That one has gone, and left no trace: have the locks again.  -EBUSY: somebody else was faster; the others are had. */
int ptah_states_regain(struct ptah_states *states);

/** Read a file: its length; -ENOENT, -ENOSPC (it is longer than 'out'), -EBUSY (in use elsewhere), -EINVAL (name) ... */
long ptah_state_get(struct ptah_state *state, const char *name, struct ptah_room out);

/** Is 'name' good, and the lock ours?  -EINVAL, -EBUSY, or why the folder cannot be made (never -ENOENT). */
int ptah_state_prepare(struct ptah_state *state, const char *name);

/**
 * What an instance does with state when it may only look: no lock is taken, for another process may hold it, and what it
 * writes is dropped.
 */
struct ptah_state_look {
	void (*on_read)(const char *path, void *arg); /* it has read this file; on the home's worker */
	void *arg;
	unsigned n_dropped; /* files that it would have written */
};

/** As ptah_state_get(), but with a look: neither takes the lock nor needs it. */
long ptah_state_peek(struct ptah_state *state, const char *name, struct ptah_room out, struct ptah_state_look *look);

/** Hears on the writer's thread that a file is on disk (0), or -errno. */
typedef void ptah_written_fn(int rc, void *arg);

/** A thread that writes; it starts with the first file.  NULL: ENOMEM. */
struct ptah_writer *ptah_writer_new(void);
/** Start the thread now, where there can be none later.  -EAGAIN ... */
int ptah_writer_start(struct ptah_writer *writer);
/** From now on another process writes these files: whoever writes is told that it is on disk, and it is not.  Any thread. */
void ptah_writer_mute(struct ptah_writer *writer);
/** Waits until all that was put so far is written. */
void ptah_writer_settle(struct ptah_writer *writer);
/**
 * Write what waits, and then nothing until ptah_writer_release(); what is put meanwhile waits.
 * Fails: -ETIMEDOUT: not by then; it is not held.
 */
int ptah_writer_hold(struct ptah_writer *writer, uint64_t until_ns);
void ptah_writer_release(struct ptah_writer *writer);
/** Waits until all is written.  NULL is fine. */
void ptah_writer_free(struct ptah_writer *writer);

/**
 * Write 'body' (copied) in turn, after ptah_state_prepare(); 'written' runs unless this fails.  What an older instance puts
 * whose state a newer one has is dropped, and 'written' hears 0.  -ENOMEM, -EFBIG, -EAGAIN.
 */
int ptah_writer_put(struct ptah_writer *writer, const struct ptah_state *state, const char *name,
    struct ptah_span body, ptah_written_fn *written, void *arg);

#endif
