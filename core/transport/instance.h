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
#include "transport/self.h"

struct ptah_loaded;

#define PTAH_HALF_CLOSE_AUTO 0
#define PTAH_HALF_CLOSE_SEND 1
#define PTAH_HALF_CLOSE_HOLD 2

struct ptah_instance {
	const struct ptah_module *module; /* as big as our own header says: what an older module lacks is zero */
	struct ptah_loaded *loaded;       /* holds the code; NULL for one that is linked in */
	char *name;                       /* the PT name that was asked for (may be an alias or NAME.json's) */
	uint32_t role;
	struct ptah_json *options;        /* effective, global */
	char *settings;                   /* the same as text; NULL when there are none */
	void *conf;
	void *args;                       /* link options from 'options' alone */
	bool args_complete;               /* ... and nothing required is missing */
	int half_close;                   /* host option of a link: PTAH_HALF_CLOSE_ */
	struct ptah_instance *below;      /* the layer under this one, or NULL: this is the bottom */
	const char *state_folder;         /* absolute, or NULL: no state */
	struct ptah_self *home;           /* or NULL */
	void **worker_state;              /* per worker index; NULL without worker_size */
	unsigned n_workers;
	/* Server: what a method line says once the instance is ready. */
	char *advertise;                  /* NULL: the bound address */
	struct ptah_json *bridge_args;    /* object of strings, or NULL */
	atomic_uint refs;
	void *arg;                        /* of whoever opened it */
};

/** How an instance is wanted. */
struct ptah_instance_wish {
	const char *name;
	uint32_t role;
	bool messages;
	const struct ptah_json *options; /* lent; may be NULL */
	const char *state_folder;        /* lent for the life of the instance */
	bool has_proxy;                  /* refuse what cannot go through it */
	struct ptah_worker *const *workers;
	unsigned n_workers;
};

/** Hears, on the main thread's turn or later on the home's worker, that an instance is ready (rc 0) or not ('reason'). */
typedef void ptah_ready_fn(struct ptah_instance *instance, int rc, const char *reason, void *arg);

struct ptah_registry;

/**
 * Find, load, configure and open an instance (and what it stands on: "over").
 * 'on_ready' runs before this returns for a module without a home, else on the home's worker.
 * Gives: one reference, ptah_instance_unref().
 * Fails: NULL and errno; ENOENT: no such transport (stay silent); else 'why' says what a method error should say.
 */
struct ptah_instance *ptah_instance_open(struct ptah_registry *registry, const struct ptah_instance_wish *wish,
    ptah_ready_fn *on_ready, void *arg, char *why, size_t why_room);

struct ptah_instance *ptah_instance_ref(struct ptah_instance *instance);
/** Any thread.  The last one frees; home and worker lives must have been closed. */
void ptah_instance_unref(struct ptah_instance *instance);

/** Ask home (EV_STOP) and worker lives to end; 'done' runs on the home's worker, or at once. */
void ptah_instance_stop(struct ptah_instance *instance, uint64_t deadline_ns, void (*done)(void *arg), void *arg);

/**
 * Link options of one connection: 'over' (may be NULL) laid over the global ones.
 * Gives: *args (zeroed struct with what it points to; ptah_args_free()), *settings (text), both of the link.  When 'over'
 * is NULL or empty and the global ones are complete they are shared, and need no free (ptah_args_free knows).
 * Fails: -EINVAL with 'why' (which option, what it should be), -ENOMEM.
 */
struct ptah_args {
	void *values;
	const char *settings;
	int half_close;
	char server[PTAH_DEST_TEXT]; /* "serverAddress" of these options, or "" */
	bool server_is_own;          /* it came from 'over' */
	void *owned;                 /* NULL: shared with the instance */
};
int ptah_args_make(struct ptah_args *out, const struct ptah_instance *instance, const struct ptah_json *over,
    char *why, size_t why_room);
void ptah_args_free(struct ptah_args *args);

#endif
