/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an Extended ORPort may answer.  The first byte says how to cut it.  A
 * fuzzer cannot guess a hash, so where the server's nonce stands in the input
 * the right hash is put before it, unless bit 7 says otherwise.
 */
#include <stdint.h>
#include <string.h>

#include "plain/extor.h"
#include "target.h"

/* 32 bytes each, without a NUL. */
static const uint8_t cookie[PTAH_EXTOR_COOKIE] = "not much of a cookie, but enough";
static const uint8_t nonce[PTAH_EXTOR_NONCE] = "a nonce that is used many times.";

static int
play(const uint8_t *data, size_t len, size_t step, struct ptah_buf *out, size_t *eaten)
{
	struct ptah_extor extor;
	struct ptah_addr peer;
	int rc = PTAH_EXTOR_MORE;

	expect(ptah_addr_parse(&peer, "192.0.2.1:5000") == 0);
	ptah_extor_init(&extor, cookie, nonce, &peer, "dummy");
	*eaten = 0;
	while (*eaten < len && rc == PTAH_EXTOR_MORE) {
		size_t n = len - *eaten < step ? len - *eaten : step;
		size_t ate;

		rc = ptah_extor_feed(&extor, (struct ptah_span){ data + *eaten, n }, &ate, out);
		expect(ate == n || (ate < n && rc != PTAH_EXTOR_MORE));
		*eaten += ate;
	}
	expect((rc == PTAH_EXTOR_FAIL) == (extor.why != NULL));
	ptah_extor_clear(&extor);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ptah_buf in = { 0 }, whole = { 0 }, cut = { 0 };
	size_t ate_whole, ate_cut, step, types;
	uint8_t how;

	if (len == 0)
		return 0;
	how = *data++;
	len--;
	ptah_buf_add(&in, data, len);
	types = 0;
	while (types < len && data[types] != 0)
		types++;
	if (types + 1 + 32 <= len && (how & 0x80) == 0) {
		uint8_t hash[PTAH_EXTOR_HASH];

		ptah_extor_hash(PTAH_EXTOR_BY_SERVER, cookie, nonce, data + types + 1, hash);
		ptah_buf_clear(&in);
		ptah_buf_add(&in, data, types + 1);
		ptah_buf_add(&in, hash, sizeof(hash));
		ptah_buf_add(&in, data + types + 1, len - types - 1);
	}
	step = 1 + (how & 0x1f);
	int rc = play(in.at, in.len, SIZE_MAX, &whole, &ate_whole);

	expect(rc == play(in.at, in.len, step, &cut, &ate_cut));
	expect(rc != PTAH_EXTOR_OPEN || ate_whole == ate_cut);
	expect(whole.len == cut.len && (whole.len == 0 || memcmp(whole.at, cut.at, whole.len) == 0));
	expect(whole.len <= 1 + 32 + 32 + 4 + 14 + 4 + 5 + 4);
	ptah_buf_clear(&in);
	ptah_buf_clear(&whole);
	ptah_buf_clear(&cut);
	return 0;
}
