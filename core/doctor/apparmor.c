/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/apparmor.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define PROFILE_MAX (1024 * 1024)
#define INCLUDES_MOST 8
/* A pattern that asks for more is not looked at to its end: it matches nothing. */
#define STEPS_MOST 100000
#define BRACES_MOST 32

/* ---- patterns --------------------------------------------------------------------- */

static bool match(const char *pattern, const char *path, unsigned *steps);

/* The end of {a,b{c,d}} or of one alternative in it; "" where there is none. */
static const char *
skip(const char *at, bool to_comma)
{
	int depth = 0;

	for (; *at; at++) {
		if (*at == '{')
			depth++;
		else if (depth == 0 && (*at == '}' || (to_comma && *at == ',')))
			break;
		else if (*at == '}')
			depth--;
	}
	return at;
}

static bool
match_either(const char *pattern, const char *path, unsigned *steps)
{
	const char *end = skip(pattern + 1, false), *at = pattern + 1;
	char whole[PATH_MAX];

	while (*end == '}') {
		const char *next = skip(at, true);

		snprintf(whole, sizeof(whole), "%.*s%s", (int)(next - at), at, end + 1);
		if (match(whole, path, steps))
			return true;
		if (next == end)
			break;
		at = next + 1;
	}
	return false;
}

static bool
match_star(const char *pattern, const char *path, unsigned *steps)
{
	bool deep = pattern[1] == '*';

	pattern += deep ? 2 : 1;
	for (;; path++) {
		if (match(pattern, path, steps))
			return true;
		if (*path == '\0' || (!deep && *path == '/'))
			return false;
	}
}

static bool
match_set(const char *pattern, const char *path, unsigned *steps)
{
	bool not = pattern[1] == '^', in = false;
	const char *at = pattern + 1 + not;

	for (; *at && *at != ']'; at++) {
		if (at[1] == '-' && at[2] && at[2] != ']') {
			in = in || (*path >= at[0] && *path <= at[2]);
			at += 2;
		} else {
			in = in || *at == *path;
		}
	}
	return *at && *path && *path != '/' && in != not && match(at + 1, path + 1, steps);
}

static bool
match(const char *pattern, const char *path, unsigned *steps)
{
	for (; ++*steps < STEPS_MOST; pattern++, path++) {
		switch (*pattern) {
		case '\0':
			return *path == '\0';
		case '{':
			return match_either(pattern, path, steps);
		case '*':
			return match_star(pattern, path, steps);
		case '[':
			return match_set(pattern, path, steps);
		case '?':
			if (*path == '\0' || *path == '/')
				return false;
			break;
		case '\\':
			pattern += pattern[1] != '\0';
			/* fallthrough */
		default:
			if (*pattern != *path)
				return false;
		}
	}
	return false;
}

bool
ptah_apparmor_matches(const char *pattern, const char *path)
{
	unsigned steps = 0, braces = 0;

	for (const char *at = pattern; *at; at++)
		braces += *at == '{';
	return braces <= BRACES_MOST && match(pattern, path, &steps);
}

/* ---- rules ------------------------------------------------------------------------ */

struct asking {
	const char *root, *path;
	char permission;
	bool allowed, denied;
};

static void read_rules(struct asking *asking, const char *path, unsigned depth);

/* "include <local/x>", with a hash sign or "if exists" or without. */
static bool
include(struct asking *asking, char *line, unsigned depth)
{
	char path[PATH_MAX], *open, *close;

	line += *line == '#';
	if (strncmp(line, "include", strlen("include")) != 0)
		return false;
	open = strpbrk(line, "<\"");
	close = open ? strpbrk(open + 1, ">\"") : NULL;
	if (!close || depth >= INCLUDES_MOST)
		return true;
	*close = '\0';
	if (open[1] == '/')
		snprintf(path, sizeof(path), "%s%s", asking->root, open + 1);
	else
		snprintf(path, sizeof(path), "%s/etc/apparmor.d/%s", asking->root, open + 1);
	read_rules(asking, path, depth + 1);
	return true;
}

