/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "config/runservice.h"

static int
by_key(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int print_sorted(const struct ptah_json *json, struct ptah_buf *out);

/* Members in the order of their keys, for their order in the file says nothing. */
static int
print_object(const struct ptah_json *json, struct ptah_buf *out)
{
	const char **keys = calloc(json->n + 1, sizeof(*keys));

	if (!keys)
		return out->rc = -ENOMEM;
	for (size_t i = 0; i < json->n; i++)
		keys[i] = json->keys[i];
	qsort(keys, json->n, sizeof(*keys), by_key);
	ptah_buf_puts(out, "{");
	for (size_t i = 0; i < json->n; i++) {
		ptah_buf_printf(out, "%zu:%s=", strlen(keys[i]), keys[i]);
		(void)print_sorted(ptah_json_get(json, keys[i]), out);
	}
	free(keys);
	return ptah_buf_puts(out, "}");
}

static int
print_sorted(const struct ptah_json *json, struct ptah_buf *out)
{
	if (json->type == PTAH_JSON_OBJECT)
		return print_object(json, out);
	if (json->type != PTAH_JSON_ARRAY)
		return ptah_json_print(json, out);
	ptah_buf_puts(out, "[");
	for (size_t i = 0; i < json->n; i++) {
		(void)print_sorted(json->items[i], out);
		ptah_buf_puts(out, ",");
	}
	return ptah_buf_puts(out, "]");
}

/* A scalar as its text, so that a default, which has no quotes, looks the same. */
static void
print_value(const struct ptah_json *json, struct ptah_buf *out)
{
	if (json->text)
		ptah_buf_puts(out, json->text);
	else
		(void)print_sorted(json, out);
}

static void
print_section(const struct ptah_key *section, const struct ptah_json *object, struct ptah_buf *out)
{
	for (const struct ptah_key *row = section; row->name; row++) {
		struct ptah_key key = ptah_key_whole(row);
		const struct ptah_json *value = object ? ptah_json_get(object, key.name) : NULL;

		ptah_buf_printf(out, "\n%s=", key.name);
		if (key.kind == PTAH_KIND_SECTION)
			print_section(key.of, value, out);
		else if (value)
			print_value(value, out);
		else if (key.def)
			ptah_buf_puts(out, key.def);
	}
}

char *
ptah_fingerprint_make(const struct ptah_json *service, const struct ptah_plan *plan)
{
	unsigned char hash[crypto_generichash_BYTES];
	char hex[2 * sizeof(hash) + 1], *made = NULL;
	struct ptah_buf text = { 0 };

	ptah_buf_printf(&text, "%s\n%u\n%d\n%s\n", plan->state_dir, plan->peer_timeout_s, plan->replay_state,
	    plan->n_services > 0 ? plan->services[0].name : "");
	if (plan->n_services > 0 && plan->services[0].options)
		(void)print_sorted(plan->services[0].options, &text);
	print_section(ptah_keys_service, service, &text);
	if (text.rc == 0 && crypto_generichash(hash, sizeof(hash), text.at, text.len, NULL, 0) == 0)
		made = strdup(sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash)));
	ptah_buf_wipe(&text);
	return made;
}
