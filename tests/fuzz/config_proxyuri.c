/* SPDX-License-Identifier: BSD-3-Clause */
/* A proxy URI from anywhere: what is read keeps to the rules of its scheme. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/proxyuri.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1), why[200] = "";
	struct ptah_proxy proxy;

	expect(text != NULL);
	memcpy(text, data, len);
	text[len] = '\0';

	int rc = ptah_proxy_parse(&proxy, text, why, sizeof(why));

	expect(rc == 0 || (rc == -EINVAL && why[0] && !proxy.user && !proxy.password));
	if (rc == 0) {
		expect(ptah_addr_port(&proxy.addr) != 0);
		expect(!proxy.password || proxy.user);
		expect(!proxy.user || strlen(proxy.user) <= PTAH_PROXY_WORD_MAX);
		expect(!proxy.password || strlen(proxy.password) <= PTAH_PROXY_WORD_MAX);
		expect(proxy.scheme != PTAH_PROXY_SOCKS4A || !proxy.password);
		expect(proxy.scheme != PTAH_PROXY_SOCKS5 || !proxy.user || proxy.password);
	}
	ptah_proxy_clear(&proxy);
	free(text);
	return 0;
}
