/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/kv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static void
free_secret(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
}

void
ptah_kv_clear(struct ptah_kv *kv)
{
	for (size_t i = 0; i < kv->n; i++) {
		free(kv->pairs[i].name);
		free(kv->pairs[i].key);
		free_secret(kv->pairs[i].value);
	}
	free(kv->pairs);
	*kv = (struct ptah_kv){ 0 };
}

const char *
ptah_kv_get(const struct ptah_kv *kv, const char *key)
{
	for (size_t i = 0; i < kv->n; i++) {
		if (strcmp(kv->pairs[i].key, key) == 0)
			return kv->pairs[i].value;
	}
	return NULL;
}

/* Append a pair.  Takes: the three texts, also on failure. */
static int
append(struct ptah_kv *kv, char *name, char *key, char *value)
{
	/* Room grows at each power of two, so it needs no count of its own. */
	if ((kv->n & (kv->n - 1)) == 0) {
		size_t room = kv->n == 0 ? 1 : kv->n * 2;
		struct ptah_kv_pair *pairs = reallocarray(kv->pairs, room, sizeof(*pairs));

		if (pairs == NULL) {
			free(name);
			free(key);
			free_secret(value);
			return -ENOMEM;
		}
		kv->pairs = pairs;
	}
	kv->pairs[kv->n++] = (struct ptah_kv_pair){ name, key, value };
	return 0;
}

int
ptah_kv_add(struct ptah_kv *kv, const char *name, const char *key, const char *value)
{
	char *name_copy = name != NULL ? strdup(name) : NULL;
	char *key_copy = strdup(key);
	char *value_copy = strdup(value);

	if ((name != NULL && name_copy == NULL) || key_copy == NULL || value_copy == NULL) {
		free(name_copy);
		free(key_copy);
		free_secret(value_copy);
		return -ENOMEM;
	}
	return append(kv, name_copy, key_copy, value_copy);
}

/* Where a decoder is in its text. */
struct reader {
	const char *text;
	size_t at, len;
	const char *wrong; /* what is wrong at 'at' */
};

/*
 * Decode up to an unescaped byte of 'stops' or the end, and stay there.
 * Gives: the decoded text; NULL with 'wrong' or, out of memory, without.
 */
static char *
read_word(struct reader *r, const char *stops)
{
	char *out = malloc(r->len - r->at + 1);
	size_t n = 0;

	if (out == NULL)
		return NULL;
	for (; r->at < r->len; r->at++) {
		char c = r->text[r->at];

		if (c != '\0' && strchr(stops, c) != NULL)
			break;
		if (c == '\\' && r->at + 1 == r->len) {
			r->wrong = "a lone backslash at the end";
		} else if (c == '\\') {
			c = r->text[++r->at];
		}
		if (c == '\0')
			r->wrong = "a NUL byte";
		if (r->wrong != NULL) {
			explicit_bzero(out, n);
			free(out);
			return NULL;
		}
		out[n++] = c;
	}
	out[n] = '\0';
	return out;
}

/* Read a word that must not be empty and must end in 'end'; eat both. */
static char *
read_before(struct reader *r, char end, const char *stops, const char *empty, const char *missing)
{
	char *word = read_word(r, stops);

	if (word == NULL)
		return NULL;
	if (r->at == r->len || r->text[r->at] != end)
		r->wrong = missing;
	else if (word[0] == '\0')
		r->wrong = empty;
	if (r->wrong != NULL) {
		free(word);
		return NULL;
	}
	r->at++;
	return word;
}

static int
read_pairs(struct ptah_kv *kv, struct reader *r, bool named)
{
	while (r->at < r->len) {
		char *name = NULL, *key = NULL, *value = NULL;

		if (named) {
			name = read_before(r, ':', ":=;", "no transport name before ':'",
			    "no ':' after the transport name");
			if (name == NULL)
				return r->wrong != NULL ? -EINVAL : -ENOMEM;
		}
		key = read_before(r, '=', "=;", "no key before '='", "no '=' after the key");
		if (key != NULL)
			value = read_word(r, ";");
		if (value == NULL) {
			free(name);
			free(key);
			return r->wrong != NULL ? -EINVAL : -ENOMEM;
		}
		if (append(kv, name, key, value) != 0)
			return -ENOMEM;
		if (r->at == r->len)
			break;
		if (++r->at == r->len) {
			r->wrong = "nothing after the last ';'";
			return -EINVAL;
		}
	}
	return 0;
}

int
ptah_kv_parse_socks(struct ptah_kv *kv, const char *text, size_t len)
{
	struct reader r = { .text = text, .len = len };
	int rc;

	*kv = (struct ptah_kv){ 0 };
	rc = read_pairs(kv, &r, false);
	if (rc != 0)
		ptah_kv_clear(kv);
	return rc;
}

int
ptah_kv_parse_options(struct ptah_kv *kv, const char *text, char *why, size_t why_room)
{
	struct reader r = { .text = text, .len = strlen(text) };
	int rc;

	*kv = (struct ptah_kv){ 0 };
	rc = read_pairs(kv, &r, true);
	if (rc == -EINVAL)
		snprintf(why, why_room, "%s, at byte %zu", r.wrong, r.at + 1);
	else if (rc != 0)
		snprintf(why, why_room, "out of memory");
	if (rc != 0)
		ptah_kv_clear(kv);
	return rc;
}

static int
by_key(const void *a, const void *b)
{
	const struct ptah_kv_pair *const *left = a, *const *right = b;
	int order = strcmp((*left)->key, (*right)->key);

	if (order != 0)
		return order;
	return *left < *right ? -1 : 1; /* repeated keys keep their order */
}

static int
add_escaped(struct ptah_buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text <= 0x20 || *text > 0x7e)
			return -EINVAL;
		if (strchr("\\=,", *text) != NULL)
			ptah_buf_add(out, "\\", 1);
		ptah_buf_add(out, text, 1);
	}
	return 0;
}

int
ptah_kv_format_args(const struct ptah_kv *kv, char **out)
{
	const struct ptah_kv_pair **sorted;
	struct ptah_buf text = { 0 };
	int rc = 0;

	*out = NULL;
	sorted = calloc(kv->n + 1, sizeof(*sorted));
	if (sorted == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < kv->n; i++)
		sorted[i] = &kv->pairs[i];
	qsort(sorted, kv->n, sizeof(*sorted), by_key);
	for (size_t i = 0; i < kv->n && rc == 0; i++) {
		if (i > 0)
			ptah_buf_add(&text, ",", 1);
		rc = add_escaped(&text, sorted[i]->key);
		if (rc == 0) {
			ptah_buf_add(&text, "=", 1);
			rc = add_escaped(&text, sorted[i]->value);
		}
	}
	free(sorted);
	if (rc == 0) {
		*out = ptah_buf_take_text(&text);
		if (*out == NULL)
			rc = -ENOMEM;
	}
	ptah_buf_clear(&text);
	return rc;
}
