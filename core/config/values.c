/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/values.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

/* One value on its way into the plan. */
struct value {
	struct ptah_plan *plan;
	const struct ptah_source *source;
	const struct ptah_flag *flag;
	const char *text; /* NULL for a switch */
	int id;
	void *to; /* the member of the plan */
	char *why;
	size_t why_room;
};

static int __attribute__((format(printf, 2, 3)))
bad(const struct value *v, const char *format, ...)
{
	char where[64], what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(v->why, v->why_room, "%s: %s", ptah_source_where(v->source, v->id, where), what);
	return -EINVAL;
}

static int
read_switch(const struct value *v)
{
	if (ptah_source_given(v->source, v->id))
		*(bool *)v->to = v->source->argv->truth[v->id];
	else if (v->flag->def && strcmp(v->flag->def, "true") == 0)
		*(bool *)v->to = true;
	return 0;
}

static int
read_stdin_close(const struct value *v)
{
	const char *env = ptah_source_env(v->source, v->id);

	/* The variable: exactly "1"; anything else is off, without a word. */
	if (!ptah_source_given(v->source, v->id)) {
		*(bool *)v->to = env && strcmp(env, "1") == 0;
		return 0;
	}
	return read_switch(v);
}

static int
read_number(const struct value *v)
{
	uint64_t number;

	if (ptah_text_u64(v->text, v->flag->min, v->flag->max, &number) != 0)
		return bad(v, "'%.100s' is no number from %llu to %llu", v->text,
		    (unsigned long long)v->flag->min, (unsigned long long)v->flag->max);
	*(unsigned *)v->to = (unsigned)number;
	return 0;
}

/* Checks a word; returns its place among the words. */
static int
word_of(const struct value *v)
{
	const char *word = ptah_flag_word(v->flag, v->text);
	char known[256] = "";

	for (int i = 0; v->flag->words[i]; i++) {
		size_t len = strlen(known);

		if (v->flag->words[i] == word)
			return i;
		snprintf(known + len, sizeof(known) - len, "%s%s", len > 0 ? ", " : "",
		    v->flag->words[i]);
	}
	return bad(v, "'%.100s' is not one of %s", v->text, known);
}

static int
read_word(const struct value *v)
{
	int word = word_of(v);

	return word < 0 ? word : 0;
}

static int
read_level(const struct value *v)
{
	int word = word_of(v);

	if (word < 0)
		return word;
	*(int *)v->to = ptah_log_level_parse(v->flag->words[word]);
	return 0;
}

static int
read_framing(const struct value *v)
{
	int word = word_of(v);

	if (word < 0)
		return word;
	*(bool *)v->to = strcmp(v->flag->words[word], "le") == 0;
	return 0;
}

static int
read_state(const struct value *v)
{
	if (!v->text && v->plan->dialect == PTAH_D1)
		return bad(v, "no state folder: version 1 wants it, or -state");
	if (v->text && v->text[0] == '\0')
		return bad(v, "an empty path: name a folder, or leave it out");
	v->plan->state_dir = v->text ? ptah_file_absolute(v->text) : getcwd(NULL, 0);
	return v->plan->state_dir ? 0 : -errno;
}

static int
read_text(const struct value *v)
{
	if (v->text[0] == '\0')
		return bad(v, "an empty value: give it one, or leave it out");
	*(char **)v->to = strdup(v->text);
	return *(char **)v->to ? 0 : -ENOMEM;
}

static int
read_name(const struct value *v)
{
	if (!ptah_text_is_stack(v->text, strlen(v->text)))
		return bad(v, "'%.100s' is no name of one transport: write letters, digits and _, and + between those of a stack%s",
		    v->text, strchr(v->text, ',') || strcmp(v->text, "*") == 0 ?
		    "; for several give -transports" : "");
	return 0;
}

static int
read_v4(const struct value *v)
{
	struct ptah_addr *addr = v->to;

	if (v->text[0] == '[' || ptah_addr_parse_host(addr, v->text, 0) != 0 ||
	    addr->sa.sa_family != AF_INET)
		return bad(v, "'%.100s' is no IPv4 address: write one such as 192.0.2.1", v->text);
	return 0;
}

