/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/text.h"
#include "config/argv.h"
#include "config/rules.h"
#include "config/sip003.h"
#include "config/source.h"
#include "config/values.h"
#include "config/version.h"

const char *
ptah_mode_name(int mode)
{
	return ptah_flags[PTAH_FLAG_MODE].words[mode];
}

static int __attribute__((format(printf, 2, 3)))
warn(struct ptah_plan *plan, const char *format, ...)
{
	char **more = realloc(plan->warnings, (plan->n_warnings + 1) * sizeof(*more));
	va_list args;

	if (!more)
		return -ENOMEM;
	plan->warnings = more;
	va_start(args, format);
	int n = vasprintf(&more[plan->n_warnings], format, args);
	va_end(args);
	if (n == -1)
		return -ENOMEM;
	plan->n_warnings++;
	return 0;
}

/* Section 3.3, and -ipcErrors, which counts as soon as it can be read at all. */
static unsigned
error_streams(const struct ptah_argv *argv, const struct ptah_version *version)
{
	const struct ptah_flag *flag = &ptah_flags[PTAH_FLAG_IPC_ERRORS];
	const char *asked = argv->value[PTAH_FLAG_IPC_ERRORS];
	const char *word = asked ? ptah_flag_word(flag, asked) : NULL;

	if (word && strcmp(word, "stdout") == 0)
		return PTAH_STREAM_OUT;
	if (word && strcmp(word, "stderr") == 0)
		return PTAH_STREAM_ERR;
	if (word && strcmp(word, "both") == 0)
		return PTAH_STREAM_OUT | PTAH_STREAM_ERR;
	if (version->dialect == PTAH_D1)
		return PTAH_STREAM_OUT;
	if (version->dialect == 0 && version->list == PTAH_LIST_ENV)
		return PTAH_STREAM_OUT | PTAH_STREAM_ERR;
	return PTAH_STREAM_ERR;
}

/* The folder need not be there, but it must not be something else. */
static int
check_state(const struct ptah_plan *plan, const struct ptah_source *source, char *why, size_t room)
{
	char where[64];
	struct stat st;

	if (stat(plan->state_dir, &st) == -1) {
		if (errno != ENOTDIR)
			return 0;
	} else if (S_ISDIR(st.st_mode)) {
		return 0;
	}
	snprintf(why, room, "%s: '%.300s' is no folder: name one, or one that can be made",
	    ptah_source_where(source, PTAH_FLAG_STATE, where), plan->state_dir);
	return -EINVAL;
}

static int
read_options(struct ptah_plan *plan, const struct ptah_source *source, char *why, size_t room)
{
	const char *path = source->argv->value[PTAH_FLAG_OPTIONS_FILE];
	const char *text = ptah_source_value(source, PTAH_FLAG_OPTIONS);
	int id = path ? PTAH_FLAG_OPTIONS_FILE : PTAH_FLAG_OPTIONS;
	char inner[900], where[64];
	bool exposed = false;
	int rc = 0;

	if (path)
		rc = ptah_options_read(&plan->options, path, &exposed, inner, sizeof(inner));
	else if (text)
		rc = ptah_options_parse(&plan->options, text, strlen(text), inner, sizeof(inner));
	if (rc == -EINVAL)
		snprintf(why, room, "%s: %s", ptah_source_where(source, id, where), inner);
	if (rc == 0 && exposed)
		rc = warn(plan, "-optionsFile: others may read '%s', and it may hold keys: "
		    "chmod 600 it", path);
	return rc;
}

static int
read_proxy(struct ptah_plan *plan, const struct ptah_source *source, char *why, size_t room)
{
	const char *text = ptah_source_value(source, PTAH_FLAG_PROXY);
	char inner[400], where[64];

	if (!text || text[0] == '\0')
		return 0;

	int rc = ptah_proxy_parse(&plan->proxy, text, inner, sizeof(inner));

	if (rc == -EINVAL)
		snprintf(why, room, "%s: %s", ptah_source_where(source, PTAH_FLAG_PROXY, where),
		    inner);
	return rc;
}

