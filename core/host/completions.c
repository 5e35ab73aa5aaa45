/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/completions.h"

#include <string.h>

#include "config/flag.h"

const char *const ptah_completions_shells[] = { "bash", "zsh", "fish", NULL };

#define HEAD \
	"# SPDX-License-Identifier: BSD-3-Clause\n" \
	"# Made by \"ptah completions\" of the tables that its parser uses.\n\n"

/* The first column of what can be started; the list ends at an empty line. */
#define NAMES_OF_LISTING \
	"modules 2>/dev/null |\n" \
	"\t\tawk '/^$/ { exit } NR > 1 && /^[^ ]/ && !/[(](refused|hidden)[)]/ { print $1 }'\n"

/* Put 'text' between single quotes of a shell, a backslash before each of 'special'. */
static void
add_quoted(struct ptah_buf *out, const char *text, const char *special, const char *apostrophe)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'') {
			ptah_buf_puts(out, apostrophe);
			continue;
		}
		if (strchr(special, *text))
			ptah_buf_puts(out, "\\");
		ptah_buf_add(out, text, 1);
	}
}

static void
add_words(struct ptah_buf *out, const struct ptah_ask *ask)
{
	for (const char *const *word = ask->words; *word; word++)
		ptah_buf_printf(out, "%s%s", word == ask->words ? "" : " ", *word);
}

static void
add_commands(struct ptah_buf *out, const struct ptah_command *commands, const char *between)
{
	for (const struct ptah_command *command = commands; command->name; command++)
		ptah_buf_printf(out, "%s%s", command == commands ? "" : between, command->name);
}

/* ---- bash -------------------------------------------------------------------- */

static const char bash_head[] = HEAD
    "_ptah_transports() {\n"
    "\t\"$1\" " NAMES_OF_LISTING
    "}\n\n"
    "# _ptah_offer KIND CURRENT WORD...: put what begins with CURRENT into COMPREPLY.\n"
    "_ptah_offer() {\n"
    "\tlocal kind=$1 cur=$2 before=\n"
    "\tshift 2\n"
    "\tcase $kind in\n"
    "\tfile) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
    "\tfolder) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
    "\twords) mapfile -t COMPREPLY < <(compgen -W \"$*\" -- \"$cur\") ;;\n"
    "\tname) mapfile -t COMPREPLY < <(compgen -W \"$(_ptah_transports \"${COMP_WORDS[0]}\")\" -- \"$cur\") ;;\n"
    "\tnames)\n"
    "\t\tcase $cur in *,*) before=${cur%,*}, cur=${cur##*,} ;; esac\n"
    "\t\tmapfile -t COMPREPLY < <(compgen -P \"$before\" -W \"$(_ptah_transports \"${COMP_WORDS[0]}\")\" -- \"$cur\") ;;\n"
    "\tesac\n"
    "}\n\n"
    "_ptah() {\n"
    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= dash=\n"
    "\tCOMPREPLY=()\n"
    "\t# -flag=value comes as three words.\n"
    "\tif [[ $cur == = ]]; then\n"
    "\t\tcur=\n"
    "\telif [[ $prev == = ]] && ((COMP_CWORD > 2)); then\n"
    "\t\tprev=${COMP_WORDS[COMP_CWORD-2]}\n"
    "\tfi\n"
    "\tcase $prev in\n"
    "\t--*) prev=${prev#--} ;;\n"
    "\t-*) prev=${prev#-} ;;\n"
    "\t*) prev= ;;\n"
    "\tesac\n"
    "\tcase $cur in\n"
    "\t--*) dash=-- ;;\n"
    "\t-*) dash=- ;;\n"
    "\tesac\n"
    "\tif ((COMP_CWORD > 1)); then\n"
    "\t\tcase ${COMP_WORDS[1]} in\n"
    "\t\t";

static const char *
bash_kind(int type)
{
	switch (type) {
	case PTAH_VALUE_FILE:
		return "file";
	case PTAH_VALUE_FOLDER:
		return "folder";
	case PTAH_VALUE_WORD:
		return "words";
	case PTAH_VALUE_NAME:
		return "name";
	case PTAH_VALUE_NAMES:
		return "names";
	default:
		return "nothing";
	}
}

static void
bash_offer(struct ptah_buf *out, const struct ptah_ask *ask)
{
	ptah_buf_printf(out, "_ptah_offer %s \"$cur\"", bash_kind(ask->type));
	if (ask->type == PTAH_VALUE_WORD) {
		ptah_buf_puts(out, " ");
		add_words(out, ask);
	}
}

static void
bash_values(struct ptah_buf *out, const struct ptah_command *command)
{
	for (const struct ptah_ask *ask = command->flags; ask && ask->name; ask++) {
		if (!ask->value)
			continue;
		ptah_buf_printf(out, "\t%s/%s) ", command->name, ask->name);
		bash_offer(out, ask);
		ptah_buf_puts(out, "; return ;;\n");
	}
}

