/* SPDX-License-Identifier: BSD-3-Clause */
#include "words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "jsontree.h"

/* Longest message of a parser that nobody reads. */
#define WHY 64

/* ---- out of JSON -------------------------------------------------------------- */

static int
parse(const char *json, yajl_val *out)
{
	char why[WHY];

	*out = NULL;
	if (json == NULL)
		return 0;
	*out = yajl_tree_parse(json, why, sizeof(why));
	if (*out != NULL && YAJL_IS_OBJECT(*out))
		return 0;
	ptah_jsontree_free(*out);
	*out = NULL;
	return -EINVAL;
}

static const char *
scalar_text(yajl_val val)
{
	if (YAJL_IS_STRING(val))
		return YAJL_GET_STRING(val);
	if (YAJL_IS_NUMBER(val))
		return YAJL_GET_NUMBER(val);
	return YAJL_IS_TRUE(val) ? "true" : YAJL_IS_FALSE(val) ? "false" : NULL;
}

static bool
has_key(yajl_val object, const char *key)
{
	if (object == NULL)
		return false;
	for (size_t i = 0; i < YAJL_GET_OBJECT(object)->len; i++)
		if (strcmp(YAJL_GET_OBJECT(object)->keys[i], key) == 0)
			return true;
	return false;
}

/* Where words go, and in which form. */
struct writing {
	FILE *out;
	const char *name;   /* NULL: a connection's arguments */
	const char *special; /* what a backslash must stand before */
	bool begun;
};

static void
write_escaped(struct writing *writing, const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr(writing->special, *text) != NULL)
			putc('\\', writing->out);
		putc(*text, writing->out);
	}
}

static int
write_pair(struct writing *writing, const char *key, yajl_val val)
{
	const char *text = scalar_text(val);

	if (text == NULL)
		return -EINVAL;
	if (writing->begun)
		putc(';', writing->out);
	writing->begun = true;
	if (writing->name != NULL)
		fprintf(writing->out, "%s:", writing->name);
	write_escaped(writing, key);
	putc('=', writing->out);
	write_escaped(writing, text);
	return 0;
}

static int
write_value(struct writing *writing, const char *key, yajl_val val)
{
	int rc = 0;

	if (!YAJL_IS_ARRAY(val))
		return write_pair(writing, key, val);
	for (size_t i = 0; rc == 0 && i < YAJL_GET_ARRAY(val)->len; i++)
		rc = write_pair(writing, key, YAJL_GET_ARRAY(val)->values[i]);
	return rc;
}

/* What 'object' says and 'stronger' does not. */
static int
write_object(struct writing *writing, yajl_val object, yajl_val stronger, exec_skip_fn *skip)
{
	int rc = 0;

	if (object == NULL)
		return 0;
	for (size_t i = 0; rc == 0 && i < YAJL_GET_OBJECT(object)->len; i++) {
		const char *key = YAJL_GET_OBJECT(object)->keys[i];

		if (!skip(key) && !has_key(stronger, key))
			rc = write_value(writing, key, YAJL_GET_OBJECT(object)->values[i]);
	}
	return rc;
}

int
exec_words_write(const char *over, const char *under, exec_skip_fn *skip, const char *name, char **text)
{
	struct writing writing = { .name = name, .special = name != NULL ? "\\;=:" : "\\;=" };
	yajl_val strong = NULL, weak = NULL;
	size_t len;
	int rc = parse(over, &strong);

	*text = NULL;
	if (rc == 0)
		rc = parse(under, &weak);
	writing.out = rc == 0 ? open_memstream(text, &len) : NULL;
	if (rc == 0 && writing.out == NULL)
		rc = -ENOMEM;
	if (rc == 0)
		rc = write_object(&writing, strong, NULL, skip);
	if (rc == 0)
		rc = write_object(&writing, weak, strong, skip);
	if (writing.out != NULL && fclose(writing.out) != 0 && rc == 0)
		rc = -ENOMEM;
	ptah_jsontree_free(strong);
	ptah_jsontree_free(weak);
	if (rc < 0) {
		free(*text);
		*text = NULL;
	}
	return rc;
}

int
exec_words_env(const char *json, char ***out)
{
	yajl_val object;
	size_t n;
	char **words;
	int rc = parse(json, &object);

	if (rc < 0)
		return rc;
	n = object != NULL ? YAJL_GET_OBJECT(object)->len : 0;
	words = calloc(n + 1, sizeof(*words));
	rc = words != NULL ? 0 : -ENOMEM;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const char *key = YAJL_GET_OBJECT(object)->keys[i];
		const char *text = scalar_text(YAJL_GET_OBJECT(object)->values[i]);

		if (text == NULL || *key == '\0' || strchr(key, '=') != NULL)
			rc = -EINVAL;
		else if (asprintf(&words[i], "%s=%s", key, text) == -1) {
			words[i] = NULL;
			rc = -ENOMEM;
		}
	}
	ptah_jsontree_free(object);
	if (rc < 0)
		exec_words_free(words);
	else
		*out = words;
	return rc;
}

void
exec_words_free(char **words)
{
	for (size_t i = 0; words != NULL && words[i] != NULL; i++)
		free(words[i]);
	free(words);
}

/* ---- into JSON ------------------------------------------------------------------- */

/* Decode up to an unescaped 'end' or the end of the text; where it stopped. */
static const char *
read_word(const char *at, const char *ends, char *out, size_t *len)
{
	for (*len = 0; *at != '\0' && strchr(ends, *at) == NULL; at++) {
		if (*at == '\\' && *++at == '\0')
			return NULL;
		out[(*len)++] = *at;
	}
	return at;
}

static int
read_pairs(const char *args, char *word, yajl_gen gen)
{
	size_t len;

	while (*args != '\0') {
		args = read_word(args, "=,", word, &len);
		if (args == NULL || *args != '=' || len == 0 ||
		    yajl_gen_string(gen, (const unsigned char *)word, len) != yajl_gen_status_ok)
			return -EINVAL;
		args = read_word(args + 1, ",", word, &len);
		if (args == NULL || yajl_gen_string(gen, (const unsigned char *)word, len) != yajl_gen_status_ok)
			return -EINVAL;
		if (*args == ',')
			args++;
	}
	return 0;
}

int
exec_words_read(const char *args, char **json)
{
	char *word = malloc(strlen(args) + 1);
	yajl_gen gen = yajl_gen_alloc(NULL);
	const unsigned char *text;
	size_t len;
	int rc = -ENOMEM;

	*json = NULL;
	if (word == NULL || gen == NULL)
		goto out;
	yajl_gen_config(gen, yajl_gen_validate_utf8, 1);
	yajl_gen_map_open(gen);
	rc = read_pairs(args, word, gen);
	if (rc < 0)
		goto out;
	yajl_gen_map_close(gen);
	yajl_gen_get_buf(gen, &text, &len);
	*json = strndup((const char *)text, len);
	rc = *json != NULL ? 0 : -ENOMEM;

out:
	if (gen != NULL)
		yajl_gen_free(gen);
	free(word);
	return rc;
}
