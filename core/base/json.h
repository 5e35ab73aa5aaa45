/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * base/json.h: JSON values as a tree that is built once and then only read.
 *
 * yajl does the reading; this keeps numbers as their text, objects in order,
 * and the last of duplicate keys.
 */
#ifndef PTAH_BASE_JSON_H
#define PTAH_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/kv.h"

/** Objects and arrays nest at most this deep; the outermost is level 1. */
#define PTAH_JSON_DEPTH 32

#define PTAH_JSON_BARE_KEYS 1u /* {shadow: {password: "x"}} is fine (2.5) */
#define PTAH_JSON_COMMENTS 2u

#define PTAH_JSON_NULL 0
#define PTAH_JSON_BOOL 1
#define PTAH_JSON_NUMBER 2
#define PTAH_JSON_STRING 3
#define PTAH_JSON_ARRAY 4
#define PTAH_JSON_OBJECT 5

/** Read it freely; make and change it with the functions below. */
struct ptah_json {
	int type;
	bool truth;      /* of a BOOL */
	bool twice;      /* its key stood there before, with a value that is lost */
	char *text;      /* of a STRING (NUL-terminated, may hold no NUL) or NUMBER */
	size_t n;        /* items of an ARRAY or OBJECT */
	char **keys;     /* of an OBJECT, n of them */
	struct ptah_json **items;
	uint32_t at, key_at; /* of ptah_json_parse_placed(): where it and its key begin in the text, from 1; else 0 */
};

/**
 * Parse exactly one value.
 * Gives: a tree for ptah_json_free().
 * Fails: NULL with errno EINVAL and 'why' (one line: what, line and column), or ENOMEM.
 */
struct ptah_json *ptah_json_parse(const char *text, size_t len, unsigned flags, char *why, size_t why_room);
/**
 * The same, and each value of the tree says where it stands.
 * Fails: with EINVAL *wrong_at says where, from 1, and 'why' does not.
 */
struct ptah_json *ptah_json_parse_placed(const char *text, size_t len, unsigned flags, uint32_t *wrong_at,
    char *why, size_t why_room);
/** Line and column, in characters, of such a place. */
void ptah_json_where(const char *text, uint32_t at, unsigned *line, unsigned *column);
/** Free the tree; string values are overwritten first (they may be keys). */
void ptah_json_free(struct ptah_json *json);

/** Make it a null where it stands; what it held is overwritten. */
void ptah_json_forget(struct ptah_json *json);

struct ptah_json *ptah_json_new(int type);
struct ptah_json *ptah_json_new_text(int type, const char *text);
struct ptah_json *ptah_json_copy(const struct ptah_json *json);
/** Member of an object, or NULL. */
const struct ptah_json *ptah_json_get(const struct ptah_json *object, const char *key);
/** Set or replace a member.  Takes: value (freed on failure).  -ENOMEM; -ENOMEM too for a NULL value. */
int ptah_json_set(struct ptah_json *object, const char *key, struct ptah_json *value);
/** Append to an array.  Takes: value. */
int ptah_json_add(struct ptah_json *array, struct ptah_json *value);
/** Lay the members of 'over' (copied) over those of 'object', key by key. */
int ptah_json_overlay(struct ptah_json *object, const struct ptah_json *over);
/** Pairs as an object: strings, repeated keys as an array of strings. Only pairs named 'name' when not NULL. */
struct ptah_json *ptah_json_from_kv(const struct ptah_kv *kv, const char *name);
/** Print compactly and strictly onto 'out'.  -ENOMEM. */
int ptah_json_print(const struct ptah_json *json, struct ptah_buf *out);
/** Gives: the compact text (free()), or NULL (ENOMEM). */
char *ptah_json_text(const struct ptah_json *json);

/** How far a scan has come; {0} to begin. */
struct ptah_json_scan {
	size_t at;      /* bytes looked at */
	uint32_t kinds; /* one bit for each open level: 1 is an object */
	uint8_t depth;
	bool string, escaped;
};

/**
 * Find the end of the first JSON object in a stream that still grows: call it
 * again with the same bytes and more behind them.  It looks at each byte once.
 * Returns its length, 0 if more bytes are needed, -EINVAL if it cannot be one.
 */
long ptah_json_scan_more(struct ptah_json_scan *scan, const uint8_t *at, size_t len);

#endif
