/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/argv.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

struct reader {
	struct ptah_argv *out;
	char *const *argv;
	int argc, at, who;
	bool hide; /* overwrite secrets instead */
};

/* Only the first thing wrong is told. */
static void __attribute__((format(printf, 2, 3)))
wrong(struct ptah_argv *out, const char *format, ...)
{
	va_list args;

	if (out->error[0])
		return;
	va_start(args, format);
	vsnprintf(out->error, sizeof(out->error), format, args);
	va_end(args);
}

int
ptah_argv_who(const char *argv0)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;
	const char *last = slash ? slash + 1 : argv0;

	return last && strcmp(last, "obfs4proxy") == 0 ? PTAH_AS_OBFS4PROXY : PTAH_AS_PTAH;
}

static void
set(struct reader *r, int id, const char *value)
{
	const struct ptah_flag *flag = &ptah_flags[id];
	struct ptah_argv *out = r->out;
	const char *old = out->value[id];

	if (r->hide) {
		if ((flag->marks & PTAH_FLAG_SECRET) != 0)
			memset((char *)(uintptr_t)value, '*', strlen(value)); /* it lies in argv, which is ours */
		return;
	}
	if ((flag->marks & PTAH_FLAG_REFUSED) != 0)
		wrong(out, "-%s is not taken here: %s", flag->name, flag->help);
	if ((flag->marks & PTAH_FLAG_ONE) != 0 && old && strcmp(old, value) != 0)
		wrong(out, "-%s is given twice, as '%.100s' and '%.100s': give one", flag->name,
		    old, value);
	out->value[id] = value;
}

static void
set_switch(struct reader *r, int id, const char *value)
{
	struct ptah_argv *out = r->out;
	const char *next = r->at < r->argc ? r->argv[r->at] : NULL;

	if (!value && (ptah_flags[id].marks & PTAH_FLAG_DETACHED) != 0 && next &&
	    (strcmp(next, "0") == 0 || strcmp(next, "1") == 0)) {
		value = next;
		r->at++;
	}
	if (!value)
		value = "true";
	if (ptah_text_bool(value, &out->truth[id]) != 0) {
		wrong(out, "-%s=%.100s: write -%s=true or -%s=false", ptah_flags[id].name, value,
		    ptah_flags[id].name, ptah_flags[id].name);
		return;
	}
	set(r, id, value);
	if (out->error[0] || !out->truth[id])
		return;
	if (id == PTAH_FLAG_HELP || id == PTAH_FLAG_HELP_SHORT)
		out->help = true;
	if (id == PTAH_FLAG_SHOW_VERSION)
		out->version = true;
}

/* -version: obfs4proxy's switch, or shapeshifter's name of -ptversion. */
static void
set_version(struct reader *r, const char *value)
{
	const char *next = r->at < r->argc ? r->argv[r->at] : NULL;

	if (!value && r->who == PTAH_AS_PTAH && next && next[0] != '-') {
		value = next;
		r->at++;
	}
	if (value && r->who == PTAH_AS_PTAH)
		set(r, PTAH_FLAG_PTVERSION, value);
	else
		set_switch(r, PTAH_FLAG_SHOW_VERSION, value);
}

/* "-protocol is no flag", with the flag that was perhaps meant. */
static void
wrong_name(struct ptah_argv *out, const char *name, size_t len)
{
	const char *known[PTAH_FLAG_COUNT + 1];
	size_t n = 0;
	char word[64];

	for (int id = 0; id < PTAH_FLAG_COUNT; id++)
		if (ptah_flags[id].name && (ptah_flags[id].marks & PTAH_FLAG_HIDDEN) == 0)
			known[n++] = ptah_flags[id].name;
	known[n] = NULL;
	snprintf(word, sizeof(word), "%.*s", len < 63 ? (int)len : 63, name);

	const char *near = ptah_text_nearest(word, known);

	if (near)
		wrong(out, "-%s is no flag of ours: did you mean -%s?", word, near);
	else
		wrong(out, "-%s is no flag of ours: see ptah --help", word);
}

static void
read_flag(struct reader *r, const char *token)
{
	struct ptah_argv *out = r->out;
	const char *name = token + (token[1] == '-' ? 2 : 1);
	size_t len = strcspn(name, "=");
	const char *value = name[len] == '=' ? name + len + 1 : NULL;

	if (len == 0 || name[0] == '-') {
		wrong(out, "'%.100s' is no flag: write -NAME, -NAME VALUE or -NAME=VALUE", token);
		return;
	}

	int id = ptah_flag_find(name, len);

	if (id < 0) {
		wrong_name(out, name, len);
		return;
	}
	if (id == PTAH_FLAG_VERSION) {
		set_version(r, value);
		return;
	}
	if (ptah_flags[id].type == PTAH_VALUE_SWITCH) {
		set_switch(r, id, value);
		return;
	}
	if (!value) {
		if (r->at == r->argc) {
			wrong(out, "-%s wants a value: write -%s %s", ptah_flags[id].name,
			    ptah_flags[id].name, ptah_flags[id].value);
			return;
		}
		value = r->argv[r->at++];
	}
	set(r, id, value);
}

static void
read_all(struct reader *r)
{
	struct ptah_argv *out = r->out;
	bool flags_end = false;

	memset(out, 0, sizeof(*out));
	while (r->at < r->argc) {
		const char *token = r->argv[r->at++];

		if (!flags_end && strcmp(token, "--") == 0) {
			flags_end = true;
		} else if (flags_end || token[0] != '-' || token[1] == '\0') {
			wrong(out, "'%.100s' is one word too many: flags begin with '-', and a switch "
			    "takes its value as -NAME=VALUE", token);
		} else {
			read_flag(r, token);
		}
	}
}

void
ptah_argv_read(struct ptah_argv *out, int who, int argc, char *const argv[])
{
	struct reader r = { .out = out, .argv = argv, .argc = argc, .at = 1, .who = who };

	read_all(&r);
}

void
ptah_argv_hide(int who, int argc, char *const argv[])
{
	struct ptah_argv ignored;
	struct reader r = { .out = &ignored, .argv = argv, .argc = argc, .at = 1, .who = who, .hide = true };

	read_all(&r);
}