/* "[deny] [owner] /path permissions[ -> profile],"; or the permissions first. */
static void
take_rule(struct asking *asking, char *line)
{
	char *words[8], *save = NULL, *word, *path = NULL, *permissions = NULL;
	bool deny = false;
	size_t n = 0;

	/* Of a path no comma is the end, for {a,b} has them. */
	for (word = strtok_r(line, " \t", &save); word && n < 8; word = strtok_r(NULL, " \t", &save))
		words[n++] = word;
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(words[i]);

		if (len > 1 && words[i][0] == '"' && words[i][len - 1] == '"') {
			words[i][len - 1] = '\0';
			words[i]++;
		}
		if (strcmp(words[i], "deny") == 0)
			deny = true;
		else if (strcmp(words[i], "->") == 0)
			break;
		else if (words[i][0] == '/' && !path)
			path = words[i];
		else if (strcmp(words[i], "owner") != 0 && strcmp(words[i], "audit") != 0 &&
		    strcmp(words[i], "file") != 0 && strcmp(words[i], "allow") != 0 && !permissions)
			permissions = words[i];
	}
	if (!path || !permissions || !strchr(permissions, asking->permission) ||
	    !ptah_apparmor_matches(path, asking->path))
		return;
	if (deny)
		asking->denied = true;
	else
		asking->allowed = true;
}

static void
read_rules(struct asking *asking, const char *path, unsigned depth)
{
	uint8_t *text = NULL;
	size_t len = 0;
	char *save = NULL;

	if (ptah_file_read(path, PROFILE_MAX, &text, &len) != 0)
		return;
	for (char *line = strtok_r((char *)text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		line += strspn(line, " \t");
		if (include(asking, line, depth) || *line == '#' || strchr("{}", line[strlen(line) - 1]))
			continue;
		take_rule(asking, line);
	}
	free(text);
}

bool
ptah_apparmor_allows(const char *root, const char *profile, const char *path, char permission)
{
	struct asking asking = { .root = root, .path = path, .permission = permission };
	char file[PATH_MAX];

	snprintf(file, sizeof(file), "%s/etc/apparmor.d/%s", root, profile);
	read_rules(&asking, file, 0);
	return asking.allowed && !asking.denied;
}

bool
ptah_apparmor_is_for(const char *root, const char *profile, const char *program)
{
	char path[PATH_MAX], *save = NULL, *inner;
	uint8_t *text = NULL;
	bool found = false;
	size_t len = 0;

	snprintf(path, sizeof(path), "%s/etc/apparmor.d/%s", root, profile);
	if (ptah_file_read(path, PROFILE_MAX, &text, &len) != 0)
		return false;
	/* The line that begins a profile ends in a brace, and says the program's path. */
	for (char *line = strtok_r((char *)text, "\n", &save); line && !found; line = strtok_r(NULL, "\n", &save)) {
		if (line[strspn(line, " \t")] == '#' || line[strlen(line) - 1] != '{')
			continue;
		inner = NULL;
		for (char *word = strtok_r(line, " \t", &inner); word; word = strtok_r(NULL, " \t", &inner))
			found = found || (*word == '/' && ptah_apparmor_matches(word, program));
	}
	free(text);
	return found;
}

/* ---- profiles --------------------------------------------------------------------- */

static bool
is_there(const char *root, const char *folder, const char *profile)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s/%s", root, folder, profile);
	return access(path, F_OK) == 0;
}

/* What the kernel has: "system_tor (enforce)".  1: it is enforced, 0: it is not, -1: the kernel does not say. */
static int
is_enforced(const char *root, const char *profile)
{
	char path[PATH_MAX], line[512], wanted[256];
	int rc = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/sys/kernel/security/apparmor/profiles", root);
	snprintf(wanted, sizeof(wanted), "%s (enforce)", profile);
	file = fopen(path, "re");
	if (!file)
		return -1;
	while (rc == 0 && fgets(line, sizeof(line), file))
		rc = strncmp(line, wanted, strlen(wanted)) == 0;
	fclose(file);
	return rc;
}

bool
ptah_apparmor_holds(const char *root, const char *profile)
{
	int enforced = is_enforced(root, profile);

	if (!is_there(root, "/sys/kernel/security", "apparmor") || !is_there(root, "/etc/apparmor.d", profile))
		return false;
	if (enforced >= 0)
		return enforced == 1;
	return !is_there(root, "/etc/apparmor.d/disable", profile) && !is_there(root, "/etc/apparmor.d/force-complain", profile);
}
