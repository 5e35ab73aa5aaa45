/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses and targets: what was read is written, and reads back as the same.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ptah_addr addr, addr_again;
	struct ptah_dest dest, dest_again;
	char shown[PTAH_DEST_TEXT];
	char *text = malloc(len + 1);

	expect(text != NULL);
	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	if (ptah_addr_parse(&addr, text) == 0) {
		ptah_addr_format(&addr, shown);
		expect(ptah_addr_parse(&addr_again, shown) == 0);
		if (strchr(text, '%') == NULL)
			expect(ptah_addr_equal(&addr, &addr_again));
	}
	if (ptah_dest_parse(&dest, text, false) == 0) {
		expect(dest.port != 0 && dest.host[0] != '\0');
		ptah_dest_format(&dest, shown);
		expect(ptah_dest_parse(&dest_again, shown, false) == 0);
		expect(strcmp(dest.host, dest_again.host) == 0);
		expect(dest.port == dest_again.port && dest.literal == dest_again.literal);
		expect(ptah_addr_equal(&dest.addr, &dest_again.addr));
	}
	if (ptah_addr_parse_host(&addr, text, 1) == 0)
		expect(addr.sa.sa_family == AF_INET || addr.sa.sa_family == AF_INET6);
	free(text);
	return 0;
}
