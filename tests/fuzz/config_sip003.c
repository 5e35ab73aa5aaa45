/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a Shadowsocks program may put into its variables: lines of the input,
 * in the order of the table below.  What comes out are flags and options that
 * can be written again.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/sip003.h"
#include "target.h"

static const char *const names[] = { "SS_PLUGIN_OPTIONS", "SS_REMOTE_HOST", "SS_REMOTE_PORT", "SS_LOCAL_HOST", "SS_LOCAL_PORT" };
#define N_NAMES (sizeof(names) / sizeof(names[0]))

/* Written with escapes and read again, it is the same. */
static void
come_back(const struct ptah_kv *kv)
{
	struct ptah_kv again = { NULL, 0 };
	size_t room = 1, at = 0;
	char *text;

	for (size_t i = 0; i < kv->n; i++)
		room += 2 * (strlen(kv->pairs[i].key) + strlen(kv->pairs[i].value)) + 2;
	text = malloc(room);
	expect(text != NULL);
	for (size_t i = 0; i < kv->n; i++) {
		const char *words[] = { kv->pairs[i].key, kv->pairs[i].value };

		for (int k = 0; k < 2; k++) {
			for (const char *c = words[k]; *c != '\0'; c++) {
				text[at++] = '\\';
				text[at++] = *c;
			}
			text[at++] = k == 0 ? '=' : ';';
		}
	}
	text[at] = '\0';
	expect(ptah_sip003_options(&again, text) == 0 && again.n == kv->n);
	for (size_t i = 0; i < kv->n; i++)
		expect(strcmp(again.pairs[i].key, kv->pairs[i].key) == 0 && strcmp(again.pairs[i].value, kv->pairs[i].value) == 0);
	ptah_kv_clear(&again);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = strndup((const char *)data, len), *rest = text, *envp[N_NAMES + 1] = { NULL }, why[400] = "", *line;
	struct ptah_sip003 flags;
	struct ptah_kv kv = { NULL, 0 };
	size_t n = 0;
	int rc;

	expect(text != NULL);
	for (; n < N_NAMES && (line = strsep(&rest, "\n")) != NULL; n++)
		expect(asprintf(&envp[n], "%s=%s", names[n], line) >= 0);
	rc = ptah_sip003_flags(&flags, "ptah", envp, why, sizeof(why));
	expect(rc == 0 || (rc == -EINVAL && why[0] != '\0'));
	expect(rc != 0 || (flags.argc > 8 && flags.argv[flags.argc] == NULL));
	ptah_sip003_clear(&flags);
	if (n > 0 && ptah_sip003_options(&kv, envp[0] + sizeof("SS_PLUGIN_OPTIONS=") - 1) == 0)
		come_back(&kv);
	ptah_kv_clear(&kv);
	while (n > 0)
		free(envp[--n]);
	free(text);
	return 0;
}
