/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * config/plan.h: what to do, read once and then only looked at.
 *
 * Nothing but this room looks at argv or at the environment.  All texts of a
 * plan are its own.
 */
#ifndef PTAH_CONFIG_PLAN_H
#define PTAH_CONFIG_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/prefix.h"
#include "config/bindlist.h"
#include "config/bounds.h"
#include "config/flag.h"
#include "config/options.h"
#include "config/proxyuri.h"

#define PTAH_MODE_SOCKS5 0
#define PTAH_MODE_TCP 1  /* transparent-TCP */
#define PTAH_MODE_UDP 2  /* transparent-UDP */
#define PTAH_MODE_STUN 3

static inline bool
ptah_mode_is_udp(int mode)
{
	return mode == PTAH_MODE_UDP || mode == PTAH_MODE_STUN;
}

/* What was asked of us. */
#define PTAH_ASKED_SERVE 0
#define PTAH_ASKED_HELP 1
#define PTAH_ASKED_VERSION 2
#define PTAH_ASKED_GENERATE 3

/* Where error lines go. */
#define PTAH_STREAM_OUT 1u
#define PTAH_STREAM_ERR 2u

/** Addresses of a listener beside the first. */
#define PTAH_ALSO_MAX 3

/** One transport that was asked for: one listener. */
struct ptah_service {
	char *name;
	struct ptah_addr listen;   /* AF_UNSPEC if refused */
	struct ptah_addr also[PTAH_ALSO_MAX]; /* where it listens, too: server of a plugin, service of a file */
	size_t n_also;
	struct ptah_json *options; /* an object: the global options of this transport; NULL once it is open */
	const char *refused;       /* not NULL: a method error with this text; a constant */
};

struct ptah_plan {
	int asked; /* PTAH_ASKED_... */
	int who;   /* PTAH_AS_... (argv.h) */

	int dialect;         /* PTAH_D1 ... */
	const char *version; /* token for the VERSION line; a constant */
	int role;            /* PTAH_ROLE_CLIENT or PTAH_ROLE_SERVER */
	int mode;            /* PTAH_MODE_... */

	struct ptah_service *services; /* in list order, no name twice */
	size_t n_services;
	bool all; /* "*" was asked: see ptah_plan_expand() */

	bool has_target;
	struct ptah_dest target; /* server: the destination; client: also in the options */
	bool has_extorport;
	struct ptah_addr extorport;
	char *cookie_path; /* absolute; NULL without an Extended ORPort */
	struct ptah_proxy proxy; /* scheme PTAH_PROXY_NONE: none */
	struct ptah_addr outbound_v4, outbound_v6; /* AF_UNSPEC: the kernel's choice */

	char *state_dir; /* absolute; made on first use */
	bool plugin;       /* of a Shadowsocks program: there is no parent that reads lines */
	bool stdin_close;  /* end when stdin does */
	bool parent_death; /* end when the parent does */

	bool log_file;        /* write <state>/<log_name> */
	const char *log_name; /* a constant */
	int log_level;        /* of the file: PTAH_LOG_... */
	bool log_unsafe;

	unsigned error_streams; /* PTAH_STREAM_... */
	int ipc_log_level;
	bool ipc_status;

	char *module_dir;  /* -moduleDir; NULL: none */
	char *module_path; /* PTAH_MODULE_PATH, folders with colons; NULL: none */
	unsigned workers;  /* 0: as many as there are processors, at most 8 */

	unsigned proxy_protocol; /* towards the target: 0, 1 or 2 */
	bool replay_state;       /* server: remember in <state>/ptah_replay which handshakes came */
	unsigned dial_timeout_s, peer_timeout_s;
	bool legacy_socks80;
	unsigned udp_timeout_s, udp_max_peers, udp_queue;
	bool udp_little_endian;

	char *generate_server; /* -serverIP of -generateConfig; NULL: none */

	/* A service of a configuration file (config/runfile.h); all of it is 0 under a parent. */
	char *label;       /* its name in the file; NULL: under a parent */
	char *fingerprint; /* of all that the file says of it: two equal ones are one service */
	char *options_file; /* where options came from beside the file; NULL: nowhere */
	char *code;        /* the same of the modules that it stands for, and of what 'files' hold; NULL: nobody has looked (host/checkfile.h) */
	struct ptah_json *files; /* paths of files that belong to it, an array: of "files", and those that its options name once
	                          * somebody has looked; NULL: none */
	char *activation;  /* listen on the inherited sockets of this name, and on no address; NULL: as 'services' says */
	struct ptah_bounds bounds;
	struct ptah_prefix *proxy_from; /* who may say by PROXY protocol for whom it speaks */
	size_t n_proxy_from;
	bool isolate;      /* in a process of its own */
	unsigned isolate_memory_mib; /* ... which may have so much; 0: any amount */

	char **warnings; /* lines for the log, once there is one */
	size_t n_warnings;

	/* For ptah_plan_expand(). */
	struct ptah_options options;
	struct ptah_bindlist binds;
	struct ptah_addr listen; /* where a transport without an entry listens; AF_UNSPEC: nowhere */
};

/** How reading went, and what the parent must hear. */
struct ptah_verdict {
	const char *keyword; /* NULL: all is well; else VERSION-ERROR, ENV-ERROR, PROXY-ERROR */
	unsigned streams;    /* where that line goes */
	int rc;              /* exit status */
	char text[1024];
};

/**
 * Hears the token for the VERSION line, as soon as it is known and before
 * anything else is looked at.  If it returns not 0, reading ends with that.
 */
typedef int ptah_plan_version_fn(const char *token, void *arg);

/**
 * Read everything; looks at the state folder and the options file, changes nothing.
 *
 * Lends: all; nothing of argv or envp is kept.
 * Gives: a plan for ptah_plan_clear(), also on failure.
 * Fails: -EINVAL and a verdict with a keyword; -ENOMEM (a verdict with a text and rc 70); what 'on_version' said.
 */
int ptah_plan_read(struct ptah_plan *plan, struct ptah_verdict *verdict,
    int argc, char *const argv[], char *const envp[], ptah_plan_version_fn *on_version, void *arg);

/**
 * "*" was asked and these are all the transports there are: add a service for
 * each that has none.  Call it once, before the plan is shared.  -ENOMEM.
 */
int ptah_plan_expand(struct ptah_plan *plan, const char *const names[], size_t n);

/** Every instance is open: wipe the options that they were made of. */
void ptah_plan_forget_options(struct ptah_plan *plan);

void ptah_plan_clear(struct ptah_plan *plan);
/** Clear it and free it.  NULL is fine. */
void ptah_plan_free(struct ptah_plan *plan);

/** The plan is read: overwrite what was secret in the words and variables it came from. */
void ptah_plan_hide_sources(int argc, char *const argv[], char *const envp[]);

/** "socks5", "transparent-TCP", "transparent-UDP", "STUN". */
const char *ptah_mode_name(int mode);

#endif
