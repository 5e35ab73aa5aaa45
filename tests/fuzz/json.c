/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON from anywhere: the first byte says how lenient to be, the rest is the
 * text.  What was read is printed strictly, and reads back as the same.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "target.h"

/* Where the tree says that a value or a key begins, one does. */
static void
check_places(const struct ptah_json *json, const char *text, size_t len)
{
	static const char *const firsts[] = { "n", "tf", "-0123456789", "\"", "[", "{" };

	expect(json->at > 0 && json->at <= len);
	expect(strchr(firsts[json->type], text[json->at - 1]) != NULL);
	for (size_t i = 0; i < json->n; i++) {
		const struct ptah_json *item = json->items[i];

		if (json->type == PTAH_JSON_OBJECT) {
			char first = item->key_at > json->at && item->key_at < item->at ? text[item->key_at - 1] : '\0';

			expect(first != '\0' && (first == '"' || first == json->keys[i][0]));
		}
		check_places(item, text, len);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ptah_json_scan scan = { 0 };
	char why[200];

	if (len == 0)
		return 0;

	long end = ptah_json_scan_more(&scan, data + 1, len - 1);

	expect(end == -EINVAL || (end >= 0 && (size_t)end <= len - 1));

	struct ptah_json *json = ptah_json_parse((const char *)data + 1,
	    len - 1, data[0] & 3, why, sizeof(why));

	uint32_t wrong_at;
	char ignored[200];
	struct ptah_json *placed = ptah_json_parse_placed((const char *)data + 1, len - 1, data[0] & 3, &wrong_at,
	    ignored, sizeof(ignored));

	expect((placed != NULL) == (json != NULL) && (wrong_at != 0) == (json == NULL) && wrong_at <= len);
	if (placed != NULL)
		check_places(placed, (const char *)data + 1, len - 1);
	ptah_json_free(placed);
	if (json == NULL) {
		expect(memchr(why, '\0', sizeof(why)) != NULL && why[0] != '\0');
		return 0;
	}
	char *once = ptah_json_text(json);

	ptah_json_free(json);
	expect(once != NULL);
	json = ptah_json_parse(once, strlen(once), 0, why, sizeof(why));
	expect(json != NULL);
	char *twice = ptah_json_text(json);

	ptah_json_free(json);
	expect(twice != NULL && strcmp(once, twice) == 0);
	free(once);
	free(twice);
	return 0;
}
