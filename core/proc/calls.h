/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * proc/calls.h: calls of the kernel, as rows for proc/filter.c.
 */
#ifndef PTAH_PROC_CALLS_H
#define PTAH_PROC_CALLS_H

#include <stdint.h>

/** What half of an argument must be. */
struct ptah_call_must {
	uint8_t word;  /* twice the argument's number, one more for its upper half; PTAH_CALL_ANY: no matter */
	uint8_t pid;   /* 'value' is this process's number */
	uint32_t mask; /* of the bits that count */
	uint32_t value;
};

#define PTAH_CALL_ANY 0xffu
#define PTAH_CALL_MUSTS 3

/** A row holds for a call when all its musts do; several rows for one call: when one does. */
struct ptah_call {
	int nr;
	int rc; /* the errno that it gives; 0: it is allowed */
	struct ptah_call_must must[PTAH_CALL_MUSTS];
};

struct ptah_calls {
	const struct ptah_call *rows;
	unsigned n;
	int otherwise; /* the errno of a call that has no row; 0: it is allowed */
};

/** By PTAH_FILTER_... number. */
extern const struct ptah_calls ptah_calls[4];

#endif
