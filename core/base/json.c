/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsontree.h"
#include "base/text.h"

struct ptah_json *
ptah_json_new(int type)
{
	struct ptah_json *json = calloc(1, sizeof(*json));

	if (json != NULL)
		json->type = type;
	return json;
}

struct ptah_json *
ptah_json_new_text(int type, const char *text)
{
	struct ptah_json *json = ptah_json_new(type);

	if (json == NULL)
		return NULL;
	json->text = strdup(text);
	if (json->text == NULL) {
		free(json);
		return NULL;
	}
	return json;
}

/* All that it holds, wiped. */
static void
clear(struct ptah_json *json)
{
	for (size_t i = 0; i < json->n; i++) {
		if (json->keys != NULL)
			free(json->keys[i]);
		ptah_json_free(json->items[i]);
	}
	if (json->text != NULL)
		explicit_bzero(json->text, strlen(json->text));
	free(json->text);
	free(json->keys);
	free(json->items);
}

void
ptah_json_free(struct ptah_json *json)
{
	if (json == NULL)
		return;
	clear(json);
	free(json);
}

void
ptah_json_forget(struct ptah_json *json)
{
	clear(json);
	*json = (struct ptah_json){ .type = PTAH_JSON_NULL };
}

/*
 * Append an item, without looking for its key.  Room is always at least the
 * next power of two, so growing at each needs no count of its own.
 * Takes: key, value.
 */
static int
append(struct ptah_json *to, char *key, struct ptah_json *value)
{
	if ((to->n & (to->n - 1)) == 0) {
		size_t room = to->n == 0 ? 1 : to->n * 2;
		struct ptah_json **items = reallocarray(to->items, room, sizeof(*items));
		char **keys = NULL;

		if (items != NULL)
			to->items = items;
		if (items != NULL && key != NULL)
			keys = reallocarray(to->keys, room, sizeof(*keys));
		if (keys != NULL)
			to->keys = keys;
		if (items == NULL || (key != NULL && keys == NULL)) {
			free(key);
			ptah_json_free(value);
			return -ENOMEM;
		}
	}
	to->items[to->n] = value;
	if (key != NULL)
		to->keys[to->n] = key;
	to->n++;
	return 0;
}

struct ptah_json *
ptah_json_copy(const struct ptah_json *json)
{
	struct ptah_json *copy = ptah_json_new(json->type);

	if (copy == NULL)
		return NULL;
	copy->truth = json->truth;
	copy->twice = json->twice;
	copy->at = json->at;
	copy->key_at = json->key_at;
	if (json->text != NULL) {
		copy->text = strdup(json->text);
		if (copy->text == NULL)
			goto out;
	}
	for (size_t i = 0; i < json->n; i++) {
		struct ptah_json *item = ptah_json_copy(json->items[i]);
		char *key = NULL;

		if (item == NULL)
			goto out;
		if (json->type == PTAH_JSON_OBJECT) {
			key = strdup(json->keys[i]);
			if (key == NULL) {
				ptah_json_free(item);
				goto out;
			}
		}
		if (append(copy, key, item) != 0)
			goto out;
	}
	return copy;

out:
	ptah_json_free(copy);
	return NULL;
}

static size_t
find(const struct ptah_json *object, const char *key)
{
	size_t i = 0;

	while (i < object->n && strcmp(object->keys[i], key) != 0)
		i++;
	return i;
}

const struct ptah_json *
ptah_json_get(const struct ptah_json *object, const char *key)
{
	size_t i;

	if (object == NULL || object->type != PTAH_JSON_OBJECT)
		return NULL;
	i = find(object, key);
	return i < object->n ? object->items[i] : NULL;
}

int
ptah_json_set(struct ptah_json *object, const char *key, struct ptah_json *value)
{
	char *copy;
	size_t i;

	if (object == NULL || value == NULL) {
		ptah_json_free(value);
		return -ENOMEM;
	}
	i = find(object, key);
	if (i < object->n) {
		ptah_json_free(object->items[i]);
		object->items[i] = value;
		return 0;
	}
	copy = strdup(key);
	if (copy == NULL) {
		ptah_json_free(value);
		return -ENOMEM;
	}
	return append(object, copy, value);
}