static int
read_v6(const struct value *v)
{
	struct ptah_addr *addr = v->to;

	if (v->text[0] != '[' || ptah_addr_parse_host(addr, v->text, 0) != 0 ||
	    addr->sa.sa_family != AF_INET6)
		return bad(v, "'%.100s' is no IPv6 address in brackets: write one such as "
		    "[2001:db8::1]", v->text);
	return 0;
}

static int
read_addr(const struct value *v)
{
	if (ptah_addr_parse(v->to, v->text) != 0)
		return bad(v, "'%.100s' is no IP address with a port: write one such as "
		    "127.0.0.1:0 or [::1]:0", v->text);
	return 0;
}

/* Sets the address and leaves the port, which may come before or after. */
static int
read_host(const struct value *v)
{
	struct ptah_addr *addr = v->to;

	if (ptah_addr_parse_host(addr, v->text, ptah_addr_port(addr)) != 0)
		return bad(v, "'%.100s' is no IP address: write one such as 127.0.0.1 or ::1",
		    v->text);
	return 0;
}

static int
read_port(const struct value *v)
{
	uint64_t port;

	if (strlen(v->text) > 5 || ptah_text_u64(v->text, 0, 65535, &port) != 0)
		return bad(v, "'%.100s' is no port: write 0 to 65535", v->text);
	ptah_addr_set_port(v->to, (uint16_t)port);
	return 0;
}

static int
read_binds(const struct value *v)
{
	char why[400];
	int rc = ptah_bindlist_parse(v->to, v->text, why, sizeof(why));

	return rc == -EINVAL ? bad(v, "%s", why) : rc;
}

static int
read_target(const struct value *v)
{
	if (ptah_dest_parse(v->to, v->text, false) != 0)
		return bad(v, "'%.100s' is no host with a port: write one such as 127.0.0.1:9001, "
		    "[::1]:9001 or host.example:9001", v->text);
	v->plan->has_target = true;
	return 0;
}

static int
read_target_host(const struct value *v)
{
	if (ptah_dest_set(v->to, v->text, 1) != 0)
		return bad(v, "'%.100s' is no host: write an IP address or a name", v->text);
	return 0;
}

static int
read_target_port(const struct value *v)
{
	struct ptah_dest *dest = v->to;
	uint64_t port;

	if (strlen(v->text) > 5 || ptah_text_u64(v->text, 1, 65535, &port) != 0)
		return bad(v, "'%.100s' is no port: write 1 to 65535", v->text);
	v->plan->has_target = true;
	return ptah_dest_set(dest, ptah_source_value(v->source, PTAH_FLAG_TARGET_HOST),
	    (uint16_t)port);
}

static int
read_extorport(const struct value *v)
{
	struct ptah_addr *addr = v->to;

	if (v->text[0] == '\0')
		return 0;
	if (ptah_addr_parse(addr, v->text) != 0 || ptah_addr_port(addr) == 0)
		return bad(v, "'%.100s' is no IP address with a port: write one such as "
		    "127.0.0.1:9002", v->text);
	v->plan->has_extorport = true;
	return 0;
}

static int
read_cookie(const struct value *v)
{
	return v->plan->has_extorport ? read_text(v) : 0;
}

static int
read_server_ip(const struct value *v)
{
	struct ptah_dest dest;

	if (ptah_dest_parse(&dest, v->text, false) != 0)
		return bad(v, "'%.100s' is no host with a port: write one such as 192.0.2.1:443",
		    v->text);
	return read_text(v);
}

#define TO(id, read, member) { PTAH_FLAG_##id, read, offsetof(struct ptah_plan, member) }

