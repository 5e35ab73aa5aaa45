/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/source.h"

#include <stdio.h>
#include <string.h>

const char *
ptah_env_get(char *const envp[], const char *name)
{
	size_t len = strlen(name);

	for (char *const *at = envp; *at; at++)
		if (strncmp(*at, name, len) == 0 && (*at)[len] == '=')
			return (*at)[len + 1] ? *at + len + 1 : NULL;
	return NULL;
}

bool
ptah_source_given(const struct ptah_source *source, int id)
{
	return source->argv->value[id] != NULL;
}

bool
ptah_source_true(const struct ptah_source *source, int id)
{
	return ptah_source_given(source, id) && source->argv->truth[id];
}

static const char *
env_name(const struct ptah_source *source, int id)
{
	const struct ptah_flag *flag = &ptah_flags[id];

	if (!source->version->use_env || (flag->roles & source->role) == 0)
		return NULL;
	if (source->role == PTAH_ROLE_SERVER && flag->env_server)
		return flag->env_server;
	return flag->env;
}

const char *
ptah_source_env(const struct ptah_source *source, int id)
{
	const char *name = env_name(source, id);

	return name ? ptah_env_get(source->envp, name) : NULL;
}

const char *
ptah_source_value(const struct ptah_source *source, int id)
{
	if (ptah_source_given(source, id))
		return source->argv->value[id];
	return ptah_source_env(source, id);
}

const char *
ptah_source_where(const struct ptah_source *source, int id, char out[static 64])
{
	const char *name = env_name(source, id);

	if (ptah_source_given(source, id) || !name)
		snprintf(out, 64, "-%s", ptah_flags[id].name);
	else
		snprintf(out, 64, "%s", name);
	return out;
}
