/* SPDX-License-Identifier: BSD-3-Clause */
#include "program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

#define VARIABLES_MAX 24u
#define BINDADDR "TOR_PT_SERVER_BINDADDR="

/* Variables on their way: the first -errno stays. */
struct making {
	struct exec_program *program;
	size_t n;
	int rc;
};

__attribute__((format(printf, 2, 3))) static void
add(struct making *making, const char *format, ...)
{
	va_list ap;

	if (making->rc < 0)
		return;
	va_start(ap, format);
	if (vasprintf(&making->program->env[making->n], format, ap) == -1) {
		making->program->env[making->n] = NULL;
		making->rc = -ENOMEM;
	} else {
		making->n++;
	}
	va_end(ap);
}

/* One of our own, or the usual value. */
static void
add_ours(struct making *making, const char *name, const char *usual)
{
	const char *value = getenv(name);

	add(making, "%s=%s", name, value != NULL ? value : usual);
}

static void
add_client(struct making *making, const struct exec_wish *wish)
{
	add(making, "TOR_PT_CLIENT_TRANSPORTS=%s", wish->name);
	if (wish->proxy != NULL)
		add(making, "TOR_PT_PROXY=%s", wish->proxy);
}

static void
add_server(struct making *making, const struct exec_wish *wish, const char *options)
{
	add(making, "TOR_PT_SERVER_TRANSPORTS=%s", wish->name);
	add(making, BINDADDR "%s-%s", wish->name, wish->bind);
	if (*options != '\0')
		add(making, "TOR_PT_SERVER_TRANSPORT_OPTIONS=%s", options);
	if (wish->cookie != NULL) {
		add(making, "TOR_PT_EXTENDED_SERVER_PORT=%s", wish->orport);
		add(making, "TOR_PT_AUTH_COOKIE_FILE=%s", wish->cookie);
	} else {
		add(making, "TOR_PT_ORPORT=%s", wish->orport);
	}
}

/* What the configuration adds, and may not take back. */
static int
add_extra(struct making *making, const char *json, const char **why)
{
	char **extra;
	size_t n = 0;
	int rc = exec_words_env(json, &extra);

	if (rc < 0) {
		*why = "the option \"env\" must be an object of texts";
		return rc;
	}
	while (extra[n] != NULL)
		n++;
	char **all = reallocarray(making->program->env, making->n + n + 1, sizeof(*all));
	if (all == NULL) {
		exec_words_free(extra);
		return -ENOMEM;
	}
	memcpy(all + making->n, extra, (n + 1) * sizeof(*all));
	free(extra);
	making->program->env = all;
	return 0;
}

static int
make_env(struct exec_program *program, const struct exec_wish *wish, const char **why)
{
	struct making making = { .program = program };
	char *options = NULL;

	program->env = calloc(VARIABLES_MAX, sizeof(*program->env));
	if (program->env == NULL)
		return -ENOMEM;
	if (wish->orport != NULL)
		making.rc = exec_words_write(wish->settings, wish->conf->options, exec_is_ours, wish->name, &options);
	if (making.rc == -EINVAL)
		*why = "options for the program must be texts, numbers, truth values or lists of them";
	add_ours(&making, "PATH", "/usr/local/bin:/usr/bin:/bin");
	add_ours(&making, "HOME", wish->folder);
	add_ours(&making, "TMPDIR", "/tmp");
	add(&making, "LANG=C");
	add(&making, "TOR_PT_MANAGED_TRANSPORT_VER=1");
	add(&making, "TOR_PT_STATE_LOCATION=%s/", wish->folder);
	add(&making, "TOR_PT_EXIT_ON_STDIN_CLOSE=1");
	if (wish->orport == NULL)
		add_client(&making, wish);
	else if (making.rc == 0)
		add_server(&making, wish, options);
	if (options != NULL)
		explicit_bzero(options, strlen(options));
	free(options);
	return making.rc < 0 ? making.rc : add_extra(&making, wish->conf->env, why);
}

int
exec_program_make(struct exec_program *program, const struct exec_wish *wish, const char **why)
{
	const struct ptah_list *args = &wish->conf->args;

	program->env = NULL;
	program->argv = calloc(args->n + 2, sizeof(*program->argv));
	if (program->argv == NULL)
		return -ENOMEM;
	program->argv[0] = wish->conf->exec;
	for (size_t i = 0; i < args->n; i++)
		program->argv[i + 1] = ((const char *const *)args->items)[i];
	return make_env(program, wish, why);
}

int
exec_program_rebind(struct exec_program *program, const char *name, const char *address)
{
	char **at = program->env, *text;

	while (strncmp(*at, BINDADDR, strlen(BINDADDR)) != 0)
		at++;
	if (asprintf(&text, BINDADDR "%s-%s", name, address) == -1)
		return -ENOMEM;
	free(*at);
	*at = text;
	return 0;
}

void
exec_program_free(struct exec_program *program)
{
	for (size_t i = 0; program->env != NULL && program->env[i] != NULL; i++)
		explicit_bzero(program->env[i], strlen(program->env[i]));
	exec_words_free(program->env);
	free(program->argv);
	program->env = NULL;
	program->argv = NULL;
}
