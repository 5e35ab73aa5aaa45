/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/sip003.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "config/source.h"

/* What is ours of the options; all others are the transport's. */
#define KEY_TRANSPORT "transport"
#define KEY_SERVER "server"
#define KEY_STATE "state"

static const char *const variables[] = { "SS_REMOTE_HOST", "SS_REMOTE_PORT", "SS_LOCAL_HOST", "SS_LOCAL_PORT" };
#define N_VARIABLES (sizeof(variables) / sizeof(variables[0]))

/* What the variables say. */
struct asked {
	const char *value[N_VARIABLES];
	struct ptah_kv options;
	bool is_server;
};

bool
ptah_sip003_is_set(char *const envp[])
{
	for (size_t i = 0; i < N_VARIABLES; i++)
		if (ptah_env_get(envp, variables[i]))
			return true;
	return false;
}

bool
ptah_sip003_applies(int argc, char *const argv[], char *const envp[])
{
	for (int i = 1; i < argc; i++)
		if (argv[i][0] != '-' || argv[i][1] == '\0' || argv[i][2] != '\0')
			return false;
	return ptah_sip003_is_set(envp) && !ptah_env_get(envp, "TOR_PT_MANAGED_TRANSPORT_VER");
}

/* --- the options ------------------------------------------------------------------ */

/* One key or value, up to one of 'ends' or the end of the text. */
static int
read_word(const char **text, const char *ends, char *out)
{
	const char *at = *text;

	for (; *at && !strchr(ends, *at); at++) {
		if (*at == '\\' && *++at == '\0')
			return -EINVAL;
		*out++ = *at;
	}
	*out = '\0';
	*text = at;
	return 0;
}

int
ptah_sip003_options(struct ptah_kv *kv, const char *text)
{
	size_t room = strlen(text) + 1;
	char *key = malloc(room), *value = malloc(room);
	int rc = key && value ? 0 : -ENOMEM;

	while (rc == 0 && *text) {
		rc = read_word(&text, "=;", key);
		if (value)
			value[0] = '\0';
		if (rc == 0 && *text == '=') {
			text++;
			rc = read_word(&text, ";", value);
		}
		if (rc == 0 && *key)
			rc = ptah_kv_add(kv, NULL, key, value);
		if (*text == ';')
			text++;
	}
	if (key)
		explicit_bzero(key, room);
	if (value)
		explicit_bzero(value, room);
	free(key);
	free(value);
	return rc;
}

/* A flag is true; what looks as JSON is JSON, for stacks. */
static struct ptah_json *
json_of(const char *value)
{
	char why[64];
	struct ptah_json *json = NULL;

	if (value[0] == '{')
		json = ptah_json_parse(value, strlen(value), 0, why, sizeof(why));
	return json ? json : ptah_json_new_text(PTAH_JSON_STRING, value[0] ? value : "1");
}

/* The transport's options as JSON; for a client with where to dial. */
static char *
options_text(const struct asked *asked, const char *remote)
{
	struct ptah_json *json = ptah_json_new(PTAH_JSON_OBJECT);
	char *text = NULL;
	int rc = json ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < asked->options.n; i++) {
		const char *key = asked->options.pairs[i].key;

		if (strcmp(key, KEY_TRANSPORT) != 0 && strcmp(key, KEY_SERVER) != 0 && strcmp(key, KEY_STATE) != 0 &&
		    !ptah_json_get(json, key))
			rc = ptah_json_set(json, key, json_of(asked->options.pairs[i].value));
	}
	if (rc == 0 && !asked->is_server)
		rc = ptah_json_set(json, "serverAddress", ptah_json_new_text(PTAH_JSON_STRING, remote));
	if (rc == 0)
		text = ptah_json_text(json);
	ptah_json_free(json);
	return text;
}

/* --- the flags ---------------------------------------------------------------------- */

static int __attribute__((format(printf, 2, 3)))
add(struct ptah_sip003 *flags, const char *format, ...)
{
	char *text;
	va_list args;

	va_start(args, format);
	int n = vasprintf(&text, format, args);
	va_end(args);
	if (n == -1)
		return -ENOMEM;
	flags->argv[flags->argc++] = text;
	flags->argv[flags->argc] = NULL;
	return 0;
}

static int
add_flag(struct ptah_sip003 *flags, const char *name, const char *value)
{
	int rc = add(flags, "-%s", name);

	return rc == 0 ? add(flags, "%s", value) : rc;
}

/* An address of IPv6 comes without brackets. */
static int
join(char **out, const char *host, const char *port)
{
	int n = asprintf(out, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);

	if (n == -1)
		*out = NULL;
	return n == -1 ? -ENOMEM : 0;
}

