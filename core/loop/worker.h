/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * loop/worker.h: a thread with an event loop, and its mailbox.
 *
 * Everything that moves bytes belongs to one worker from birth to death, so
 * nothing on the way takes a lock.  The mailbox is the one door from outside.
 *
 * Threads: only ptah_worker_post() may be called from another thread.
 */
#ifndef PTAH_LOOP_WORKER_H
#define PTAH_LOOP_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop/deadline.h"

struct event_base;
struct evdns_base;
struct ptah_stats;
struct ptah_alarms;
struct ptah_deadlines;
struct ptah_mailbox;

/** One read takes at most this much: the size at which a system call costs no more per byte. */
#define PTAH_SCRATCH_LEN ((size_t)256 * 1024)
/** Output scratch: as much, and what framing adds. */
#define PTAH_SCRATCH_OUT_LEN ((size_t)320 * 1024)
/** Layers of a stack, at most. */
#define PTAH_LAYERS_MAX 8
#define PTAH_WORKERS_MAX 64
/** Room for a block of counters; stats/ says what they are. */
#define PTAH_WORKER_STATS_LEN 1024

struct ptah_worker {
	unsigned index;
	struct event_base *base; /* made with EVENT_BASE_FLAG_NOLOCK */
	struct ptah_stats *stats; /* written by this worker only */
	uint8_t *scratch_in;      /* twice PTAH_SCRATCH_LEN: a kept tail, and a read behind it */
	uint8_t *scratch[PTAH_LAYERS_MAX + 1]; /* output of layer i, and one beside them; made when first used */
	struct ptah_alarms *alarms; /* see loop/alarm.h; made when the first is set */
	struct ptah_deadlines *deadlines; /* see loop/deadline.h */
	struct ptah_deadline trim; /* when to give memory back */
	struct evdns_base *dns;   /* made when a name is first resolved */
	struct ptah_mailbox *mailbox;
	size_t spilled;           /* bytes kept by all its ends */
	size_t spilled_most;      /* new links had to wait for that much to become less; 0: never yet */
	unsigned stall_ms;        /* an end that keeps some for so long untouched is given up then */
	unsigned gone_s;          /* a peer of which nothing is heard for so long is gone; 0: never */
	unsigned n_spills;        /* ends that keep some */
	size_t freed;             /* bytes of spills freed since memory was last given back */
	void *rooms[4];           /* what higher rooms keep per worker: PTAH_ROOM_... */
};

#define PTAH_ROOM_RELAY 0
#define PTAH_ROOM_TRANSPORT 1
#define PTAH_ROOM_LINGER 2
#define PTAH_ROOM_PLAIN 3

/** Runs on the worker. */
typedef void ptah_worker_fn(struct ptah_worker *worker, void *arg);

/**
 * Make a worker with its loop; it does not run yet.
 * Gives: a worker for ptah_worker_free().
 * Fails: NULL and errno.
 */
struct ptah_worker *ptah_worker_new(unsigned index);

/** Run its loop on this thread until ptah_worker_break(). */
int ptah_worker_run(struct ptah_worker *worker);
/** From the worker's own thread: let the loop end after this turn. */
void ptah_worker_break(struct ptah_worker *worker);

/** Start its thread (signals blocked in it).  -errno. */
int ptah_worker_start(struct ptah_worker *worker);

/** The thread of a worker could not be made: do what waits for it on this one.  Nothing for one that was started. */
void ptah_worker_turn_here(struct ptah_worker *worker);

/** Run 'fn' on the worker's thread soon; letters arrive in order per sender.  -ENOMEM, or -ESHUTDOWN after a stop. */
int ptah_worker_post(struct ptah_worker *worker, ptah_worker_fn *fn, void *arg);

/** A letter whose memory is the sender's; embed it. */
struct ptah_letter {
	struct ptah_letter *next;
	ptah_worker_fn *fn;
	void *arg;
	bool on_heap; /* ptah_worker_post()'s */
};

/**
 * As ptah_worker_post(), but asks for no memory: for what must arrive, such as an end.  The letter must stay as it is
 * until 'fn' runs, and may be sent again from then on.  -ESHUTDOWN.
 */
int ptah_worker_send(struct ptah_worker *worker, struct ptah_letter *letter, ptah_worker_fn *fn, void *arg);

/** Let the loop end after what was posted, and wait for the thread for at most 'limit_ms'; -ETIMEDOUT if a hook hangs. */
int ptah_worker_stop(struct ptah_worker *worker, unsigned limit_ms);

/** Free a worker that has stopped (or never ran).  NULL is fine. */
void ptah_worker_free(struct ptah_worker *worker);

/** The input scratch, and the output scratch of layer 'i', made at first use; NULL when memory is out. */
uint8_t *ptah_worker_scratch_in(struct ptah_worker *worker);
uint8_t *ptah_worker_scratch(struct ptah_worker *worker, unsigned i);

#endif
