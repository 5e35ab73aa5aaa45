/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file of the replay filter.  The first byte says how long nobody ran, and
 * whether the sum at the end is made good, so that what stands before it is
 * reached.  What was read works, is written again, and reads the same.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium/crypto_generichash.h>

#include "target.h"
#include "transport/replay.h"

#define SUM_LEN 16u
#define NOW_S 1000000u

/* It is as good as a new one: it knows what it is told. */
static void
use(struct ptah_replay *replay)
{
	static const uint32_t ttls[] = { 0, 1, 160, 10800 };

	for (uint32_t i = 0; i < 200; i++) {
		struct ptah_span token = { (const uint8_t *)&i, sizeof(i) }, none = { NULL, 0 };

		expect(ptah_replay_check(replay, none, token, ttls[i % 4], NOW_S) >= 0);
		expect(ptah_replay_check(replay, none, token, ttls[i % 4], NOW_S) == 0);
	}
}

/* All of it is there the second time. */
static void
write_again(struct ptah_replay *replay)
{
	struct ptah_replay *same = ptah_replay_new(100);
	const char *why = NULL;
	uint8_t *text, *again;
	size_t len, again_len;

	expect(same != NULL);
	expect(ptah_replay_save(replay, NOW_S, 5, &text, &len) == 0);
	expect(ptah_replay_load(same, (struct ptah_span){ text, len }, NOW_S, 5, &why) == 0);
	expect(ptah_replay_save(same, NOW_S, 5, &again, &again_len) == 0);
	expect(again_len == len);
	free(text);
	free(again);
	ptah_replay_free(same);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ptah_replay *replay;
	const char *why = NULL;
	uint8_t *text;
	int rc;

	if (len < 1 + SUM_LEN)
		return 0;
	replay = ptah_replay_new(100);
	text = malloc(len - 1);
	expect(replay != NULL && text != NULL);
	memcpy(text, data + 1, len - 1);
	if ((data[0] & 1) != 0)
		crypto_generichash(text + len - 1 - SUM_LEN, SUM_LEN, text, len - 1 - SUM_LEN, NULL, 0);
	rc = ptah_replay_load(replay, (struct ptah_span){ text, len - 1 }, NOW_S, data[0] >> 1, &why);
	expect(rc == 0 || (rc == -EBADMSG && why != NULL));
	write_again(replay);
	use(replay);
	write_again(replay);
	free(text);
	ptah_replay_free(replay);
	return 0;
}
