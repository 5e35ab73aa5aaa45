/* SPDX-License-Identifier: BSD-3-Clause */
/* A torrc from anywhere, and its first line as a pattern of AppArmor for the second. */
#include <errno.h>
#include <string.h>

#include "doctor/apparmor.h"
#include "doctor/torrc.h"
#include "target.h"

static void
read_lines(const char *text, size_t len)
{
	struct ptah_torrc torrc = { 0 };
	int rc = ptah_torrc_parse(&torrc, "torrc", text, len);

	expect(rc == 0 || rc == -E2BIG);
	for (size_t i = 0; i < torrc.n; i++) {
		const struct ptah_torrc_line *line = &torrc.lines[i];

		expect(line->line > 0 && line->key && line->value && line->key[0] != '#');
		expect(i == 0 || line[-1].line < line->line);
		expect(line->words[line->n_words] == NULL);
		for (size_t k = 0; k < line->n_words; k++)
			expect(line->words[k][0] != '\0' && !strpbrk(line->words[k], " \t"));
		expect(ptah_torrc_last(&torrc, line->key) >= line);
	}
	ptah_torrc_clear(&torrc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1), *path, *end;

	expect(text != NULL);
	memcpy(text, data, len);
	text[len] = '\0';
	read_lines(text, len);
	path = strchr(text, '\n');
	if (path) {
		*path++ = '\0';
		end = strchr(path, '\n');
		if (end)
			*end = '\0';
		/* What holds no sign stands for itself. */
		if (ptah_apparmor_matches(text, path))
			expect(strpbrk(text, "{}*?[]\\") || strcmp(text, path) == 0);
		else
			expect(strpbrk(text, "{}*?[]\\") || strcmp(text, path) != 0 || strlen(text) > 99000);
	}
	free(text);
	return 0;
}
