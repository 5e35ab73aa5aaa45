/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * relay/flock.h: the links of one owner on one worker.
 *
 * An instance names the flocks of its links, one for each worker
 * (transport/instance.h); the links of one that names none are the worker's own.
 * So one of several owners can wait for its links, or end them, and the links
 * of others on the same worker go on.
 *
 * Threads: the worker's own.
 */
#ifndef PTAH_RELAY_FLOCK_H
#define PTAH_RELAY_FLOCK_H

struct ptah_courier;
struct ptah_instance;
struct ptah_link;
struct ptah_worker;

/** Zeroed to begin. */
struct ptah_flock {
	struct ptah_link *links;       /* list */
	struct ptah_courier *couriers; /* list */
	unsigned n;                    /* both, and who waits to become one */
	/** Not NULL: whenever 'n' has come to 0.  From inside the end of a link: it may change no flock. */
	void (*on_empty)(struct ptah_flock *flock, void *arg);
	void *arg;
};

/** The one that links of this instance belong to, on this worker; NULL: no memory, and never NULL while it has a link. */
struct ptah_flock *ptah_flock_of(struct ptah_worker *worker, const struct ptah_instance *instance);

/** One more, and one less. */
static inline void
ptah_flock_enter(struct ptah_flock *flock)
{
	flock->n++;
}
void ptah_flock_leave(struct ptah_flock *flock);

/** All of its links end now. */
void ptah_flock_end(struct ptah_flock *flock, int rc);

#endif