static int
add_service(struct ptah_plan *plan, const char *name, size_t len)
{
	for (size_t i = 0; i < plan->n_services; i++)
		if (strlen(plan->services[i].name) == len &&
		    memcmp(plan->services[i].name, name, len) == 0)
			return 0;

	struct ptah_service *more = realloc(plan->services,
	    (plan->n_services + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	plan->services = more;

	struct ptah_service *service = &more[plan->n_services];
	memset(service, 0, sizeof(*service));
	service->name = strndup(name, len);
	if (!service->name)
		return -ENOMEM;
	plan->n_services++;

	const struct ptah_addr *bind = ptah_bindlist_get(&plan->binds, service->name);
	service->listen = bind ? *bind : plan->listen;
	if (service->listen.sa.sa_family == AF_UNSPEC && plan->asked == PTAH_ASKED_SERVE)
		service->refused = "no bind address";
	return 0;
}

/* An element that cannot be a transport is passed over: unknown names are no errors. */
static int
read_transports(struct ptah_plan *plan, const struct ptah_source *source)
{
	bool one = ptah_source_given(source, PTAH_FLAG_TRANSPORT);
	const char *text = ptah_source_value(source, one ? PTAH_FLAG_TRANSPORT :
	    PTAH_FLAG_TRANSPORTS);
	const char *item;
	size_t len;
	int rc = 0;

	while (rc == 0 && ptah_text_next(&text, ',', &item, &len)) {
		if (len == 1 && item[0] == '*')
			plan->all = true;
		else if (ptah_text_is_stack(item, len))
			rc = add_service(plan, item, len);
		else if (len > 0)
			rc = warn(plan, "'%.*s' cannot be the name of a transport: passed over",
			    len < 100 ? (int)len : 100, item);
	}
	return rc;
}

/* Give each service its options; which form they have depends on all the names. */
static int
give_options(struct ptah_plan *plan)
{
	const char **names = calloc(plan->n_services + 1, sizeof(*names));
	char target[PTAH_DEST_TEXT];

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_services; i++)
		names[i] = plan->services[i].name;

	bool keyed = ptah_options_keyed(&plan->options, names, plan->n_services);
	bool add_target = plan->role == PTAH_ROLE_CLIENT && plan->has_target;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < plan->n_services; i++) {
		struct ptah_json *own = ptah_options_of(&plan->options, keyed, names[i]);

		plan->services[i].options = own;
		if (!own)
			rc = -ENOMEM;
		else if (add_target && !ptah_json_get(own, "serverAddress"))
			rc = ptah_json_set(own, "serverAddress", ptah_json_new_text(
			    PTAH_JSON_STRING, ptah_dest_format(&plan->target, target)));
	}
	free(names);
	return rc;
}

static int
warn_of_what_is_odd(struct ptah_plan *plan, const struct ptah_source *source)
{
	char text[PTAH_ADDR_TEXT];
	int rc = 0;

	for (char *const *at = source->envp; rc == 0 && !source->version->use_env && *at; at++) {
		const char *equals = strchr(*at, '=');

		if (strncmp(*at, "TOR_PT_", 7) == 0 && equals && equals[1]) {
			rc = warn(plan, "version 3 takes its settings from flags: %.*s and other "
			    "TOR_PT_ variables are not looked at",
			    equals - *at < 100 ? (int)(equals - *at) : 100, *at);
			break;
		}
	}
	if (rc == 0 && ptah_source_given(source, PTAH_FLAG_ORPORT) && plan->dialect == PTAH_D3)
		rc = warn(plan, "-orport is gone from version 3: -target is its name");
	if (rc == 0 && ptah_source_given(source, PTAH_FLAG_LOCKET))
		rc = warn(plan, "-enableLocket has no effect");
	if (rc == 0 && plan->role == PTAH_ROLE_CLIENT && !ptah_addr_is_loopback(&plan->listen))
		rc = warn(plan, "listening on %s: everybody who can reach it can use it, and "
		    "see what the application sends", ptah_addr_format(&plan->listen, text));
	if (rc == 0 && plan->has_extorport && !ptah_addr_is_loopback(&plan->extorport))
		rc = warn(plan, "the Extended ORPort %s is not on this machine: what passes is "
		    "not encrypted by us", ptah_addr_format(&plan->extorport, text));
	return rc;
}