static const struct {
	int id;
	int (*read)(const struct value *v);
	size_t offset;
} readers[] = { /* in the order of the table */
	TO(STATE, read_state, state_dir),
	TO(STDIN_CLOSE, read_stdin_close, stdin_close),
	TO(OUTBOUND_V4, read_v4, outbound_v4),
	TO(OUTBOUND_V6, read_v6, outbound_v6),
	TO(MODULE_DIR, read_text, module_dir),
	TO(WORKERS, read_number, workers),
	TO(PROXY_PROTOCOL, read_number, proxy_protocol),
	TO(REPLAY_STATE, read_switch, replay_state),
	TO(IPC_LOG_LEVEL, read_level, ipc_log_level),
	TO(TRANSPORT, read_name, services),
	TO(MODE, read_word, mode), /* ptah_rules_mode() has set it */
	TO(LISTEN_ADDR, read_addr, listen),
	TO(LISTEN_HOST, read_host, listen),
	TO(LISTEN_PORT, read_port, listen),
	TO(BIND_ADDR, read_binds, binds),
	TO(BIND_HOST, read_host, listen),
	TO(BIND_PORT, read_port, listen),
	TO(TARGET, read_target, target),
	TO(ORPORT, read_target, target),
	TO(TARGET_HOST, read_target_host, target),
	TO(TARGET_PORT, read_target_port, target),
	TO(EXTORPORT, read_extorport, extorport),
	TO(AUTH_COOKIE, read_cookie, cookie_path),
	TO(ENABLE_LOGGING, read_switch, log_file),
	TO(LOG_LEVEL, read_level, log_level),
	TO(UNSAFE_LOGGING, read_switch, log_unsafe),
	TO(IPC_ERRORS, read_word, error_streams), /* ptah_plan_read() has set it */
	TO(IPC_STATUS, read_switch, ipc_status),
	TO(DIAL_TIMEOUT, read_number, dial_timeout_s),
	TO(PEER_TIMEOUT, read_number, peer_timeout_s),
	TO(LEGACY_SOCKS80, read_switch, legacy_socks80),
	TO(UDP_TIMEOUT, read_number, udp_timeout_s),
	TO(UDP_MAX_PEERS, read_number, udp_max_peers),
	TO(UDP_QUEUE, read_number, udp_queue),
	TO(UDP_FRAMING, read_framing, udp_little_endian),
	TO(PARENT_DEATH, read_switch, parent_death),
	TO(SERVER_IP, read_server_ip, generate_server),
};

/* What was given, or what the table says; NULL: nothing, or no value that could be read ("the processors"). */
static const char *
text_of(const struct ptah_source *source, int id)
{
	const struct ptah_flag *flag = &ptah_flags[id];
	const char *text = ptah_source_value(source, id);
	uint64_t number;

	if (text || !flag->def)
		return text;
	if (flag->type == PTAH_VALUE_WORD ||
	    (flag->type == PTAH_VALUE_NUMBER && ptah_text_u64(flag->def, flag->min, flag->max, &number) == 0))
		return flag->def;
	return NULL;
}

/* Of what depends on more than its flag. */
static int
set_defaults(struct ptah_plan *plan, const struct ptah_source *source)
{
	const char *listen = NULL;

	if (plan->role == PTAH_ROLE_CLIENT)
		listen = ptah_flags[PTAH_FLAG_LISTEN_HOST].def;
	else if (plan->dialect != PTAH_D3)
		listen = "0.0.0.0";
	if (listen && ptah_addr_parse_host(&plan->listen, listen, 0) != 0)
		return -EINVAL;

	const char *path = ptah_env_get(source->envp, "PTAH_MODULE_PATH");
	if (path && !(plan->module_path = strdup(path)))
		return -ENOMEM;
	return 0;
}

int
ptah_values_read(struct ptah_plan *plan, const struct ptah_source *source,
    char *why, size_t why_room)
{
	int rc = set_defaults(plan, source);

	for (size_t i = 0; rc == 0 && i < sizeof(readers) / sizeof(readers[0]); i++) {
		int id = readers[i].id;
		bool always = ptah_flags[id].type == PTAH_VALUE_SWITCH || id == PTAH_FLAG_STATE;
		struct value v = {
			.plan = plan, .source = source, .flag = &ptah_flags[id], .id = id,
			.text = text_of(source, id),
			.to = (char *)plan + readers[i].offset,
			.why = why, .why_room = why_room,
		};

		if (v.text || always)
			rc = readers[i].read(&v);
	}
	return rc;
}
