/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/rules.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "config/plan.h"

/* A rule says no by a text in 'why'. */
struct why {
	char *text;
	size_t room;
};

static int __attribute__((format(printf, 2, 3)))
no(struct why *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, why->room, format, args);
	va_end(args);
	return -EINVAL;
}

static bool
given(const struct ptah_source *s, int id)
{
	return ptah_source_given(s, id);
}

/* Has the flag or the variable a value that is not empty? */
static bool
filled(const struct ptah_source *s, int id)
{
	const char *value = ptah_source_value(s, id);

	return value && value[0];
}

/* First given flag of a list that -1 ends, or -1. */
static int
first_given(const struct ptah_source *s, const int *ids)
{
	while (*ids != -1 && !given(s, *ids))
		ids++;
	return *ids;
}

int
ptah_rules_role(const struct ptah_source *s, char *text, size_t room)
{
	struct why why = { text, room };
	bool client = ptah_source_true(s, PTAH_FLAG_CLIENT);
	bool server = ptah_source_true(s, PTAH_FLAG_SERVER);

	if (client && server)
		return no(&why, "-client and -server: give one of the two");
	if (client || server)
		return client ? PTAH_ROLE_CLIENT : PTAH_ROLE_SERVER;
	if (!s->version->use_env || !ptah_env_get(s->envp, "TOR_PT_SERVER_TRANSPORTS"))
		return PTAH_ROLE_CLIENT;
	if (ptah_env_get(s->envp, "TOR_PT_CLIENT_TRANSPORTS"))
		return no(&why, "TOR_PT_CLIENT_TRANSPORTS and TOR_PT_SERVER_TRANSPORTS are both "
		    "set: set one of the two, or say -client or -server");
	return PTAH_ROLE_SERVER;
}

int
ptah_rules_mode(const struct ptah_source *s)
{
	if (given(s, PTAH_FLAG_MODE)) {
		const struct ptah_flag *flag = &ptah_flags[PTAH_FLAG_MODE];
		const char *word = ptah_flag_word(flag, ptah_source_value(s, PTAH_FLAG_MODE));

		for (int i = 0; word && flag->words[i]; i++)
			if (flag->words[i] == word)
				return i;
		return -EINVAL;
	}
	if (ptah_source_true(s, PTAH_FLAG_UDP))
		return ptah_source_true(s, PTAH_FLAG_TRANSPARENT) ? PTAH_MODE_UDP : PTAH_MODE_STUN;
	return ptah_source_true(s, PTAH_FLAG_TRANSPARENT) ? PTAH_MODE_TCP : PTAH_MODE_SOCKS5;
}

static int
one_transport_flag(const struct ptah_source *s, struct why *why)
{
	if (given(s, PTAH_FLAG_TRANSPORT) && given(s, PTAH_FLAG_TRANSPORTS))
		return no(why, "-transport and -transports: give one of the two");
	return 0;
}

static int
some_transport(const struct ptah_source *s, struct why *why)
{
	if (filled(s, PTAH_FLAG_TRANSPORT) || filled(s, PTAH_FLAG_TRANSPORTS))
		return 0;
	if (!s->version->use_env)
		return no(why, "no transport is named: give -transport NAME or -transports NAME,...");
	return no(why, "no transport is named: give -transport NAME, -transports NAME,... or %s",
	    s->role == PTAH_ROLE_CLIENT ? ptah_flags[PTAH_FLAG_TRANSPORTS].env :
	    ptah_flags[PTAH_FLAG_TRANSPORTS].env_server);
}

static int
one_options_flag(const struct ptah_source *s, struct why *why)
{
	static const int both[] = { PTAH_FLAG_OPTIONS, PTAH_FLAG_OPTIONS_FILE };

	if (given(s, PTAH_FLAG_OPTIONS) && given(s, PTAH_FLAG_OPTIONS_FILE))
		return no(why, "-options and -optionsFile: give one of the two");
	for (size_t i = 0; i < 2; i++)
		if (given(s, both[i]) && s->argv->value[both[i]][0] == '\0')
			return no(why, "-%s is empty: give it a value, or leave it out",
			    ptah_flags[both[i]].name);
	return 0;
}

static int
one_listen_form(const struct ptah_source *s, struct why *why)
{
	static const int parts[] = { PTAH_FLAG_LISTEN_HOST, PTAH_FLAG_LISTEN_PORT, -1 };
	int part = first_given(s, parts);

	if (given(s, PTAH_FLAG_LISTEN_ADDR) && part != -1)
		return no(why, "-proxylistenaddr and -%s: give the address whole or in parts",
		    ptah_flags[part].name);
	return 0;
}

static int
one_bind_form(const struct ptah_source *s, struct why *why)
{
	static const int parts[] = { PTAH_FLAG_BIND_HOST, PTAH_FLAG_BIND_PORT,
		PTAH_FLAG_TRANSPORT, -1 };
	int part = first_given(s, parts);

	if (!given(s, PTAH_FLAG_BIND_ADDR) || part == -1)
		return 0;
	return no(why, "-bindaddr and -%s: give -transports with -bindaddr, or -transport with "
	    "-bindhost and -bindport", ptah_flags[part].name);
}

