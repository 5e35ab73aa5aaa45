/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a trusted proxy may say before its client's bytes.  The first byte says
 * how to cut it, and whether a checksum in it is put right, which a fuzzer cannot guess.
 */
#include <stdint.h>
#include <string.h>

#include "plain/proxyin.h"
#include "target.h"

static int
play(struct ptah_proxyin *in, const uint8_t *data, size_t len, size_t step, size_t *eaten)
{
	int rc = PTAH_PROXYIN_MORE;

	ptah_proxyin_init(in);
	*eaten = 0;
	while (*eaten < len && rc == PTAH_PROXYIN_MORE) {
		size_t n = len - *eaten < step ? len - *eaten : step, ate;

		rc = ptah_proxyin_feed(in, (struct ptah_span){ data + *eaten, n }, &ate);
		expect(ate == n || (ate < n && rc != PTAH_PROXYIN_MORE));
		*eaten += ate;
	}
	expect((rc < 0) == (in->why != NULL));
	return rc;
}

/* Put the right sum where the machine has found one that is wrong. */
static void
mend(uint8_t *data, size_t eaten, const struct ptah_proxyin *in)
{
	uint32_t sum = in->crc ^ 0xffffffffu;

	for (size_t i = 28; i + 4 <= eaten; i++)
		if (memcmp(data + i, in->sum, 4) == 0 && i >= 3 && memcmp(data + i - 3, "\x03\x00\x04", 3) == 0) {
			for (unsigned k = 0; k < 4; k++)
				data[i + k] = (uint8_t)(sum >> (24 - 8 * k));
			return;
		}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t bytes[8192];
	struct ptah_proxyin whole, cut;
	size_t ate_whole, ate_cut;

	if (len == 0 || len > sizeof(bytes))
		return 0;
	uint8_t how = *data++;
	len--;
	if (len > 0)
		memcpy(bytes, data, len);
	int rc = play(&whole, bytes, len, SIZE_MAX, &ate_whole);
	if ((how & 0x80) == 0 && rc < 0 && whole.has_sum) {
		mend(bytes, ate_whole, &whole);
		rc = play(&whole, bytes, len, SIZE_MAX, &ate_whole);
	}
	expect(rc == play(&cut, bytes, len, 1 + (how & 0x1f), &ate_cut));
	expect(ate_whole == ate_cut && whole.told == cut.told);
	expect(ate_whole <= 16 + PTAH_PROXYIN_BODY);
	if (rc == PTAH_PROXYIN_DONE && whole.told) {
		expect(memcmp(&whole.from, &cut.from, sizeof(cut.from)) == 0);
		expect(memcmp(&whole.to, &cut.to, sizeof(cut.to)) == 0);
	}
	return 0;
}
