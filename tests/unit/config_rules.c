/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/rules.h"

#define MAX 16

/* What ptah_rules_role() and ptah_rules_check() say: "role", a row, or "" if all is well. */
static const char *
ask(const char *const words[], const char *const env[], char *why, size_t room, int *role)
{
	char *argv[MAX + 2] = { (char *)(uintptr_t)"ptah" }, *envp[MAX + 1] = { NULL };
	struct ptah_argv flags;
	struct ptah_version version;
	struct ptah_source source = { .argv = &flags, .envp = envp, .version = &version };
	const char *row = "";
	int argc = 1;

	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	for (size_t i = 0; env[i]; i++)
		envp[i] = (char *)(uintptr_t)env[i];
	ptah_argv_read(&flags, PTAH_AS_PTAH, argc, argv);
	assert_string_equal(flags.error, "");
	ptah_version_choose(&version, flags.value[PTAH_FLAG_PTVERSION],
	    ptah_env_get(envp, "TOR_PT_MANAGED_TRANSPORT_VER"),
	    ptah_env_get(envp, "TOR_PT_CLIENT_TRANSPORTS") ||
	    ptah_env_get(envp, "TOR_PT_SERVER_TRANSPORTS"));
	assert_non_null(version.token);
	*role = ptah_rules_role(&source, why, room);
	if (*role < 0)
		return "role";
	source.role = *role;
	source.mode = ptah_rules_mode(&source);
	if (ptah_rules_check(&source, &row, why, room) != 0)
		assert_string_not_equal(why, "");
	return row;
}

#define V3 "-ptversion", "3.0"
#define V21 "-ptversion", "2.1"
#define V1 "TOR_PT_MANAGED_TRANSPORT_VER=1"
#define CT "TOR_PT_CLIENT_TRANSPORTS=dummy"
#define ST "TOR_PT_SERVER_TRANSPORTS=dummy"
#define SERVER V3, "-server", "-transport", "dummy", "-bindhost", "::1", "-bindport", "0"

