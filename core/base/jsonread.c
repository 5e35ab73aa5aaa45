/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * base/jsonread.c: text into a tree of base/json.h.
 *
 * yajl does the tokens and the grammar.  Before it sees a byte we check what
 * it is lax about (UTF-8, surrogate pairs, NUL), and on the way to it put the
 * quotes around bare keys.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/json.h"
#include "base/jsontree.h"
#include "base/text.h"

struct ring {
	struct ring *prev, *next;
};

/* Memory that yajl asked for. */
struct block {
	struct ring ring; /* first, so that a ring is a block */
	size_t len;
	alignas(max_align_t) unsigned char bytes[];
};

struct reader {
	const char *text;
	size_t len;
	unsigned flags;
	struct ring blocks; /* all of them, behind this head */
	jmp_buf no_memory;
	yajl_handle yajl;
	struct ptah_json *root;
	struct ptah_json *open[PTAH_JSON_DEPTH];
	size_t depth;
	char *key; /* of the value that comes next */
	bool placed;
	uint32_t *starts; /* where tokens begin that yajl will tell of, in this order; from 1 */
	size_t n_starts, told;
	uint32_t key_at;
	const char *wrong;
	size_t wrong_at;
	int rc;
};

/*
 * yajl does not look whether memory was had.  So when there is none we leave
 * it altogether, and free what it holds from the ring of its blocks; they are
 * wiped, for passwords went through them.
 */
static void
drop_block(struct block *block)
{
	block->ring.prev->next = block->ring.next;
	block->ring.next->prev = block->ring.prev;
	explicit_bzero(block->bytes, block->len);
	free(block);
}

static void *
yajl_take(void *arg, size_t len)
{
	struct reader *reader = arg;
	struct block *block = malloc(sizeof(*block) + len);

	if (block == NULL)
		longjmp(reader->no_memory, 1);
	block->len = len;
	block->ring.next = reader->blocks.next;
	block->ring.prev = &reader->blocks;
	block->ring.next->prev = &block->ring;
	reader->blocks.next = &block->ring;
	return block->bytes;
}

static void
yajl_give(void *arg, void *bytes)
{
	(void)arg;
	if (bytes != NULL)
		drop_block((struct block *)((char *)bytes - offsetof(struct block, bytes)));
}

static void *
yajl_retake(void *arg, void *bytes, size_t len)
{
	struct block *old;
	void *grown;

	if (bytes == NULL)
		return yajl_take(arg, len);
	old = (struct block *)((char *)bytes - offsetof(struct block, bytes));
	grown = yajl_take(arg, len);
	memcpy(grown, old->bytes, old->len < len ? old->len : len);
	drop_block(old);
	return grown;
}

/* A token begins here that yajl makes a key or a value of, later. */
static int
note_start(struct reader *reader, size_t at)
{
	if (!reader->placed)
		return 0;
	if ((reader->n_starts & (reader->n_starts - 1)) == 0) {
		size_t room = reader->n_starts == 0 ? 1 : reader->n_starts * 2;
		uint32_t *starts = reallocarray(reader->starts, room, sizeof(*starts));

		if (starts == NULL)
			return -ENOMEM;
		reader->starts = starts;
	}
	reader->starts[reader->n_starts++] = (uint32_t)at + 1;
	return 0;
}

/* Where the token began that yajl tells of now; 0 when nobody asked. */
static uint32_t
next_start(struct reader *reader)
{
	return reader->told < reader->n_starts ? reader->starts[reader->told++] : 0;
}

/* Put a value where it belongs.  Takes: value. */
static int
place(struct reader *reader, struct ptah_json *value)
{
	char *key = reader->key;

	reader->key = NULL;
	if (value == NULL) {
		free(key);
		reader->rc = -ENOMEM;
		return 0;
	}
	value->at = next_start(reader);
	value->key_at = reader->key_at;
	reader->key_at = 0;
	if (reader->depth == 0) {
		reader->root = value;
	} else {
		reader->rc = ptah_json_push(reader->open[reader->depth - 1], key, value);
	}
	return reader->rc == 0;
}

