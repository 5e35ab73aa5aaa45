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
