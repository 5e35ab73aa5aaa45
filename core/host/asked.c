/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/asked.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/flag.h"

/* Longest line of a sentence that is made here. */
#define LINE_MOST ((size_t)120)

size_t
ptah_asked_count(const struct ptah_command *command)
{
	size_t n = 0;

	while (command->flags && command->flags[n].name)
		n++;
	return n;
}

/* ---- read -------------------------------------------------------------------- */

int
ptah_asked_wrong(const char *command, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "ptah: %s: ", command);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\n", stderr);
	return -EINVAL;
}

/* The row named by the first 'len' bytes, or -1. */
static int
row_of(const struct ptah_command *command, const char *word, size_t len)
{
	int n = (int)ptah_asked_count(command);

	for (int i = 0; i < n; i++)
		if (strlen(command->flags[i].name) == len && memcmp(command->flags[i].name, word, len) == 0)
			return i;
	return -1;
}

static int
check_word(const struct ptah_command *command, const struct ptah_ask *ask, const char *value)
{
	char words[200] = "";
	size_t len = 0;

	if (ask->type != PTAH_VALUE_WORD)
		return 0;
	for (const char *const *word = ask->words; *word; word++) {
		if (strcmp(*word, value) == 0)
			return 0;
		int n = snprintf(words + len, sizeof(words) - len, "%s%s", len > 0 ? ", " : "", *word);

		len += n > 0 && (size_t)n < sizeof(words) - len ? (size_t)n : 0;
	}
	return ptah_asked_wrong(command->name, "%s%s is \"%.100s\": it can be %s", ask->name ? "--" : "", ask->name ? ask->name : ask->value,
	    value, words);
}

/* The flag at argv[*at], with its value. */
static int
read_flag(struct ptah_asked *out, const struct ptah_command *command, int argc, char *argv[], int *at)
{
	const char *word = argv[*at] + 1 + (argv[*at][1] == '-');
	const char *equals = strchr(word, '=');
	int row = row_of(command, word, equals ? (size_t)(equals - word) : strlen(word));
	const struct ptah_ask *ask = row >= 0 ? &command->flags[row] : NULL;

	if (row < 0 && (strcmp(word, "help") == 0 || strcmp(word, "h") == 0))
		return 1;
	if (row < 0)
		return ptah_asked_wrong(command->name, "\"%.100s\" is none of its flags: see ptah %s --help", argv[*at], command->name);
	if (out->value[row])
		return ptah_asked_wrong(command->name, "--%s is there twice: leave one out", ask->name);
	if (!ask->value && equals)
		return ptah_asked_wrong(command->name, "--%s takes no value", ask->name);
	if (!ask->value)
		out->value[row] = "";
	else if (equals)
		out->value[row] = equals + 1;
	else if (*at + 1 < argc)
		out->value[row] = argv[++*at];
	else
		return ptah_asked_wrong(command->name, "--%s wants a value: --%s %s", ask->name, ask->name, ask->value);
	return check_word(command, ask, out->value[row]);
}

int
ptah_asked_read(struct ptah_asked *out, const struct ptah_command *command, int argc, char *argv[])
{
	struct ptah_buf synopsis = { 0 };
	int rc = 0;

	*out = (struct ptah_asked){ 0 };
	for (int i = 1; i < argc && rc == 0; i++) {
		if (argv[i][0] == '-' && argv[i][1] != '\0')
			rc = read_flag(out, command, argc, argv, &i);
		else if (!command->operand.value)
			rc = ptah_asked_wrong(command->name, "\"%.100s\" is one word too many: it takes no operand", argv[i]);
		else if (out->operand)
			rc = ptah_asked_wrong(command->name, "\"%.100s\" is one word too many: there is %.100s already", argv[i], out->operand);
		else
			rc = check_word(command, &command->operand, out->operand = argv[i]);
	}
	if (rc != 0 || !command->operand.value || command->operand.optional || out->operand)
		return rc;
	(void)ptah_asked_synopsis(&synopsis, command);
	rc = ptah_asked_wrong(command->name, "%s is missing: %s", command->operand.value, synopsis.at ? (const char *)synopsis.at : command->name);
	ptah_buf_clear(&synopsis);
	return rc;
}

