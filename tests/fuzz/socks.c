/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The SOCKS machine: the first byte says dialect and switches, the rest is
 * what a client sends.  Cut into pieces or whole, it comes to the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/flag.h"
#include "plain/socks.h"
#include "target.h"

struct outcome {
	struct ptah_socks socks;
	uint8_t out[64];
	size_t n_out, eaten;
	char *args;
};

static void
drain(struct outcome *outcome)
{
	expect(outcome->socks.out_len <= sizeof(outcome->socks.out));
	expect(outcome->n_out + outcome->socks.out_len <= sizeof(outcome->out));
	memcpy(outcome->out + outcome->n_out, outcome->socks.out, outcome->socks.out_len);
	outcome->n_out += outcome->socks.out_len;
	outcome->socks.out_len = 0;
}

static void
play(struct outcome *outcome, uint8_t how, const uint8_t *data, size_t len, size_t step)
{
	struct ptah_socks *socks = &outcome->socks;

	memset(outcome, 0, sizeof(*outcome));
	ptah_socks_init(socks, PTAH_D1 + (how & 3), (how & 4) != 0);
	while (outcome->eaten < len && socks->status == PTAH_SOCKS_MORE) {
		size_t n = len - outcome->eaten < step ? len - outcome->eaten : step;
		size_t ate = ptah_socks_feed(socks, (struct ptah_span){ data + outcome->eaten, n });

		expect(ate == n || (ate < n && socks->status != PTAH_SOCKS_MORE));
		outcome->eaten += ate;
		drain(outcome);
	}
	ptah_socks_timeout(socks);
	drain(outcome);
	expect(socks->status != PTAH_SOCKS_MORE);
	if (socks->status == PTAH_SOCKS_REQUEST) {
		expect(socks->dest.host[0] == '\0' || !socks->dest_bad);
		expect(socks->args == NULL || socks->args->type == PTAH_JSON_OBJECT);
		outcome->args = socks->args != NULL ? ptah_json_text(socks->args) : NULL;
	} else {
		expect(socks->why != NULL);
		expect(socks->status == PTAH_SOCKS_FAILED || outcome->n_out == 0);
	}
	ptah_socks_clear(socks);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct outcome whole, cut;

	if (len == 0)
		return 0;
	play(&whole, data[0], data + 1, len - 1, SIZE_MAX);
	play(&cut, data[0], data + 1, len - 1, len > 4096 ? 977 : 1 + (data[0] >> 5));
	expect(whole.socks.status == cut.socks.status && whole.socks.method == cut.socks.method);
	expect(whole.n_out == cut.n_out && memcmp(whole.out, cut.out, whole.n_out) == 0);
	if (whole.socks.status == PTAH_SOCKS_REQUEST) {
		expect(whole.eaten == cut.eaten);
		expect(strcmp(whole.socks.dest.host, cut.socks.dest.host) == 0);
		expect(whole.socks.dest.port == cut.socks.dest.port);
		expect((whole.args == NULL) == (cut.args == NULL));
		expect(whole.args == NULL || strcmp(whole.args, cut.args) == 0);
	}
	free(whole.args);
	free(cut.args);
	return 0;
}
