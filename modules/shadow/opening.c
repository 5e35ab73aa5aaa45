/* SPDX-License-Identifier: BSD-3-Clause */
#include "opening.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>

#include "bytes.h"

#define TYPE_REQUEST 0
#define TYPE_RESPONSE 1

static size_t
put(uint8_t *at, struct ptah_span bytes)
{
	if (bytes.len > 0)
		memcpy(at, bytes.at, bytes.len);
	return bytes.len;
}

long
shadow_request_seal(struct shadow_boxes *boxes, const struct shadow_request *request, uint8_t *out)
{
	uint8_t head[SHADOW_REQUEST] = { TYPE_REQUEST }, *rest = out + SHADOW_REQUEST_BOX;
	size_t len = put(rest, request->address);
	int rc;

	ptah_bytes_put16be(rest + len, (uint16_t)request->padding.len);
	len += 2;
	len += put(rest + len, request->padding);
	len += put(rest + len, request->payload);
	if (len > boxes->chunk_max)
		return -EMSGSIZE;
	ptah_bytes_put64be(head + 1, (uint64_t)request->time);
	ptah_bytes_put16be(head + 9, (uint16_t)len);
	rc = shadow_box_seal(boxes, head, sizeof(head), out);
	if (rc == 0)
		rc = shadow_box_seal(boxes, rest, len, rest);
	return rc < 0 ? rc : (long)(SHADOW_REQUEST_BOX + len + SHADOW_TAG);
}

int
shadow_request_read(const uint8_t head[SHADOW_REQUEST], int64_t *time, uint16_t *length)
{
	if (head[0] != TYPE_REQUEST)
		return -EPROTO;
	*time = (int64_t)ptah_bytes_get64be(head + 1);
	*length = ptah_bytes_get16be(head + 9);
	return *length > 0 ? 0 : -EPROTO;
}

long
shadow_request_read_rest(struct ptah_span rest, char dest[SHADOW_DEST_TEXT])
{
	int n = shadow_address_read(rest, dest);
	size_t at, padding;

	if (n <= 0)
		return -EPROTO;
	at = (size_t)n + 2;
	if (rest.len < at)
		return -EPROTO;
	padding = ptah_bytes_get16be(rest.at + n);
	/* One of the two must be there, so that no request has a length of its own. */
	if (padding > SHADOW_PADDING_MAX || rest.len - at < padding || rest.len == at)
		return -EPROTO;
	return (long)(at + padding);
}

long
shadow_response_seal(struct shadow_boxes *boxes, const struct shadow_cipher *cipher, int64_t time,
    const uint8_t *request_salt, struct ptah_span payload, uint8_t *out)
{
	uint8_t head[SHADOW_RESPONSE_MAX] = { TYPE_RESPONSE };
	size_t head_len = (size_t)SHADOW_REQUEST + cipher->key_len;
	int rc;

	if (payload.len > boxes->chunk_max)
		return -EMSGSIZE;
	ptah_bytes_put64be(head + 1, (uint64_t)time);
	memcpy(head + 9, request_salt, cipher->key_len);
	ptah_bytes_put16be(head + head_len - 2, (uint16_t)payload.len);
	rc = shadow_box_seal(boxes, head, head_len, out);
	if (rc == 0)
		rc = shadow_box_seal(boxes, payload.at, payload.len, out + head_len + SHADOW_TAG);
	return rc < 0 ? rc : (long)(head_len + SHADOW_TAG + payload.len + SHADOW_TAG);
}

int
shadow_response_read(const struct shadow_cipher *cipher, const uint8_t *head, const uint8_t *request_salt, int64_t *time,
    uint16_t *length)
{
	if (head[0] != TYPE_RESPONSE)
		return -EPROTO;
	*time = (int64_t)ptah_bytes_get64be(head + 1);
	*length = ptah_bytes_get16be(head + 9 + cipher->key_len);
	return CRYPTO_memcmp(head + 9, request_salt, cipher->key_len) == 0 ? 0 : -EBADMSG;
}

bool
shadow_time_is_good(int64_t time, int64_t now)
{
	return time >= now - SHADOW_SKEW_MAX_S && time <= now + SHADOW_SKEW_MAX_S;
}
