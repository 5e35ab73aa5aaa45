/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * ipc/message.h: what we say to the parent process (ipc.md 3).
 *
 * Knows the grammar of each line, its stream and its length; not when a line
 * is due.
 *
 * Threads: messages from the main thread; LOG lines from any.
 */
#ifndef PTAH_IPC_MESSAGE_H
#define PTAH_IPC_MESSAGE_H

#include "base/addr.h"
#include "base/kv.h"
#include "ipc/lines.h"

struct ptah_ipc {
	struct ptah_lines out, err;
	unsigned error_streams; /* PTAH_STREAM_... of method errors */
	int dialect, role;      /* PTAH_D1 ..., PTAH_ROLE_... */
};

/** Lends: descriptors; one that becomes readable on 'wake_fd' (-1: none) ends every wait. */
void ptah_ipc_init(struct ptah_ipc *ipc, int out_fd, int err_fd, int wake_fd);
void ptah_ipc_clear(struct ptah_ipc *ipc);

/*
 * All of these return 0, -EINTR (something else wants the main thread), or
 * what write on stdout said: -EPIPE.  Stderr that nobody reads is no failure.
 */

int ptah_ipc_version(struct ptah_ipc *ipc, const char *token);
/** "VERSION-ERROR no-version", "ENV-ERROR ...", "PROXY-ERROR ..." on these streams. */
int ptah_ipc_fatal(struct ptah_ipc *ipc, unsigned streams, const char *keyword, const char *text);
int ptah_ipc_status(struct ptah_ipc *ipc, const char *version);
/** A STATUS line of somebody else's; lost if it does not go out at once.  Any thread. */
void ptah_ipc_offer_status(struct ptah_ipc *ipc, const char *text, size_t len);
int ptah_ipc_proxy_done(struct ptah_ipc *ipc);
/** CMETHOD; 'proto' as the dialect and the mode say.  -EMSGSIZE: too long, nothing was said. */
int ptah_ipc_cmethod(struct ptah_ipc *ipc, const char *name, const char *proto,
    const struct ptah_addr *addr);
/** SMETHOD; 'addr' a text, 'args' may be empty.  -EMSGSIZE, or -EINVAL (a byte that no line may hold): nothing was said. */
int ptah_ipc_smethod(struct ptah_ipc *ipc, const char *name, const char *addr,
    const struct ptah_kv *args);
/** CMETHOD-ERROR or SMETHOD-ERROR. */
int ptah_ipc_method_error(struct ptah_ipc *ipc, const char *name, const char *text);
/** CMETHODS DONE or SMETHODS DONE. */
int ptah_ipc_methods_done(struct ptah_ipc *ipc);

#endif
