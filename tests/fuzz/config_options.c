/* SPDX-License-Identifier: BSD-3-Clause */
/* Transport options from anywhere, in each of their spellings. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/options.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const names[] = { "dummy", "shadow" };
	struct ptah_options options;
	char why[200] = "";
	int rc = ptah_options_parse(&options, (const char *)data, len, why, sizeof(why));

	expect(rc == 0 || (rc == -EINVAL && why[0] && memchr(why, '\0', sizeof(why))));
	if (rc == 0) {
		bool keyed = ptah_options_keyed(&options, names, 2);
		struct ptah_json *own = ptah_options_of(&options, keyed, "dummy");

		expect(own && own->type == PTAH_JSON_OBJECT);
		ptah_json_free(own);
	}
	ptah_options_clear(&options);
	return 0;
}
