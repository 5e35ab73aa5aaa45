/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * loop/end.h: one end of a link: a descriptor, and what the kernel refused.
 *
 * Reading goes into the worker's scratch, writing straight to the kernel; only
 * a refused rest is kept ("spill"), and drained by a write event that exists
 * as long as the rest does.  So an idle end holds no buffer.
 *
 * Threads: the worker's own.
 */
#ifndef PTAH_LOOP_END_H
#define PTAH_LOOP_END_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <ptah/span.h>

struct ptah_worker;
struct ptah_end;
struct ptah_spill;

struct ptah_end_ops {
	/** There is something to read, or EOF, or an error; read with ptah_end_read(). */
	void (*on_readable)(struct ptah_end *end);
	/** The spill is empty again (and EOF, if asked for, is sent). */
	void (*on_drained)(struct ptah_end *end);
	/** Writing failed with -errno; the spill is gone.  -ENOBUFS: nobody took it, and others need the memory. */
	void (*on_failed)(struct ptah_end *end, int rc);
};

/** Embed it; fields are this file's but for 'arg'. */
struct ptah_end {
	int fd; /* -1: none */
	bool reading, finishing, finished, failed;
	uint16_t read_kib; /* how much one read may take, in KiB */
	int broke_rc; /* writing failed so, and took the error with it that reading should have met; or 0 */
	struct ptah_worker *worker;
	const struct ptah_end_ops *ops;
	void *arg;
	struct ptah_spill *spill;
	struct event read_event;
};

/** Takes: fd (non-blocking), from success on.  Reading is off.  -ENOMEM. */
int ptah_end_open(struct ptah_end *end, struct ptah_worker *worker, int fd,
    const struct ptah_end_ops *ops, void *arg);
/** Close at once; what was not written is lost.  Fine when it is not open. */
void ptah_end_close(struct ptah_end *end);
/** Close with a reset rather than an EOF, so that the other side knows that bytes are missing. */
void ptah_end_abort(struct ptah_end *end);
/** Gives: the descriptor; the end is closed otherwise.  Nothing may be spilled. */
int ptah_end_take_fd(struct ptah_end *end);

/** Turn the read event on or off.  -errno (memory). */
int ptah_end_read_start(struct ptah_end *end);
void ptah_end_read_stop(struct ptah_end *end);

/** One read of at most 'room' bytes.  Bytes; 0 at EOF; -EAGAIN; or -errno. */
ssize_t ptah_end_read(struct ptah_end *end, uint8_t *at, size_t room);

/**
 * Write, in order: what the kernel takes goes at once, the rest is kept.
 * Returns 0 if nothing is kept, 1 if something is (rest the reader that feeds
 * it; on_drained tells), or -errno (-ENOMEM: could not keep; bytes are lost, so end the link).
 */
int ptah_end_write(struct ptah_end *end, const uint8_t *at, size_t len);
/** Send EOF after what is kept.  0 sent, 1 later, or -errno. */
int ptah_end_finish(struct ptah_end *end);

/** Has the other side acknowledged all that was written?  (Nobody can say: yes.) */
bool ptah_end_is_flushed(const struct ptah_end *end);
/** Bytes written that the other side has not taken yet, as far as the kernel knows. */
size_t ptah_end_waiting(const struct ptah_end *end);
/** Did the connection break?  For an end that nobody reads: 0, or -errno, once. */
int ptah_end_error(const struct ptah_end *end);
/** Bytes kept. */
size_t ptah_end_spilled(const struct ptah_end *end);

#endif
