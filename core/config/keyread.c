/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/keyread.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

/* Longest text of a value that a fault repeats. */
#define SHOWN 80
/* More keys than any section has. */
#define KEYS_MAX 64

void
ptah_keyread_fault(struct ptah_keyreader *reader, unsigned how, const struct ptah_json *value, const char *more,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int rc = ptah_runfile_vfault(reader->file, reader->faults, how, value, more, format, args);
	va_end(args);
	if (rc != 0)
		reader->rc = rc;
}

/* ---- what does not fit ------------------------------------------------------------- */

static void
show(const struct ptah_key *key, const struct ptah_json *value, struct ptah_buf *out)
{
	static const char *const kinds[] = { "null", "", "", "", "an array", "an object" };

	if (key->kind == PTAH_KIND_SECRET)
		ptah_buf_puts(out, "the value");
	else if (value->type == PTAH_JSON_BOOL)
		ptah_buf_puts(out, value->truth ? "true" : "false");
	else if (value->type == PTAH_JSON_NUMBER)
		ptah_buf_printf(out, "%.*s", SHOWN, value->text);
	else if (value->type == PTAH_JSON_STRING)
		ptah_buf_printf(out, "\"%.*s%s\"", (int)ptah_text_utf8_cut(value->text, strlen(value->text), SHOWN),
		    value->text, strlen(value->text) > SHOWN ? "..." : "");
	else
		ptah_buf_puts(out, kinds[value->type]);
}

void
ptah_keyread_misfit(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value)
{
	const char *near = key->kind == PTAH_KIND_WORD && value->type == PTAH_JSON_STRING ?
	    ptah_text_nearest(value->text, key->words) : NULL;
	struct ptah_buf text = { 0 };

	show(key, value, &text);
	ptah_buf_puts(&text, " is not ");
	(void)ptah_key_expect(key, &text);
	if (near)
		ptah_buf_printf(&text, "; did you mean \"%s\"?", near);
	if (text.rc == 0)
		ptah_keyread_fault(reader, 0, value, NULL, "%s", (const char *)text.at);
	else
		reader->rc = text.rc;
	ptah_buf_clear(&text);
}

static int
type_of(int kind)
{
	switch (kind) {
	case PTAH_KIND_SWITCH:
		return PTAH_JSON_BOOL;
	case PTAH_KIND_NUMBER:
		return PTAH_JSON_NUMBER;
	case PTAH_KIND_PATHS:
	case PTAH_KIND_PREFIXES:
	case PTAH_KIND_LAYERS:
		return PTAH_JSON_ARRAY;
	case PTAH_KIND_OPTIONS:
	case PTAH_KIND_SECTION:
	case PTAH_KIND_SERVICES:
		return PTAH_JSON_OBJECT;
	default:
		return PTAH_JSON_STRING;
	}
}

/* Is a text what one of this kind looks like?  What more there is to it, the row's reader says. */
static bool
is_text_of(const struct ptah_key *key, const char *text)
{
	if (text[0] == '\0' || (key->max != 0 && strlen(text) > key->max))
		return false;
	if (key->kind == PTAH_KIND_PATH)
		return text[0] == '/';
	if (key->kind == PTAH_KIND_STACK)
		return ptah_text_is_stack(text, strlen(text));
	return true;
}

bool
ptah_keyread_fits(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value)
{
	bool fits = value->type == type_of(key->kind) ||
	    (key->kind == PTAH_KIND_LISTEN && value->type == PTAH_JSON_ARRAY);

	if (fits && value->type == PTAH_JSON_STRING)
		fits = is_text_of(key, value->text);
	if (!fits)
		ptah_keyread_misfit(reader, key, value);
	return fits;
}

/* ---- an object ------------------------------------------------------------------------ */

/* Where else there is a key of this name. */
static const char *
home_of(const char *name)
{
	if (ptah_key_find(ptah_keys_file, name))
		return "at the top of the file";
	if (ptah_key_find(ptah_keys_service, name))
		return "in a service";
	if (ptah_key_find(ptah_keys_limits, name))
		return "in the \"limits\" of a service";
	return NULL;
}