static void
roles_are_chosen(void **state)
{
	static const struct {
		const char *words[MAX], *env[MAX];
		int role;
	} cases[] = {
		{ { V3, "-client", "-server" }, { NULL }, -EINVAL },              /* X1 */
		{ { V3, "-client", "-server=false" }, { NULL }, PTAH_ROLE_CLIENT },
		{ { NULL }, { V1, CT, ST }, -EINVAL },                            /* X2 */
		{ { "-client" }, { V1, CT, ST }, PTAH_ROLE_CLIENT },
		{ { "-server" }, { V1, CT, ST }, PTAH_ROLE_SERVER },
		{ { NULL }, { V1, ST }, PTAH_ROLE_SERVER },                       /* X3 */
		{ { NULL }, { V1, ST, "TOR_PT_CLIENT_TRANSPORTS=" }, PTAH_ROLE_SERVER },
		{ { NULL }, { V1, CT, "TOR_PT_SERVER_TRANSPORTS=" }, PTAH_ROLE_CLIENT },
		{ { NULL }, { V1 }, PTAH_ROLE_CLIENT },                           /* X4 */
		{ { V3 }, { CT, ST }, PTAH_ROLE_CLIENT }, /* variables are not looked at */
		{ { V3 }, { ST }, PTAH_ROLE_CLIENT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char why[400] = "";
		int role;

		ask(cases[i].words, cases[i].env, why, sizeof(why), &role);
		if (role != cases[i].role)
			fail_msg("case %zu: role %d, not %d: %s", i, role, cases[i].role, why);
		if (role < 0)
			assert_string_not_equal(why, "");
	}
}

static void
each_row_is_held(void **state)
{
	static const struct {
		const char *row; /* "": all is well */
		const char *words[MAX], *env[MAX];
	} cases[] = {
		{ "X5", { V3, "-transport", "a", "-transports", "a" }, { NULL } },
		{ "", { V3, "-transport", "a" }, { NULL } },
		{ "", { V3, "-transports", "a" }, { NULL } },
		{ "X6", { V3, "-client" }, { NULL } },
		{ "X6", { V3, "-transports", "" }, { NULL } },
		{ "X6", { V3 }, { CT } },
		{ "X6", { "-server", "-target", "a:1" }, { V1, CT } },
		{ "X6", { "-transports=" }, { V1, CT } }, /* a flag beats its variable */
		{ "", { NULL }, { V1, CT } },
		{ "", { "-transport", "a" }, { V1, CT } }, /* X7 */
		{ "X8", { V3, "-transport", "a", "-options", "{}", "-optionsFile", "x" }, { NULL } },
		{ "X8", { V3, "-transport", "a", "-options=" }, { NULL } },
		{ "X8", { V3, "-transport", "a", "-optionsFile=" }, { NULL } },
		{ "X9", { V3, "-transport", "a", "-proxylistenaddr", "x", "-proxylistenhost", "x" },
		    { NULL } },
		{ "X9", { V3, "-transport", "a", "-proxylistenaddr", "x", "-proxylistenport", "x" },
		    { NULL } },
		{ "", { V3, "-transport", "a", "-proxylistenhost", "x" }, { NULL } }, /* X10 */
		{ "", { V3, "-transport", "a", "-proxylistenport", "x" }, { NULL } },
		{ "X11", { SERVER, "-bindaddr", "x", "-target", "a:1" }, { NULL } },
		{ "X11", { V3, "-server", "-transport", "a", "-bindaddr", "x" }, { NULL } },
		{ "X11", { V3, "-server", "-transports", "a", "-bindaddr", "x", "-bindport", "1" },
		    { NULL } },
		{ "X12", { V3, "-server", "-transport", "a", "-bindhost", "x" }, { NULL } },
		{ "X12", { V3, "-server", "-transport", "a", "-bindport", "x" }, { NULL } },
		{ "X12", { V3, "-server", "-transports", "a", "-bindhost", "x", "-bindport", "1" },
		    { NULL } },
		{ "X12", { "-bindhost", "x", "-bindport", "1", "-target", "a:1" }, { V1, ST } },
		{ "X13", { V3, "-server", "-transport", "a", "-target", "a:1" }, { NULL } },
		{ "X13", { V3, "-server", "-transports", "a", "-bindaddr=", "-target", "a:1" },
		    { NULL } },
		{ "X13", { V3, "-server", "-transport", "a", "-target", "a:1" },
		    { "TOR_PT_SERVER_BINDADDR=a-1.2.3.4:1" } },
		{ "", { "-target", "a:1" }, { "TOR_PT_MANAGED_TRANSPORT_VER=3.0", ST,
		    "TOR_PT_SERVER_BINDADDR=dummy-1.2.3.4:1" } },
		{ "X13", { "-target", "a:1" }, { "TOR_PT_MANAGED_TRANSPORT_VER=3.0", ST } },
		{ "", { V21, "-server", "-transports", "a", "-target", "a:1" }, { NULL } },
		{ "X14", { SERVER, "-target", "a:1", "-targethost", "a" }, { NULL } },
		{ "X14", { SERVER, "-target", "a:1", "-targetport", "1" }, { NULL } },
		{ "X14", { SERVER, "-orport", "a:1", "-targetport", "1" }, { NULL } },
		{ "X14", { SERVER, "-target", "a:1", "-orport", "a:2" }, { NULL } },
		{ "", { SERVER, "-target", "a:1", "-orport", "a:1" }, { NULL } },
		{ "", { SERVER, "-orport", "a:1" }, { NULL } },
		{ "X15", { SERVER, "-targethost", "a" }, { NULL } },
		{ "X15", { SERVER, "-targetport", "1" }, { NULL } },
		{ "", { SERVER, "-targethost", "a", "-targetport", "1" }, { NULL } },
		{ "X16", { SERVER }, { NULL } },
		{ "X16", { SERVER, "-extorport=" }, { NULL } },
		{ "X16", { NULL }, { V1, ST, "TOR_PT_EXTENDED_SERVER_PORT=" } },
		{ "", { NULL }, { V1, ST, "TOR_PT_ORPORT=a:1" } },
		{ "X17", { SERVER, "-extorport", "a" }, { NULL } },
		{ "X17", { SERVER, "-extorport", "a", "-authcookie=" }, { NULL } },
		{ "X17", { NULL }, { V1, ST, "TOR_PT_EXTENDED_SERVER_PORT=x" } },
		{ "X18", { SERVER, "-target", "a:1", "-authcookie", "/c" }, { NULL } },
		{ "", { NULL }, { V1, ST, "TOR_PT_ORPORT=a:1", "TOR_PT_AUTH_COOKIE_FILE=/c" } },
		{ "X19", { SERVER, "-extorport", "a", "-authcookie", "rel/c" }, { NULL } },
		{ "X19", { NULL }, { V1, ST, "TOR_PT_EXTENDED_SERVER_PORT=x",
		    "TOR_PT_AUTH_COOKIE_FILE=c" } },
		{ "", { SERVER, "-extorport", "a", "-authcookie", "/c" }, { NULL } },
		{ "X20", { SERVER, "-extorport", "a", "-authcookie", "/c", "-mode", "STUN" }, { NULL } },
		{ "X20", { SERVER, "-extorport", "a", "-authcookie", "/c", "-transparent", "-udp" },
		    { NULL } },
		{ "", { SERVER, "-extorport", "a", "-authcookie", "/c", "-transparent" }, { NULL } },
		{ "X21", { V3, "-transport", "a", "-extorport", "x" }, { NULL } },
		{ "X21", { V3, "-transport", "a", "-authcookie", "x" }, { NULL } },
		{ "X21", { V3, "-transport", "a", "-orport", "x" }, { NULL } },
		{ "X21", { V3, "-transport", "a", "-bindhost", "x", "-bindport", "x" }, { NULL } },
		{ "X21", { V3, "-transports", "a", "-bindaddr", "x" }, { NULL } },
		{ "X21", { V3, "-transport", "a", "-proxyProtocol", "1" }, { NULL } },
		{ "X21", { SERVER, "-target", "a:1", "-proxy", "x" }, { NULL } },
		{ "X21", { SERVER, "-target", "a:1", "-proxy=" }, { NULL } },
		{ "X21", { SERVER, "-target", "a:1", "-proxylistenport", "x" }, { NULL } },
		{ "", { NULL }, { V1, CT, "TOR_PT_SERVER_BINDADDR=garbage",
		    "TOR_PT_EXTENDED_SERVER_PORT=x", "TOR_PT_ORPORT=y" } },
		{ "X22", { V3, "-transport", "a", "-target", "a:1" }, { NULL } },
		{ "X22", { V3, "-transport", "a", "-targethost", "a", "-targetport", "1" }, { NULL } },
		{ "", { V21, "-transport", "a", "-target", "a:1" }, { NULL } }, /* X23 */
		{ "X24", { V3, "-transport", "a", "-mode", "STUN", "-udp" }, { NULL } },
		{ "X24", { V3, "-transport", "a", "-mode", "socks5", "-transparent" }, { NULL } },
		{ "", { V3, "-transport", "a", "-mode", "STUN", "-udp=false" }, { NULL } },
		{ "X25", { "-mode", "STUN" }, { V1, CT } },
		{ "X25", { "-transparent" }, { V1, CT } },
		{ "", { "-mode", "SOCKS5" }, { V1, CT } },
		{ "", { "-mode", "transparent-TCP" }, { V1, ST, "TOR_PT_ORPORT=a:1" } },
		{ "2.3", { SERVER, "-proxyProtocol", "2", "-extorport", "a", "-authcookie", "/c" },
		    { NULL } },
		{ "2.3", { SERVER, "-proxyProtocol", "1", "-target", "a:1", "-udp" }, { NULL } },
		{ "", { SERVER, "-proxyProtocol", "1", "-target", "a:1" }, { NULL } },
		{ "11.3", { V3, "-transport", "a", "-serverIP", "a:1" }, { NULL } },
		{ "11.3", { V3, "-generateConfig" }, { NULL } },
		{ "11.3", { V3, "-generateConfig", "-transport", "a" }, { NULL } },
		{ "", { V3, "-generateConfig", "-transport", "a", "-serverIP", "a:1",
		    "-bindaddr", "a-1.2.3.4:1" }, { NULL } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char why[400] = "";
		int role;
		const char *row = ask(cases[i].words, cases[i].env, why, sizeof(why), &role);

		if (strcmp(row, cases[i].row) != 0)
			fail_msg("case %zu: row '%s' (%s), not '%s'", i, row, why, cases[i].row);
	}
}

static void
modes_have_two_spellings(void **state)
{
	static const struct {
		const char *words[MAX];
		int mode;
	} cases[] = {
		{ { NULL }, 0 },
		{ { "-mode", "socks5" }, 0 },
		{ { "-mode", "Transparent-tcp" }, 1 },
		{ { "-mode", "TRANSPARENT-UDP" }, 2 },
		{ { "-mode", "stun" }, 3 },
		{ { "-mode", "tcp" }, -EINVAL },
		{ { "-mode=" }, -EINVAL },
		{ { "-transparent" }, 1 },
		{ { "-transparent", "-udp" }, 2 },
		{ { "-udp" }, 3 },
		{ { "-transparent=false" }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *argv[MAX] = { (char *)(uintptr_t)"ptah" }, *envp[] = { NULL };
		struct ptah_argv flags;
		struct ptah_version version = { 0 };
		struct ptah_source source = { .argv = &flags, .envp = envp, .version = &version };
		int argc = 1;

		for (; cases[i].words[argc - 1]; argc++)
			argv[argc] = (char *)(uintptr_t)cases[i].words[argc - 1];
		ptah_argv_read(&flags, PTAH_AS_PTAH, argc, argv);
		assert_int_equal(ptah_rules_mode(&source), cases[i].mode);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roles_are_chosen),
		cmocka_unit_test(each_row_is_held),
		cmocka_unit_test(modes_have_two_spellings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