static void
bash_flags(struct ptah_buf *out, const struct ptah_command *command)
{
	ptah_buf_printf(out, "\t%s/-*) mapfile -t COMPREPLY < <(compgen -P \"$dash\" -W '", command->name);
	for (const struct ptah_ask *ask = command->flags; ask && ask->name; ask++)
		ptah_buf_printf(out, "%s ", ask->name);
	ptah_buf_puts(out, command->name[0] ? "help' -- \"${cur#\"$dash\"}\") ;;\n" : "' -- \"${cur#\"$dash\"}\") ;;\n");
}

static void
bash_operand(struct ptah_buf *out, const struct ptah_command *command)
{
	ptah_buf_printf(out, "\t%s/*) ", command->name);
	if (command->operand.value)
		bash_offer(out, &command->operand);
	ptah_buf_puts(out, " ;;\n");
}

static void
print_bash(struct ptah_buf *out, const struct ptah_command *program, const struct ptah_command *commands)
{
	ptah_buf_puts(out, bash_head);
	add_commands(out, commands, " | ");
	ptah_buf_puts(out, ") command=${COMP_WORDS[1]} ;;\n\t\tesac\n\tfi\n\tcase $command/$prev in\n");
	bash_values(out, program);
	for (const struct ptah_command *command = commands; command->name; command++)
		bash_values(out, command);
	ptah_buf_puts(out, "\tesac\n\tcase $command/$cur in\n");
	bash_flags(out, program);
	for (const struct ptah_command *command = commands; command->name; command++) {
		bash_flags(out, command);
		bash_operand(out, command);
	}
	ptah_buf_puts(out, "\t/*) ((COMP_CWORD > 1)) || _ptah_offer words \"$cur\" ");
	add_commands(out, commands, " ");
	ptah_buf_puts(out, " ;;\n\tesac\n}\n\ncomplete -F _ptah ptah\n");
}

/* ---- zsh --------------------------------------------------------------------- */

static const char zsh_head[] = "#compdef ptah\n" HEAD
    "_ptah_transports() {\n"
    "\tlocal -a names\n"
    "\tnames=(${(f)\"$($ptah_program " NAMES_OF_LISTING "\t)\"})\n"
    "\tcompadd \"$@\" -a names\n"
    "}\n\n";

static void
zsh_value(struct ptah_buf *out, const struct ptah_ask *ask)
{
	ptah_buf_puts(out, ":");
	add_quoted(out, ask->value, ":\\[]", "'\\''");
	ptah_buf_puts(out, ":");
	switch (ask->type) {
	case PTAH_VALUE_FILE:
		ptah_buf_puts(out, "_files");
		break;
	case PTAH_VALUE_FOLDER:
		ptah_buf_puts(out, "_files -/");
		break;
	case PTAH_VALUE_NAME:
		ptah_buf_puts(out, "_ptah_transports");
		break;
	case PTAH_VALUE_NAMES:
		ptah_buf_puts(out, "_sequence _ptah_transports");
		break;
	case PTAH_VALUE_WORD:
		ptah_buf_puts(out, "(");
		add_words(out, ask);
		ptah_buf_puts(out, ")");
		break;
	default:
		ptah_buf_puts(out, " ");
	}
}

static void
zsh_flag(struct ptah_buf *out, const struct ptah_ask *ask, const char *dash)
{
	ptah_buf_printf(out, " \\\n\t\t\t'(-%s --%s)%s%s%s[", ask->name, ask->name, dash, ask->name, ask->value ? "=" : "");
	add_quoted(out, ask->help, ":\\[]", "'\\''");
	ptah_buf_puts(out, "]");
	if (ask->value)
		zsh_value(out, ask);
	ptah_buf_puts(out, "'");
}

static void
zsh_arguments(struct ptah_buf *out, const struct ptah_command *command)
{
	ptah_buf_puts(out, "_arguments");
	for (const struct ptah_ask *ask = command->flags; ask && ask->name; ask++) {
		zsh_flag(out, ask, "-");
		zsh_flag(out, ask, "--");
	}
	if (command->name[0])
		ptah_buf_puts(out, " \\\n\t\t\t'--help[print what it takes, and end]'");
	if (command->operand.value) {
		ptah_buf_puts(out, " \\\n\t\t\t'1");
		zsh_value(out, &command->operand);
		ptah_buf_puts(out, "'");
	}
	ptah_buf_puts(out, " ;;\n");
}

static void
print_zsh(struct ptah_buf *out, const struct ptah_command *program, const struct ptah_command *commands)
{
	ptah_buf_puts(out, zsh_head);
	ptah_buf_puts(out, "_ptah() {\n\tlocal ptah_program=$words[1] command=$words[2]\n\tlocal -a commands\n\tcommands=(\n");
	for (const struct ptah_command *command = commands; command->name; command++) {
		ptah_buf_printf(out, "\t\t'%s:", command->name);
		add_quoted(out, command->help, ":\\", "'\\''");
		ptah_buf_puts(out, "'\n");
	}
	ptah_buf_puts(out, "\t)\n\tif ((CURRENT == 2)) && [[ $command != -* ]]; then\n"
	    "\t\t_describe command commands\n\t\treturn\n\tfi\n\tcase $command in\n");
	for (const struct ptah_command *command = commands; command->name; command++) {
		ptah_buf_printf(out, "\t%s)\n\t\tshift words\n\t\t((CURRENT--))\n\t\t", command->name);
		zsh_arguments(out, command);
	}
	ptah_buf_puts(out, "\t*)\n\t\t");
	zsh_arguments(out, program);
	ptah_buf_puts(out, "\tesac\n}\n\nif [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
	    "\t_ptah \"$@\"\nelse\n\tcompdef _ptah ptah\nfi\n");
}