static void
say_unknown(struct ptah_keyreader *reader, const struct ptah_key *section, const char *name,
    const struct ptah_json *value)
{
	const char *known[KEYS_MAX + 1], *near, *home = home_of(name);
	size_t n = 0;

	for (const struct ptah_key *key = section; key->name && n < KEYS_MAX; key++)
		known[n++] = key->name;
	known[n] = NULL;
	near = ptah_text_nearest(name, known);
	if (home)
		ptah_keyread_fault(reader, PTAH_FAULT_KEY, value, NULL, "this key does not belong here, but %s", home);
	else if (near)
		ptah_keyread_fault(reader, PTAH_FAULT_KEY, value, NULL, "there is no such key; did you mean \"%s\"?",
		    near);
	else
		ptah_keyread_fault(reader, PTAH_FAULT_KEY, value, NULL, "there is no such key: see man ptah-conf");
}

/* Is it a key for this service at all? */
static bool
is_for_us(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value)
{
	if (reader->role != 0 && (key->roles & reader->role) == 0) {
		bool client = reader->role == PTAH_ROLE_CLIENT;

		ptah_keyread_fault(reader, PTAH_FAULT_KEY, value, NULL, "this is for a %s, and the service is a %s: "
		    "leave it out%s", client ? "server" : "client", client ? "client" : "server",
		    strcmp(key->name, "target") == 0 ? "; options.serverAddress names a client's server" : "");
		return false;
	}
	if ((key->marks & PTAH_KEY_UDP) != 0 && (reader->mode == PTAH_MODE_SOCKS5 || reader->mode == PTAH_MODE_TCP))
		ptah_keyread_fault(reader, PTAH_FAULT_KEY | PTAH_FAULT_WARNING, value, NULL,
		    "this has no effect in mode %s", ptah_mode_name(reader->mode));
	return true;
}

static void
read_member(struct ptah_keyreader *reader, const struct ptah_key *section, const char *name,
    const struct ptah_json *value, void *base)
{
	const struct ptah_key *row = ptah_key_find(section, name);

	if (value->twice)
		ptah_keyread_fault(reader, PTAH_FAULT_KEY, value, NULL, "this key stands twice in its object: "
		    "leave one out");
	if (!row) {
		say_unknown(reader, section, name, value);
		return;
	}

	struct ptah_key key = ptah_key_whole(row);

	if (is_for_us(reader, &key, value) && ptah_keyread_fits(reader, &key, value) && key.read)
		key.read(reader, &key, value, (char *)base + key.offset);
}

void
ptah_keyread_members(struct ptah_keyreader *reader, const struct ptah_key *section, const struct ptah_json *object,
    void *base)
{
	char more[64];

	for (size_t i = 0; reader->rc == 0 && i < object->n; i++)
		read_member(reader, section, object->keys[i], object->items[i], base);
	for (const struct ptah_key *row = section; reader->rc == 0 && row->name; row++) {
		struct ptah_key key = ptah_key_whole(row);

		if ((key.marks & PTAH_KEY_REQUIRED) == 0 || ptah_json_get(object, key.name))
			continue;
		snprintf(more, sizeof(more), ".%s", key.name);
		ptah_keyread_fault(reader, 0, object, more, "this is missing: %s", key.help);
	}
}

/* Defaults that are no values ("the processors") stand for what the struct says by being zero. */
void
ptah_keyread_defaults(struct ptah_keyreader *reader, const struct ptah_key *section, void *base)
{
	for (const struct ptah_key *row = section; reader->rc == 0 && row->name; row++) {
		struct ptah_key key = ptah_key_whole(row);
		struct ptah_json value = { .type = type_of(key.kind) };
		uint64_t number;

		if (!key.read || !key.def)
			continue;
		if (key.kind == PTAH_KIND_SWITCH)
			value.truth = strcmp(key.def, "true") == 0;
		else if (key.kind == PTAH_KIND_WORD ||
		    (key.kind == PTAH_KIND_NUMBER && ptah_text_u64(key.def, key.min, key.max, &number) == 0))
			value.text = (char *)key.def;
		else
			continue;
		key.read(reader, &key, &value, (char *)base + key.offset);
	}
}

void
ptah_keyread_section(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value,
    void *to)
{
	ptah_keyread_members(reader, key->of, value, to);
}
