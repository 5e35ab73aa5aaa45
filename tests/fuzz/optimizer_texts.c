/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An optimizer's texts: the first byte picks a state file or the options of a
 * bridge line.  A state that is taken can be written and is taken again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "members.h"
#include "ranking.h"
#include "target.h"

static void
read_state(const uint8_t *data, size_t size)
{
	static struct optimizer_ranking ranking, again;
	static char text[OPTIMIZER_TEXT_ROOM];
	size_t len;

	memset(&ranking, 0, sizeof(ranking));
	ranking.n = 3;
	for (uint32_t i = 0; i < ranking.n; i++)
		memset(ranking.scores[i].key, (int)(0x11 * (i + 1)), OPTIMIZER_KEY_LEN);
	again = ranking;
	if (optimizer_read(&ranking, (const char *)data, size) < 0) {
		expect(memcmp(&ranking, &again, sizeof(again)) == 0);
		return;
	}
	len = optimizer_write(&ranking, text);
	expect(len < sizeof(text));
	expect(optimizer_read(&again, text, len) == 0);
	for (uint32_t i = 0; i < ranking.n; i++)
		expect(ranking.scores[i].tried == again.scores[i].tried);
}

static void
read_members(const uint8_t *data, size_t size)
{
	struct optimizer_conf conf = { .json = { data, size } };
	struct optimizer_members members;
	char why[256] = "";

	if (optimizer_members_read(&members, &conf, why, sizeof(why)) == 0)
		expect(members.n > 0 && members.n <= OPTIMIZER_MAX);
	optimizer_members_free(&members);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] % 2 == 0)
		read_state(data + 1, size - 1);
	else
		read_members(data + 1, size - 1);
	return 0;
}
