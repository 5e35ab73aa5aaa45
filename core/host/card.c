/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/card.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Lines of a torrc, of one side. */
struct lines {
	struct ptah_json *array; /* of texts */
	const char *problem;     /* why a torrc cannot say it; NULL: it can */
};

/* A torrc divides at blanks, ends at #, and reads \ and " in its own way. */
static bool
is_sayable(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~' || strchr("#\"\\", *text))
			return false;
	return true;
}

static int
add_line(struct ptah_json *array, struct ptah_buf *line)
{
	char *text = ptah_buf_take_text(line);
	struct ptah_json *json = text ? ptah_json_new_text(PTAH_JSON_STRING, text) : NULL;

	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	return json ? ptah_json_add(array, json) : -ENOMEM;
}

/* ---- k=v ------------------------------------------------------------------------ */

static bool
is_list(const struct ptah_json *value)
{
	if (value->type != PTAH_JSON_ARRAY)
		return false;
	for (size_t i = 0; i < value->n; i++)
		if (value->items[i]->type == PTAH_JSON_ARRAY || value->items[i]->type == PTAH_JSON_OBJECT)
			return false;
	return true;
}

/* " key=value", and that all of it can be said. */
static bool
add_pair(struct ptah_buf *out, const char *key, const struct ptah_json *value)
{
	char *text = value->type == PTAH_JSON_STRING ? strdup(value->text) : ptah_json_text(value);
	bool sayable = text && is_sayable(key) && is_sayable(text) && !strchr(key, '=');

	ptah_buf_printf(out, " %s=%s", key, text ? text : "");
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	return sayable;
}

/* A key of a list is said again for each item. */
static bool
add_pairs(struct ptah_buf *out, const struct ptah_json *object)
{
	bool sayable = true;

	for (size_t i = 0; i < object->n; i++) {
		const struct ptah_json *value = object->items[i];

		if (!is_list(value))
			sayable &= add_pair(out, object->keys[i], value);
		for (size_t j = 0; is_list(value) && j < value->n; j++)
			sayable &= add_pair(out, object->keys[i], value->items[j]);
	}
	return sayable;
}

/* ---- the lines -------------------------------------------------------------------- */

/* Where we are; as good as a torrc can say it. */
static const char *
program_path(char path[static PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);

	path[n > 0 ? n : 0] = '\0';
	return n > 0 ? path : "/usr/bin/ptah";
}

/* "NAME ADDRESS key=value ..."; NULL: it cannot be said in one line. */
static char *
bridge_line(const struct ptah_invitation *invitation, const struct ptah_invitation_wish *wish)
{
	struct ptah_buf line = { 0 };
	bool sayable;

	ptah_buf_printf(&line, "%s %s", wish->name, invitation->address);
	sayable = add_pairs(&line, invitation->bridge);
	if (!sayable)
		ptah_buf_wipe(&line);
	return sayable ? ptah_buf_take_text(&line) : NULL;
}

static int
server_lines(struct lines *lines, const struct ptah_invitation *invitation, const struct ptah_invitation_wish *wish)
{
	char path[PATH_MAX];
	const char *program = program_path(path);
	struct ptah_buf line = { 0 };
	int rc;

	if (!is_sayable(program) || (invitation->in_state && !is_sayable(wish->folder)))
		lines->problem = "a torrc cannot say the path of the program, or of the state folder";
	ptah_buf_printf(&line, "ServerTransportPlugin %s exec %s", wish->name, program);
	if (invitation->in_state)
		ptah_buf_printf(&line, " -state %s", wish->folder);
	rc = add_line(lines->array, &line);
	ptah_buf_printf(&line, "ServerTransportListenAddr %s %s", wish->name, wish->bind);
	if (rc == 0)
		rc = add_line(lines->array, &line);
	if (rc == 0 && invitation->server->n > 0) {
		ptah_buf_printf(&line, "ServerTransportOptions %s", wish->name);
		if (!add_pairs(&line, invitation->server))
			lines->problem = "a torrc cannot say these options: write the JSON below into a file, "
			    "and -optionsFile FILE behind the program";
		rc = add_line(lines->array, &line);
	}
	ptah_buf_wipe(&line);
	return rc;
}

static int
client_lines(struct lines *lines, const char *bridge, const struct ptah_invitation *invitation,
    const struct ptah_invitation_wish *wish)
{
	char path[PATH_MAX];
	const char *program = program_path(path);
	struct ptah_dest dest;
	struct ptah_buf line = { 0 };
	int rc;

	if (!bridge)
		lines->problem = "a torrc cannot say these options";
	else if (ptah_dest_parse(&dest, invitation->address, false) != 0 || !dest.literal)
		lines->problem = "Tor takes a bridge by its IP address only: give --advertise one";
	else if (!is_sayable(program))
		lines->problem = "a torrc cannot say the path of the program";
	ptah_buf_puts(&line, "UseBridges 1");
	rc = add_line(lines->array, &line);
	ptah_buf_printf(&line, "ClientTransportPlugin %s exec %s", wish->name, program);
	if (rc == 0)
		rc = add_line(lines->array, &line);
	ptah_buf_printf(&line, "Bridge %s", bridge ? bridge : "");
	if (rc == 0)
		rc = add_line(lines->array, &line);
	ptah_buf_wipe(&line);
	return rc;
}

/* ---- for people ----------------------------------------------------------------------- */

