/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Make room for 'more' bytes and a NUL.  Not with realloc(): it may leave a
 * copy behind, and then ptah_buf_wipe() would not keep its word.
 */
static int
make_room(struct ptah_buf *buf, size_t more)
{
	size_t room = buf->room;
	uint8_t *at;

	if (buf->rc != 0)
		return buf->rc;
	if (more > SIZE_MAX / 4 - buf->len) {
		buf->rc = -ENOMEM;
		return buf->rc;
	}
	if (buf->at != NULL && room - buf->len > more)
		return 0;
	if (room < 64)
		room = 64;
	while (room - buf->len <= more)
		room *= 2;
	at = malloc(room);
	if (at == NULL) {
		buf->rc = -ENOMEM;
		return buf->rc;
	}
	if (buf->len > 0)
		memcpy(at, buf->at, buf->len);
	at[buf->len] = '\0';
	if (buf->at != NULL)
		explicit_bzero(buf->at, buf->len);
	free(buf->at);
	buf->at = at;
	buf->room = room;
	return 0;
}

void
ptah_buf_clear(struct ptah_buf *buf)
{
	free(buf->at);
	*buf = (struct ptah_buf){ 0 };
}

void
ptah_buf_wipe(struct ptah_buf *buf)
{
	if (buf->at != NULL)
		explicit_bzero(buf->at, buf->room);
	ptah_buf_clear(buf);
}

int
ptah_buf_add(struct ptah_buf *buf, const void *bytes, size_t len)
{
	if (make_room(buf, len) != 0)
		return buf->rc;
	if (len > 0)
		memcpy(buf->at + buf->len, bytes, len);
	buf->len += len;
	buf->at[buf->len] = '\0';
	return 0;
}

int
ptah_buf_puts(struct ptah_buf *buf, const char *text)
{
	return ptah_buf_add(buf, text, strlen(text));
}

int
ptah_buf_printf(struct ptah_buf *buf, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0 && buf->rc == 0)
		buf->rc = -ENOMEM; /* a text longer than INT_MAX */
	if (buf->rc != 0 || make_room(buf, (size_t)n) != 0)
		return buf->rc;
	va_start(args, format);
	vsnprintf((char *)buf->at + buf->len, (size_t)n + 1, format, args);
	va_end(args);
	buf->len += (size_t)n;
	return 0;
}

void
ptah_buf_eat(struct ptah_buf *buf, size_t n)
{
	if (n > buf->len)
		n = buf->len;
	if (n == 0)
		return;
	memmove(buf->at, buf->at + n, buf->len - n + 1);
	buf->len -= n;
}

char *
ptah_buf_take_text(struct ptah_buf *buf)
{
	char *text;

	if (make_room(buf, 0) != 0) {
		ptah_buf_clear(buf);
		return NULL;
	}
	text = (char *)buf->at;
	*buf = (struct ptah_buf){ 0 };
	return text;
}
