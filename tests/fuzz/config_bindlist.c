/* SPDX-License-Identifier: BSD-3-Clause */
/* A bind address list from anywhere: every entry that is read can be found and written. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/bindlist.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1), why[200] = "", addr[PTAH_ADDR_TEXT];
	struct ptah_bindlist list;

	expect(text != NULL);
	memcpy(text, data, len);
	text[len] = '\0';

	int rc = ptah_bindlist_parse(&list, text, why, sizeof(why));

	expect(rc == 0 || (rc == -EINVAL && why[0] && list.n == 0));
	for (size_t i = 0; i < list.n; i++) {
		expect(ptah_bindlist_get(&list, list.at[i].name) == &list.at[i].addr);
		expect(ptah_addr_format(&list.at[i].addr, addr)[0] != '\0');
	}
	ptah_bindlist_clear(&list);
	free(text);
	return 0;
}
