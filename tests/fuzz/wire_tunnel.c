/* SPDX-License-Identifier: BSD-3-Clause */
/* What a hostile upstream proxy answers: the first byte picks the scheme, the second how the rest is cut. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "target.h"
#include "wire/tunnel.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const uris[] = { "socks5://127.0.0.1:1", "socks5://u:p@127.0.0.1:1", "socks4a://u@127.0.0.1:1", "http://u:p@127.0.0.1:1" };
	struct ptah_proxy proxy = { 0 };
	struct ptah_tunnel tunnel;
	struct ptah_buf out = { 0 };
	struct ptah_dest dest;
	char why[64];
	int answer = PTAH_TUNNEL_MORE;

	if (size < 2 || ptah_proxy_parse(&proxy, uris[data[0] % 4], why, sizeof(why)) != 0 ||
	    ptah_dest_parse(&dest, "host.example:443", false) != 0)
		return 0;
	size_t piece = 1 + data[1] % 64u;
	if (ptah_tunnel_begin(&tunnel, &proxy, &dest, &out) != 0)
		abort();
	for (size_t at = 2; at < size && answer == PTAH_TUNNEL_MORE;) {
		size_t n = size - at < piece ? size - at : piece, eaten = 0;

		answer = ptah_tunnel_feed(&tunnel, (struct ptah_span){ data + at, n }, &eaten, &out);
		if (eaten > n || (answer == PTAH_TUNNEL_MORE && eaten != n) || out.len > 1024)
			abort();
		at += n;
	}
	if (answer == PTAH_TUNNEL_FAIL && (tunnel.rep < 1 || tunnel.rep > 8 || tunnel.reason == NULL))
		abort();
	ptah_tunnel_clear(&tunnel);
	ptah_buf_wipe(&out);
	ptah_proxy_clear(&proxy);
	return 0;
}
