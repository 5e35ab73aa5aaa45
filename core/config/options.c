/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int
parse_json(struct ptah_options *options, const char *text, size_t len, char *why, size_t why_room)
{
	options->json = ptah_json_parse(text, len, PTAH_JSON_BARE_KEYS, why, why_room);
	return options->json ? 0 : -errno;
}

static int
parse_micro(struct ptah_options *options, const char *text, size_t len, char *why, size_t why_room)
{
	if (memchr(text, '\0', len)) {
		snprintf(why, why_room, "a NUL byte stands in it");
		return -EINVAL;
	}

	char *copy = strndup(text, len);
	if (!copy)
		return -ENOMEM;

	int rc = ptah_kv_parse_options(&options->kv, copy, why, why_room);

	explicit_bzero(copy, len);
	free(copy);
	return rc;
}

int
ptah_options_parse(struct ptah_options *options, const char *text, size_t len,
    char *why, size_t why_room)
{
	memset(options, 0, sizeof(*options));
	if (len > PTAH_OPTIONS_MAX) {
		snprintf(why, why_room, "longer than 1 MiB");
		return -EINVAL;
	}
	while (len > 0 && is_space(text[0])) {
		text++;
		len--;
	}
	if (len == 0) {
		snprintf(why, why_room, "empty: write JSON, or NAME:KEY=VALUE;...");
		return -EINVAL;
	}
	if (text[0] == '{')
		return parse_json(options, text, len, why, why_room);
	if (text[0] == '[' || text[0] == '"') {
		snprintf(why, why_room, "not a JSON object: write {\"NAME\": {\"KEY\": \"VALUE\"}}");
		return -EINVAL;
	}
	return parse_micro(options, text, len, why, why_room);
}

int
ptah_options_read(struct ptah_options *options, const char *path, bool *exposed,
    char *why, size_t why_room)
{
	uint8_t *text = NULL;
	size_t len = 0;
	struct stat st;

	memset(options, 0, sizeof(*options));
	*exposed = false;
	int rc = ptah_file_read(path, PTAH_OPTIONS_MAX, &text, &len);
	if (rc == -ENOMEM)
		return rc;
	if (rc != 0) {
		snprintf(why, why_room, "cannot read '%.300s': %s", path,
		    rc == -EFBIG ? "longer than 1 MiB" : strerror(-rc));
		return -EINVAL;
	}
	if (stat(path, &st) == 0)
		*exposed = (st.st_mode & (S_IRGRP | S_IROTH)) != 0;

	/* An editor's line end is no part of the last value. */
	size_t used = len;
	while (used > 0 && (text[used - 1] == '\n' || text[used - 1] == '\r'))
		used--;

	char inner[512];
	rc = ptah_options_parse(options, (const char *)text, used, inner, sizeof(inner));
	if (rc == -EINVAL)
		snprintf(why, why_room, "'%.300s': %s", path, inner);
	explicit_bzero(text, len);
	free(text);
	return rc;
}

bool
ptah_options_keyed(const struct ptah_options *options, const char *const names[], size_t n)
{
	const struct ptah_json *json = options->json;

	if (!json || json->n == 0)
		return false;
	for (size_t i = 0; i < json->n; i++) {
		size_t k = 0;

		while (k < n && strcmp(names[k], json->keys[i]) != 0)
			k++;
		if (k == n || json->items[i]->type != PTAH_JSON_OBJECT)
			return false;
	}
	return true;
}

struct ptah_json *
ptah_options_of(const struct ptah_options *options, bool keyed, const char *name)
{
	if (!options->json)
		return ptah_json_from_kv(&options->kv, name);
	if (!keyed)
		return ptah_json_copy(options->json);

	const struct ptah_json *own = ptah_json_get(options->json, name);

	return own ? ptah_json_copy(own) : ptah_json_new(PTAH_JSON_OBJECT);
}

void
ptah_options_clear(struct ptah_options *options)
{
	ptah_json_free(options->json);
	ptah_kv_clear(&options->kv);
	memset(options, 0, sizeof(*options));
}