int
ptah_json_add(struct ptah_json *array, struct ptah_json *value)
{
	if (array == NULL || value == NULL) {
		ptah_json_free(value);
		return -ENOMEM;
	}
	return append(array, NULL, value);
}

struct slot {
	const char *key;
	size_t at;
};

static int
by_key(const void *a, const void *b)
{
	const struct slot *left = a, *right = b;
	int order = strcmp(left->key, right->key);

	if (order != 0)
		return order;
	return left->at < right->at ? -1 : 1;
}

/* Of members with one key keep the last, in the place of the first. */
static int
keep_last(struct ptah_json *object, const struct slot *same, size_t n)
{
	struct ptah_json **items = object->items;

	ptah_json_free(items[same[0].at]);
	items[same[0].at] = items[same[n - 1].at];
	items[same[0].at]->twice = true;
	items[same[n - 1].at] = NULL;
	for (size_t i = 1; i + 1 < n; i++) {
		ptah_json_free(items[same[i].at]);
		items[same[i].at] = NULL;
	}
	return 0;
}

/* Put members with one key into an array, in the place of the first. */
static int
gather(struct ptah_json *object, const struct slot *same, size_t n)
{
	struct ptah_json *array = ptah_json_new(PTAH_JSON_ARRAY);
	int rc = array != NULL ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = ptah_json_add(array, object->items[same[i].at]);
		object->items[same[i].at] = NULL;
	}
	if (rc == 0)
		object->items[same[0].at] = array;
	else
		ptah_json_free(array);
	return rc;
}

/*
 * Make the keys of an object differ.  Sorting keeps this from taking the
 * square of the number of members, which a peer chooses.
 */
static int
settle(struct ptah_json *object, int (*unite)(struct ptah_json *, const struct slot *, size_t))
{
	struct slot *slots;
	size_t kept = 0;
	int rc = 0;

	if (object->n < 2)
		return 0;
	slots = calloc(object->n, sizeof(*slots));
	if (slots == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < object->n; i++)
		slots[i] = (struct slot){ object->keys[i], i };
	qsort(slots, object->n, sizeof(*slots), by_key);
	for (size_t i = 0, n; i < object->n && rc == 0; i += n) {
		for (n = 1; i + n < object->n && strcmp(slots[i].key, slots[i + n].key) == 0; n++)
			continue;
		if (n > 1)
			rc = unite(object, &slots[i], n);
	}
	free(slots);
	for (size_t i = 0; i < object->n; i++) {
		if (object->items[i] == NULL) {
			free(object->keys[i]);
			continue;
		}
		object->keys[kept] = object->keys[i];
		object->items[kept++] = object->items[i];
	}
	object->n = kept;
	return rc;
}

int
ptah_json_settle(struct ptah_json *object)
{
	return settle(object, keep_last);
}

int
ptah_json_push(struct ptah_json *to, char *key, struct ptah_json *value)
{
	return append(to, key, value);
}

int
ptah_json_overlay(struct ptah_json *object, const struct ptah_json *over)
{
	for (size_t i = 0; i < over->n; i++) {
		struct ptah_json *item = ptah_json_copy(over->items[i]);
		char *key = strdup(over->keys[i]);

		if (item == NULL || key == NULL) {
			ptah_json_free(item);
			free(key);
			return -ENOMEM;
		}
		if (append(object, key, item) != 0)
			return -ENOMEM;
	}
	return settle(object, keep_last);
}