/* ---- tell -------------------------------------------------------------------- */

int
ptah_asked_synopsis(struct ptah_buf *out, const struct ptah_command *command)
{
	ptah_buf_printf(out, "ptah %s", command->name);
	if (command->operand.value)
		ptah_buf_printf(out, command->operand.optional ? " [%s]" : " %s", command->operand.value);
	for (const struct ptah_ask *ask = command->flags; ask && ask->name; ask++)
		ptah_buf_printf(out, " %s--%s%s%s%s", ask->required ? "" : "[", ask->name, ask->value ? " " : "",
		    ask->value ? ask->value : "", ask->required ? "" : "]");
	return out->rc;
}

static void
add_words(struct ptah_buf *out, const struct ptah_ask *ask)
{
	for (const char *const *word = ask->words; ask->type == PTAH_VALUE_WORD && *word; word++)
		ptah_buf_printf(out, "%s%s", word == ask->words ? ": " : ", ", *word);
}

/* What ends it as a sentence. */
static const char *
stop_of(const char *text)
{
	return text[strlen(text) - 1] == '?' ? "" : ".";
}

const char *
ptah_asked_exit(const struct ptah_command *command, int status)
{
	for (const struct ptah_exit *row = command->exits; row && row->when; row++)
		if (row->status == status)
			return row->when;
	return NULL;
}

/* One sentence of them all. */
static void
add_exits(struct ptah_buf *out, const struct ptah_exit *exits)
{
	size_t column = strlen("The exit status is");

	ptah_buf_puts(out, "The exit status is");
	for (const struct ptah_exit *row = exits; row->when; row++) {
		size_t len = strlen(" 64 when ,") + strlen(row->when);
		bool fits = column + len <= LINE_MOST;

		ptah_buf_printf(out, "%s%s%d when %s", row > exits ? "," : "", fits ? " " : "\n", row->status, row->when);
		column = fits ? column + len : len;
	}
	ptah_buf_puts(out, ".\n");
}

static void
add_about(struct ptah_buf *out, const struct ptah_command *command)
{
	if (command->about)
		ptah_buf_printf(out, "%s\n", command->about);
	if (command->exits)
		add_exits(out, command->exits);
}

int
ptah_asked_usage(struct ptah_buf *out, const struct ptah_command *command)
{
	ptah_buf_puts(out, "usage: ");
	(void)ptah_asked_synopsis(out, command);
	ptah_buf_printf(out, "\n\n%s%s\n", command->help, stop_of(command->help));
	add_about(out, command);
	ptah_buf_puts(out, "\n");
	if (command->operand.value) {
		ptah_buf_printf(out, "    %s\n        %s", command->operand.value, command->operand.help);
		add_words(out, &command->operand);
		ptah_buf_puts(out, "\n");
	}
	for (const struct ptah_ask *ask = command->flags; ask && ask->name; ask++) {
		ptah_buf_printf(out, "    --%s%s%s\n        %s", ask->name, ask->value ? " " : "",
		    ask->value ? ask->value : "", ask->help);
		add_words(out, ask);
		ptah_buf_puts(out, "\n");
	}
	return out->rc;
}

int
ptah_asked_manual(struct ptah_buf *out, const struct ptah_command *command)
{
	ptah_buf_printf(out, ".It Cm %s", command->name);
	if (command->operand.value)
		ptah_buf_printf(out, " Ar %s", command->operand.value);
	ptah_buf_printf(out, "\n%s%s\n", command->help, stop_of(command->help));
	add_about(out, command);
	if (ptah_asked_count(command) == 0)
		return out->rc;
	ptah_buf_puts(out, ".Bl -tag -width indent\n");
	for (const struct ptah_ask *ask = command->flags; ask->name; ask++) {
		ptah_buf_printf(out, ".It Fl \\-%s%s%s\n%s", ask->name, ask->value ? " Ar " : "", ask->value ? ask->value : "",
		    ask->help);
		add_words(out, ask);
		ptah_buf_puts(out, ".\n");
	}
	return ptah_buf_puts(out, ".El\n");
}
