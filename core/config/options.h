/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * config/options.h: transport options, in the three spellings of ipc.md 2.5:
 * "name:k=v;name:k=v", JSON with one object per transport, JSON for all.
 *
 * Knows no transport: which keys are good is the module's to say.
 */
#ifndef PTAH_CONFIG_OPTIONS_H
#define PTAH_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/kv.h"

/** Longest text of options. */
#define PTAH_OPTIONS_MAX (1024 * 1024)

/** {0}: no options. */
struct ptah_options {
	struct ptah_json *json; /* an object, if the text was JSON */
	struct ptah_kv kv;      /* else these */
};

/**
 * Parse any of the three.
 * Fails: -EINVAL and 'why', which repeats no value (it may be a key); -ENOMEM.
 */
int ptah_options_parse(struct ptah_options *options, const char *text, size_t len,
    char *why, size_t why_room);

/**
 * The same from a file.  *exposed: group or world may read it.
 * Fails: as above, also when the file is missing, empty or too long.
 */
int ptah_options_read(struct ptah_options *options, const char *path, bool *exposed,
    char *why, size_t why_room);

/** Is it JSON with one object for each of some of these transports? */
bool ptah_options_keyed(const struct ptah_options *options, const char *const names[], size_t n);

/**
 * Options of one transport; 'keyed' as above.
 * Gives: an object (may be empty) for ptah_json_free(), or NULL (ENOMEM).
 */
struct ptah_json *ptah_options_of(const struct ptah_options *options, bool keyed, const char *name);

void ptah_options_clear(struct ptah_options *options);

#endif
