/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/checks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "transport/loader.h"
#include "transport/merge.h"
#include "transport/stacks.h"

#define LINE_MAX_LEN 4096

/* What both ends of one transport must have been told alike, of those that we know. */
static const char *const alike[] = { "password", "method", "cert", "shared-secret", NULL };

static const char *
text_at(const struct ptah_json *options, const char *key)
{
	const struct ptah_json *value = options ? ptah_json_get(options, key) : NULL;

	return value && value->type == PTAH_JSON_STRING ? value->text : NULL;
}

/* A case and the layers that its name and its options stand for. */
struct end {
	const struct ptah_case *one;
	struct ptah_stack stack;
	bool found;
};

static void
end_find(struct end *end, const struct ptah_case *one)
{
	const char *nobody;
	char why[PTAH_WHY_TEXT];

	*end = (struct end){ .one = one };
	end->found = one->service->name && one->registry && ptah_stack_find(&end->stack, one->registry, one->service->name,
	    one->service->options, &nobody, why, sizeof(why)) == 0;
}

/* Where the client connects to, in whichever layer's options it stands. */
static const char *
server_of(const struct end *client)
{
	const char *text = NULL;

	for (unsigned i = 0; i < client->stack.n && !text; i++)
		text = text_at(client->stack.options[i], "serverAddress");
	return text;
}

/* Does the server listen where the client connects to? */
static bool
meet(const struct end *client, const struct end *server)
{
	const char *text = server_of(client);
	const struct ptah_addr *listens;
	struct ptah_dest dest;

	if (!text || ptah_dest_parse(&dest, text, false) != 0 || !dest.literal)
		return false;
	for (size_t i = 0; (listens = ptah_case_listen(server->one, i)); i++) {
		char any[PTAH_ADDR_TEXT];
		bool all = strncmp(ptah_addr_format(listens, any), "0.0.0.0:", 8) == 0 || strncmp(any, "[::]:", 5) == 0;

		if (ptah_addr_port(listens) == dest.port && ((all && ptah_check_is_here(&dest.addr)) || ptah_addr_equal(listens, &dest.addr)))
			return true;
	}
	return false;
}

/* What the server wrote for its clients: "... KEY=VALUE KEY=VALUE".  Gives: the value for free(), or NULL. */
static char *
written(const struct ptah_case *server, const char *name, const char *key)
{
	char path[PATH_MAX], *save = NULL, *value = NULL;
	size_t len = 0, key_len = strlen(key);
	uint8_t *text = NULL;

	snprintf(path, sizeof(path), "%s/%s_bridgeline.txt", server->plan->state_dir ? server->plan->state_dir : "", name);
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
compare_layer(struct ptah_exam *exam, const struct end *client, const struct end *server, unsigned layer)
{
	const char *name = server->stack.name[layer];

	for (const char *const *key = alike; *key; key++) {
		const char *ours = text_at(client->stack.options[layer], *key), *theirs = text_at(server->stack.options[layer], *key);
		char *kept = theirs ? NULL : written(server->one, name, *key);
		bool differ = ours && (theirs || kept) && strcmp(ours, theirs ? theirs : kept) != 0;

		/* What a layer does not take is passed down, and is said of the one that does. */
		if (differ && ptah_merge_takes(server->stack.module[layer], *key)) {
			ptah_exam_fault(exam, client->one, "its \"%s\" is not that of \"%s\", the server that it connects to: every handshake will fail", *key,
			    server->one->label);
			if (kept)
				ptah_exam_cure(exam, "take %s from %s/%s_bridgeline.txt into %s", *key, server->one->plan->state_dir, name, client->one->where);
			else
				ptah_exam_cure(exam, "write the same \"%s\" into %s and %s", *key, client->one->where, server->one->where);
		}
		free(kept);
	}
}

/* A carrier may start a program, or be one of several, that speaks anything. */
static bool
is_known(const struct ptah_stack *stack)
{
	for (unsigned i = 0; i < stack->n; i++)
		if ((stack->module[i]->abilities & PTAH_IS_CARRIER) != 0)
			return false;
	return true;
}

static bool
is_same_stack(const struct ptah_stack *a, const struct ptah_stack *b)
{
	for (unsigned i = 0; i < a->n && i < b->n; i++)
		if (strcmp(a->module[i]->name, b->module[i]->name) != 0)
			return false;
	return a->n == b->n;
}

static const char *
words_of(const struct ptah_stack *stack, char *out, size_t room)
{
	size_t len = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < stack->n && len < room; i++)
		len += (size_t)snprintf(out + len, room - len, "%s%s", i == 0 ? "" : "+", stack->module[i]->name);
	return out;
}

