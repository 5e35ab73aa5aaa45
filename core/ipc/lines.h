/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * ipc/lines.h: whole lines onto a descriptor that its reader may neglect.
 *
 * One line, one write(2).  A line that must arrive waits for the reader; one
 * that may be lost is dropped whole when it would have to wait.  Should the
 * kernel ever take a part, the rest goes out before anything else.
 *
 * The descriptor is not ours alone, so its O_NONBLOCK is left as it is: lines
 * are short enough that a pipe which says it is writable takes one whole.
 *
 * Threads: any.
 */
#ifndef PTAH_IPC_LINES_H
#define PTAH_IPC_LINES_H

#include <pthread.h>
#include <stddef.h>

/** Longest line, with its LF (PIPE_BUF: the kernel does not divide it). */
#define PTAH_LINE_MAX 4096

struct ptah_lines {
	int fd;
	int wake_fd; /* readable: stop waiting; -1: nothing can */
	pthread_mutex_t lock;
	char rest[PTAH_LINE_MAX]; /* a line that was begun or must not be lost, */
	size_t rest_at, rest_len; /* and what of it is still to go */
	int failed; /* -errno of the write after which we stopped trying */
};

/** Lends: both descriptors. */
void ptah_lines_init(struct ptah_lines *lines, int fd, int wake_fd);
/** Forget; the rest of a line that was begun gets one more try. */
void ptah_lines_clear(struct ptah_lines *lines);

/**
 * Write a line with its LF, and wait as long as it takes.
 * Fails: -EINTR when 'wake_fd' became readable meanwhile; -EPIPE or what else
 * write says, now and ever after; -EMSGSIZE.
 */
int ptah_lines_say(struct ptah_lines *lines, const char *line, size_t len);

/** Write it if it goes out at once.  -EAGAIN: it is lost; else as above. */
int ptah_lines_offer(struct ptah_lines *lines, const char *line, size_t len);

#endif