static void
print_files(struct ptah_buf *out, const char *title, const struct ptah_json *paths)
{
	if (paths->n == 0)
		return;
	ptah_buf_printf(out, "# %s\n", title);
	for (size_t i = 0; i < paths->n; i++)
		ptah_buf_printf(out, "#     %s\n", paths->items[i]->text);
}

static void
print_lines(struct ptah_buf *out, const char *title, const struct lines *lines)
{
	ptah_buf_printf(out, "\n# %s\n", title);
	if (lines->problem)
		ptah_buf_printf(out, "# (%s)\n", lines->problem);
	for (size_t i = 0; !lines->problem && i < lines->array->n; i++)
		ptah_buf_printf(out, "%s\n", lines->array->items[i]->text);
}

static void
print_options(struct ptah_buf *out, const char *title, const struct ptah_json *options)
{
	ptah_buf_printf(out, "\n# %s\n", title);
	ptah_json_print(options, out);
	ptah_buf_puts(out, "\n");
}

static int
print(struct ptah_buf *out, const struct ptah_invitation *invitation, const char *bridge,
    const struct lines *server, const struct lines *client)
{
	print_files(out, invitation->made ? "A new identity; this is all there is of it, so keep a copy:" :
	    "The identity that was there already (--new makes another one):", invitation->files);
	if (invitation->files->n == 0)
		ptah_buf_puts(out, "# This transport keeps no identity.\n");
	print_files(out, "What was there before:", invitation->kept);
	ptah_buf_puts(out, "\n# The bridge line, for clients; it lets in whoever has it.\n"
	    "# (Behind the address may stand the relay's fingerprint: tor --list-fingerprint)\n");
	ptah_buf_printf(out, "%s\n", bridge ? bridge : "# (a line cannot say these options: give them the JSON)");
	print_lines(out, "torrc of the bridge", server);
	print_lines(out, "torrc of a client", client);
	print_options(out, invitation->in_state ? "options of the server, without Tor; its identity is in the state folder (-state)" :
	    "options of the server, without Tor", invitation->server);
	print_options(out, "options of a client, without Tor", invitation->client);
	return out->rc;
}

/* ---- for programs ------------------------------------------------------------------------ */

static int
set_text(struct ptah_json *object, const char *key, const char *text)
{
	return ptah_json_set(object, key, text ? ptah_json_new_text(PTAH_JSON_STRING, text) : ptah_json_new(PTAH_JSON_NULL));
}

static int
set_copy(struct ptah_json *object, const char *key, const struct ptah_json *value)
{
	return ptah_json_set(object, key, ptah_json_copy(value));
}

/* Lines that cannot be said are null. */
static int
set_lines(struct ptah_json *object, const char *key, const struct lines *lines)
{
	return lines->problem ? set_text(object, key, NULL) : set_copy(object, key, lines->array);
}

static int
print_json(struct ptah_buf *out, const struct ptah_invitation *invitation, const struct ptah_invitation_wish *wish,
    const char *bridge, const struct lines *server, const struct lines *client)
{
	struct ptah_json *object = ptah_json_new(PTAH_JSON_OBJECT), *made = ptah_json_new(PTAH_JSON_BOOL);
	int rc = object && made ? 0 : -ENOMEM;

	if (rc == 0) {
		made->truth = invitation->made;
		rc = set_text(object, "transport", wish->name);
	}
	if (rc == 0) {
		rc = ptah_json_set(object, "new", made);
		made = NULL;
	}
	if (rc == 0)
		rc = set_copy(object, "files", invitation->files);
	if (rc == 0)
		rc = set_copy(object, "kept", invitation->kept);
	if (rc == 0)
		rc = set_text(object, "bridge-line", bridge);
	if (rc == 0)
		rc = set_lines(object, "server-torrc", server);
	if (rc == 0)
		rc = set_lines(object, "client-torrc", client);
	if (rc == 0)
		rc = set_copy(object, "server-options", invitation->server);
	if (rc == 0)
		rc = set_copy(object, "client-options", invitation->client);
	if (rc == 0)
		rc = ptah_json_print(object, out);
	ptah_buf_puts(out, "\n");
	ptah_json_free(made);
	ptah_json_free(object);
	return rc < 0 ? rc : out->rc;
}

static int
write_card(struct ptah_buf *out, bool json, const struct ptah_invitation *invitation,
    const struct ptah_invitation_wish *wish)
{
	struct lines server = { ptah_json_new(PTAH_JSON_ARRAY), NULL }, client = { ptah_json_new(PTAH_JSON_ARRAY), NULL };
	char *bridge = bridge_line(invitation, wish);
	int rc = server.array && client.array ? server_lines(&server, invitation, wish) : -ENOMEM;

	if (rc == 0)
		rc = client_lines(&client, bridge, invitation, wish);
	if (rc == 0)
		rc = json ? print_json(out, invitation, wish, bridge, &server, &client) :
		    print(out, invitation, bridge, &server, &client);
	if (bridge)
		explicit_bzero(bridge, strlen(bridge));
	free(bridge);
	ptah_json_free(server.array);
	ptah_json_free(client.array);
	return rc;
}

int
ptah_card_print(struct ptah_buf *out, const struct ptah_invitation *invitation, const struct ptah_invitation_wish *wish)
{
	return write_card(out, false, invitation, wish);
}

int
ptah_card_json(struct ptah_buf *out, const struct ptah_invitation *invitation, const struct ptah_invitation_wish *wish)
{
	return write_card(out, true, invitation, wish);
}