/* What a link carries: bytes, whoever asked for them, datagrams, or those of TURN. */
static int
kind_of(const struct end *end)
{
	int mode = end->one->plan->mode;

	return mode == PTAH_MODE_SOCKS5 ? PTAH_MODE_TCP : mode;
}

static void
compare(struct ptah_exam *exam, const struct end *client, const struct end *server)
{
	char ours[256], theirs[256];

	if (kind_of(client) != kind_of(server)) {
		ptah_exam_fault(exam, client->one, "its mode is %s, and that of \"%s\", the server that it connects to, %s: nothing will get through",
		    ptah_mode_name(client->one->plan->mode), server->one->label, ptah_mode_name(server->one->plan->mode));
		ptah_exam_cure(exam, "write the same \"mode\" into %s and %s", client->one->where, server->one->where);
	}
	if (is_same_stack(&client->stack, &server->stack)) {
		for (unsigned i = 0; i < client->stack.n; i++)
			compare_layer(exam, client, server, i);
		return;
	}
	if (!is_known(&client->stack) || !is_known(&server->stack))
		return;
	ptah_exam_fault(exam, client->one, "it speaks %s, and \"%s\", the server that it connects to, %s: every handshake will fail",
	    words_of(&client->stack, ours, sizeof(ours)), server->one->label, words_of(&server->stack, theirs, sizeof(theirs)));
	ptah_exam_cure(exam, "write the same transports, in the same order, into %s and %s", client->one->where, server->one->where);
}

/* Is it a client's end, and that of a server that it reaches? */
static bool
are_ends(const struct end *client, const struct end *server)
{
	return client->found && server->found && !ptah_case_serves(client->one) && ptah_case_serves(server->one) && meet(client, server);
}

static bool
are_alike(const struct end *client, const struct end *server)
{
	return kind_of(client) == kind_of(server) && is_same_stack(&client->stack, &server->stack);
}

/*
 * Several servers may have one port: over TCP and over UDP, or in both
 * families.  Where one of them speaks as the client does, it is that one.
 */
static bool
compare_all(struct ptah_exam *exam, const struct end *client, const struct end *ends)
{
	bool any = false, right = false;

	for (size_t k = 0; k < exam->n_cases; k++)
		right = right || (are_ends(client, &ends[k]) && are_alike(client, &ends[k]));
	for (size_t k = 0; k < exam->n_cases; k++) {
		if (!are_ends(client, &ends[k]) || (right && !are_alike(client, &ends[k])))
			continue;
		any = true;
		compare(exam, client, &ends[k]);
	}
	return any;
}

bool
ptah_check_identity(struct ptah_exam *exam)
{
	struct end *ends = calloc(exam->n_cases + 1, sizeof(*ends));
	bool any = false;

	if (!ends) {
		exam->rc = -ENOMEM;
		return false;
	}
	for (size_t i = 0; i < exam->n_cases; i++)
		end_find(&ends[i], &exam->cases[i]);
	for (size_t i = 0; i < exam->n_cases; i++)
		any = compare_all(exam, &ends[i], ends) || any;
	for (size_t i = 0; i < exam->n_cases; i++)
		ptah_stack_clear(&ends[i].stack);
	free(ends);
	return any;
}
