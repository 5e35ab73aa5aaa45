/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SOCKS arguments, "k=v;k=v" with backslashes: what was decoded is encoded
 * again, and decodes to the same.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/kv.h"
#include "target.h"

static void
escape(struct ptah_buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("\\=;", *text) != NULL)
			ptah_buf_add(out, "\\", 1);
		ptah_buf_add(out, text, 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ptah_kv kv, again;
	struct ptah_buf text = { 0 };
	int rc = ptah_kv_parse_socks(&kv, (const char *)data, len);

	if (rc != 0) {
		expect(rc == -EINVAL && kv.n == 0);
		return 0;
	}
	for (size_t i = 0; i < kv.n; i++) {
		expect(kv.pairs[i].key[0] != '\0' && kv.pairs[i].name == NULL);
		if (i > 0)
			ptah_buf_add(&text, ";", 1);
		escape(&text, kv.pairs[i].key);
		ptah_buf_add(&text, "=", 1);
		escape(&text, kv.pairs[i].value);
	}
	expect(ptah_kv_parse_socks(&again, (const char *)text.at, text.len) == 0);
	expect(again.n == kv.n);
	for (size_t i = 0; i < kv.n; i++) {
		expect(strcmp(again.pairs[i].key, kv.pairs[i].key) == 0);
		expect(strcmp(again.pairs[i].value, kv.pairs[i].value) == 0);
	}
	ptah_buf_clear(&text);
	ptah_kv_clear(&again);
	ptah_kv_clear(&kv);
	return 0;
}