/* ---- fish -------------------------------------------------------------------- */

static const char fish_head[] = HEAD
    "function __ptah_transports\n"
    "\tset -l program (commandline -opc)[1]\n"
    "\t$program " NAMES_OF_LISTING
    "end\n\n"
    "# Is the first word this one?\n"
    "function __ptah_command_is\n"
    "\tset -l words (commandline -opc)\n"
    "\ttest (count $words) -gt 1; and contains -- $words[2] $argv\n"
    "end\n\n"
    "function __ptah_is_alone\n"
    "\ttest (count (commandline -opc)) -eq 1\n"
    "end\n\n"
    "complete -c ptah -f\n";

static void
fish_text(struct ptah_buf *out, const char *text)
{
	ptah_buf_puts(out, " -d '");
	add_quoted(out, text, "\\", "\\'");
	ptah_buf_puts(out, "'\n");
}

static void
fish_value(struct ptah_buf *out, const struct ptah_ask *ask)
{
	switch (ask->type) {
	case PTAH_VALUE_FILE:
		ptah_buf_puts(out, " -r -F");
		break;
	case PTAH_VALUE_FOLDER:
		ptah_buf_puts(out, " -x -a '(__fish_complete_directories)'");
		break;
	case PTAH_VALUE_NAME:
		ptah_buf_puts(out, " -x -a '(__ptah_transports)'");
		break;
	case PTAH_VALUE_NAMES:
		ptah_buf_puts(out, " -x -a '(__fish_complete_list , __ptah_transports)'");
		break;
	case PTAH_VALUE_WORD:
		ptah_buf_puts(out, " -x -a '");
		add_words(out, ask);
		ptah_buf_puts(out, "'");
		break;
	default:
		ptah_buf_puts(out, " -x");
	}
}

static void
fish_flags(struct ptah_buf *out, const struct ptah_command *command, const char *when)
{
	for (const struct ptah_ask *ask = command->flags; ask && ask->name; ask++) {
		ptah_buf_printf(out, "complete -c ptah -n '%s%s' -o %s -l %s", when, command->name, ask->name, ask->name);
		if (ask->value)
			fish_value(out, ask);
		fish_text(out, ask->help);
	}
}

static void
print_fish(struct ptah_buf *out, const struct ptah_command *program, const struct ptah_command *commands)
{
	struct ptah_buf when = { 0 };

	ptah_buf_puts(&when, "not __ptah_command_is ");
	add_commands(&when, commands, " ");
	ptah_buf_puts(out, fish_head);
	if (when.rc == 0)
		fish_flags(out, program, (const char *)when.at);
	else
		out->rc = when.rc;
	for (const struct ptah_command *command = commands; command->name; command++) {
		ptah_buf_printf(out, "complete -c ptah -n __ptah_is_alone -a %s", command->name);
		fish_text(out, command->help);
		fish_flags(out, command, "__ptah_command_is ");
		ptah_buf_printf(out, "complete -c ptah -n '__ptah_command_is %s' -l help", command->name);
		fish_text(out, "print what it takes, and end");
		if (!command->operand.value)
			continue;
		ptah_buf_printf(out, "complete -c ptah -n '__ptah_command_is %s'", command->name);
		fish_value(out, &command->operand);
		fish_text(out, command->operand.help);
	}
	ptah_buf_clear(&when);
}

/* ---- all --------------------------------------------------------------------- */

int
ptah_completions(struct ptah_buf *out, const char *shell, const struct ptah_command *commands)
{
	struct ptah_ask flags[PTAH_FLAG_COUNT + 1] = { { .name = NULL } };
	const struct ptah_command program = { .name = "", .flags = flags };
	size_t n = 0;

	/* The program itself, as if it were a subcommand without a name. */
	for (int id = 0; id < PTAH_FLAG_COUNT; id++) {
		const struct ptah_flag *flag = &ptah_flags[id];

		if (flag->name && (flag->marks & PTAH_FLAG_HIDDEN) == 0)
			flags[n++] = (struct ptah_ask){ .name = flag->name, .value = flag->value, .help = flag->help,
				.type = flag->type, .words = flag->words };
	}
	if (strcmp(shell, "bash") == 0)
		print_bash(out, &program, commands);
	else if (strcmp(shell, "zsh") == 0)
		print_zsh(out, &program, commands);
	else
		print_fish(out, &program, commands);
	return out->rc;
}
