/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "base/text.h"
#include "transport/check.h"
#include "transport/chunk.h"
#include "transport/expect.h"
#include "transport/namedfile.h"

/* Longest text of a value that an error repeats. */
#define SHOWN 64

static const char *const host_keys[] = { PTAH_KEY_SERVER, PTAH_KEY_HALF_CLOSE, PTAH_KEY_MESSAGES,
	PTAH_KEY_OVER, NULL };

/* What one value is read with. */
struct reading {
	struct ptah_filled *out;
	const struct ptah_option *option;
	char *why; /* 'file_rc': what is wrong is in here, and else not yet */
	size_t why_room;
	int file_rc;      /* what is wrong with ... */
	const char *file; /* ... a file that it names; lent by the value */
};

/* A value as text, or NULL for lists and objects. */
static const char *
scalar_text(const struct ptah_json *json)
{
	switch (json->type) {
	case PTAH_JSON_STRING:
	case PTAH_JSON_NUMBER:
		return json->text;
	case PTAH_JSON_BOOL:
		return json->truth ? "true" : "false";
	default:
		return NULL;
	}
}

static bool
in_bounds(const struct ptah_option *option, int64_t value)
{
	return (option->min == 0 && option->max == 0) || (value >= option->min && value <= option->max);
}

/* Room for what a value points to.  A link's secrets go soon, and there may be many links. */
static void *
add_room(struct reading *reading, size_t len)
{
	struct ptah_chunk **chunks = &reading->out->chunks;
	uint32_t flags = reading->option->flags;

	return (flags & (PTAH_SECRET | PTAH_LINK)) == PTAH_SECRET ? ptah_chunk_add_locked(chunks, len) :
	    ptah_chunk_add(chunks, len);
}

/* A copy that belongs to the struct; *rc gets -ENOMEM. */
static const char *
keep_text(struct reading *reading, const char *text, int *rc)
{
	size_t len = strlen(text) + 1;
	char *copy = add_room(reading, len);

	*rc = copy != NULL ? 0 : -ENOMEM;
	return copy != NULL ? memcpy(copy, text, len) : NULL;
}

static int
read_text(struct reading *reading, const char *text, void *at)
{
	const char **value = at;
	int rc;

	if (reading->option->type == PTAH_ADDRESS) {
		struct ptah_dest dest;

		if (ptah_dest_parse(&dest, text, false) < 0)
			return -EINVAL;
	}
	if (!in_bounds(reading->option, (int64_t)strlen(text)))
		return -EINVAL;
	*value = keep_text(reading, text, &rc);
	return rc;
}

static int
read_bytes(struct reading *reading, const char *text, void *at)
{
	struct ptah_span *value = at;
	size_t room = strlen(text) + 1;
	uint8_t *bytes = add_room(reading, room);
	long n;

	if (bytes == NULL)
		return -ENOMEM;
	if (reading->option->type == PTAH_HEX)
		n = ptah_text_unhex(text, bytes, room);
	else if (reading->option->type == PTAH_BASE64)
		n = ptah_text_unbase64(text, bytes, room);
	else
		n = ptah_text_unbase32(text, bytes, room);
	if (n < 0 || !in_bounds(reading->option, n))
		return -EINVAL;
	value->at = bytes;
	value->len = (size_t)n;
	return 0;
}

static int
read_int(struct reading *reading, const char *text, void *at)
{
	const char *digits = text[0] == '-' ? text + 1 : text;
	int64_t *value = at;
	char *end;
	long long n;

	if (digits[0] < '0' || digits[0] > '9')
		return -EINVAL;
	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno != 0 || *end != '\0' || !in_bounds(reading->option, n))
		return -EINVAL;
	*value = n;
	return 0;
}

static int
read_duration(struct reading *reading, const char *text, void *at)
{
	uint64_t *value = at, ns;

	if (ptah_text_duration(text, &ns) < 0 || ns > INT64_MAX || !in_bounds(reading->option, (int64_t)ns))
		return -EINVAL;
	*value = ns;
	return 0;
}

