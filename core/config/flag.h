/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * config/flag.h: the one table of flags and variables.
 *
 * The parser, the usage text, the manual page and the completions are all
 * made from it.  Rows stand in the order in which their values are checked.
 */
#ifndef PTAH_CONFIG_FLAG_H
#define PTAH_CONFIG_FLAG_H

#include <stdint.h>

/* What a value is. */
#define PTAH_VALUE_SWITCH 0 /* a boolean: no separate value */
#define PTAH_VALUE_TEXT 1
#define PTAH_VALUE_NUMBER 2 /* min to max */
#define PTAH_VALUE_WORD 3   /* one of 'words', any case */
#define PTAH_VALUE_FILE 4
#define PTAH_VALUE_FOLDER 5
#define PTAH_VALUE_NAME 6  /* a transport */
#define PTAH_VALUE_NAMES 7 /* transports with commas, or * */
#define PTAH_VALUE_ADDR 8  /* IP:PORT */
#define PTAH_VALUE_DEST 9  /* HOST:PORT */
#define PTAH_VALUE_IP 10
#define PTAH_VALUE_PORT 11

#define PTAH_ROLE_CLIENT 1
#define PTAH_ROLE_SERVER 2
#define PTAH_ROLE_BOTH (PTAH_ROLE_CLIENT | PTAH_ROLE_SERVER)

/* Dialects: the negotiated version family that governs the messages. */
#define PTAH_D1 1
#define PTAH_D2 2  /* 2, 2.0, 2.1 */
#define PTAH_D22 3 /* 2.2, 2.2.1 */
#define PTAH_D3 4

#define PTAH_FLAG_ONE 1u       /* names one address: not twice with different values */
#define PTAH_FLAG_DETACHED 2u  /* a switch that takes a separate 0 or 1, too */
#define PTAH_FLAG_EXTENSION 4u /* in no published document */
#define PTAH_FLAG_HIDDEN 8u    /* compatibility: taken, not advertised */
#define PTAH_FLAG_REFUSED 16u  /* known, and an error: 'help' says why */
#define PTAH_FLAG_SECRET 32u   /* its value goes into no message */

enum ptah_flag_id {
	PTAH_FLAG_PTVERSION,
	PTAH_FLAG_STATE,
	PTAH_FLAG_STDIN_CLOSE,
	PTAH_FLAG_OUTBOUND_V4,
	PTAH_FLAG_OUTBOUND_V6,
	PTAH_FLAG_MODULE_DIR,
	PTAH_FLAG_WORKERS,
	PTAH_FLAG_PROXY_PROTOCOL,
	PTAH_FLAG_REPLAY_STATE,
	PTAH_FLAG_IPC_LOG_LEVEL,
	PTAH_FLAG_TRANSPORT,
	PTAH_FLAG_TRANSPORTS,
	PTAH_FLAG_CLIENT,
	PTAH_FLAG_SERVER,
	PTAH_FLAG_MODE,
	PTAH_FLAG_TRANSPARENT,
	PTAH_FLAG_UDP,
	PTAH_FLAG_OPTIONS,
	PTAH_FLAG_OPTIONS_FILE,
	PTAH_FLAG_LISTEN_ADDR,
	PTAH_FLAG_LISTEN_HOST,
	PTAH_FLAG_LISTEN_PORT,
	PTAH_FLAG_PROXY,
	PTAH_FLAG_BIND_ADDR,
	PTAH_FLAG_BIND_HOST,
	PTAH_FLAG_BIND_PORT,
	PTAH_FLAG_TARGET,
	PTAH_FLAG_ORPORT,
	PTAH_FLAG_TARGET_HOST,
	PTAH_FLAG_TARGET_PORT,
	PTAH_FLAG_EXTORPORT,
	PTAH_FLAG_AUTH_COOKIE,
	PTAH_FLAG_ENABLE_LOGGING,
	PTAH_FLAG_LOG_LEVEL,
	PTAH_FLAG_UNSAFE_LOGGING,
	PTAH_FLAG_IPC_ERRORS,
	PTAH_FLAG_IPC_STATUS,
	PTAH_FLAG_IPC_MESSAGES,
	PTAH_FLAG_DIAL_TIMEOUT,
	PTAH_FLAG_PEER_TIMEOUT,
	PTAH_FLAG_LEGACY_SOCKS80,
	PTAH_FLAG_UDP_TIMEOUT,
	PTAH_FLAG_UDP_MAX_PEERS,
	PTAH_FLAG_UDP_QUEUE,
	PTAH_FLAG_UDP_FRAMING,
	PTAH_FLAG_PARENT_DEATH,
	PTAH_FLAG_GENERATE,
	PTAH_FLAG_SERVER_IP,
	PTAH_FLAG_SHOW_VERSION,
	PTAH_FLAG_VERSION,
	PTAH_FLAG_HELP,
	PTAH_FLAG_HELP_SHORT,
	PTAH_FLAG_LOCKET,
	PTAH_FLAG_TONEBURST,
	PTAH_FLAG_POLISH,
	PTAH_FLAG_COUNT
};

struct ptah_flag {
	const char *name;       /* without dashes; NULL: a variable only */
	const char *env;        /* the variable; NULL: a flag only */
	const char *env_server; /* the server's variable, where it is another */
	const char *value;      /* what to call the value; NULL for a switch */
	const char *def;        /* the default as a text; NULL: none */
	const char *help;
	const char *const *words; /* of a WORD, NULL at the end */
	uint64_t min, max;        /* of a NUMBER */
	int type, roles;
	int since, until; /* first and last dialect whose document has the flag; 0: open */
	unsigned marks;
};

extern const struct ptah_flag ptah_flags[PTAH_FLAG_COUNT];

/** Row of the flag named by the first 'len' bytes of 'name', or -ENOENT. */
int ptah_flag_find(const char *name, unsigned long len);

/** The canonical spelling of a WORD's value, or NULL. */
const char *ptah_flag_word(const struct ptah_flag *flag, const char *text);

#endif
