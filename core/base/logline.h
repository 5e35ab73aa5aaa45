/* SPDX-License-Identifier: BSD-3-Clause */
/** base/logline.h: how a line of the log is written; for the outputs of log.h and nobody else. */
#ifndef PTAH_BASE_LOGLINE_H
#define PTAH_BASE_LOGLINE_H

#include <stddef.h>

/** Longest text of a line; scrubbing may have made it longer than its caller wrote it. */
#define PTAH_LOG_LINE 6144

/** "2026-01-31T23:59:59.999Z" and a NUL. */
#define PTAH_LOG_TIME 32

/** Now, in UTC.  Returns out. */
const char *ptah_log_time(char out[static PTAH_LOG_TIME]);

/** One line, one write. */
void ptah_log_write(int fd, const char *head, const char *text, size_t len);

#endif