static int
place_text(struct reader *reader, int type, const char *text, size_t len)
{
	struct ptah_json *value = ptah_json_new(type);

	if (value != NULL) {
		value->text = strndup(text, len);
		if (value->text == NULL) {
			ptah_json_free(value);
			value = NULL;
		}
	}
	return place(reader, value);
}

static int
open_value(struct reader *reader, int type)
{
	struct ptah_json *value;

	if (reader->depth == PTAH_JSON_DEPTH) {
		reader->wrong = "nested too deeply";
		return 0;
	}
	value = ptah_json_new(type);
	if (!place(reader, value))
		return 0;
	reader->open[reader->depth++] = value;
	return 1;
}

static int
on_null(void *arg)
{
	return place(arg, ptah_json_new(PTAH_JSON_NULL));
}

static int
on_boolean(void *arg, int truth)
{
	struct ptah_json *value = ptah_json_new(PTAH_JSON_BOOL);

	if (value != NULL)
		value->truth = truth != 0;
	return place(arg, value);
}

static int
on_number(void *arg, const char *text, size_t len)
{
	return place_text(arg, PTAH_JSON_NUMBER, text, len);
}

static int
on_string(void *arg, const unsigned char *text, size_t len)
{
	return place_text(arg, PTAH_JSON_STRING, (const char *)text, len);
}

static int
on_object(void *arg)
{
	return open_value(arg, PTAH_JSON_OBJECT);
}

static int
on_key(void *arg, const unsigned char *text, size_t len)
{
	struct reader *reader = arg;

	reader->key_at = next_start(reader);
	reader->key = strndup((const char *)text, len);
	if (reader->key == NULL)
		reader->rc = -ENOMEM;
	return reader->rc == 0;
}

static int
on_object_end(void *arg)
{
	struct reader *reader = arg;

	reader->rc = ptah_json_settle(reader->open[--reader->depth]);
	return reader->rc == 0;
}

static int
on_array(void *arg)
{
	return open_value(arg, PTAH_JSON_ARRAY);
}

static int
on_array_end(void *arg)
{
	struct reader *reader = arg;

	reader->depth--;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_object_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_array_end,
};

static int
fail_at(struct reader *reader, size_t at, const char *wrong)
{
	reader->wrong = wrong;
	reader->wrong_at = at;
	return -EINVAL;
}

/* The code unit of "\uXXXX" at 'at', or -1. */
static long
code_unit(const struct reader *reader, size_t at)
{
	char hex[5];
	uint8_t unit[2];

	if (reader->len - at < 6 || memcmp(reader->text + at, "\\u", 2) != 0)
		return -1;
	memcpy(hex, reader->text + at + 2, 4);
	hex[4] = '\0';
	if (ptah_text_unhex(hex, unit, sizeof(unit)) != 2)
		return -1;
	return unit[0] << 8 | unit[1];
}

/* Check a string from its quote on, and say where it ends (behind its quote). */
static int
check_string(struct reader *reader, size_t at, size_t *end)
{
	for (at++; at < reader->len && reader->text[at] != '"'; at++) {
		long unit;

		if (reader->text[at] != '\\')
			continue;
		unit = code_unit(reader, at);
		if (unit == 0)
			return fail_at(reader, at, "a NUL in a string");
		if (unit >= 0xdc00 && unit <= 0xdfff)
			return fail_at(reader, at, "half a surrogate pair");
		if (unit >= 0xd800 && unit <= 0xdbff) {
			long other = code_unit(reader, at + 6);

			if (other < 0xdc00 || other > 0xdfff)
				return fail_at(reader, at, "half a surrogate pair");
			at += 6;
		}
		at += unit >= 0 ? 5 : 1;
	}
	*end = at < reader->len ? at + 1 : reader->len;
	return 0;
}

