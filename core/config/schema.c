/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/schema.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"
#include "config/flag.h"
#include "config/key.h"

#define DIALECT "https://json-schema.org/draft/2020-12/schema"
#define NAME "[A-Za-z_][A-Za-z0-9_]*"
#define IPV6 "[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*"
#define LABEL "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"

/* What more there is to a value than its type.  An address is told by its shape: no pattern counts to 255. */
static const char *const shapes[] = {
	[PTAH_KIND_SWITCH] = "\"type\":\"boolean\"",
	[PTAH_KIND_NUMBER] = "\"type\":\"integer\"",
	[PTAH_KIND_WORD] = "\"type\":\"string\"",
	[PTAH_KIND_TEXT] = "\"type\":\"string\",\"minLength\":1",
	[PTAH_KIND_SECRET] = "\"type\":\"string\",\"minLength\":1",
	[PTAH_KIND_PATH] = "\"type\":\"string\",\"pattern\":\"^/\"",
	[PTAH_KIND_PATHS] = "\"type\":\"array\",\"items\":{\"type\":\"string\",\"pattern\":\"^/[^:]*$\"}",
	[PTAH_KIND_ADDR] = "\"type\":\"string\",\"pattern\":"
	    "\"^([0-9.]+|\\\\[[0-9A-Fa-f:.]+(%[^:\\\\]]+)?\\\\]):[0-9]+$\"",
	[PTAH_KIND_DEST] = "\"type\":\"string\",\"pattern\":\"^([^:\\\\[\\\\]]+|\\\\[[0-9A-Fa-f:.]+\\\\]):[0-9]+$\"",
	[PTAH_KIND_IPV4] = "\"type\":\"string\",\"format\":\"ipv4\",\"pattern\":\"^[0-9.]+$\"",
	[PTAH_KIND_IPV6] = "\"type\":\"string\",\"pattern\":\"^\\\\[?" IPV6 "(%.+)?\\\\]?$\"",
	[PTAH_KIND_STACK] = "\"type\":\"string\",\"pattern\":\"^" NAME "(\\\\+" NAME ")*$\"",
	[PTAH_KIND_LISTEN] = "\"anyOf\":[{\"$ref\":\"#/$defs/address\"},"
	    "{\"type\":\"string\",\"pattern\":\"^fd:[!-9;-~]{1,255}$\"},"
	    "{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/address\"},\"minItems\":1,\"maxItems\":4}]",
	[PTAH_KIND_PREFIXES] = "\"type\":\"array\",\"minItems\":1,\"items\":"
	    "{\"type\":\"string\",\"pattern\":\"^([0-9.]+|\\\\[?" IPV6 "\\\\]?)(/[0-9]{1,3})?$\"}",
	[PTAH_KIND_OPTIONS] = "\"type\":\"object\"",
	[PTAH_KIND_METRICS] = "\"type\":\"string\",\"pattern\":"
	    "\"^(/|(127\\\\.[0-9.]+|\\\\[[0-9A-Fa-f:.]*1\\\\]):[0-9]+$)\"",
};

static void
quote(struct ptah_buf *out, const char *text)
{
	ptah_buf_puts(out, "\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			ptah_buf_puts(out, "\\");
		ptah_buf_add(out, text, 1);
	}
	ptah_buf_puts(out, "\"");
}

/* A default that is a value, not a text for people. */
static void
print_default(struct ptah_buf *out, const struct ptah_key *key)
{
	uint64_t number;

	if (!key->def)
		return;
	if (key->kind == PTAH_KIND_SWITCH ||
	    (key->kind == PTAH_KIND_NUMBER && ptah_text_u64(key->def, key->min, key->max, &number) == 0)) {
		ptah_buf_printf(out, ",\"default\":%s", key->def);
	} else if (key->kind == PTAH_KIND_WORD) {
		ptah_buf_puts(out, ",\"default\":");
		quote(out, key->def);
	}
}

static void
print_words(struct ptah_buf *out, const struct ptah_key *key)
{
	ptah_buf_puts(out, ",\"enum\":[");
	for (const char *const *word = key->words; *word; word++) {
		ptah_buf_puts(out, word == key->words ? "" : ",");
		quote(out, *word);
	}
	ptah_buf_puts(out, "]");
}

