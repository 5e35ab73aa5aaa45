/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/instance.h: a module with one configuration; its home and worker
 * lives; and the stack that it stands on.
 *
 * Threads: opened and closed on the main thread; links on any worker hold a
 * reference and read it.
 */
#ifndef PTAH_TRANSPORT_INSTANCE_H
#define PTAH_TRANSPORT_INSTANCE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <ptah/host.h>

#include "base/addr.h"
#include "base/json.h"
#include "loop/worker.h"
#include "transport/options.h"
#include "transport/self.h"

struct ptah_loaded;
struct ptah_registry;
struct ptah_home;
struct ptah_worker_life;
struct ptah_opening;
struct ptah_stopping;
struct ptah_state;
struct ptah_state_look;
struct ptah_flock;
struct ptah_stats;
struct ptah_needs;
struct ptah_tally;
struct ptah_instance;

/** How long a home may take to be ready. */
#define PTAH_READY_MS 60000u

/** A stream that a server carrier hands over. */
struct ptah_arrival {
	int fd;                     /* whoever hears of it takes it */
	struct ptah_span early;     /* what came on it and was not eaten; lent */
	const char *peer, *dest;    /* as the module said, or NULL; lent */
	struct ptah_instance *from; /* the carrier's, to tell of the plain end: ptah_instance_tell_plain() */
	uint64_t cookie;
};

/** A server carrier's link begins, on the home's worker.  'instance' is the top of the stack. */
typedef void ptah_arrive_fn(struct ptah_instance *instance, struct ptah_worker *worker,
    const struct ptah_arrival *arrival);

struct ptah_instance {
	const struct ptah_module *module; /* as big as our own header says: what an older module lacks is zero */
	struct ptah_loaded *loaded;       /* holds the code; a reference */
	char *name;                       /* the PT name that was asked for (may be an alias or NAME.json's) */
	uint32_t role;
	struct ptah_json *options;        /* effective, global */
	char *settings;                   /* the same as text; NULL for a server that has none */
	void *conf;
	void *args;                       /* link options from 'options' alone */
	bool args_complete;               /* ... and nothing required is missing */
	int half_close;                   /* host option of a link: PTAH_HALF_CLOSE_ */
	int messages_said;                /* host option "messages": 1, 0, or -1 */
	bool messages;                    /* of the top: its links carry messages, a datagram each, and no stream */
	char server[PTAH_DEST_TEXT];      /* "serverAddress" of the global options, or "" */
	struct ptah_instance *below;      /* the layer under this one, or NULL: this is the bottom */
	struct ptah_instance *above;      /* the layer over this one, or NULL: this is the top */
	char *bind;                       /* server: where it will listen; NULL: nobody has said */
	const char *state_folder;         /* absolute, or NULL: no state */
	struct ptah_home *home;           /* transport/home.h; or NULL */
	void **worker_state;              /* per worker index; NULL without worker_size */
	unsigned n_workers;
	/* Server: what a method line says once the instance is ready. */
	char *advertise;                  /* NULL: the bound address */
	struct ptah_json *bridge_args;    /* object of strings, or NULL */
	unsigned turn;                    /* as in the wish */
	struct ptah_flock *flocks;        /* where its links belong, by worker (relay/flock.h); NULL: to their worker */
	struct ptah_tally *tally;         /* where its links are counted (stats/tally.h); NULL: with their worker */
	atomic_uint refs;
	void *arg;                        /* of whoever opened it */

	/* This room's own. */
	struct ptah_registry *registry;
	struct ptah_needs *needs;         /* the wish's */
	struct ptah_worker **workers;
	struct ptah_worker *home_worker;  /* where the home lives, or would */
	struct ptah_stopping *stopping;   /* kept for its end */
	struct ptah_worker_life *lives;   /* per worker index; NULL when the module has none */
	struct ptah_filled conf_memory, args_memory;
	const struct ptah_option *missing; /* first required link option that the global ones lack */
	ptah_arrive_fn *on_arrive;
	const struct ptah_dial_how *dial_how;
	struct ptah_state *state;         /* open state files */
	struct ptah_state_look *look;     /* look at state only (transport/state.h); NULL: it is ours */
	atomic_flag warned;               /* of unknown keys of a connection */
	_Atomic(int64_t) *counters;       /* n_counters for each worker */
	unsigned n_counters;
	_Atomic(uint64_t) n_ids;          /* mail addresses given */
	atomic_size_t mail_bytes;         /* in flight to and from its lives */
};

/** How an instance is wanted. */
struct ptah_instance_wish {
	const char *name;                /* a transport, or "top+below" */
	uint32_t role;
	const struct ptah_json *options; /* lent; may be NULL */
	const char *state_folder;        /* lent for the life of the instance */
	struct ptah_state_look *look;    /* lent likewise: look at state, and change nothing; NULL: the usual */
	const char *bind;                /* server: where it will listen, "ip:port"; NULL: not known */
	bool has_proxy;                  /* refuse what cannot go through it */
	bool alone;                      /* client: no connection brings options, so these must be complete */
	bool datagrams;                  /* a UDP mode: messages are welcome */
	struct ptah_worker *const *workers; /* workers[i]->index is i */
	unsigned n_workers;
	const struct ptah_dial_how *dial_how; /* for the dials of carriers; lent for the life of the instance; NULL: directly */
	unsigned turn;                   /* of those with one state the one with the highest writes it: ptah_state_join() */
	struct ptah_flock *flocks;       /* lent for the life of its links, one for each worker; NULL: see ptah_instance */
	struct ptah_tally *tally;        /* lent likewise; NULL: see ptah_instance */
	struct ptah_needs *needs;        /* lent likewise: gets what is loaded for it, now and later; NULL: nobody asks */
	ptah_arrive_fn *on_arrive;       /* server; may be NULL if no carrier is to be opened */
};

