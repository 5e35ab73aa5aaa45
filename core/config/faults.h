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

#define PTAH_FAULT_WARNING 1u /* the file can be used all the same */
#define PTAH_FAULT_KEY 2u     /* it is the key that is wrong, not the value */
/* What it is, for who knows a cure of just that: words are for people, and change. */
#define PTAH_FAULT_OPTIONS 4u /* it is about what a transport takes */
#define PTAH_FAULT_BARE 8u    /* a secret stands in this file, which everybody may read */
#define PTAH_FAULT_OPEN 16u   /* 'about', which may hold keys, is open to others */
#define PTAH_FAULT_CLOSED 32u /* 'about' is closed to us */
#define PTAH_FAULT_ABSENT 64u /* 'about' is not there */
#define PTAH_FAULT_LAST PTAH_FAULT_ABSENT

struct ptah_fault {
	unsigned line, column; /* from 1; 0: the file as a whole */
	char *path;            /* "services.bridge.options.cert"; "": the file as a whole */
	char *text;            /* one line; holds no value that may be a key */
	char *about;           /* path of another file that it is about; NULL: none */
	unsigned how;          /* PTAH_FAULT_...: bits */
	bool warning;          /* that bit of them */
};

/** {0}: none. */
struct ptah_faults {
	struct ptah_fault *at; /* by place, once ptah_faults_sort() was called */
	size_t n;
	size_t n_errors, n_warnings; /* also of those that were not kept */
};

/** Add one.  Lends: path.  -ENOMEM. */
int ptah_faults_add(struct ptah_faults *faults, unsigned how, unsigned line, unsigned column, const char *path,
    const char *format, ...) __attribute__((format(printf, 6, 7)));
int ptah_faults_vadd(struct ptah_faults *faults, unsigned how, unsigned line, unsigned column, const char *path,
    const char *format, va_list args) __attribute__((format(printf, 6, 0)));
/** Behind one of these, before they are sorted: which file that one is about.  Lends: about; NULL: none.  -ENOMEM. */
int ptah_faults_about(struct ptah_faults *faults, const char *about);

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