struct ptah_json *
ptah_json_from_kv(const struct ptah_kv *kv, const char *name)
{
	struct ptah_json *object = ptah_json_new(PTAH_JSON_OBJECT);

	for (size_t i = 0; object != NULL && i < kv->n; i++) {
		const struct ptah_kv_pair *pair = &kv->pairs[i];
		struct ptah_json *value;
		char *key;

		if (name != NULL && (pair->name == NULL || strcmp(pair->name, name) != 0))
			continue;
		value = ptah_json_new_text(PTAH_JSON_STRING, pair->value);
		key = strdup(pair->key);
		if (value == NULL || key == NULL) {
			ptah_json_free(value);
			free(key);
			goto out;
		}
		if (append(object, key, value) != 0)
			goto out;
	}
	if (object != NULL && settle(object, gather) == 0)
		return object;

out:
	ptah_json_free(object);
	return NULL;
}

static void
print_string(const char *text, struct ptah_buf *out)
{
	const uint8_t *at = (const uint8_t *)text;
	size_t len = strlen(text);

	ptah_buf_puts(out, "\"");
	while (len > 0) {
		size_t n = ptah_text_utf8_len(at, len);

		if (n == 0) {
			/* Bytes of k=v need not be UTF-8; what we print must be. */
			ptah_buf_puts(out, "\xef\xbf\xbd");
			n = 1;
		} else if (at[0] == '"' || at[0] == '\\') {
			ptah_buf_puts(out, "\\");
			ptah_buf_add(out, at, 1);
		} else if (at[0] < 0x20 || at[0] == 0x7f) {
			ptah_buf_printf(out, "\\u%04x", at[0]);
		} else {
			ptah_buf_add(out, at, n);
		}
		at += n;
		len -= n;
	}
	ptah_buf_puts(out, "\"");
}

int
ptah_json_print(const struct ptah_json *json, struct ptah_buf *out)
{
	switch (json->type) {
	case PTAH_JSON_BOOL:
		return ptah_buf_puts(out, json->truth ? "true" : "false");
	case PTAH_JSON_NUMBER:
		return ptah_buf_puts(out, json->text);
	case PTAH_JSON_STRING:
		print_string(json->text, out);
		return out->rc;
	case PTAH_JSON_ARRAY:
	case PTAH_JSON_OBJECT:
		ptah_buf_puts(out, json->type == PTAH_JSON_ARRAY ? "[" : "{");
		for (size_t i = 0; i < json->n; i++) {
			if (i > 0)
				ptah_buf_puts(out, ",");
			if (json->type == PTAH_JSON_OBJECT) {
				print_string(json->keys[i], out);
				ptah_buf_puts(out, ":");
			}
			ptah_json_print(json->items[i], out);
		}
		return ptah_buf_puts(out, json->type == PTAH_JSON_ARRAY ? "]" : "}");
	default:
		return ptah_buf_puts(out, "null");
	}
}

char *
ptah_json_text(const struct ptah_json *json)
{
	struct ptah_buf out = { 0 };

	if (ptah_json_print(json, &out) != 0) {
		ptah_buf_wipe(&out);
		return NULL;
	}
	return ptah_buf_take_text(&out);
}

long
ptah_json_scan_more(struct ptah_json_scan *scan, const uint8_t *at, size_t len)
{
	for (; scan->at < len; scan->at++) {
		uint8_t c = at[scan->at];

		if (scan->escaped) {
			scan->escaped = false;
		} else if (scan->string) {
			scan->escaped = c == '\\';
			scan->string = c != '"';
		} else if (c == '{' || (c == '[' && scan->depth > 0)) {
			if (scan->depth == PTAH_JSON_DEPTH)
				return -EINVAL;
			scan->kinds = scan->kinds << 1 | (c == '{');
			scan->depth++;
		} else if (scan->depth == 0) {
			if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
				return -EINVAL;
		} else if (c == '}' || c == ']') {
			if ((scan->kinds & 1) != (c == '}'))
				return -EINVAL;
			scan->kinds >>= 1;
			if (--scan->depth == 0)
				return (long)++scan->at;
		} else {
			scan->string = c == '"';
		}
	}
	return 0;
}
