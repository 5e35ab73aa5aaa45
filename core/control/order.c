/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/order.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const ptah_order_words[] = {
	[PTAH_ORDER_STATUS] = "status", [PTAH_ORDER_LINKS] = "links", [PTAH_ORDER_RELOAD] = "reload",
	[PTAH_ORDER_DRAIN] = "drain", [PTAH_ORDER_UPGRADE] = "upgrade", NULL,
};

/* Which number a key of an order sets, if it is one of that order. */
static const struct key {
	const char *name;
	int what;
	size_t offset;
	unsigned least, most;
} keys[] = {
	{ "most", PTAH_ORDER_LINKS, offsetof(struct ptah_order, most), 1, PTAH_ORDER_LINKS_MOST },
	{ "seconds", PTAH_ORDER_DRAIN, offsetof(struct ptah_order, seconds), 0, 1000000 },
};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static int __attribute__((format(printf, 3, 4)))
wrong(char *why, size_t why_room, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, why_room, format, args);
	va_end(args);
	return -EINVAL;
}

static int
read_word(struct ptah_order *out, const struct ptah_json *word, char *why, size_t why_room)
{
	if (!word || word->type != PTAH_JSON_STRING)
		return wrong(why, why_room, "an order is an object with the key \"%s\"", "order");
	for (int i = 0; ptah_order_words[i]; i++) {
		if (strcmp(word->text, ptah_order_words[i]) != 0)
			continue;
		out->what = i;
		return 0;
	}
	return wrong(why, why_room, "there is no order \"%.40s\"", word->text);
}

static int
read_key(struct ptah_order *out, const char *name, const struct ptah_json *value, char *why, size_t why_room)
{
	for (size_t i = 0; i < N_KEYS; i++) {
		const struct key *key = &keys[i];
		unsigned long n;
		char *end;

		if (strcmp(name, key->name) != 0 || out->what != key->what)
			continue;
		if (value->type != PTAH_JSON_NUMBER)
			return wrong(why, why_room, "\"%s\" is a number", name);
		errno = 0;
		n = strtoul(value->text, &end, 10);
		if (errno != 0 || *end != '\0' || value->text[0] == '-' || n < key->least || n > key->most)
			return wrong(why, why_room, "\"%s\" is out of its range", name);
		*(unsigned *)(void *)((char *)out + key->offset) = (unsigned)n;
		return 0;
	}
	return wrong(why, why_room, "this order has no \"%.40s\"", name);
}

int
ptah_order_parse(struct ptah_order *out, struct ptah_span line, char *why, size_t why_room)
{
	struct ptah_json *json = ptah_json_parse((const char *)line.at, line.len, 0, why, why_room);
	int rc;

	*out = (struct ptah_order){ .most = PTAH_ORDER_LINKS_USUAL };
	if (!json)
		return -errno;
	rc = read_word(out, json->type == PTAH_JSON_OBJECT ? ptah_json_get(json, "order") : NULL, why, why_room);
	for (size_t i = 0; rc == 0 && i < json->n; i++)
		if (strcmp(json->keys[i], "order") != 0)
			rc = read_key(out, json->keys[i], json->items[i], why, why_room);
	ptah_json_free(json);
	return rc;
}

int
ptah_order_print(const struct ptah_order *order, struct ptah_buf *out)
{
	ptah_buf_printf(out, "{\"order\":\"%s\"", ptah_order_words[order->what]);
	for (size_t i = 0; i < N_KEYS; i++)
		if (keys[i].what == order->what)
			ptah_buf_printf(out, ",\"%s\":%u", keys[i].name,
			    *(const unsigned *)(const void *)((const char *)order + keys[i].offset));
	return ptah_buf_puts(out, "}\n");
}

/* Takes: object. */
static void
put_line(struct ptah_buf *out, struct ptah_json *object, int rc)
{
	if (!object || rc != 0 || ptah_json_print(object, out) != 0 || ptah_buf_puts(out, "\n") != 0)
		out->rc = -ENOMEM;
	ptah_json_free(object);
}

static struct ptah_json *
truth(bool value)
{
	struct ptah_json *json = ptah_json_new(PTAH_JSON_BOOL);

	if (json)
		json->truth = value;
	return json;
}

void
ptah_answer_faults(struct ptah_buf *out, const char *error, const char *next, struct ptah_json *words)
{
	struct ptah_json *object = ptah_json_new(PTAH_JSON_OBJECT);
	int rc = ptah_json_set(object, "ok", truth(false));

	if (rc == 0)
		rc = ptah_json_set(object, "error", ptah_json_new_text(PTAH_JSON_STRING, error));
	if (rc == 0)
		rc = ptah_json_set(object, "next", ptah_json_new_text(PTAH_JSON_STRING, next));
	if (rc == 0)
		rc = ptah_json_set(object, "words", words);
	else
		ptah_json_free(words);
	put_line(out, object, rc);
}

void
ptah_answer_refused(struct ptah_buf *out, const char *error, const char *next)
{
	ptah_answer_faults(out, error, next, ptah_json_new(PTAH_JSON_ARRAY));
}

void
ptah_answer_progress(struct ptah_buf *out, const char *words)
{
	struct ptah_json *object = ptah_json_new(PTAH_JSON_OBJECT);
	int rc = ptah_json_set(object, "progress", ptah_json_new_text(PTAH_JSON_STRING, words));

	put_line(out, object, rc);
}

void
ptah_answer_done(struct ptah_buf *out, struct ptah_json *object)
{
	put_line(out, object, ptah_json_set(object, "ok", truth(true)));
}
