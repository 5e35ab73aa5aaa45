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
static bool
is_stun(struct ptah_span in)
{
	return in.len >= STUN_HEADER && in.len == STUN_HEADER + u16(in.at + 2) && in.len % 4 == 0 &&
	    memcmp(in.at + 4, stun_cookie, 4) == 0;
}

/* [channel:2, 4000 to 7fff][length:2, of the data][data][padding to 4, not counted, on a stream only] */
static bool
is_channel(struct ptah_span in)
{
	size_t len = CHANNEL_HEADER + u16(in.at + 2);

	return in.len >= len && in.len <= len + 3;
}

bool
ptah_datagram_is_fit(int framing, struct ptah_span in)
{
	if (framing != PTAH_FRAMING_STUN)
		return in.len <= PTAH_DATAGRAM_MAX;
	if (in.len < CHANNEL_HEADER || in.at[0] >> 6 > 1)
		return false;
	return in.at[0] >> 6 == 0 ? is_stun(in) : is_channel(in);
}

static size_t
frame_channel(struct ptah_span in, uint8_t *out)
{
	size_t len = CHANNEL_HEADER + u16(in.at + 2), padding = -len & 3;

	memcpy(out, in.at, len);
	memset(out + len, 0, padding);
	return len + padding;
}

size_t
ptah_datagram_frame(int framing, struct ptah_span in, uint8_t *out)
{
	if (!ptah_datagram_is_fit(framing, in))
		return 0;
	if (framing == PTAH_FRAMING_STUN && in.at[0] >> 6 == 1)
		return frame_channel(in, out);
	if (framing == PTAH_FRAMING_STUN) {
		memcpy(out, in.at, in.len);
		return in.len;
	}
	out[framing == PTAH_FRAMING_LE] = (uint8_t)(in.len >> 8);
	out[framing != PTAH_FRAMING_LE] = (uint8_t)in.len;
	if (in.len > 0)
		memcpy(out + 2, in.at, in.len);
	return in.len + 2;
}

size_t
ptah_datagram_fit(int framing, struct ptah_span frames, size_t room, size_t *n)
{
	size_t at = 0, len;
	struct ptah_span datagram;

	*n = 0;
	while (ptah_datagram_unframe(framing, ptah_span_from(frames, at), &datagram, &len) == 1 && len <= room - at) {
		at += len;
		++*n;
	}
	return at;
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