static void
print_key(struct ptah_buf *out, const struct ptah_key *key)
{
	switch (key->kind) {
	case PTAH_KIND_SERVICES:
		ptah_buf_puts(out, "\"type\":\"object\",\"minProperties\":1,\"additionalProperties\":false,"
		    "\"patternProperties\":{\"" LABEL "\":{\"$ref\":\"#/$defs/service\"}}");
		break;
	case PTAH_KIND_SECTION:
		ptah_buf_printf(out, "\"$ref\":\"#/$defs/%s\"", key->name);
		break;
	case PTAH_KIND_LAYERS:
		ptah_buf_puts(out, "\"type\":\"array\",\"minItems\":1,\"items\":{\"$ref\":\"#/$defs/layer\"}");
		break;
	default:
		ptah_buf_puts(out, shapes[key->kind]);
	}
	if (key->kind == PTAH_KIND_NUMBER)
		ptah_buf_printf(out, ",\"minimum\":%llu,\"maximum\":%llu", (unsigned long long)key->min,
		    (unsigned long long)key->max);
	else if (key->max != 0)
		ptah_buf_printf(out, ",\"maxLength\":%llu", (unsigned long long)key->max);
	if (key->kind == PTAH_KIND_WORD)
		print_words(out, key);
	print_default(out, key);
	ptah_buf_puts(out, ",\n\t\t\t\"description\":");
	quote(out, key->help);
}

static void
print_section(struct ptah_buf *out, const struct ptah_key *section)
{
	bool first = true;

	ptah_buf_puts(out, "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
	for (const struct ptah_key *row = section; row->name; row++) {
		struct ptah_key key = ptah_key_whole(row);

		ptah_buf_printf(out, "%s\n\t\t\"%s\":{", row == section ? "" : ",", key.name);
		print_key(out, &key);
		ptah_buf_puts(out, "}");
	}
	ptah_buf_puts(out, "}");
	for (const struct ptah_key *row = section; row->name; row++) {
		if ((row->marks & PTAH_KEY_REQUIRED) == 0)
			continue;
		ptah_buf_printf(out, "%s\"%s\"", first ? ",\"required\":[" : ",", row->name);
		first = false;
	}
	ptah_buf_puts(out, first ? "" : "]");
}

/* What is not for a service of this role, which is false as a property. */
static void
print_role(struct ptah_buf *out, const char *role, int number)
{
	bool first = true;

	ptah_buf_printf(out, "{\"if\":{\"required\":[\"role\"],\"properties\":{\"role\":{\"const\":\"%s\"}}},\n"
	    "\t\t\"then\":{\"properties\":{", role);
	for (const struct ptah_key *row = ptah_keys_service; row->name; row++) {
		if ((ptah_key_whole(row).roles & number) != 0)
			continue;
		ptah_buf_printf(out, "%s\"%s\":false", first ? "" : ",", row->name);
		first = false;
	}
	ptah_buf_puts(out, "}");
	if (number == PTAH_ROLE_SERVER)
		ptah_buf_puts(out, ",\n\t\t\t\"oneOf\":[{\"required\":[\"target\"]},"
		    "{\"required\":[\"extorport\",\"authcookie\"]}]");
	ptah_buf_puts(out, "}}");
}

int
ptah_schema_print(struct ptah_buf *out)
{
	ptah_buf_puts(out, "{\n\t\"$schema\":\"" DIALECT "\",\n\t\"title\":\"the configuration of ptah run\",\n\t");
	print_section(out, ptah_keys_file);
	ptah_buf_puts(out, ",\n\t\"$defs\":{\n\t\"address\":{");
	ptah_buf_puts(out, shapes[PTAH_KIND_ADDR]);
	ptah_buf_puts(out, "},\n\t\"service\":{");
	print_section(out, ptah_keys_service);
	ptah_buf_puts(out, ",\n\t\t\"oneOf\":[{\"required\":[\"transport\"]},{\"required\":[\"stack\"],"
	    "\"properties\":{\"options\":false}}],\n\t\t\"allOf\":[");
	print_role(out, "client", PTAH_ROLE_CLIENT);
	ptah_buf_puts(out, ",\n\t\t");
	print_role(out, "server", PTAH_ROLE_SERVER);
	ptah_buf_puts(out, "]}");
	for (const struct ptah_key *row = ptah_keys_service; row->name; row++) {
		if (row->kind != PTAH_KIND_SECTION)
			continue;
		ptah_buf_printf(out, ",\n\t\"%s\":{", row->name);
		print_section(out, row->of);
		ptah_buf_puts(out, "}");
	}
	ptah_buf_puts(out, ",\n\t\"layer\":{");
	print_section(out, ptah_keys_layer);
	return ptah_buf_puts(out, "}}\n}\n");
}