/* Takes what a step said and, if it was no, makes the verdict of it. */
static int
judge(struct ptah_verdict *verdict, const struct ptah_plan *plan, int rc,
    const char *keyword, int status)
{
	if (rc == 0)
		return 0;
	verdict->streams = plan->error_streams;
	if (rc == -EINVAL) {
		verdict->keyword = keyword;
		verdict->rc = status;
		return rc;
	}
	verdict->rc = 70;
	snprintf(verdict->text, sizeof(verdict->text), "cannot read the settings: %s",
	    strerror(-rc));
	return rc;
}

static int
read_version(struct ptah_plan *plan, struct ptah_version *version, const struct ptah_argv *argv,
    char *const envp[])
{
	bool named = ptah_env_get(envp, "TOR_PT_CLIENT_TRANSPORTS") ||
	    ptah_env_get(envp, "TOR_PT_SERVER_TRANSPORTS");

	ptah_version_choose(version, argv->value[PTAH_FLAG_PTVERSION],
	    ptah_env_get(envp, ptah_flags[PTAH_FLAG_PTVERSION].env), named);
	plan->dialect = version->dialect;
	plan->version = version->token;
	plan->error_streams = error_streams(argv, version);
	return version->token ? 0 : -EINVAL;
}

/* Everything that an ENV-ERROR can follow, in the order of 2.8. */
static int
read_settings(struct ptah_plan *plan, struct ptah_source *source, char *why, size_t room)
{
	const char *row;
	int rc;

	if (source->argv->error[0]) {
		snprintf(why, room, "%s", source->argv->error);
		return -EINVAL;
	}
	rc = ptah_rules_role(source, why, room);
	if (rc < 0)
		return rc;
	plan->role = source->role = rc;
	source->mode = ptah_rules_mode(source);
	if (source->mode >= 0)
		plan->mode = source->mode;
	rc = ptah_rules_check(source, &row, why, room);
	if (rc == 0)
		rc = ptah_values_read(plan, source, why, room);
	if (rc == 0)
		rc = check_state(plan, source, why, room);
	if (rc == 0)
		rc = read_options(plan, source, why, room);
	return rc;
}

static int
read_plan(struct ptah_plan *plan, struct ptah_verdict *verdict,
    int argc, char *const argv[], char *const envp[], ptah_plan_version_fn *on_version, void *arg)
{
	struct ptah_argv flags;
	struct ptah_version version;
	struct ptah_source source = {
		.argv = &flags, .envp = envp, .version = &version, .mode = -1,
	};
	char *why = verdict->text;
	size_t room = sizeof(verdict->text);

	plan->who = ptah_argv_who(argc > 0 ? argv[0] : NULL);
	plan->log_name = plan->who == PTAH_AS_OBFS4PROXY ? "obfs4proxy.log" : "dispatcher.log";
	ptah_argv_read(&flags, plan->who, argc, argv);
	if (flags.help || flags.version) {
		plan->asked = flags.help ? PTAH_ASKED_HELP : PTAH_ASKED_VERSION;
		return 0;
	}
	if (ptah_source_true(&source, PTAH_FLAG_GENERATE))
		plan->asked = PTAH_ASKED_GENERATE;

	int rc = read_version(plan, &version, &flags, envp);
	if (rc != 0) {
		snprintf(why, room, "no-version");
		return judge(verdict, plan, rc, "VERSION-ERROR", 78);
	}
	if (plan->asked == PTAH_ASKED_SERVE && (rc = on_version(plan->version, arg)) != 0)
		return rc;
	rc = judge(verdict, plan, read_settings(plan, &source, why, room), "ENV-ERROR", 64);
	if (rc == 0)
		rc = judge(verdict, plan, read_proxy(plan, &source, why, room), "PROXY-ERROR", 69);
	if (rc != 0)
		return rc;
	rc = read_transports(plan, &source);
	if (rc == 0 && !plan->all)
		rc = give_options(plan);
	if (rc == 0)
		rc = warn_of_what_is_odd(plan, &source);
	return judge(verdict, plan, rc, NULL, 70);
}

static int
no_version_line(const char *token, void *arg)
{
	(void)token;
	(void)arg;
	return 0;
}

