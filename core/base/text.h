/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * base/text.h: the small grammars of the PT documents: names, numbers,
 * booleans, comma lists.
 */
#ifndef PTAH_BASE_TEXT_H
#define PTAH_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A transport name: [A-Za-z_][A-Za-z0-9_]*. */
bool ptah_text_is_ptname(const char *text, size_t len);

/** Transport names with '+' between them, top first; one of them is a stack, too. */
bool ptah_text_is_stack(const char *text, size_t len);

/** Parse decimal digits only (no sign, no space) within [min, max].  -EINVAL or -ERANGE. */
int ptah_text_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/** Parse a boolean as Go's flag package does: 1 0 t f T F true false TRUE FALSE True False. */
int ptah_text_bool(const char *text, bool *out);

/** Parse "250ms", "30s", "5m", "2h" or bare seconds into nanoseconds; -EINVAL, -ERANGE. */
int ptah_text_duration(const char *text, uint64_t *ns);

/**
 * The next element of a list divided by 'comma': sets item and len, moves
 * *cursor; elements may be empty.  Start with *cursor at the text; false at
 * the end (*cursor NULL).
 */
bool ptah_text_next(const char **cursor, char comma, const char **item, size_t *len);

/** Is it valid UTF-8 (RFC 3629) without a NUL? */
bool ptah_text_is_utf8(const uint8_t *at, size_t len);

/** Length of the one UTF-8 character at 'at'; 0 if there is none (also for a NUL). */
size_t ptah_text_utf8_len(const uint8_t *at, size_t len);

/** How much of 'text' fits into 'room' bytes without cutting a character of valid UTF-8. */
size_t ptah_text_utf8_cut(const char *text, size_t len, size_t room);

/** The nearest of 'known' (NULL at the end) to 'word', for "did you mean"; NULL if none is near. */
const char *ptah_text_nearest(const char *word, const char *const *known);

/** Copy all of 'text' or nothing: 0 or -ENAMETOOLONG. */
int ptah_text_copy(char *out, size_t room, const char *text);

/** hex, base64 (padded or not), base32 (RFC 4648, padded or not) into bytes; decoded length or -EINVAL/-ENOBUFS. */
long ptah_text_unhex(const char *text, uint8_t *out, size_t room);
long ptah_text_unbase64(const char *text, uint8_t *out, size_t room);
long ptah_text_unbase32(const char *text, uint8_t *out, size_t room);

#endif
