/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define LINE_MAX_LEN 4096

/* What both ends of one transport must have been told alike, of those that we know. */
static const char *const alike[] = { "password", "method", "cert", "shared-secret", NULL };

static const char *
text_at(const struct ptah_json *options, const char *key)
{
	const struct ptah_json *value = options ? ptah_json_get(options, key) : NULL;

	return value && value->type == PTAH_JSON_STRING ? value->text : NULL;
}

/* Does the server listen where the client connects to? */
static bool
meet(const struct ptah_case *client, const struct ptah_case *server)
{
	const char *text = text_at(client->service->options, "serverAddress");
	const struct ptah_addr *listens;
	struct ptah_dest dest;

	if (!text || !client->service->name || !server->service->name ||
	    strcmp(client->service->name, server->service->name) != 0 || ptah_dest_parse(&dest, text, false) != 0 || !dest.literal)
		return false;
	for (size_t i = 0; (listens = ptah_case_listen(server, i)); i++) {
		char any[PTAH_ADDR_TEXT];
		bool all = strncmp(ptah_addr_format(listens, any), "0.0.0.0:", 8) == 0 || strncmp(any, "[::]:", 5) == 0;

		if (ptah_addr_port(listens) == dest.port && ((all && ptah_check_is_here(&dest.addr)) || ptah_addr_equal(listens, &dest.addr)))
			return true;
	}
	return false;
}

/* What the server wrote for its clients: "... KEY=VALUE KEY=VALUE".  Gives: the value for free(), or NULL. */
static char *
written(const struct ptah_case *server, const char *key)
{
	char path[PATH_MAX], *save = NULL, *value = NULL;
	size_t len = 0, key_len = strlen(key);
	uint8_t *text = NULL;

	snprintf(path, sizeof(path), "%s/%s_bridgeline.txt", server->plan->state_dir ? server->plan->state_dir : "", server->service->name);
	if (ptah_file_read(path, LINE_MAX_LEN, &text, &len) != 0)
		return NULL;
	for (char *line = strtok_r((char *)text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *words = NULL;

		if (line[0] == '#')
			continue;
		for (char *word = strtok_r(line, " ", &words); word && !value; word = strtok_r(NULL, " ", &words))
			if (strncmp(word, key, key_len) == 0 && word[key_len] == '=')
				value = strdup(word + key_len + 1);
	}
	free(text);
	return value;
}

static void
compare(struct ptah_exam *exam, const struct ptah_case *client, const struct ptah_case *server)
{
	for (const char *const *key = alike; *key; key++) {
		const char *ours = text_at(client->service->options, *key), *theirs = text_at(server->service->options, *key);
		char *kept = theirs ? NULL : written(server, *key);
		char *own = kept;

		theirs = theirs ? theirs : kept;
		if (ours && theirs && strcmp(ours, theirs) != 0) {
			ptah_exam_fault(exam, client, "its \"%s\" is not that of \"%s\", the server that it connects to: every handshake will fail", *key,
			    server->label);
			if (own)
				ptah_exam_cure(exam, "take %s from %s/%s_bridgeline.txt into %s", *key, server->plan->state_dir, server->service->name, client->where);
			else
				ptah_exam_cure(exam, "write the same \"%s\" into %s and %s", *key, client->where, server->where);
		}
		free(kept);
	}
}

bool
ptah_check_identity(struct ptah_exam *exam)
{
	bool any = false;

	for (size_t i = 0; i < exam->n_cases; i++)
		for (size_t k = 0; k < exam->n_cases; k++) {
			if (ptah_case_serves(&exam->cases[i]) || !ptah_case_serves(&exam->cases[k]) ||
			    !meet(&exam->cases[i], &exam->cases[k]))
				continue;
			any = true;
			compare(exam, &exam->cases[i], &exam->cases[k]);
		}
	return any;
}