static int
whole_bind_trio(const struct ptah_source *s, struct why *why)
{
	bool host = given(s, PTAH_FLAG_BIND_HOST), port = given(s, PTAH_FLAG_BIND_PORT);

	if (!host && !port)
		return 0;
	if (host != port)
		return no(why, "-%s without -%s: give both", host ? "bindhost" : "bindport",
		    host ? "bindport" : "bindhost");
	if (!given(s, PTAH_FLAG_TRANSPORT))
		return no(why, "-bindhost and -bindport want -transport: for several transports "
		    "give -bindaddr");
	return 0;
}

static int
some_bind_address(const struct ptah_source *s, struct why *why)
{
	if (s->role != PTAH_ROLE_SERVER || s->version->dialect != PTAH_D3 ||
	    filled(s, PTAH_FLAG_BIND_ADDR) || given(s, PTAH_FLAG_BIND_HOST))
		return 0;
	return no(why, "no address to listen on: give -bindaddr NAME-IP:PORT, or -bindhost and "
	    "-bindport");
}

static int
one_target_form(const struct ptah_source *s, struct why *why)
{
	static const int whole[] = { PTAH_FLAG_TARGET, PTAH_FLAG_ORPORT, -1 };
	static const int parts[] = { PTAH_FLAG_TARGET_HOST, PTAH_FLAG_TARGET_PORT, -1 };
	int one = first_given(s, whole), part = first_given(s, parts);

	if (one != -1 && part != -1)
		return no(why, "-%s and -%s: give the target whole or in parts",
		    ptah_flags[one].name, ptah_flags[part].name);
	if (given(s, PTAH_FLAG_TARGET) && given(s, PTAH_FLAG_ORPORT) &&
	    strcmp(s->argv->value[PTAH_FLAG_TARGET], s->argv->value[PTAH_FLAG_ORPORT]) != 0)
		return no(why, "-target and -orport differ: they are one thing, give one");
	return 0;
}

static int
whole_target(const struct ptah_source *s, struct why *why)
{
	bool host = given(s, PTAH_FLAG_TARGET_HOST);

	if (host != given(s, PTAH_FLAG_TARGET_PORT))
		return no(why, "-%s without -%s: give both", host ? "targethost" : "targetport",
		    host ? "targetport" : "targethost");
	return 0;
}

static int
some_target(const struct ptah_source *s, struct why *why)
{
	if (s->role != PTAH_ROLE_SERVER || ptah_source_value(s, PTAH_FLAG_TARGET) ||
	    given(s, PTAH_FLAG_ORPORT) || given(s, PTAH_FLAG_TARGET_HOST) ||
	    filled(s, PTAH_FLAG_EXTORPORT))
		return 0;
	return no(why, "nowhere to send what arrives: give -target HOST:PORT%s, or -extorport and "
	    "-authcookie", s->version->use_env ? " or TOR_PT_ORPORT" : "");
}

static int
extorport_has_cookie(const struct ptah_source *s, struct why *why)
{
	char where[64];

	if (s->role != PTAH_ROLE_SERVER || !filled(s, PTAH_FLAG_EXTORPORT) ||
	    filled(s, PTAH_FLAG_AUTH_COOKIE))
		return 0;
	return no(why, "%s without its cookie: give -authcookie FILE%s",
	    ptah_source_where(s, PTAH_FLAG_EXTORPORT, where),
	    s->version->use_env ? " or TOR_PT_AUTH_COOKIE_FILE" : "");
}

static int
cookie_has_extorport(const struct ptah_source *s, struct why *why)
{
	/* The variable alone is nothing: Tor sets it like that. */
	if (s->role == PTAH_ROLE_SERVER && given(s, PTAH_FLAG_AUTH_COOKIE) &&
	    !filled(s, PTAH_FLAG_EXTORPORT))
		return no(why, "-authcookie without an Extended ORPort: give -extorport IP:PORT, too");
	return 0;
}

static int
cookie_is_absolute(const struct ptah_source *s, struct why *why)
{
	char where[64];

	if (s->role != PTAH_ROLE_SERVER || !filled(s, PTAH_FLAG_EXTORPORT) ||
	    ptah_source_value(s, PTAH_FLAG_AUTH_COOKIE)[0] == '/')
		return 0;
	return no(why, "%s: '%.200s' is no absolute path: write one that begins with /",
	    ptah_source_where(s, PTAH_FLAG_AUTH_COOKIE, where),
	    ptah_source_value(s, PTAH_FLAG_AUTH_COOKIE));
}

