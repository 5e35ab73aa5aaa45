/* SPDX-License-Identifier: BSD-3-Clause */
#include "chunks.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"

int
shadow_boxes_init(struct shadow_boxes *boxes, const struct shadow_cipher *cipher, const uint8_t *key, bool sealing)
{
	boxes->ctx = shadow_aead_new(cipher, key, sealing);
	boxes->counter = 0;
	boxes->chunk_max = cipher->chunk_max;
	return boxes->ctx != NULL ? 0 : -ENOMEM;
}

void
shadow_boxes_clear(struct shadow_boxes *boxes)
{
	EVP_CIPHER_CTX_free(boxes->ctx);
	boxes->ctx = NULL;
}

/* The next nonce; a counter that came round would use one twice. */
static int
next_box(struct shadow_boxes *boxes)
{
	uint8_t nonce[SHADOW_NONCE] = { 0 };

	if (boxes->ctx == NULL || boxes->counter == UINT64_MAX)
		return -EOVERFLOW;
	ptah_bytes_put64le(nonce, boxes->counter++);
	return EVP_CipherInit_ex2(boxes->ctx, NULL, NULL, nonce, -1, NULL) == 1 ? 0 : -ENOMEM;
}

int
shadow_box_seal(struct shadow_boxes *boxes, const uint8_t *in, size_t len, uint8_t *out)
{
	int n = 0, rest = 0, rc = next_box(boxes);

	if (rc < 0)
		return rc;
	if ((len > 0 && EVP_EncryptUpdate(boxes->ctx, out, &n, in, (int)len) != 1) ||
	    EVP_EncryptFinal_ex(boxes->ctx, out + n, &rest) != 1 ||
	    EVP_CIPHER_CTX_ctrl(boxes->ctx, EVP_CTRL_AEAD_GET_TAG, SHADOW_TAG, out + len) != 1)
		return -ENOMEM;
	return 0;
}

int
shadow_box_open(struct shadow_boxes *boxes, const uint8_t *in, size_t len, uint8_t *out)
{
	/* OpenSSL reads the tag only, but does not say so. */
	uint8_t *tag = (uint8_t *)(uintptr_t)(in + len);
	int n = 0, rest = 0, rc = next_box(boxes);

	if (rc < 0)
		return rc;
	if (EVP_CIPHER_CTX_ctrl(boxes->ctx, EVP_CTRL_AEAD_SET_TAG, SHADOW_TAG, tag) != 1 ||
	    (len > 0 && EVP_DecryptUpdate(boxes->ctx, out, &n, in, (int)len) != 1))
		return -ENOMEM;
	return EVP_DecryptFinal_ex(boxes->ctx, out + n, &rest) == 1 ? 0 : -EBADMSG;
}

long
shadow_chunk_seal(struct shadow_boxes *boxes, struct ptah_span plain, uint8_t *out)
{
	uint8_t length[2];
	int rc;

	ptah_bytes_put16be(length, (uint16_t)plain.len);
	rc = shadow_box_seal(boxes, length, sizeof(length), out);
	if (rc == 0)
		rc = shadow_box_seal(boxes, plain.at, plain.len, out + SHADOW_LENGTH_BOX);
	return rc < 0 ? rc : (long)(plain.len + SHADOW_CHUNK_HEAD);
}

int
shadow_chunks_seal(struct shadow_boxes *boxes, struct ptah_span plain, struct ptah_room out, size_t *eaten, size_t *made)
{
	*eaten = *made = 0;
	while (plain.len > *eaten && out.len - *made > SHADOW_CHUNK_HEAD) {
		struct ptah_span part = ptah_span_from(plain, *eaten);
		size_t room = out.len - *made - SHADOW_CHUNK_HEAD;
		long n;

		if (part.len > boxes->chunk_max)
			part.len = boxes->chunk_max;
		/* Half a chunk at the end of the room would only cost the peer. */
		if (part.len > room && *made > 0)
			break;
		if (part.len > room)
			part.len = room;
		n = shadow_chunk_seal(boxes, part, out.at + *made);
		if (n < 0)
			return (int)n;
		*eaten += part.len;
		*made += (size_t)n;
	}
	return 0;
}

int
shadow_opener_length(struct shadow_opener *opener, const uint8_t *in)
{
	uint8_t length[2];
	int rc = shadow_box_open(&opener->boxes, in, sizeof(length), length);

	if (rc < 0)
		return rc;
	opener->length = ptah_bytes_get16be(length);
	if (opener->length == 0 || opener->length > opener->boxes.chunk_max)
		return -EPROTO;
	opener->has_length = true;
	return 0;
}

int
shadow_opener_open(struct shadow_opener *opener, struct ptah_span in, struct ptah_room out, struct shadow_opened *opened)
{
	int rc = 0;

	*opened = (struct shadow_opened){ .need = 0 };
	for (;;) {
		const uint8_t *at;

		opened->need = opener->has_length ? (size_t)opener->length + SHADOW_TAG : SHADOW_LENGTH_BOX;
		if (in.len - opened->eaten < opened->need)
			return 0;
		at = in.at + opened->eaten;
		if (!opener->has_length) {
			rc = shadow_opener_length(opener, at);
		} else if (out.len - opened->made < opener->length) {
			opened->no_room = true;
			return 0;
		} else {
			rc = shadow_box_open(&opener->boxes, at, opener->length, out.at + opened->made);
			if (rc == 0)
				opened->made += opener->length;
			opener->has_length = false;
		}
		if (rc < 0)
			return rc;
		opened->eaten += opened->need;
	}
}