/* Nobody reads lines of the protocol here, so a verdict has no keyword. */
static int
read_plugin(struct ptah_plan *plan, struct ptah_verdict *verdict, const char *argv0, char *const envp[])
{
	struct ptah_sip003 flags;
	int rc = ptah_sip003_flags(&flags, argv0, envp, verdict->text, sizeof(verdict->text));

	if (rc == 0)
		rc = read_plan(plan, verdict, flags.argc, flags.argv, envp, no_version_line, NULL);
	else
		rc = judge(verdict, plan, rc, NULL, EX_CONFIG);
	for (size_t i = 0; rc == 0 && i < flags.n_also; i++) {
		struct ptah_service *service = &plan->services[0];

		rc = ptah_addr_parse(&service->also[service->n_also++], flags.also[i]);
		if (rc != 0)
			snprintf(verdict->text, sizeof(verdict->text), "SS_REMOTE_HOST: '%.100s' is no IP address and port", flags.also[i]);
	}
	ptah_sip003_clear(&flags);
	plan->plugin = true;
	if (rc == -EINVAL)
		verdict->rc = EX_CONFIG;
	verdict->keyword = NULL;
	return rc;
}

int
ptah_plan_read(struct ptah_plan *plan, struct ptah_verdict *verdict,
    int argc, char *const argv[], char *const envp[], ptah_plan_version_fn *on_version, void *arg)
{
	memset(plan, 0, sizeof(*plan));
	memset(verdict, 0, sizeof(*verdict));
	if (ptah_sip003_applies(argc, argv, envp))
		return read_plugin(plan, verdict, argc > 0 ? argv[0] : NULL, envp);
	return read_plan(plan, verdict, argc, argv, envp, on_version, arg);
}

int
ptah_plan_expand(struct ptah_plan *plan, const char *const names[], size_t n)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_service(plan, names[i], strlen(names[i]));
	return rc == 0 ? give_options(plan) : rc;
}

void
ptah_plan_forget_options(struct ptah_plan *plan)
{
	for (size_t i = 0; i < plan->n_services; i++) {
		ptah_json_free(plan->services[i].options);
		plan->services[i].options = NULL;
	}
	ptah_options_clear(&plan->options);
}

static void
hide_variable(char *const envp[], const char *name)
{
	size_t len = name ? strlen(name) : 0;

	for (char *const *at = envp; name && *at; at++)
		if (strncmp(*at, name, len) == 0 && (*at)[len] == '=')
			memset(*at + len + 1, '*', strlen(*at + len + 1));
}

void
ptah_plan_hide_sources(int argc, char *const argv[], char *const envp[])
{
	ptah_argv_hide(ptah_argv_who(argc > 0 ? argv[0] : NULL), argc, argv);
	for (int id = 0; id < PTAH_FLAG_COUNT; id++) {
		if ((ptah_flags[id].marks & PTAH_FLAG_SECRET) == 0)
			continue;
		hide_variable(envp, ptah_flags[id].env);
		hide_variable(envp, ptah_flags[id].env_server);
	}
	hide_variable(envp, "SS_PLUGIN_OPTIONS");
}

void
ptah_plan_clear(struct ptah_plan *plan)
{
	ptah_plan_forget_options(plan);
	for (size_t i = 0; i < plan->n_services; i++)
		free(plan->services[i].name);
	for (size_t i = 0; i < plan->n_warnings; i++)
		free(plan->warnings[i]);
	free(plan->services);
	free(plan->warnings);
	free(plan->cookie_path);
	free(plan->state_dir);
	free(plan->module_dir);
	free(plan->module_path);
	free(plan->generate_server);
	free(plan->label);
	free(plan->fingerprint);
	free(plan->options_file);
	free(plan->code);
	ptah_json_free(plan->files);
	free(plan->activation);
	free(plan->proxy_from);
	ptah_proxy_clear(&plan->proxy);
	ptah_bindlist_clear(&plan->binds);
	memset(plan, 0, sizeof(*plan));
}

void
ptah_plan_free(struct ptah_plan *plan)
{
	if (!plan)
		return;
	ptah_plan_clear(plan);
	free(plan);
}
