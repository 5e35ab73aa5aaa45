/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * refuse.h: what conf_check and args_check answer of options that cannot be.
 */
#ifndef PTAH_COMMON_REFUSE_H
#define PTAH_COMMON_REFUSE_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/** Write a line of why.  -EINVAL, always. */
static inline int __attribute__((format(printf, 3, 4)))
ptah_refuse(char *why, size_t room, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, room, format, args);
	va_end(args);
	return -EINVAL;
}

#endif