/* Skip white space and, where they are allowed, comments. */
static size_t
skip_blank(struct reader *reader, size_t at)
{
	const char *text = reader->text;

	while (at < reader->len) {
		if (strchr(" \t\r\n", text[at]) != NULL) {
			at++;
		} else if ((reader->flags & PTAH_JSON_COMMENTS) != 0 && reader->len - at >= 2 &&
		    text[at] == '/' && text[at + 1] == '/') {
			while (at < reader->len && text[at] != '\n')
				at++;
		} else if ((reader->flags & PTAH_JSON_COMMENTS) != 0 && reader->len - at >= 2 &&
		    text[at] == '/' && text[at + 1] == '*') {
			const char *end = memmem(text + at + 2, reader->len - at - 2, "*/", 2);

			if (end == NULL)
				fail_at(reader, at, "a comment without an end"); /* yajl would not mind */
			at = end != NULL ? (size_t)(end - text) + 2 : reader->len;
		} else {
			break;
		}
	}
	return at;
}

static bool
is_key_byte(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
	    (!first && ((c >= '0' && c <= '9') || c == '-'));
}

/* Where the number ends that begins at 'at'; 'at' itself if none does. */
static size_t
end_of_number(const struct reader *reader, size_t at)
{
	size_t end = at;

	if (reader->text[at] != '-' && (reader->text[at] < '0' || reader->text[at] > '9'))
		return at;
	while (end < reader->len && strchr("0123456789+-.eE", reader->text[end]) != NULL)
		end++;
	return end;
}

/* What yajl says, in our words. */
static const char *
reword(const char *said)
{
	static const struct {
		const char *said, *ours;
	} words[] = {
		{ "premature EOF", "it ends too early" },
		{ "trailing garbage", "something follows the end" },
		{ "invalid object key", "an object's key must be a string" },
		{ "object key and value must", "no ':' after an object's key" },
		{ "after key and value", "no ',' or '}' after an object's value" },
		{ "after array element", "no ',' or ']' after an array's item" },
		{ "malformed number", "a bad number" },
		{ "invalid number", "a bad number" },
		{ "invalid char", "a character that may not stand here" },
		{ "invalid string", "an unknown word" },
		{ "unallowed token", "something that may not stand here" },
		{ "escape", "a bad escape in a string" },
		{ "inside a string", "a bad character in a string" },
		{ "comment", "a comment that may not stand here" },
	};

	for (size_t i = 0; said != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
		if (strstr(said, words[i].said) != NULL)
			return words[i].ours;
	}
	return "not JSON";
}

/* Give yajl the bytes from 'at' to 'end' of the text; 'last' ends the value. */
static int
feed(struct reader *reader, const char *bytes, size_t len, size_t at, bool last)
{
	yajl_status status = yajl_status_ok;
	size_t used = len;
	bool failed;

	if (len > 0)
		status = yajl_parse(reader->yajl, (const unsigned char *)bytes, len);
	failed = status != yajl_status_ok;
	if (failed)
		used = yajl_get_bytes_consumed(reader->yajl);
	else if (last)
		status = yajl_complete_parse(reader->yajl);
	if (status == yajl_status_ok)
		return 0;
	if (reader->rc != 0)
		return reader->rc;
	if (used > len)
		used = len;
	if (reader->wrong == NULL) {
		unsigned char *said = yajl_get_error(reader->yajl, 0, NULL, 0);

		reader->wrong = reword((const char *)said);
		yajl_free_error(reader->yajl, said);
	}
	/* yajl stands behind what it could not take. */
	return fail_at(reader, at + used - (failed && used > 0), reader->wrong);
}

