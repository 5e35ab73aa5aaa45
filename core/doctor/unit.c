/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/unit.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"

#define UNIT_MAX (256 * 1024)

/* In this order: the first that has a name has it. */
static const char *const folders[] = {
	"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
	"/lib/systemd/system",
};

/* Hears each setting of a file. */
typedef void setting_fn(const char *key, const char *value, void *arg);

static void
read_unit(const char *path, setting_fn *fn, void *arg)
{
	uint8_t *text = NULL;
	size_t len = 0;
	char *save = NULL;

	if (ptah_file_read(path, UNIT_MAX, &text, &len) != 0)
		return;
	for (char *line = strtok_r((char *)text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, '='), *end;

		line += strspn(line, " \t");
		if (!value || *line == '#' || *line == ';' || *line == '[')
			continue;
		for (end = value; end > line && strchr(" \t", end[-1]); end--)
			;
		*end = '\0';
		value++;
		value += strspn(value, " \t");
		for (end = value + strlen(value); end > value && strchr(" \t\r", end[-1]); end--)
			end[-1] = '\0';
		fn(line, value, arg);
	}
	free(text);
}

/* ---- the service ----------------------------------------------------------------- */

struct reading {
	struct ptah_unit *unit;
	const char *file;
	bool runs_it;
};

static void
set_text(char **to, const char *value)
{
	free(*to);
	*to = *value ? strdup(value) : NULL;
}

/* Does "…ptah run FILE" stand there? */
static bool
runs(const char *command, const char *file)
{
	const char *at = strstr(command, " run ");
	char *word = NULL, *one = NULL, *other = NULL;
	bool same = false;

	if (!at || !strstr(command, "ptah"))
		return false;
	at += strlen(" run ");
	at += strspn(at, " ");
	word = strndup(at, strcspn(at, " "));
	if (!word)
		return false;
	one = realpath(word, NULL);
	other = realpath(file, NULL);
	same = strcmp(word, file) == 0 || (one && other && strcmp(one, other) == 0);
	free(word);
	free(one);
	free(other);
	return same;
}

/* "StateDirectory=a b" is /var/lib/a and /var/lib/b. */
static void
add_writable(struct ptah_unit *unit, const char *folder, const char *value)
{
	struct ptah_buf all = { 0 };

	if (unit->writable)
		ptah_buf_puts(&all, unit->writable);
	while (*value) {
		size_t len = strcspn(value, " \t");

		ptah_buf_printf(&all, " %s%.*s", folder, (int)len, value);
		value += len + strspn(value + len, " \t");
	}
	free(unit->writable);
	unit->writable = ptah_buf_take_text(&all);
}

