/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/datagram.h"

#include <errno.h>
#include <string.h>

#define STUN_HEADER 20
#define CHANNEL_HEADER 4

static const uint8_t stun_cookie[4] = { 0x21, 0x12, 0xa4, 0x42 };

static size_t
u16(const uint8_t *at)
{
	return (size_t)at[0] << 8 | at[1];
}

/* [type:2, top bits 00][length:2, of what follows the header][cookie:4][transaction:12] */
static size_t
frame_stun(struct ptah_span in, uint8_t *out)
{
	if (in.len < STUN_HEADER || in.len != STUN_HEADER + u16(in.at + 2) || in.len % 4 != 0 ||
	    memcmp(in.at + 4, stun_cookie, 4) != 0)
		return 0;
	memcpy(out, in.at, in.len);
	return in.len;
}

/* [channel:2, 4000 to 7fff][length:2, of the data][data][padding to 4, not counted, on a stream only] */
static size_t
frame_channel(struct ptah_span in, uint8_t *out)
{
	size_t data = u16(in.at + 2), len = CHANNEL_HEADER + data, padding = -len & 3;

	if (in.len < len || in.len > len + 3)
		return 0;
	memcpy(out, in.at, len);
	memset(out + len, 0, padding);
	return len + padding;
}

size_t
ptah_datagram_frame(int framing, struct ptah_span in, uint8_t *out)
{
	if (framing == PTAH_FRAMING_STUN) {
		if (in.len < CHANNEL_HEADER)
			return 0;
		switch (in.at[0] >> 6) {
		case 0:
			return frame_stun(in, out);
		case 1:
			return frame_channel(in, out);
		default:
			return 0;
		}
	}
	if (in.len > PTAH_DATAGRAM_MAX)
		return 0;
	out[framing == PTAH_FRAMING_LE] = (uint8_t)(in.len >> 8);
	out[framing != PTAH_FRAMING_LE] = (uint8_t)in.len;
	if (in.len > 0)
		memcpy(out + 2, in.at, in.len);
	return in.len + 2;
}

static int
unframe_stun(struct ptah_span in, struct ptah_span *datagram, size_t *len)
{
	size_t body, whole, shown;

	if (in.len < CHANNEL_HEADER)
		return in.len > 0 && in.at[0] >> 6 > 1 ? -EPROTO : 0;
	body = u16(in.at + 2);
	switch (in.at[0] >> 6) {
	case 0:
		if (body % 4 != 0)
			return -EPROTO;
		whole = shown = STUN_HEADER + body;
		/* As much of the cookie as is here must be right. */
		size_t seen = in.len - 4 < 4 ? in.len - 4 : 4;
		if (memcmp(in.at + 4, stun_cookie, seen) != 0)
			return -EPROTO;
		break;
	case 1:
		shown = CHANNEL_HEADER + body;
		whole = (shown + 3) & ~(size_t)3;
		break;
	default:
		return -EPROTO;
	}
	if (in.len < whole)
		return 0;
	*datagram = (struct ptah_span){ in.at, shown };
	*len = whole;
	return 1;
}

int
ptah_datagram_unframe(int framing, struct ptah_span in, struct ptah_span *datagram, size_t *len)
{
	size_t body;

	if (framing == PTAH_FRAMING_STUN)
		return unframe_stun(in, datagram, len);
	if (in.len < 2)
		return 0;
	body = (size_t)in.at[framing == PTAH_FRAMING_LE] << 8 | in.at[framing != PTAH_FRAMING_LE];
	if (in.len < 2 + body)
		return 0;
	*datagram = (struct ptah_span){ in.at + 2, body };
	*len = 2 + body;
	return 1;
}
