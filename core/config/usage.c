/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/usage.h"

#include <string.h>

#include "config/flag.h"

static void
print_value(struct ptah_buf *out, const struct ptah_flag *flag)
{
	if (flag->value)
		ptah_buf_printf(out, " %s", flag->value);
}

static void
print_words(struct ptah_buf *out, const struct ptah_flag *flag)
{
	for (const char *const *word = flag->words; *word; word++)
		ptah_buf_printf(out, "%s%s", word == flag->words ? ": " : ", ", *word);
}

static void
print_flag(struct ptah_buf *out, const struct ptah_flag *flag)
{
	ptah_buf_puts(out, "  ");
	if (flag->name) {
		ptah_buf_printf(out, "-%s", flag->name);
		print_value(out, flag);
	} else {
		ptah_buf_printf(out, "%s=%s", flag->env, flag->value);
	}
	ptah_buf_printf(out, "\n        %s", flag->help);
	if (flag->type == PTAH_VALUE_WORD)
		print_words(out, flag);
	if (flag->def && strcmp(flag->def, "false") != 0)
		ptah_buf_printf(out, " (default: %s)", flag->def);
	if (flag->roles != PTAH_ROLE_BOTH)
		ptah_buf_printf(out, " [%s]", flag->roles == PTAH_ROLE_CLIENT ? "client" : "server");
	if (flag->name && flag->env)
		ptah_buf_printf(out, "\n        or %s", flag->env);
	if (flag->name && flag->env_server)
		ptah_buf_printf(out, "%s%s", flag->env ? ", " : "\n        or ", flag->env_server);
	ptah_buf_puts(out, "\n");
}

int
ptah_usage_flags(struct ptah_buf *out)
{
	for (int id = 0; id < PTAH_FLAG_COUNT; id++)
		if ((ptah_flags[id].marks & PTAH_FLAG_HIDDEN) == 0)
			print_flag(out, &ptah_flags[id]);
	return out->rc;
}