static int
extorport_is_tcp(const struct ptah_source *s, struct why *why)
{
	if (s->role == PTAH_ROLE_SERVER && ptah_mode_is_udp(s->mode) && filled(s, PTAH_FLAG_EXTORPORT))
		return no(why, "-extorport cannot go with a UDP mode: give -target HOST:PORT");
	return 0;
}

static int
flags_of_our_role(const struct ptah_source *s, struct why *why)
{
	bool client = s->role == PTAH_ROLE_CLIENT;

	for (int id = 0; id < PTAH_FLAG_COUNT; id++)
		if (given(s, id) && (ptah_flags[id].roles & s->role) == 0)
			return no(why, "-%s is for a %s, and this is a %s: leave it out, or say -%s",
			    ptah_flags[id].name, client ? "server" : "client",
			    client ? "client" : "server", client ? "server" : "client");
	return 0;
}

static int
no_target_on_new_client(const struct ptah_source *s, struct why *why)
{
	static const int targets[] = { PTAH_FLAG_TARGET, PTAH_FLAG_TARGET_HOST,
		PTAH_FLAG_TARGET_PORT, -1 };
	int target = first_given(s, targets);

	if (s->role != PTAH_ROLE_CLIENT || s->version->dialect != PTAH_D3 || target == -1)
		return 0;
	return no(why, "-%s is not for a client of version 3: name the server in the options, as "
	    "{\"serverAddress\": \"HOST:PORT\"}", ptah_flags[target].name);
}

static int
one_mode_form(const struct ptah_source *s, struct why *why)
{
	bool udp = ptah_source_true(s, PTAH_FLAG_UDP);

	if (!given(s, PTAH_FLAG_MODE) || (!udp && !ptah_source_true(s, PTAH_FLAG_TRANSPARENT)))
		return 0;
	return no(why, "-mode and -%s: give -mode alone", udp ? "udp" : "transparent");
}

static int
socks_for_old_client(const struct ptah_source *s, struct why *why)
{
	if (s->role != PTAH_ROLE_CLIENT || s->version->dialect != PTAH_D1 || s->mode < 0 ||
	    s->mode == PTAH_MODE_SOCKS5)
		return 0;
	return no(why, "a client of version 1 speaks socks5 alone: leave out the mode, or take "
	    "version 2 or 3");
}

static int
proxy_protocol_has_target(const struct ptah_source *s, struct why *why)
{
	const char *value = ptah_source_value(s, PTAH_FLAG_PROXY_PROTOCOL);

	if (s->role != PTAH_ROLE_SERVER || !value || strcmp(value, "0") == 0)
		return 0;
	if (filled(s, PTAH_FLAG_EXTORPORT))
		return no(why, "-proxyProtocol is for a target, and there is an Extended ORPort, "
		    "which learns the client's address anyway: leave one of them out");
	if (ptah_mode_is_udp(s->mode))
		return no(why, "-proxyProtocol cannot go with a UDP mode: leave it out");
	return 0;
}

static int
generate_is_whole(const struct ptah_source *s, struct why *why)
{
	bool generate = ptah_source_true(s, PTAH_FLAG_GENERATE);

	if (given(s, PTAH_FLAG_SERVER_IP) && !generate)
		return no(why, "-serverIP is for -generateConfig: leave it out");
	if (generate && (!given(s, PTAH_FLAG_TRANSPORT) || !given(s, PTAH_FLAG_SERVER_IP)))
		return no(why, "-generateConfig wants -transport NAME and -serverIP HOST:PORT");
	return 0;
}

static const struct {
	const char *row; /* of ipc.md 2.4 */
	int (*check)(const struct ptah_source *source, struct why *why);
	bool generate; /* holds for -generateConfig, too */
} rules[] = {
	{ "X5", one_transport_flag, true },
	{ "X6", some_transport, false },
	{ "X8", one_options_flag, true },
	{ "X9", one_listen_form, false },
	{ "X11", one_bind_form, false },
	{ "X12", whole_bind_trio, false },
	{ "X13", some_bind_address, false },
	{ "X14", one_target_form, false },
	{ "X15", whole_target, false },
	{ "X16", some_target, false },
	{ "X17", extorport_has_cookie, false },
	{ "X18", cookie_has_extorport, false },
	{ "X19", cookie_is_absolute, false },
	{ "X20", extorport_is_tcp, false },
	{ "X21", flags_of_our_role, false },
	{ "X22", no_target_on_new_client, false },
	{ "X24", one_mode_form, true },
	{ "X25", socks_for_old_client, false },
	{ "2.3", proxy_protocol_has_target, false },
	{ "11.3", generate_is_whole, true },
};

int
ptah_rules_check(const struct ptah_source *source, const char **row, char *text, size_t room)
{
	struct why why = { text, room };
	bool generate = ptah_source_true(source, PTAH_FLAG_GENERATE);

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (generate && !rules[i].generate)
			continue;
		if (rules[i].check(source, &why) != 0) {
			*row = rules[i].row;
			return -EINVAL;
		}
	}
	return 0;
}