/* Walk the text, check it, and hand it to yajl with its bare keys quoted. */
static int
walk(struct reader *reader)
{
	const char *text = reader->text;
	size_t fed = 0, at = 0;
	bool key = false;
	int rc = 0;

	while (rc == 0 && (at = skip_blank(reader, at)) < reader->len) {
		size_t end = at;

		if (text[at] == '"') {
			rc = note_start(reader, at);
			if (rc == 0)
				rc = check_string(reader, at, &at);
			key = false;
			continue;
		}
		while (end < reader->len && is_key_byte(text[end], end == at))
			end++;
		if (end == at) {
			end = end_of_number(reader, at);
			key = false;
		}
		if (end == at) {
			if (text[at] == '{' || text[at] == '[')
				rc = note_start(reader, at);
			key = text[at] == '{' || text[at] == ',';
			at++;
			continue;
		}
		rc = note_start(reader, at);
		if (rc != 0)
			break;
		if (key && (reader->flags & PTAH_JSON_BARE_KEYS) != 0) {
			size_t next = skip_blank(reader, end);

			if (next < reader->len && text[next] == ':') {
				rc = feed(reader, text + fed, at - fed, fed, false);
				if (rc == 0)
					rc = feed(reader, "\"", 1, at, false);
				if (rc == 0)
					rc = feed(reader, text + at, end - at, at, false);
				if (rc == 0)
					rc = feed(reader, "\"", 1, end, false);
				fed = end;
			}
		}
		key = false;
		at = end;
	}
	if (rc == 0 && reader->wrong != NULL)
		rc = -EINVAL;
	if (rc == 0)
		rc = feed(reader, text + fed, reader->len - fed, fed, true);
	return rc;
}

/* What yajl does not check, or only half. */
static int
check_text(struct reader *reader)
{
	const uint8_t *at = (const uint8_t *)reader->text;

	if (reader->len >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
		return fail_at(reader, 0, "a byte order mark");
	for (size_t i = 0, n; i < reader->len; i += n) {
		n = ptah_text_utf8_len(at + i, reader->len - i);
		if (n == 0)
			return fail_at(reader, i, at[i] == 0 ? "a NUL byte" : "invalid UTF-8");
	}
	return 0;
}

static int
read_all(struct reader *reader)
{
	yajl_alloc_funcs memory = { yajl_take, yajl_retake, yajl_give, reader };
	int rc = check_text(reader);

	if (rc != 0)
		return rc;
	if (setjmp(reader->no_memory) != 0)
		return -ENOMEM;
	reader->yajl = yajl_alloc(&callbacks, &memory, reader);
	if ((reader->flags & PTAH_JSON_COMMENTS) != 0)
		yajl_config(reader->yajl, yajl_allow_comments, 1);
	return walk(reader);
}

void
ptah_json_where(const char *text, uint32_t at, unsigned *line, unsigned *column)
{
	*line = *column = 1;
	for (size_t i = 0; i + 1 < at; i++) {
		if (text[i] == '\n') {
			*line += 1;
			*column = 1;
		} else if (((uint8_t)text[i] & 0xc0) != 0x80) {
			*column += 1;
		}
	}
}

static struct ptah_json *
parse(struct reader *reader)
{
	int rc;

	reader->blocks.next = reader->blocks.prev = &reader->blocks;
	rc = read_all(reader);
	while (reader->blocks.next != &reader->blocks)
		drop_block((struct block *)reader->blocks.next);
	free(reader->key);
	free(reader->starts);
	if (rc == 0)
		return reader->root;
	ptah_json_free(reader->root);
	errno = -rc;
	return NULL;
}

struct ptah_json *
ptah_json_parse(const char *text, size_t len, unsigned flags, char *why, size_t why_room)
{
	struct reader reader = { .text = text, .len = len, .flags = flags };
	struct ptah_json *json = parse(&reader);
	unsigned line, column;

	if (json != NULL)
		return json;
	if (errno == EINVAL) {
		ptah_json_where(text, (uint32_t)reader.wrong_at + 1, &line, &column);
		snprintf(why, why_room, "%s, at line %u, column %u", reader.wrong, line, column);
	} else {
		snprintf(why, why_room, "out of memory");
	}
	return NULL;
}

struct ptah_json *
ptah_json_parse_placed(const char *text, size_t len, unsigned flags, uint32_t *wrong_at, char *why, size_t why_room)
{
	struct reader reader = { .text = text, .len = len, .flags = flags, .placed = true };
	struct ptah_json *json = parse(&reader);

	*wrong_at = 0;
	if (json != NULL)
		return json;
	snprintf(why, why_room, "%s", errno == EINVAL ? reader.wrong : "out of memory");
	if (errno == EINVAL)
		*wrong_at = (uint32_t)reader.wrong_at + 1;
	return NULL;
}
