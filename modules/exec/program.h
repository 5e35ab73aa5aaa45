/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * exec/program.h: how a program is started: its command line, and the
 * environment of pt-spec version 1, clean but for what it must know.
 */
#ifndef PTAH_EXEC_PROGRAM_H
#define PTAH_EXEC_PROGRAM_H

#include "exec.h"

struct exec_wish {
	const struct exec_conf *conf;
	const char *name;     /* the transport that it shall offer */
	const char *settings; /* the instance's options as JSON, or NULL */
	const char *folder;   /* for its state */
	const char *proxy;    /* client: the upstream proxy as URI, or NULL */
	const char *bind;     /* server: where it shall listen */
	const char *orport;   /* server: where it shall connect to */
	const char *cookie;   /* server: the file with the cookie of that; NULL: a plain ORPort */
};

struct exec_program {
	const char **argv; /* its texts are the conf's */
	char **env;
};

/** For exec_program_free(), also on failure.  -EINVAL with 'why', -ENOMEM. */
int exec_program_make(struct exec_program *program, const struct exec_wish *wish, const char **why);
/** From now on it shall listen there: where it was told to choose a port, and chose this one.  -ENOMEM. */
int exec_program_rebind(struct exec_program *program, const char *name, const char *address);
/** Free and wipe. */
void exec_program_free(struct exec_program *program);

#endif