/**
 * Hears that an instance is ready (rc 0) or not ('reason', lent; then stop and unref it).
 * From inside ptah_instance_open() when there was nothing to wait for, else on the home's worker.
 */
typedef void ptah_ready_fn(struct ptah_instance *instance, int rc, const char *reason, void *arg);

/**
 * Find, load, configure and open an instance, and what it stands on ("over").
 * Gives: one reference, ptah_instance_unref().
 * Fails: NULL and errno, and 'on_ready' does not run; ENOENT: no such transport (stay silent); else 'why' says what
 * a method error should say.
 */
struct ptah_instance *ptah_instance_open(struct ptah_registry *registry, const struct ptah_instance_wish *wish,
    ptah_ready_fn *on_ready, void *arg, char *why, size_t why_room);

/** What ptah_instance_try() learns of a stack. */
struct ptah_tried {
	bool messages; /* its links would carry messages */
	bool spawns;   /* one of its layers starts programs, or ... */
	bool sockets;  /* ... opens sockets by itself */
	bool homeless; /* client: it would have to dial a server, and its options name none */
};

/**
 * Do all that ptah_instance_open() does before anything is opened, and undo it; the wish needs no workers.
 * Fails: as that does.
 */
int ptah_instance_try(struct ptah_registry *registry, const struct ptah_instance_wish *wish, struct ptah_tried *tried,
    char *why, size_t why_room);

/**
 * Server, ready and bound: settle what the method line says in instance->bridge_args, asking the module's
 * bridge_args() if its home gave none.
 * Fails: -errno and 'why'.
 */
int ptah_instance_announce(struct ptah_instance *instance, const char *bound, char *why, size_t why_room);

/** Hears one thing that a server says to its clients; what it answers but 0 ends the telling. */
typedef int ptah_bridge_arg_fn(const char *key, const char *text, void *arg);

/**
 * The same for all layers, the top first, and tell 'fn' each bridge argument, as a client of the stack must write it:
 * where a layer above would take the key for its own, with "over." before it for each of those.
 * Fails: -errno, and 'why' where there are words for it.
 */
int ptah_instance_bridge_args(struct ptah_instance *top, const char *bound, ptah_bridge_arg_fn *fn, void *arg,
    char *why, size_t why_room);

/** Gives: this layer's state files in 'folder', for ptah_state_free(); NULL: ENOMEM. */
struct ptah_state *ptah_instance_state(const struct ptah_instance *instance, const char *folder);

/** Hears, on the home's worker, that a carrier listens (0) and where ("ip:port"), or -errno. */
typedef void ptah_listening_fn(int rc, const char *bound, void *arg);

/** Where on this worker its links are counted. */
struct ptah_stats *ptah_instance_stats(const struct ptah_instance *instance, const struct ptah_worker *worker);

/** The layer that makes the wire end. */
struct ptah_instance *ptah_instance_bottom(struct ptah_instance *instance);

/** Tell a carrier's home how the plain end of a link went that it let arrive.  Any thread. */
void ptah_instance_tell_plain(struct ptah_instance *carrier, uint64_t cookie, int rc);

/** Server carrier, ready: let it listen on 'bind' ("ip:port"), which its links then arrive from.  -errno, and 'fn' does not run. */
int ptah_instance_listen(struct ptah_instance *instance, const char *bind, ptah_listening_fn *fn, void *arg);

struct ptah_instance *ptah_instance_ref(struct ptah_instance *instance);
/** Any thread.  The last one frees; home and worker lives must have been closed. */
void ptah_instance_unref(struct ptah_instance *instance);

/**
 * Ask home (EV_STOP) and worker lives to end, layer by layer from the top.  Its links must be gone.
 * 'done' runs on a worker, or at once when there is nothing to end.
 */
void ptah_instance_stop(struct ptah_instance *instance, uint64_t deadline_ns, void (*done)(void *arg), void *arg);

/** All layers are open: wipe what only that needed.  Before anybody makes a link. */
void ptah_instance_forget_secrets(struct ptah_instance *top);

/** Link options of one connection. */
struct ptah_args {
	void *values;
	const char *settings;
	int half_close;
	char server[PTAH_DEST_TEXT]; /* "serverAddress" of these options, or "" */
	bool server_is_own;          /* it came from 'over' */
	struct ptah_args_owned *owned; /* NULL: shared with the instance */
	struct ptah_args *below;     /* of the layer under it; NULL: that one's global options */
};

/**
 * Lay 'over' (may be NULL) over the global options of this layer, and what of it is for the layers below over theirs.
 * Gives: *out, with all that it points to, for ptah_args_free(); shared with the instance where 'over' says nothing.
 * Fails: -EINVAL with 'why' (which option, what it should be), -ENOMEM.
 */
int ptah_args_make(struct ptah_args *out, struct ptah_instance *instance, const struct ptah_json *over,
    char *why, size_t why_room);
void ptah_args_free(struct ptah_args *args);

#endif