/* Those that systemd makes, and opens for writing. */
static void
take_writable(struct ptah_unit *unit, const char *key, const char *value)
{
	static const struct {
		const char *key, *folder;
	} rows[] = {
		{ "StateDirectory", "/var/lib/" }, { "RuntimeDirectory", "/run/" }, { "LogsDirectory", "/var/log/" },
		{ "CacheDirectory", "/var/cache/" }, { "ReadWritePaths", "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(key, rows[i].key) == 0)
			add_writable(unit, rows[i].folder, value);
}

static void
on_setting(const char *key, const char *value, void *arg)
{
	struct reading *reading = arg;
	struct ptah_unit *unit = reading->unit;

	if (strcmp(key, "ExecStart") == 0)
		reading->runs_it = *value ? reading->runs_it || runs(value, reading->file) : false;
	else if (strcmp(key, "User") == 0)
		set_text(&unit->user, value);
	else if (strcmp(key, "LimitNOFILE") == 0)
		/* "SOFT:HARD"; ptah raises itself to the second. */
		unit->descriptors = strtoull(strchr(value, ':') ? strchr(value, ':') + 1 : value, NULL, 10);
	else if (strcmp(key, "AmbientCapabilities") == 0)
		unit->may_bind = strstr(value, "CAP_NET_BIND_SERVICE") != NULL;
	else if (strcmp(key, "ProtectSystem") == 0)
		unit->strict = strcmp(value, "strict") == 0;
	else
		take_writable(unit, key, value);
}

static void
read_service(struct reading *reading, const char *root, const char *path, const char *name)
{
	char pattern[PATH_MAX];

	read_unit(path, on_setting, reading);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		glob_t found = { 0 };

		snprintf(pattern, sizeof(pattern), "%s%s/%s.d/*.conf", root, folders[i], name);
		if (glob(pattern, 0, NULL, &found) == 0)
			for (size_t k = 0; k < found.gl_pathc; k++)
				read_unit(found.gl_pathv[k], on_setting, reading);
		globfree(&found);
	}
}

/* ---- its sockets ------------------------------------------------------------------ */

struct socket_reading {
	char *name, *service;
};

static void
on_socket_setting(const char *key, const char *value, void *arg)
{
	struct socket_reading *reading = arg;

	if (strcmp(key, "FileDescriptorName") == 0)
		set_text(&reading->name, value);
	else if (strcmp(key, "Service") == 0)
		set_text(&reading->service, value);
}

static int
add_socket(struct ptah_unit *unit, const char *root, const char *path)
{
	const char *file = strrchr(path, '/') + 1;
	size_t stem = strlen(file) - strlen(".socket");
	struct socket_reading reading = { 0 };
	char wanted[PATH_MAX];
	int rc = 0;

	read_unit(path, on_socket_setting, &reading);

	/* Without a word of its own it is for the service of its name. */
	bool ours = reading.service ? strcmp(reading.service, unit->name) == 0 :
	    strncmp(file, unit->name, stem) == 0 && strcmp(unit->name + stem, ".service") == 0;

	if (ours) {
		struct ptah_unit_socket *more = realloc(unit->sockets, (unit->n_sockets + 1) * sizeof(*more));

		rc = more ? 0 : -ENOMEM;
		if (more) {
			unit->sockets = more;
			more += unit->n_sockets++;
			snprintf(wanted, sizeof(wanted), "%s/etc/systemd/system/sockets.target.wants/%s", root, file);
			*more = (struct ptah_unit_socket){ .path = strdup(path), .enabled = access(wanted, F_OK) == 0 ||
			    readlink(wanted, (char[1]){ 0 }, 1) != -1,
			    .name = reading.name ? strdup(reading.name) : strdup(file) };
			rc = more->path && more->name ? 0 : -ENOMEM;
		}
	}
	free(reading.name);
	free(reading.service);
	return rc;
}

static int
find_sockets(struct ptah_unit *unit, const char *root)
{
	char pattern[PATH_MAX];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(folders) / sizeof(folders[0]); i++) {
		glob_t found = { 0 };

		snprintf(pattern, sizeof(pattern), "%s%s/*.socket", root, folders[i]);
		if (glob(pattern, 0, NULL, &found) == 0)
			for (size_t k = 0; rc == 0 && k < found.gl_pathc; k++)
				rc = add_socket(unit, root, found.gl_pathv[k]);
		globfree(&found);
	}
	return rc;
}

/* ---- both ------------------------------------------------------------------------- */

int
ptah_unit_find(struct ptah_unit *unit, const char *root, const char *file)
{
	static const char name[] = "ptah.service";
	char path[PATH_MAX];

	*unit = (struct ptah_unit){ 0 };
	for (size_t i = 0; !unit->path && i < sizeof(folders) / sizeof(folders[0]); i++) {
		struct reading reading = { .unit = unit, .file = file };

		snprintf(path, sizeof(path), "%s%s/%s", root, folders[i], name);
		if (access(path, R_OK) != 0)
			continue;
		read_service(&reading, root, path, name);
		if (!reading.runs_it)
			break;
		unit->path = strdup(path);
		unit->name = strdup(name);
		if (!unit->path || !unit->name)
			return -ENOMEM;
	}
	if (unit->path)
		return find_sockets(unit, root);
	ptah_unit_clear(unit);
	return 0;
}

bool
ptah_unit_lets_write(const struct ptah_unit *unit, const char *path)
{
	const char *at = unit->writable ? unit->writable : "";

	if (!unit->strict)
		return true;
	while (*at) {
		size_t len;

		at += strspn(at, " -+"); /* the signs are systemd's */
		len = strcspn(at, " ");
		while (len > 1 && at[len - 1] == '/')
			len--;
		if (len > 0 && strncmp(path, at, len) == 0 && (path[len] == '/' || path[len] == '\0'))
			return true;
		at += strcspn(at, " ");
	}
	return false;
}

void
ptah_unit_clear(struct ptah_unit *unit)
{
	for (size_t i = 0; i < unit->n_sockets; i++) {
		free(unit->sockets[i].path);
		free(unit->sockets[i].name);
	}
	free(unit->sockets);
	free(unit->path);
	free(unit->name);
	free(unit->user);
	free(unit->writable);
	*unit = (struct ptah_unit){ 0 };
}
