/* SPDX-License-Identifier: BSD-3-Clause */
#include "preamble.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"

#define TYPE_CLIENT 0
#define TYPE_SERVER 1

void
shadow_preamble_write(const struct shadow_preamble *preamble, uint8_t *out)
{
	*out = preamble->session != NULL ? TYPE_SERVER : TYPE_CLIENT;
	ptah_bytes_put64be(out + 1, (uint64_t)preamble->time);
	out += 9;
	if (preamble->session != NULL) {
		memcpy(out, preamble->session, SHADOW_SESSION);
		out += SHADOW_SESSION;
	}
	ptah_bytes_put16be(out, (uint16_t)preamble->padding);
	memset(out + 2, 0, preamble->padding);
	memcpy(out + 2 + preamble->padding, preamble->address.at, preamble->address.len);
}

long
shadow_preamble_read(struct ptah_span in, uint32_t role, struct shadow_preamble *preamble)
{
	size_t at = role == PTAH_SERVER ? 9 + SHADOW_SESSION : 9;
	int n;

	if (in.len < at + 2 || in.at[0] != (role == PTAH_SERVER ? TYPE_SERVER : TYPE_CLIENT))
		return -EPROTO;
	preamble->time = (int64_t)ptah_bytes_get64be(in.at + 1);
	preamble->session = role == PTAH_SERVER ? in.at + 9 : NULL;
	preamble->padding = ptah_bytes_get16be(in.at + at);
	at += 2;
	if (in.len - at < preamble->padding)
		return -EPROTO;
	at += preamble->padding;
	n = shadow_address_len(ptah_span_from(in, at));
	if (n <= 0)
		return -EPROTO;
	preamble->address = (struct ptah_span){ in.at + at, (size_t)n };
	return (long)(at + (size_t)n);
}
