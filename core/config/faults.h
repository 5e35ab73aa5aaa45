/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * config/faults.h: all that is wrong with a file, each with its place.
 *
 * Threads: any; one at a time.
 */
#ifndef PTAH_CONFIG_FAULTS_H
#define PTAH_CONFIG_FAULTS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/json.h"

/** More than so many are counted, not kept. */
#define PTAH_FAULTS_MOST 1000

struct ptah_fault {
	unsigned line, column; /* from 1; 0: the file as a whole */
	char *path;            /* "services.bridge.options.cert"; "": the file as a whole */
	char *text;            /* one line; holds no value that may be a key */
	bool warning;          /* the file can be used all the same */
};

/** {0}: none. */
struct ptah_faults {
	struct ptah_fault *at; /* by place, once ptah_faults_sort() was called */
	size_t n;
	size_t n_errors, n_warnings; /* also of those that were not kept */
};

/** Add one.  Lends: path.  -ENOMEM. */
int ptah_faults_add(struct ptah_faults *faults, bool warning, unsigned line, unsigned column, const char *path,
    const char *format, ...) __attribute__((format(printf, 6, 7)));
int ptah_faults_vadd(struct ptah_faults *faults, bool warning, unsigned line, unsigned column, const char *path,
    const char *format, va_list args) __attribute__((format(printf, 6, 0)));

/** Bring them into the order of the file. */
void ptah_faults_sort(struct ptah_faults *faults);

/** "FILE:LINE:COLUMN: PATH: [warning: ]TEXT", without a line end.  -ENOMEM. */
int ptah_fault_print(const struct ptah_fault *fault, const char *file, struct ptah_buf *out);

/**
 * {"file", "line", "column", "path", "level": "error" or "warning", "text"}; line and column are null, and path is "", where
 * it is about the file as a whole.
 * Gives: it, for ptah_json_free().  NULL: ENOMEM.
 */
struct ptah_json *ptah_fault_json(const struct ptah_fault *fault, const char *file);

void ptah_faults_clear(struct ptah_faults *faults);

#endif