static int
read_word(struct reading *reading, const char *text, void *at)
{
	uint32_t *value = at;

	for (uint32_t i = 0; reading->option->words[i] != NULL; i++) {
		if (strcasecmp(reading->option->words[i], text) == 0) {
			*value = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* It goes straight to where it stays: what is secret in it comes by nowhere else. */
static int
read_file(struct reading *reading, const char *path, void *at)
{
	struct ptah_file *value = at;
	struct ptah_namedfile file;
	uint8_t *bytes = NULL;
	char *copy;
	int rc;

	if (path[0] != '/')
		return -EINVAL;
	copy = ptah_chunk_add(&reading->out->chunks, strlen(path) + 1);
	if (copy == NULL)
		return -ENOMEM;
	value->path = memcpy(copy, path, strlen(path) + 1);
	rc = ptah_namedfile_open(&file, reading->option, path, reading->why, reading->why_room);
	if (rc == 0) {
		bytes = add_room(reading, file.len + 1);
		rc = bytes != NULL ? ptah_namedfile_read(&file, bytes, reading->why, reading->why_room) : -ENOMEM;
		ptah_namedfile_close(&file);
	}
	if (rc == -ENOMEM)
		return rc;
	reading->file_rc = rc;
	reading->file = rc < 0 ? path : NULL;
	if (rc == 0)
		value->bytes = (struct ptah_span){ bytes, file.len };
	return rc < 0 ? -EINVAL : 0;
}

/* Text that is JSON (k=v can say it no other way) is taken as what it says. */
static int
read_nested(struct reading *reading, const struct ptah_json *json, void *at)
{
	struct ptah_json *inner = NULL;
	char ignored[128], *text;
	const char **value = at;
	int rc;

	if (json->type == PTAH_JSON_STRING)
		inner = ptah_json_parse(json->text, strlen(json->text), 0, ignored, sizeof(ignored));
	text = ptah_json_text(inner != NULL ? inner : json);
	ptah_json_free(inner);
	if (text == NULL)
		return -ENOMEM;
	*value = keep_text(reading, text, &rc);
	explicit_bzero(text, strlen(text));
	free(text);
	return rc;
}

static int
read_one(struct reading *reading, const struct ptah_json *json, void *at)
{
	const char *text = scalar_text(json);
	bool truth;

	if (reading->option->type == PTAH_NESTED)
		return read_nested(reading, json, at);
	if (text == NULL)
		return -EINVAL;
	switch (reading->option->type) {
	case PTAH_STRING:
	case PTAH_ADDRESS:
		return read_text(reading, text, at);
	case PTAH_HEX:
	case PTAH_BASE64:
	case PTAH_BASE32:
		return read_bytes(reading, text, at);
	case PTAH_INT:
		return read_int(reading, text, at);
	case PTAH_DURATION:
		return read_duration(reading, text, at);
	case PTAH_WORD:
		return read_word(reading, text, at);
	case PTAH_FILE:
		return read_file(reading, text, at);
	default:
		if (ptah_text_bool(text, &truth) < 0)
			return -EINVAL;
		*(uint8_t *)at = truth;
		return 0;
	}
}

/* *bad: the value that was wrong. */
static int
read_list(struct reading *reading, const struct ptah_json *json, void *at, const struct ptah_json **bad)
{
	struct ptah_option item = *reading->option;
	const struct ptah_json *const one[] = { json };
	const struct ptah_json *const *items = one;
	struct ptah_list *list = at;
	size_t n = 1, size;
	char *array;

	item.flags &= ~PTAH_LIST;
	size = ptah_check_value_size(&item);
	if (json->type == PTAH_JSON_ARRAY) {
		items = (const struct ptah_json *const *)json->items;
		n = json->n;
	}
	if (n == 0)
		return 0;
	array = ptah_chunk_add(&reading->out->chunks, n * size);
	if (array == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int rc = read_one(reading, items[i], array + i * size);

		*bad = items[i];
		if (rc < 0)
			return rc;
	}
	list->items = array;
	list->n = n;
	return 0;
}

/* Several texts where one is wanted are a key that was repeated. */
static const struct ptah_json *
first_of(const struct ptah_json *json)
{
	if (json->type != PTAH_JSON_ARRAY || json->n == 0)
		return json;
	for (size_t i = 0; i < json->n; i++)
		if (json->items[i]->type != PTAH_JSON_STRING)
			return json;
	return json->items[0];
}

static void
say_bad(const struct ptah_option *option, const struct ptah_json *json, char *why, size_t why_room)
{
	const char *text = scalar_text(json);
	char expected[512];

	ptah_expect_text(option, expected, sizeof(expected));
	if (ptah_option_hides(option))
		snprintf(why, why_room, "option \"%s\": the value is not %s", option->name, expected);
	else if (text == NULL)
		snprintf(why, why_room, "option \"%s\": %s is not %s", option->name,
		    json->type == PTAH_JSON_ARRAY ? "a list" : "an object", expected);
	else
		snprintf(why, why_room, "option \"%s\": \"%.*s%s\" is not %s", option->name, SHOWN, text,
		    strlen(text) > SHOWN ? "..." : "", expected);
}

static int
read_value(struct reading *reading, const struct ptah_json *json)
{
	const struct ptah_option *option = reading->option;
	char *at = (char *)reading->out->values + option->offset;
	const struct ptah_json *bad = json;
	int rc;

	if ((option->flags & PTAH_LIST) != 0) {
		rc = read_list(reading, json, at, &bad);
	} else {
		bad = option->type == PTAH_NESTED ? json : first_of(json);
		rc = read_one(reading, bad, at);
	}
	if (rc == -EINVAL && reading->file_rc == 0)
		say_bad(option, bad, reading->why, reading->why_room);
	else if (rc < 0 && rc != -EINVAL)
		snprintf(reading->why, reading->why_room, "out of memory");
	return rc;
}

static int
read_option(struct ptah_filled *out, const struct ptah_option *option, const struct ptah_json *json,
    char *why, size_t why_room)
{
	struct reading reading = { .out = out, .option = option, .why = why, .why_room = why_room };

	return read_value(&reading, json);
}

int
ptah_options_try(const struct ptah_option *option, const struct ptah_json *value, const char **file,
    char *why, size_t why_room)
{
	struct ptah_option alone = *option;
	struct ptah_filled into = { 0 };
	struct reading reading = { .out = &into, .option = &alone, .why = why, .why_room = why_room };
	int rc = -ENOMEM;

	alone.offset = 0;
	into.values = ptah_chunk_add(&into.chunks, ptah_check_value_size(&alone));
	if (into.values != NULL)
		rc = read_value(&reading, value);
	ptah_filled_clear(&into);
	*file = reading.file;
	return rc == -EINVAL && reading.file_rc < 0 ? reading.file_rc : rc;
}

bool
ptah_option_hides(const struct ptah_option *option)
{
	return (option->flags & PTAH_SECRET) != 0 && option->type != PTAH_FILE;
}

bool
ptah_option_is_for(const struct ptah_option *option, uint32_t role)
{
	return (option->flags & (role == PTAH_CLIENT ? PTAH_SERVER_ONLY : PTAH_CLIENT_ONLY)) == 0;
}

const struct ptah_json *
ptah_options_said(const struct ptah_option *option, const struct ptah_json *options)
{
	const struct ptah_json *said = options != NULL ? ptah_json_get(options, option->name) : NULL;

	for (size_t i = 0; options != NULL && said == NULL && option->aliases != NULL && option->aliases[i] != NULL; i++)
		said = ptah_json_get(options, option->aliases[i]);
	return said != NULL && said->type != PTAH_JSON_NULL ? said : NULL;
}

static int
fill_one(struct ptah_filled *out, const struct ptah_option *option, const struct ptah_json *options,
    const struct ptah_option **missing, char *why, size_t why_room)
{
	const struct ptah_json *said = ptah_options_said(option, options);
	struct ptah_json *def;
	int rc;

	if (said != NULL)
		return read_option(out, option, said, why, why_room);
	if (option->def == NULL) {
		if ((option->flags & PTAH_REQUIRED) != 0 && *missing == NULL)
			*missing = option;
		return 0;
	}
	def = ptah_json_new_text(PTAH_JSON_STRING, option->def);
	if (def == NULL) {
		snprintf(why, why_room, "out of memory");
		return -ENOMEM;
	}
	rc = read_option(out, option, def, why, why_room);
	ptah_json_free(def);
	return rc;
}

static bool
is_of(const struct ptah_option *option, bool link, uint32_t role)
{
	return ((option->flags & PTAH_LINK) != 0) == link && ptah_option_is_for(option, role);
}

/* The first of those of which one must be there, if none is. */
static const struct ptah_option *
missing_either(const struct ptah_module *module, uint32_t role, bool link, const struct ptah_json *options)
{
	const struct ptah_option *first = NULL;

	for (const struct ptah_option *option = module->options; option != NULL && option->name != NULL; option++) {
		if ((option->flags & PTAH_EITHER) == 0 || !is_of(option, link, role))
			continue;
		if (ptah_options_said(option, options) != NULL)
			return NULL;
		if (first == NULL)
			first = option;
	}
	return first;
}

int
ptah_options_fill(struct ptah_filled *out, const struct ptah_module *module, uint32_t role, bool link,
    const struct ptah_json *options, const struct ptah_option **missing, char *why, size_t why_room)
{
	size_t size = link ? module->args_size : module->conf_size;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	*missing = NULL;
	if (size > 0) {
		out->values = ptah_chunk_add(&out->chunks, size);
		if (out->values == NULL) {
			snprintf(why, why_room, "out of memory");
			return -ENOMEM;
		}
	}
	for (const struct ptah_option *option = module->options; rc == 0 && option != NULL && option->name != NULL; option++)
		if (is_of(option, link, role))
			rc = fill_one(out, option, options, missing, why, why_room);
	if (rc == 0 && *missing == NULL)
		*missing = missing_either(module, role, link, options);
	if (rc < 0)
		ptah_filled_clear(out);
	return rc;
}

void
ptah_filled_clear(struct ptah_filled *filled)
{
	ptah_chunks_free(&filled->chunks);
	filled->values = NULL;
}

void
ptah_options_say_missing(const struct ptah_option *missing, char *why, size_t why_room)
{
	snprintf(why, why_room, "option \"%s\" is missing%s%s", missing->name,
	    missing->help != NULL ? ": " : "", missing->help != NULL ? missing->help : "");
}

static bool
has_key(const struct ptah_option *option, const char *key)
{
	if (strcmp(option->name, key) == 0)
		return true;
	for (size_t i = 0; option->aliases != NULL && option->aliases[i] != NULL; i++)
		if (strcmp(option->aliases[i], key) == 0)
			return true;
	return false;
}

const struct ptah_option *
ptah_options_find(const struct ptah_module *module, uint32_t role, const char *key)
{
	for (const struct ptah_option *option = module->options; option != NULL && option->name != NULL; option++)
		if (ptah_option_is_for(option, role) && has_key(option, key))
			return option;
	return NULL;
}

bool
ptah_options_is_host(const char *key)
{
	for (size_t i = 0; host_keys[i] != NULL; i++)
		if (strcmp(host_keys[i], key) == 0)
			return true;
	return false;
}

void
ptah_options_say_unknown(const struct ptah_module *module, uint32_t role, const char *key, char *why, size_t why_room)
{
	uint32_t other = role == PTAH_CLIENT ? PTAH_SERVER : PTAH_CLIENT;
	const char *known[PTAH_OPTIONS_LIMIT + sizeof(host_keys) / sizeof(host_keys[0])];
	const char *near;
	size_t n = 0;

	if (ptah_options_find(module, other, key) != NULL) {
		snprintf(why, why_room, "option \"%.*s\" is for a %s; not used here", SHOWN, key,
		    other == PTAH_CLIENT ? "client" : "server");
		return;
	}
	for (const struct ptah_option *option = module->options; option != NULL && option->name != NULL; option++)
		if (ptah_option_is_for(option, role))
			known[n++] = option->name;
	for (size_t i = 0; host_keys[i] != NULL; i++)
		known[n++] = host_keys[i];
	known[n] = NULL;
	near = ptah_text_nearest(key, known);
	if (near != NULL)
		snprintf(why, why_room, "option \"%.*s\" is not known; did you mean \"%s\"?", SHOWN, key, near);
	else
		snprintf(why, why_room, "option \"%.*s\" is not known", SHOWN, key);
}

int
ptah_options_host(const struct ptah_json *options, int *half_close, char *server, char *why, size_t why_room)
{
	static const char *const words[] = { "auto", "send", "hold", NULL };
	const struct ptah_json *said = options != NULL ? ptah_json_get(options, PTAH_KEY_HALF_CLOSE) : NULL;

	server[0] = '\0';
	if (said != NULL && said->type != PTAH_JSON_NULL) {
		struct ptah_option option = { .name = PTAH_KEY_HALF_CLOSE, .type = PTAH_WORD, .words = words };
		uint32_t value = 0;
		struct ptah_filled into = { .values = &value };

		if (read_option(&into, &option, said, why, why_room) < 0)
			return -EINVAL;
		*half_close = (int)value;
	}
	said = options != NULL ? ptah_json_get(options, PTAH_KEY_SERVER) : NULL;
	if (said != NULL && said->type != PTAH_JSON_NULL) {
		struct ptah_option option = { .name = PTAH_KEY_SERVER, .type = PTAH_ADDRESS };
		const char *text = scalar_text(first_of(said));
		struct ptah_dest dest;

		if (text == NULL || ptah_dest_parse(&dest, text, false) < 0) {
			say_bad(&option, first_of(said), why, why_room);
			return -EINVAL;
		}
		ptah_dest_format(&dest, server);
	}
	return 0;
}

int
ptah_options_messages(const struct ptah_json *options, int *messages, char *why, size_t why_room)
{
	const struct ptah_json *said = options != NULL ? ptah_json_get(options, PTAH_KEY_MESSAGES) : NULL;
	struct ptah_option option = { .name = PTAH_KEY_MESSAGES, .type = PTAH_BOOL };
	uint8_t value = 0;
	struct ptah_filled into = { .values = &value };

	*messages = -1;
	if (said == NULL || said->type == PTAH_JSON_NULL)
		return 0;
	if (read_option(&into, &option, said, why, why_room) < 0)
		return -EINVAL;
	*messages = value;
	return 0;
}
