/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a server may be sent behind its salt.  A fuzzer cannot guess a tag, so
 * the input is sealed first: the first byte says how the wire is cut and
 * whether one bit of it is flipped; then each box is a length byte and as many
 * bytes of what is in it.  The boxes alternate between lengths and payloads
 * for who opens them, whatever the input means them to be.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "address.h"
#include "chunks.h"
#include "target.h"

#define MOST 65536

static size_t
seal_all(const struct shadow_cipher *cipher, const uint8_t *session, const uint8_t *data, size_t len, uint8_t *wire)
{
	struct shadow_boxes sealer;
	size_t made = 0;

	expect(shadow_boxes_init(&sealer, cipher, session, true) == 0);
	while (len > 0) {
		size_t n = data[0];

		data++;
		len--;
		if (n > len)
			n = len;
		if (made + n + SHADOW_TAG > MOST)
			break;
		expect(shadow_box_seal(&sealer, data, n, wire + made) == 0);
		made += n + SHADOW_TAG;
		data += n;
		len -= n;
	}
	shadow_boxes_clear(&sealer);
	return made;
}

static int
open_all(const struct shadow_cipher *cipher, const uint8_t *session, const uint8_t *wire, size_t len, size_t step,
    uint8_t *out, size_t *made)
{
	struct shadow_opener opener = { .length = 0 };
	struct shadow_opened opened;
	size_t at = 0, here = 0;
	int rc = 0;

	*made = 0;
	expect(shadow_boxes_init(&opener.boxes, cipher, session, false) == 0);
	while (here < len && rc == 0) {
		here = len - here < step ? len : here + step;
		rc = shadow_opener_open(&opener, (struct ptah_span){ wire + at, here - at },
		    (struct ptah_room){ out + *made, MOST - *made }, &opened);
		expect(opened.eaten <= here - at && opened.made <= MOST - *made && !opened.no_room);
		expect(rc != 0 || opened.need > here - at - opened.eaten);
		at += opened.eaten;
		*made += opened.made;
	}
	shadow_boxes_clear(&opener.boxes);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t session[SHADOW_KEY_MAX] = "any key does";
	static uint8_t wire[MOST], whole[MOST], cut[MOST];
	const struct shadow_cipher *cipher = shadow_cipher_find("aes-128-gcm");
	char dest[SHADOW_DEST_TEXT];
	size_t n, made_whole, made_cut;
	uint8_t how;
	int rc;

	if (len == 0)
		return 0;
	how = *data++;
	n = seal_all(cipher, session, data, len - 1, wire);
	if ((how & 0x80) != 0 && n > 0)
		wire[(how & 0x7f) % n] ^= 1;
	rc = open_all(cipher, session, wire, n, SIZE_MAX, whole, &made_whole);
	expect(rc == open_all(cipher, session, wire, n, 1 + (how & 0x1f), cut, &made_cut));
	expect(made_whole == made_cut && memcmp(whole, cut, made_whole) == 0);
	expect(rc == 0 || rc == -EBADMSG || rc == -EPROTO);
	rc = shadow_address_read((struct ptah_span){ whole, made_whole }, dest);
	if (rc > 0) {
		uint8_t header[SHADOW_ADDRESS_MAX];

		expect((size_t)rc <= made_whole && strlen(dest) < sizeof(dest));
		expect(shadow_address_write(dest, header) > 0);
	}
	return 0;
}
