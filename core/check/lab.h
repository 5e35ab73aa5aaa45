/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * check/lab.h: a host in memory, for both roles of a link at once.
 *
 * A lab has one instance of the module for each role, with its home and a
 * worker life, and pairs of links that are wired to each other.  It decides
 * how bytes are cut, how much room there is, what time it is, what comes by
 * chance and what fails.  It calls the hooks as the relay does (relay/layer.c),
 * and ends the row (check/trial.h) where an answer breaks the contract.
 *
 * Threads: the one of the trial.
 */
#ifndef PTAH_CHECK_LAB_H
#define PTAH_CHECK_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ptah/host.h>

#include "base/buf.h"
#include "check/guard.h"
#include "check/subject.h"

struct ptah_lab;
struct ptah_party;
struct ptah_base;

#define PTAH_PLAIN 0
#define PTAH_WIRE 1

/** A home, a worker life or a link: what 'self' stands for. */
struct ptah_lab_life {
	enum { PTAH_LAB_HOME, PTAH_LAB_WORKER, PTAH_LAB_LINK } kind;
	struct ptah_lab *lab;
	struct ptah_base *base;
	struct ptah_party *party;     /* of a link */
	struct ptah_guard memory;
	uint64_t due[PTAH_TIMERS];    /* 0: not set */
	uint64_t id;                  /* of a link: its mail address */
	bool open;
};

struct ptah_lab_file {
	char *name;
	struct ptah_buf body;
	struct ptah_lab_file *next;
};

/** The instance of one role. */
struct ptah_base {
	struct ptah_filling filling;
	struct ptah_guard conf;
	struct ptah_lab_life home, worker;
	bool said_ready;
	int ready_rc;
	char reason[PTAH_CHECK_WHY];
	struct ptah_json *bridge_args; /* as the home said; or NULL */
	bool home_is_done;
	struct ptah_lab_file *files;
};

/** An event that waits for its time. */
struct ptah_lab_letter {
	struct ptah_lab_letter *next;
	uint32_t what;
	struct ptah_base *home; /* for the home of this, or */
	uint64_t link;          /* for the link of this address */
	uint64_t cookie, from;
	int64_t val;
	size_t len;
	uint8_t body[];
};

struct ptah_lab {
	const struct ptah_subject *subject;
	const struct ptah_module *module;
	struct ptah_base base[2];
	struct ptah_party *parties;    /* list of all that live */
	struct ptah_lab_letter *letters, **letters_end;
	uint64_t now_ns, chance, last_id;
	int64_t wall_s;
	struct ptah_guard in[2], out[2], args, open; /* what a call of a hook gets */
	struct ptah_guard message;     /* the same, of a message */
	struct ptah_buf given;         /* what the hook has given away of it, as it was then: where, length, bytes */
	bool in_message;               /* a hook has one now */
	/* What came of it. */
	uint64_t n_events;             /* timers that went off */
	uint64_t hook_ns;              /* CPU time in hooks, with 'measured' */
	uint64_t n_replays;            /* questions about tokens */
	uint64_t *tokens;
	size_t n_tokens;
	/* How it is. */
	bool tight;                    /* no slack behind anything, and what is for reading is: a byte too far is a fault */
	bool measured;
	bool replay_later;             /* answers about tokens come by an event */
	uint64_t refuse_service;       /* the n-th service that can fail from now on fails; 0: none */
	bool has_refused;
	size_t room[2];                /* most room in a call, towards plain and wire; at least a unit is given */
};

/** Make the instances of both roles, and let them open.  'problem' gets why it did not come to that: then false. */
bool ptah_lab_open(struct ptah_lab *lab, const struct ptah_subject *subject, bool tight, char *problem, size_t room);
/** The same, and the row ends where it does not come to that. */
void ptah_lab_need(struct ptah_lab *lab, const struct ptah_subject *subject, bool tight);
/** End all lives; pairs must be gone.  Nothing is left of it, but what the module has leaked. */
void ptah_lab_close(struct ptah_lab *lab);

/** Deliver what waits.  True if anything did. */
bool ptah_lab_deliver(struct ptah_lab *lab);
/** Let the time come of the next timer, if that is not after 'limit_ns'.  False: there is none. */
bool ptah_lab_tick(struct ptah_lab *lab, uint64_t limit_ns);
/** A number below 'below', of a sequence that is the same each time. */
uint64_t ptah_lab_draw(struct ptah_lab *lab, uint64_t below);
void ptah_lab_fill(struct ptah_lab *lab, void *out, size_t len);

/** A hook is about to be called, or has returned: what it says of memory is looked at. */
void ptah_lab_enter(struct ptah_lab *lab);
void ptah_lab_leave(struct ptah_lab *lab);
/** Has anything been written around this life's memory? */
void ptah_lab_look_at(const struct ptah_lab_life *life, const char *whose);

/** lab.c for host.c: the services. */
extern const struct ptah_host ptah_lab_services;
/** Give the life its memory. */
void ptah_lab_life_make(struct ptah_lab *lab, struct ptah_lab_life *life, const char *what, size_t size);

#endif
