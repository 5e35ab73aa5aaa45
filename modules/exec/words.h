/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * exec/words.h: options as JSON objects, and as the k=v texts of version 1.
 *
 * Pure.  Scalars are written as their text, a list as its key once for each
 * item; an object inside has no such form and is -EINVAL.
 */
#ifndef PTAH_EXEC_WORDS_H
#define PTAH_EXEC_WORDS_H

#include <stddef.h>

/** Which keys of an object are not for the program. */
typedef int exec_skip_fn(const char *key);

/**
 * All that 'over' says, then what 'under' alone says, as "k=v;k=v", or, with a 'name', as "name:k=v;name:k=v".
 * Both are texts of JSON objects, or NULL.
 * Gives: *text, for free(), which the caller wipes if it holds secrets; "" when nothing is said.
 * Fails: -EINVAL, -ENOMEM.
 */
int exec_words_write(const char *over, const char *under, exec_skip_fn *skip, const char *name, char **text);

/** An object of texts as "KEY=VALUE" strings, NULL at the end, for exec_words_free(). */
int exec_words_env(const char *json, char ***out);
void exec_words_free(char **words);

/**
 * What stands behind "ARGS:" of an SMETHOD line ("k=v,k=v" with backslashes) as a JSON object of strings.
 * Gives: *json, for free().  Fails: -EINVAL, -ENOMEM.
 */
int exec_words_read(const char *args, char **json);

#endif
