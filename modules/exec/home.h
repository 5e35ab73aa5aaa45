/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * exec/home.h: the home of one started program, as its parts see it:
 *
 *     home.c    its life, and the links that ask for the program
 *     life.c    the program's: start, end, another try
 *     heard.c   what it says
 *     visits.c  a server's: its connections to our ORPort
 */
#ifndef PTAH_EXEC_HOME_H
#define PTAH_EXEC_HOME_H

#include <sodium.h>

#include "exec.h"
#include "folder.h"
#include "lines.h"
#include "orport.h"
#include "program.h"

/* Timers of the home. */
#define EXEC_T_START 0u   /* it must be ready by now */
#define EXEC_T_RESTART 1u /* try again */
#define EXEC_T_STOP 2u    /* the next, harder way to end it */
#define EXEC_T_VISITS 3u  /* look whose time is over */
#define EXEC_T_BREATHE 4u /* it may talk again */

#define EXEC_NS_PER_S UINT64_C(1000000000)

enum exec_state {
	EXEC_OFF,
	EXEC_STARTING, /* it runs, and was not heard to be ready */
	EXEC_READY,
	EXEC_WAITING,  /* it failed; T_RESTART tries again */
	EXEC_FAILED,   /* too often: not before 'retry_ns' */
	EXEC_STOPPING,
};

#define EXEC_FAILURES 5u

struct exec_visit;

struct exec_home {
	const struct exec_conf *conf;
	const struct ptah_host *host;
	struct ptah_self *self;
	int is_server, told; /* told: the host knows whether we are ready */
	char *name, *proxy, *bind;
	struct exec_folder folder;
	struct exec_program program;

	/* The program. */
	enum exec_state state;
	uint64_t process; /* 0: none */
	struct ptah_stream *stdio[3];
	struct exec_reader *out, *err;
	size_t talked; /* bytes since T_BREATHE */
	unsigned stop_step;
	uint64_t ready_ns, retry_ns, patience_ns;
	uint64_t failed_ns[EXEC_FAILURES]; /* when, the last at [n_failed - 1] */
	unsigned n_failed, delay_s;
	char why[256]; /* of the last failure, in words */

	/* What it said this time. */
	int versioned, proxied;
	unsigned socks; /* of a client's method; 0: none yet */
	char address[64];
	char *args; /* of a server's method, as JSON, or NULL */

	/* Links that wait for it. */
	uint64_t *asking;
	size_t n_asking, asking_room;

	/* Server. */
	char orport[64], cookie_path[512];
	uint8_t *cookie; /* sodium_malloc() */
	struct exec_visit *visits;
	unsigned n_visits;
	uint64_t look_ns; /* when T_VISITS comes; 0: never */
};

__attribute__((format(printf, 3, 4))) void exec_say(const struct exec_home *home, uint32_t level, const char *format, ...);

/* ---- life.c -------------------------------------------------------------------- */

/** Start it, if it does not run and may be tried. */
void exec_life_start(struct exec_home *home);
/** It was heard to be ready. */
void exec_life_ready(struct exec_home *home);
/** It is of no use: end it, and try again later. */
__attribute__((format(printf, 2, 3))) void exec_life_fail(struct exec_home *home, const char *format, ...);
/** It ended, with this wait status. */
void exec_life_exited(struct exec_home *home, int status);
/** End it in good order by 'deadline_ns', then be done. */
void exec_life_stop(struct exec_home *home, uint64_t deadline_ns);
void exec_life_timer(struct exec_home *home, uint32_t which);

/* ---- heard.c -------------------------------------------------------------------- */

void exec_heard(struct exec_home *home, const struct ptah_event *event);
void exec_heard_timer(struct exec_home *home);

/* ---- home.c --------------------------------------------------------------------- */

int exec_home_open(void *home, const struct ptah_start *start);
int exec_home_event(void *home, const struct ptah_event *event);
void exec_home_close(void *home);
int exec_home_listen(void *home, const char *bind);

/** Tell all who wait how it went: from 'home->state'. */
void exec_home_answer(struct exec_home *home);

/* ---- visits.c -------------------------------------------------------------------- */

/** Make the cookie and the listener; before the program starts.  -errno and 'why'. */
int exec_visits_open(struct exec_home *home, const char **why);
void exec_visits_accept(struct exec_home *home, const struct ptah_event *event);
/** Is it a visitor's stream? */
int exec_visits_hear(struct exec_home *home, const struct ptah_event *event);
void exec_visits_timer(struct exec_home *home);
void exec_visits_close(struct exec_home *home);

#endif
