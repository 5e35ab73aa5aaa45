/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * vectors.h: what a test reads from tests/vectors.  Include it after cmocka.h.
 */
#ifndef PTAH_TESTS_VECTORS_H
#define PTAH_TESTS_VECTORS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static inline struct ptah_json *
vectors_load(const char *name)
{
	const char *source = getenv("PTAH_SOURCE");
	char path[4096], why[200] = "";
	size_t room = 1 << 20, len;
	char *text = malloc(room);
	FILE *file;
	struct ptah_json *json;

	snprintf(path, sizeof(path), "%s/tests/vectors/%s", source != NULL ? source : ".", name);
	file = fopen(path, "r");
	if (file == NULL)
		fail_msg("%s: cannot open it (is PTAH_SOURCE set?)", path);
	assert_non_null(text);
	len = fread(text, 1, room, file);
	assert_true(len > 0 && len < room);
	fclose(file);
	json = ptah_json_parse(text, len, 0, why, sizeof(why));
	if (json == NULL)
		fail_msg("%s: %s", path, why);
	free(text);
	return json;
}

static inline const struct ptah_json *
vectors_get(const struct ptah_json *object, const char *key)
{
	const struct ptah_json *value = ptah_json_get(object, key);

	if (value == NULL)
		fail_msg("no member \"%s\"", key);
	return value;
}

/** An array that has something in it. */
static inline const struct ptah_json *
vectors_list(const struct ptah_json *object, const char *key)
{
	const struct ptah_json *list = vectors_get(object, key);

	assert_int_equal(list->type, PTAH_JSON_ARRAY);
	assert_true(list->n > 0);
	return list;
}

static inline uint64_t
vectors_number(const struct ptah_json *object, const char *key)
{
	return strtoull(vectors_get(object, key)->text, NULL, 10);
}

static inline const char *
vectors_text(const struct ptah_json *object, const char *key)
{
	const struct ptah_json *value = vectors_get(object, key);

	assert_int_equal(value->type, PTAH_JSON_STRING);
	return value->text;
}

/** Bytes of a string in hex; answers how many. */
static inline size_t
vectors_bytes(const struct ptah_json *string, uint8_t *out, size_t room)
{
	size_t len = strlen(string->text) / 2;

	assert_int_equal(string->type, PTAH_JSON_STRING);
	assert_true(len <= room);
	for (size_t i = 0; i < len; i++) {
		unsigned byte;

		assert_int_equal(sscanf(string->text + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
	return len;
}

/** Exactly so many bytes. */
static inline void
vectors_exact(const struct ptah_json *object, const char *key, uint8_t *out, size_t len)
{
	assert_int_equal(vectors_bytes(vectors_get(object, key), out, len), len);
}

#endif
