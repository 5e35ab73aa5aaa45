/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * ipc/log.h: the log, as LOG lines for the parent and as texts on stderr.
 *
 * Neither ever waits for a reader: a line that does not go out at once is
 * lost, whole.
 */
#ifndef PTAH_IPC_LOG_H
#define PTAH_IPC_LOG_H

#include "ipc/message.h"

/** Send LOG lines of 'level' and worse to stdout from now on.  -ENOSPC. */
int ptah_ipc_log_start(struct ptah_ipc *ipc, int level);
/** Write "ptah: text" lines of 'level' and worse to stderr from now on.  -ENOSPC. */
int ptah_ipc_talk_start(struct ptah_ipc *ipc, int level);
/** End both; no line goes out after. */
void ptah_ipc_log_stop(struct ptah_ipc *ipc);

/**
 * Make the LOG line of a dialect, with its LF: PT 1 has a grammar of its own.
 * Returns its length.
 */
size_t ptah_ipc_log_line(int dialect, int level, const char *text, size_t len,
    char out[static PTAH_LINE_MAX]);

#endif
