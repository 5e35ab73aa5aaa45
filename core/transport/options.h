/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/options.h: from JSON to the structs that modules read.
 *
 * Text stands for every type, because k=v has nothing else.  A null is the
 * same as nothing.  Where one value is wanted and several texts are there (a
 * key that was repeated), the first counts.
 *
 * Threads: any.
 */
#ifndef PTAH_TRANSPORT_OPTIONS_H
#define PTAH_TRANSPORT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ptah/module.h>

#include "base/json.h"

/** Keys that are the host's, whatever the transport. */
#define PTAH_KEY_SERVER "serverAddress" /* where a client dials, "host:port" */
#define PTAH_KEY_HALF_CLOSE "half-close" /* auto, send, hold */
#define PTAH_KEY_MESSAGES "messages"     /* UDP modes: datagrams as messages (true), or framed in a stream (false) */
#define PTAH_KEY_OVER "over"             /* what this transport stands on: a name, or {"module": NAME, ...its options} */
#define PTAH_KEY_BELOW "over."           /* before a key: it is for the layer below */

#define PTAH_HALF_CLOSE_AUTO 0
#define PTAH_HALF_CLOSE_SEND 1
#define PTAH_HALF_CLOSE_HOLD 2

/** A module's conf or args; all that it points to goes with it.  {0}: none. */
struct ptah_filled {
	void *values; /* aligned to 64; NULL when the module has none */
	struct ptah_chunk *chunks;
};

/**
 * Fill conf (link false) or args (link true) from 'options', an object or NULL.
 *
 * 'missing' gets the first option that is required and not there; the rest is
 * filled all the same.
 *
 * Gives: *out, for ptah_filled_clear().
 * Fails: -EINVAL and 'why' ('option "iat-mode": "3" is not one of 0, 1, 2'); -ENOMEM.
 */
int ptah_options_fill(struct ptah_filled *out, const struct ptah_module *module, uint32_t role, bool link,
    const struct ptah_json *options, const struct ptah_option **missing, char *why, size_t why_room);

/**
 * Would this be a value of the option?
 * Fails: -EINVAL and 'why', as above; of a file what ptah_namedfile_open() says, and *file (lent by 'value') is its path,
 * which else is NULL; -ENOMEM.
 */
int ptah_options_try(const struct ptah_option *option, const struct ptah_json *value, const char **file,
    char *why, size_t why_room);

/** What 'options' says of this one, by its name or an alias; NULL: nothing. */
const struct ptah_json *ptah_options_said(const struct ptah_option *option, const struct ptah_json *options);

/** Wipes and frees. */
void ptah_filled_clear(struct ptah_filled *filled);

/** What to say of a missing one. */
void ptah_options_say_missing(const struct ptah_option *missing, char *why, size_t why_room);

/** The option of this key (name or alias) that this role has, or NULL. */
const struct ptah_option *ptah_options_find(const struct ptah_module *module, uint32_t role, const char *key);

/** Is the text of its value a secret?  Of a file the bytes are, and its path may be shown. */
bool ptah_option_hides(const struct ptah_option *option);

/** Has this role this option? */
bool ptah_option_is_for(const struct ptah_option *option, uint32_t role);

/** Is it a key of the host's? */
bool ptah_options_is_host(const char *key);

/** What to say of a key that nobody knows: which one was meant, or that it is for the other role. */
void ptah_options_say_unknown(const struct ptah_module *module, uint32_t role, const char *key,
    char *why, size_t why_room);

/**
 * The host's own keys of 'options': half_close (left alone when not there) and
 * server ("" when not there; room for PTAH_DEST_TEXT).
 * Fails: -EINVAL and 'why'.
 */
int ptah_options_host(const struct ptah_json *options, int *half_close, char *server, char *why, size_t why_room);

/** The host's key "messages": 1, 0, or -1 when it is not there.  Fails: -EINVAL and 'why'. */
int ptah_options_messages(const struct ptah_json *options, int *messages, char *why, size_t why_room);

#endif