static int
add_all(struct ptah_sip003 *flags, const struct asked *asked, const char *local, const char *remote)
{
	const char *transport = ptah_kv_get(&asked->options, KEY_TRANSPORT);
	const char *state = ptah_kv_get(&asked->options, KEY_STATE);
	char *options = options_text(asked, remote), *bind = NULL;
	int rc = options ? 0 : -ENOMEM;

	if (rc == 0)
		rc = add(flags, "ptah");
	if (rc == 0)
		rc = add_flag(flags, "ptversion", "3.0");
	if (rc == 0)
		rc = add(flags, asked->is_server ? "-server" : "-client");
	if (rc == 0)
		rc = add_flag(flags, "transports", transport);
	if (rc == 0)
		rc = add_flag(flags, "options", options);
	if (rc == 0 && state)
		rc = add_flag(flags, "state", state);
	if (rc == 0 && asked->is_server) {
		rc = asprintf(&bind, "%s-%s", transport, remote) == -1 ? -ENOMEM : add_flag(flags, "bindaddr", bind);
		if (rc == 0)
			rc = add_flag(flags, "target", local);
		free(bind);
	} else if (rc == 0) {
		rc = add_flag(flags, "mode", "transparent-TCP");
		if (rc == 0)
			rc = add_flag(flags, "proxylistenaddr", local);
	}
	if (options)
		explicit_bzero(options, strlen(options));
	free(options);
	return rc;
}

/* ss-server on several addresses says "a|b": the first is the listener's, the others are kept beside it. */
static int
read_remote(struct ptah_sip003 *flags, const struct asked *asked, char **remote, char *why, size_t why_room)
{
	const char *port = asked->value[1];
	char *hosts = strdup(asked->value[0]), *rest = hosts, *host;
	int rc = hosts ? 0 : -ENOMEM;

	while (rc == 0 && (host = strsep(&rest, "|")) != NULL) {
		if (!*remote) {
			rc = join(remote, host, port);
		} else if (!asked->is_server || flags->n_also == sizeof(flags->also) / sizeof(flags->also[0])) {
			snprintf(why, why_room, asked->is_server ? "SS_REMOTE_HOST: these are more than 4 addresses" :
			    "SS_REMOTE_HOST: a client goes to one server");
			rc = -EINVAL;
		} else {
			rc = join(&flags->also[flags->n_also], host, port);
			flags->n_also += rc == 0;
		}
	}
	free(hosts);
	return rc;
}

/* Is it called NAME-server? */
static bool
named_server(const char *argv0)
{
	static const char tail[] = "-server";
	size_t len = argv0 ? strlen(argv0) : 0;

	return len >= sizeof(tail) - 1 && strcmp(argv0 + len - (sizeof(tail) - 1), tail) == 0;
}

static int
read_all(struct asked *asked, const char *argv0, char *const envp[], char *why, size_t why_room)
{
	const char *text = ptah_env_get(envp, "SS_PLUGIN_OPTIONS"), *transport;
	int rc = 0;

	for (size_t i = 0; i < N_VARIABLES; i++) {
		asked->value[i] = ptah_env_get(envp, variables[i]);
		if (!asked->value[i]) {
			snprintf(why, why_room, "%s is not set: a plugin of Shadowsocks needs all four of SS_REMOTE_HOST, "
			    "SS_REMOTE_PORT, SS_LOCAL_HOST and SS_LOCAL_PORT", variables[i]);
			return -EINVAL;
		}
	}
	if (text)
		rc = ptah_sip003_options(&asked->options, text);
	if (rc == -EINVAL)
		snprintf(why, why_room, "SS_PLUGIN_OPTIONS: a backslash stands at its end, and takes nothing");
	if (rc != 0)
		return rc;
	transport = ptah_kv_get(&asked->options, KEY_TRANSPORT);
	if (!transport || !ptah_text_is_stack(transport, strlen(transport))) {
		snprintf(why, why_room, "SS_PLUGIN_OPTIONS: no transport is named; write \"transport=NAME;KEY=VALUE;...\", and for a "
		    "server \"server\" also");
		return -EINVAL;
	}
	asked->is_server = ptah_kv_get(&asked->options, KEY_SERVER) || named_server(argv0);
	return 0;
}

int
ptah_sip003_flags(struct ptah_sip003 *flags, const char *argv0, char *const envp[], char *why, size_t why_room)
{
	struct asked asked = { .is_server = false };
	char *local = NULL, *remote = NULL;
	int rc = read_all(&asked, argv0, envp, why, why_room);

	memset(flags, 0, sizeof(*flags));
	if (rc == 0)
		rc = read_remote(flags, &asked, &remote, why, why_room);
	if (rc == 0)
		rc = join(&local, asked.value[2], asked.value[3]);
	if (rc == 0)
		rc = add_all(flags, &asked, local, remote);
	free(local);
	free(remote);
	ptah_kv_clear(&asked.options);
	return rc;
}

void
ptah_sip003_clear(struct ptah_sip003 *flags)
{
	for (int i = 0; i < flags->argc; i++) {
		explicit_bzero(flags->argv[i], strlen(flags->argv[i]));
		free(flags->argv[i]);
	}
	for (size_t i = 0; i < flags->n_also; i++)
		free(flags->also[i]);
	memset(flags, 0, sizeof(*flags));
}
