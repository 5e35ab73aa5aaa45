/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/torcases.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "config/source.h"

/* Variables of one process. */
#define VARIABLES 16

struct variables {
	char *at[VARIABLES + 1];
	size_t n;
	int rc;
};

/* ---- what the torrc says -------------------------------------------------------------- */

const char *
ptah_torcases_value(const struct ptah_exam *exam, const char *key, const char *otherwise)
{
	const struct ptah_torrc_line *line = ptah_torrc_last(&exam->torrc, key);

	return line && line->value[0] ? line->value : otherwise;
}

const char *
ptah_torcases_data(const struct ptah_exam *exam, char out[static PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s", ptah_torcases_value(exam, "DataDirectory", "/var/lib/tor"));
	while (out[0] && out[1] && out[strlen(out) - 1] == '/')
		out[strlen(out) - 1] = '\0';
	return out;
}

static bool
is_same_file(const char *a, const char *b)
{
	char *one = realpath(a, NULL), *other = realpath(b, NULL);
	bool same = one && other && strcmp(one, other) == 0;

	free(one);
	free(other);
	return same;
}

bool
ptah_torcases_is_ours(const struct ptah_exam *exam, const struct ptah_torrc_line *line)
{
	const char *program, *name;

	if (!ptah_torrc_is(line, "ClientTransportPlugin") && !ptah_torrc_is(line, "ServerTransportPlugin"))
		return false;
	if (line->n_words < 3 || strcasecmp(line->words[1], "exec") != 0)
		return false;
	program = line->words[2];
	name = strrchr(program, '/') ? strrchr(program, '/') + 1 : program;
	return strcmp(name, "ptah") == 0 || is_same_file(program, exam->self);
}

/* The address of a port line: "9001", "127.0.0.1:9001", "[::1]:9001 flags"; "" for none, or one that Tor will choose. */
static void
read_port(const char *value, char out[static PTAH_ADDR_TEXT])
{
	size_t len = strcspn(value, " \t");
	struct ptah_addr addr;
	char text[PTAH_ADDR_TEXT];
	uint64_t port;

	out[0] = '\0';
	if (len >= sizeof(text))
		return;
	memcpy(text, value, len);
	text[len] = '\0';
	if (ptah_text_u64(text, 1, 65535, &port) == 0) {
		snprintf(out, PTAH_ADDR_TEXT, "127.0.0.1:%u", (unsigned)port);
		return;
	}
	if (ptah_addr_parse(&addr, text) != 0 || ptah_addr_port(&addr) == 0)
		return;
	ptah_addr_format(&addr, text);
	/* Tor tells its own machine's address where it listens on all. */
	if (strncmp(text, "0.0.0.0:", 8) == 0 || strncmp(text, "[::]:", 5) == 0)
		snprintf(out, PTAH_ADDR_TEXT, "127.0.0.1:%u", ptah_addr_port(&addr));
	else
		snprintf(out, PTAH_ADDR_TEXT, "%s", text);
}

/* ---- what Tor would tell --------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3)))
tell(struct variables *variables, const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n == -1)
		variables->rc = -ENOMEM;
	else if (variables->n < VARIABLES)
		variables->at[variables->n++] = text;
	else
		free(text);
}

/* Is 'name' one of "a,b,c"? */
static bool
is_listed(const char *names, const char *name)
{
	const char *item;
	size_t len;

	while (ptah_text_next(&names, ',', &item, &len))
		if (strlen(name) == len && strncmp(item, name, len) == 0)
			return true;
	return false;
}

/* "ServerTransportOptions NAME k=v k=v" as "NAME:k=v;NAME:k=v". */
static void
add_options(struct ptah_buf *out, const struct ptah_torrc_line *line)
{
	for (size_t i = 1; i < line->n_words; i++) {
		ptah_buf_printf(out, "%s%s:", out->len > 0 ? ";" : "", line->words[0]);
		for (const char *at = line->words[i]; *at; at++) {
			if (strchr("\\;:", *at))
				ptah_buf_puts(out, "\\");
			ptah_buf_add(out, at, 1);
		}
	}
}

static void
tell_binds(const struct ptah_exam *exam, const char *names, struct variables *variables)
{
	struct ptah_buf binds = { 0 }, options = { 0 };

	for (size_t i = 0; i < exam->torrc.n; i++) {
		const struct ptah_torrc_line *line = &exam->torrc.lines[i];
		bool listen = ptah_torrc_is(line, "ServerTransportListenAddr");

		if (line->n_words < 2 || !is_listed(names, line->words[0]))
			continue;
		if (listen)
			ptah_buf_printf(&binds, "%s%s-%s", binds.len > 0 ? "," : "", line->words[0], line->words[1]);
		else if (ptah_torrc_is(line, "ServerTransportOptions"))
			add_options(&options, line);
	}
	/* Those without a line listen on a port that the kernel chooses. */
	for (const char *cursor = names, *item; cursor;) {
		size_t len;
		char wanted[128];

		if (!ptah_text_next(&cursor, ',', &item, &len))
			break;
		snprintf(wanted, sizeof(wanted), "%.*s-", (int)len, item);
		if (!binds.at || !strstr((const char *)binds.at, wanted))
			ptah_buf_printf(&binds, "%s%s0.0.0.0:0", binds.len > 0 ? "," : "", wanted);
	}
	tell(variables, "TOR_PT_SERVER_BINDADDR=%s", binds.at ? (const char *)binds.at : "");
	if (options.len > 0)
		tell(variables, "TOR_PT_SERVER_TRANSPORT_OPTIONS=%s", (const char *)options.at);
	if (binds.rc != 0 || options.rc != 0)
		variables->rc = -ENOMEM;
	ptah_buf_clear(&binds);
	ptah_buf_clear(&options);
}

/* True: an address was told that Tor will only choose when it runs, so nobody can be asked at it. */
static bool
tell_ports(const struct ptah_exam *exam, struct variables *variables)
{
	const char *extor = ptah_torcases_value(exam, "ExtORPort", "0");
	char orport[PTAH_ADDR_TEXT], extorport[PTAH_ADDR_TEXT], data[PATH_MAX], cookie[PATH_MAX + 64];
	bool with_extor = strcmp(extor, "0") != 0;

	read_port(ptah_torcases_value(exam, "ORPort", "0"), orport);
	read_port(extor, extorport);
	snprintf(cookie, sizeof(cookie), "%s/extended_orport_auth_cookie", ptah_torcases_data(exam, data));
	tell(variables, "TOR_PT_ORPORT=%s", orport[0] ? orport : "127.0.0.1:1");
	if (with_extor) {
		tell(variables, "TOR_PT_EXTENDED_SERVER_PORT=%s", extorport[0] ? extorport : "127.0.0.1:1");
		tell(variables, "TOR_PT_AUTH_COOKIE_FILE=%s", ptah_torcases_value(exam, "ExtORPortCookieAuthFile", cookie));
	}
	return with_extor ? !extorport[0] : !orport[0];
}

static void
tell_proxy(const struct ptah_exam *exam, struct variables *variables)
{
	static const struct {
		const char *key, *scheme, *user, *password;
	} rows[] = {
		{ "Socks5Proxy", "socks5", "Socks5ProxyUsername", "Socks5ProxyPassword" },
		{ "Socks4Proxy", "socks4a", NULL, NULL },
		{ "HTTPSProxy", "http", NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *at = ptah_torcases_value(exam, rows[i].key, NULL);
		const char *user = rows[i].user ? ptah_torcases_value(exam, rows[i].user, NULL) : NULL;

		if (!at)
			continue;
		if (user)
			tell(variables, "TOR_PT_PROXY=%s://%s:%s@%s", rows[i].scheme, user,
			    ptah_torcases_value(exam, rows[i].password, ""), at);
		else
			tell(variables, "TOR_PT_PROXY=%s://%s", rows[i].scheme, at);
		return;
	}
}

/* ---- plans ------------------------------------------------------------------------------ */

static int
on_version(const char *token, void *arg)
{
	(void)token;
	(void)arg;
	return 0;
}

static struct ptah_plan *
keep_plan(struct ptah_exam *exam)
{
	struct ptah_plan **plans = realloc(exam->plans, (exam->n_plans + 1) * sizeof(struct ptah_plan *));

	if (plans)
		exam->plans = plans;

	struct ptah_registry **registries = plans ? realloc(exam->registries, (exam->n_plans + 1) * sizeof(struct ptah_registry *)) : NULL;

	if (registries)
		exam->registries = registries;

	struct ptah_plan *plan = registries ? calloc(1, sizeof(*plan)) : NULL;

	if (!plan) {
		exam->rc = -ENOMEM;
		return NULL;
	}
	exam->registries[exam->n_plans] = NULL;
	exam->plans[exam->n_plans++] = plan;
	return plan;
}

/* Read what Tor would tell a program by this line. */
static struct ptah_plan *
read_plan(struct ptah_exam *exam, const struct ptah_torrc_line *line, struct ptah_verdict *verdict)
{
	bool server = ptah_torrc_is(line, "ServerTransportPlugin"), unknown = false;
	const char *path = ptah_env_get(exam->envp, "PTAH_MODULE_PATH");
	struct ptah_plan *plan = keep_plan(exam);
	struct variables variables = { 0 };
	char data[PATH_MAX];

	tell(&variables, "TOR_PT_MANAGED_TRANSPORT_VER=1");
	tell(&variables, "TOR_PT_STATE_LOCATION=%s/pt_state", ptah_torcases_data(exam, data));
	tell(&variables, "TOR_PT_%s_TRANSPORTS=%s", server ? "SERVER" : "CLIENT", line->words[0]);
	if (path)
		tell(&variables, "PTAH_MODULE_PATH=%s", path);
	if (server) {
		tell_binds(exam, line->words[0], &variables);
		unknown = tell_ports(exam, &variables);
	} else {
		tell_proxy(exam, &variables);
	}
	if (plan && variables.rc == 0)
		(void)ptah_plan_read(plan, verdict, (int)(line->n_words - 2), line->words + 2, variables.at, on_version, NULL);
	for (size_t i = 0; i < variables.n; i++)
		free(variables.at[i]);
	if (plan && unknown) {
		plan->has_target = false;
		plan->has_extorport = false;
	}
	exam->rc = exam->rc ? exam->rc : variables.rc;
	return plan;
}

static struct ptah_case *
add_case(struct ptah_exam *exam, struct ptah_plan *plan, struct ptah_service *service, const struct ptah_torrc_line *plugin,
    const struct ptah_torrc_line *line)
{
	struct ptah_case *one = ptah_exam_case(exam, plan, service, exam->registries[exam->n_plans - 1]);

	if (!one)
		return NULL;
	one->line = line;
	one->program = plugin->words[2];
	snprintf(one->label, sizeof(one->label), "%.100s", service->name);
	snprintf(one->where, sizeof(one->where), "%.400s line %u", line->file, line->line);
	return one;
}

/* A client has a case for each of its bridges: a copy of its service, with what the line says. */
static int
add_bridge(struct ptah_exam *exam, struct ptah_plan *plan, const struct ptah_service *service,
    const struct ptah_torrc_line *plugin, const struct ptah_torrc_line *line)
{
	struct ptah_json *options = service->options ? ptah_json_copy(service->options) : ptah_json_new(PTAH_JSON_OBJECT);
	struct ptah_service *copy = calloc(1, sizeof(*copy));
	int rc = options && copy ? 0 : -ENOMEM;

	for (size_t i = 2; rc == 0 && i < line->n_words; i++) {
		char *equals = strchr(line->words[i], '=');

		if (!equals)
			continue;
		*equals = '\0';
		rc = ptah_json_set(options, line->words[i], ptah_json_new_text(PTAH_JSON_STRING, equals + 1));
		*equals = '=';
	}
	if (rc == 0)
		rc = ptah_json_set(options, "serverAddress", ptah_json_new_text(PTAH_JSON_STRING, line->words[1]));
	if (rc == 0) {
		*copy = *service;
		copy->options = options;
		struct ptah_case *one = add_case(exam, plan, copy, plugin, line);

		if (one) {
			one->bridge = true;
			snprintf(one->label, sizeof(one->label), "%.50s bridge %.60s", service->name, line->words[1]);
			return 0;
		}
	}
	free(copy);
	ptah_json_free(options);
	return -ENOMEM;
}

static void
add_service(struct ptah_exam *exam, struct ptah_plan *plan, struct ptah_service *service, const struct ptah_torrc_line *line)
{
	bool any = false;

	for (size_t i = 0; plan->role == PTAH_ROLE_CLIENT && i < exam->torrc.n && exam->rc == 0; i++) {
		const struct ptah_torrc_line *bridge = &exam->torrc.lines[i];

		if (!ptah_torrc_is(bridge, "Bridge") || bridge->n_words < 2 || strcmp(bridge->words[0], service->name) != 0)
			continue;
		any = true;
		exam->rc = add_bridge(exam, plan, service, line, bridge);
	}
	if (!any)
		(void)add_case(exam, plan, service, line, line);
}

static void
add_line(struct ptah_exam *exam, const struct ptah_torrc_line *line)
{
	struct ptah_verdict verdict = { 0 };
	struct ptah_plan *plan = read_plan(exam, line, &verdict);

	if (!plan || exam->rc != 0)
		return;
	if (verdict.keyword) {
		ptah_exam_fault(exam, NULL, "ptah would refuse what Tor tells it by this line: %s", verdict.text);
		ptah_exam_cure(exam, "%s line %u", line->file, line->line);
	}
	exam->registries[exam->n_plans - 1] = ptah_registry_new(plan->module_path, plan->module_dir);
	if (!exam->registries[exam->n_plans - 1])
		exam->rc = -errno;
	for (size_t i = 0; i < plan->n_services && exam->rc == 0; i++) {
		if (plan->services[i].refused && !verdict.keyword) {
			ptah_exam_fault(exam, NULL, "%s: %s", plan->services[i].name, plan->services[i].refused);
			ptah_exam_cure(exam, "%s line %u, and the lines of %s beside it", line->file, line->line, plan->services[i].name);
		}
		add_service(exam, plan, &plan->services[i], line);
	}
}

int
ptah_torcases_add(struct ptah_exam *exam)
{
	for (size_t i = 0; i < exam->torrc.n && exam->rc == 0; i++)
		if (ptah_torcases_is_ours(exam, &exam->torrc.lines[i]))
			add_line(exam, &exam->torrc.lines[i]);
	return exam->rc;
}
