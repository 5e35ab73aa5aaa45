/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * base/buf.h: bytes that grow.
 *
 * For texts and small queues.  The data path of a link has its own scratch.
 */
#ifndef PTAH_BASE_BUF_H
#define PTAH_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

/** {0} is an empty one.  at[len] is always a NUL once anything was added. */
struct ptah_buf {
	uint8_t *at;
	size_t len, room;
	int rc; /* first failure (-ENOMEM) sticks, later calls do nothing */
};

void ptah_buf_clear(struct ptah_buf *buf);
/** Clear, and overwrite what was there. */
void ptah_buf_wipe(struct ptah_buf *buf);
/** All of these return buf->rc: 0 or -ENOMEM. */
int ptah_buf_add(struct ptah_buf *buf, const void *bytes, size_t len);
int ptah_buf_puts(struct ptah_buf *buf, const char *text);
int ptah_buf_printf(struct ptah_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** Drop 'n' bytes from the front. */
void ptah_buf_eat(struct ptah_buf *buf, size_t n);
/** Gives: the text (free()), leaving 'buf' empty; NULL if it had failed. */
char *ptah_buf_take_text(struct ptah_buf *buf);

#endif
