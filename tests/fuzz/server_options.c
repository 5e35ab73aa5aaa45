/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Server options, "name:k=v;name:k=v": decode, sort, encode for an SMETHOD
 * line, and make JSON of each transport's.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/kv.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ptah_kv kv;
	char why[100] = "";
	char *text = malloc(len + 1), *args;
	int rc;

	expect(text != NULL);
	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	rc = ptah_kv_parse_options(&kv, text, why, sizeof(why));
	free(text);
	if (rc != 0) {
		expect(rc == -EINVAL && kv.n == 0 && why[0] != '\0');
		return 0;
	}
	for (size_t i = 0; i < kv.n && i < 8; i++) {
		struct ptah_json *json = ptah_json_from_kv(&kv, kv.pairs[i].name);
		const struct ptah_json *value;

		expect(kv.pairs[i].name[0] != '\0' && kv.pairs[i].key[0] != '\0');
		value = ptah_json_get(json, kv.pairs[i].key);
		expect(value != NULL);
		expect(value->type == PTAH_JSON_STRING || value->type == PTAH_JSON_ARRAY);
		ptah_json_free(json);
	}
	rc = ptah_kv_format_args(&kv, &args);
	if (rc == 0) {
		for (const char *p = args; *p != '\0'; p++)
			expect(*p > 0x20 && *p < 0x7f);
	} else {
		expect(rc == -EINVAL && args == NULL);
	}
	free(args);
	ptah_kv_clear(&kv);
	return 0;
}
