/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "config/argv.h"
#include "config/plan.h"

#define MAX 20

static char announced[16];

static int
on_version(const char *token, void *arg)
{
	snprintf(announced, sizeof(announced), "%s", token);
	return *(int *)arg;
}

static int
read_plan(struct ptah_plan *plan, struct ptah_verdict *verdict, const char *argv0,
    const char *const words[], const char *const env[])
{
	char *argv[MAX + 2] = { (char *)(uintptr_t)argv0 }, *envp[MAX + 1] = { NULL };
	int argc = 1;

	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	for (size_t i = 0; env[i]; i++)
		envp[i] = (char *)(uintptr_t)env[i];
	int go_on = 0;

	announced[0] = '\0';
	return ptah_plan_read(plan, verdict, argc, argv, envp, on_version, &go_on);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NOTHING ((const char *const[]){ NULL })
#define E1C "TOR_PT_MANAGED_TRANSPORT_VER=1", "TOR_PT_STATE_LOCATION=/nowhere/s", \
	"TOR_PT_CLIENT_TRANSPORTS=dummy"
#define E1S "TOR_PT_MANAGED_TRANSPORT_VER=1", "TOR_PT_STATE_LOCATION=/nowhere/s", \
	"TOR_PT_SERVER_TRANSPORTS=dummy", "TOR_PT_ORPORT=127.0.0.1:9001", \
	"TOR_PT_EXTENDED_SERVER_PORT="
#define F3C "-ptversion", "3.0", "-client", "-transport", "dummy"
#define F3S "-ptversion", "3.0", "-server", "-transport", "dummy", "-bindhost", "127.0.0.1", \
	"-bindport", "0", "-target", "127.0.0.1:9001"

static void
read_well(struct ptah_plan *plan, const char *const words[], const char *const env[])
{
	struct ptah_verdict verdict;

	if (read_plan(plan, &verdict, "ptah", words, env) != 0)
		fail_msg("%s %s", verdict.keyword, verdict.text);
	assert_null(verdict.keyword);
	assert_int_equal(verdict.rc, 0);
	assert_string_equal(announced, plan->version);
}

static void
listens_at(const struct ptah_service *service, const char *want)
{
	char text[PTAH_ADDR_TEXT];

	assert_string_equal(ptah_addr_format(&service->listen, text), want);
}

static void
has_options(const struct ptah_service *service, const char *want)
{
	char *text = ptah_json_text(service->options);

	assert_string_equal(text, want);
	free(text);
}

static void
a_client_of_tor(void **state)
{
	struct ptah_plan plan;

	(void)state;
	read_well(&plan, NOTHING, WORDS(E1C, "TOR_PT_EXIT_ON_STDIN_CLOSE=1",
	    "TOR_PT_PROXY=socks5://tor:test1234@127.0.0.1:1080",
	    "TOR_PT_OUTBOUND_BIND_ADDRESS_V4=192.0.2.1",
	    "TOR_PT_OUTBOUND_BIND_ADDRESS_V6=[2001:db8::1]"));
	assert_int_equal(plan.dialect, PTAH_D1);
	assert_int_equal(plan.role, PTAH_ROLE_CLIENT);
	assert_int_equal(plan.mode, PTAH_MODE_SOCKS5);
	assert_int_equal(plan.n_services, 1);
	assert_string_equal(plan.services[0].name, "dummy");
	assert_null(plan.services[0].refused);
	listens_at(&plan.services[0], "127.0.0.1:0");
	has_options(&plan.services[0], "{}");
	assert_string_equal(plan.state_dir, "/nowhere/s");
	assert_true(plan.stdin_close);
	assert_true(plan.parent_death);
	assert_int_equal(plan.proxy.scheme, PTAH_PROXY_SOCKS5);
	assert_string_equal(plan.proxy.password, "test1234");
	assert_int_equal(plan.outbound_v4.sa.sa_family, AF_INET);
	assert_int_equal(plan.outbound_v6.sa.sa_family, AF_INET6);
	assert_int_equal(plan.error_streams, PTAH_STREAM_OUT);
	assert_int_equal(plan.ipc_log_level, PTAH_LOG_NONE);
	assert_int_equal(plan.dial_timeout_s, 30);
	assert_int_equal(plan.peer_timeout_s, 900);
	assert_int_equal(plan.workers, 0);
	assert_false(plan.has_target);
	assert_int_equal(plan.n_warnings, 0);
	ptah_plan_clear(&plan);
}

static void
a_server_of_tor(void **state)
{
	struct ptah_plan plan;

	(void)state;
	read_well(&plan, NOTHING, WORDS(E1S, "TOR_PT_AUTH_COOKIE_FILE=/c",
	    "TOR_PT_SERVER_BINDADDR=dummy-127.0.0.1:7,ghost-1.2.3.4:5",
	    "TOR_PT_SERVER_TRANSPORT_OPTIONS=dummy:key=a\\;b;ghost:k=v"));
	assert_int_equal(plan.role, PTAH_ROLE_SERVER);
	assert_int_equal(plan.n_services, 1);
	listens_at(&plan.services[0], "127.0.0.1:7");
	has_options(&plan.services[0], "{\"key\":\"a;b\"}");
	assert_true(plan.has_target);
	assert_int_equal(plan.target.port, 9001);
	assert_false(plan.has_extorport);
	assert_null(plan.cookie_path);
	ptah_plan_clear(&plan);

	read_well(&plan, NOTHING, WORDS(E1S)); /* no bind address: any port */
	listens_at(&plan.services[0], "0.0.0.0:0");
	ptah_plan_clear(&plan);
}

static void
a_server_with_an_extended_orport(void **state)
{
	char text[PTAH_ADDR_TEXT];
	struct ptah_plan plan;

	(void)state;
	read_well(&plan, WORDS("-ptversion", "3.0", "-server", "-transports", "a,b", "-bindaddr",
	    "b-[::1]:0", "-extorport", "127.0.0.1:9002", "-authcookie", "/c"), NOTHING);
	assert_true(plan.has_extorport);
	assert_string_equal(ptah_addr_format(&plan.extorport, text), "127.0.0.1:9002");
	assert_string_equal(plan.cookie_path, "/c");
	assert_false(plan.has_target);
	assert_int_equal(plan.n_services, 2);
	assert_non_null(plan.services[0].refused); /* X28 */
	assert_null(plan.services[1].refused);
	listens_at(&plan.services[1], "[::1]:0");
	ptah_plan_clear(&plan);
}

static void
flags_fill_the_plan(void **state)
{
	struct ptah_plan plan;
	char cwd[400], want[500];

	(void)state;
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	read_well(&plan, WORDS(F3C, "-state", "a/b", "-proxylistenhost", "::1", "-proxylistenport=1080",
	    "-workers", "3", "-dialTimeout", "7", "-peerTimeout", "0", "-moduleDir", "m", "-ipcLogLevel", "info"),
	    WORDS("PTAH_MODULE_PATH=/x:/y"));
	snprintf(want, sizeof(want), "%s/a/b", cwd);
	assert_string_equal(plan.state_dir, want);
	listens_at(&plan.services[0], "[::1]:1080");
	assert_int_equal(plan.workers, 3);
	assert_int_equal(plan.dial_timeout_s, 7);
	assert_int_equal(plan.peer_timeout_s, 0);
	assert_string_equal(plan.module_dir, "m");
	assert_string_equal(plan.module_path, "/x:/y");
	assert_int_equal(plan.ipc_log_level, PTAH_LOG_INFO);
	assert_int_equal(plan.error_streams, PTAH_STREAM_ERR);
	ptah_plan_clear(&plan);

	read_well(&plan, WORDS(F3C, "-udpTimeout", "9", "-udpMaxPeers=2", "-udpQueue=4",
	    "-udpFraming=LE", "-legacySocks80", "-ipcStatus", "-enableLogging",
	    "-logLevel=Debug", "-unsafeLogging", "-exit-on-parent-death=false", "-transparent",
	    "-udp"), NOTHING);
	assert_int_equal(plan.udp_timeout_s, 9);
	assert_int_equal(plan.udp_max_peers, 2);
	assert_int_equal(plan.udp_queue, 4);
	assert_true(plan.udp_little_endian);
	assert_true(plan.legacy_socks80);
	assert_true(plan.ipc_status);
	assert_true(plan.log_file);
	assert_string_equal(plan.log_name, "dispatcher.log");
	assert_int_equal(plan.log_level, PTAH_LOG_DEBUG);
	assert_true(plan.log_unsafe);
	assert_false(plan.parent_death);
	assert_int_equal(plan.mode, PTAH_MODE_UDP);
	assert_string_equal(ptah_mode_name(plan.mode), "transparent-UDP");
	assert_string_equal(plan.state_dir, cwd);
	ptah_plan_clear(&plan);

	read_well(&plan, WORDS(F3S, "-proxyProtocol", "2"), NOTHING);
	assert_int_equal(plan.proxy_protocol, 2);
	assert_string_equal(plan.target.host, "127.0.0.1");
	ptah_plan_clear(&plan);

	read_well(&plan, WORDS("-ptversion=3.0", "-server", "-transport=d", "-bindport=1",
	    "-bindhost=[::1]", "-targetport=5", "-targethost=h.example"), NOTHING);
	listens_at(&plan.services[0], "[::1]:1");
	assert_string_equal(plan.target.host, "h.example");
	assert_int_equal(plan.target.port, 5);
	assert_false(plan.target.literal);
	ptah_plan_clear(&plan);
}

static void
every_bad_value_is_told_with_its_place(void **state)
{
	static const struct {
		const char *words[MAX], *env[MAX];
		const char *says;
	} cases[] = {
		{ { F3C, "-state=" }, { NULL }, "-state: an empty path" },
		{ { NULL }, { "TOR_PT_MANAGED_TRANSPORT_VER=1", "TOR_PT_CLIENT_TRANSPORTS=dummy" },
		    "TOR_PT_STATE_LOCATION: no state folder" },
		{ { NULL }, { E1C, "TOR_PT_OUTBOUND_BIND_ADDRESS_V4=::1" },
		    "TOR_PT_OUTBOUND_BIND_ADDRESS_V4: '::1' is no IPv4" },
		{ { NULL }, { E1C, "TOR_PT_OUTBOUND_BIND_ADDRESS_V4=1.2.3.4:5" }, "is no IPv4" },
		{ { NULL }, { E1C, "TOR_PT_OUTBOUND_BIND_ADDRESS_V6=2001:db8::4" },
		    "TOR_PT_OUTBOUND_BIND_ADDRESS_V6: '2001:db8::4' is no IPv6" },
		{ { NULL }, { E1C, "TOR_PT_OUTBOUND_BIND_ADDRESS_V6=[1.2.3.4]" }, "is no IPv6" },
		{ { F3C, "-moduleDir=" }, { NULL }, "-moduleDir: an empty value" },
		{ { F3C, "-workers", "0" }, { NULL }, "-workers: '0' is no number from 1 to 64" },
		{ { F3C, "-workers", "65" }, { NULL }, "-workers: '65'" },
		{ { F3C, "-workers", "+1" }, { NULL }, "-workers: '+1'" },
		{ { F3S, "-proxyProtocol", "3" }, { NULL }, "-proxyProtocol: '3'" },
		{ { F3C, "-ipcLogLevel", "loud" }, { NULL },
		    "-ipcLogLevel: 'loud' is not one of NONE, ERROR, WARN, INFO, DEBUG" },
		{ { "-ptversion=3.0", "-transport", "a,b" }, { NULL }, "-transports" },
		{ { "-ptversion=3.0", "-transport", "*" }, { NULL }, "-transports" },
		{ { "-ptversion=3.0", "-transport", "foo-bar" }, { NULL }, "-transport: 'foo-bar'" },
		{ { F3C, "-mode", "tcp" }, { NULL }, "-mode: 'tcp' is not one of socks5, " },
		{ { F3C, "-proxylistenaddr", "localhost:0" }, { NULL },
		    "-proxylistenaddr: 'localhost:0' is no IP address with a port" },
		{ { F3C, "-proxylistenaddr", "127.0.0.1" }, { NULL }, "-proxylistenaddr" },
		{ { F3C, "-proxylistenaddr", "127.0.0.1:65536" }, { NULL }, "-proxylistenaddr" },
		{ { F3C, "-proxylistenaddr=" }, { NULL }, "-proxylistenaddr" },
		{ { F3C, "-proxylistenhost", "localhost" }, { NULL }, "-proxylistenhost" },
		{ { F3C, "-proxylistenport", "65536" }, { NULL }, "-proxylistenport: '65536'" },
		{ { F3C, "-proxylistenport", "000001" }, { NULL }, "-proxylistenport" },
		{ { F3C, "-proxylistenport=" }, { NULL }, "-proxylistenport: ''" },
		{ { NULL }, { E1S, "TOR_PT_SERVER_BINDADDR=127.0.0.1:1984" },
		    "TOR_PT_SERVER_BINDADDR: '127.0.0.1:1984' does not begin" },
		{ { NULL }, { E1S, "TOR_PT_SERVER_BINDADDR=dummy-example.com:1" }, "'example.com:1'" },
		{ { "-bindaddr", "dummy-127.0.0.1:0,dummy-127.0.0.1:0" }, { E1S },
		    "-bindaddr: dummy is there twice" }, /* X26 */
		{ { F3S, "-bindhost", "127.0.0.1", "-bindport", "0", "-proxyProtocol=" }, { NULL },
		    "-proxyProtocol: ''" },
		{ { "-target", "h.example" }, { E1S }, "-target: 'h.example'" },
		{ { "-target", "1.2.3.4:0" }, { E1S }, "-target: '1.2.3.4:0'" },
		{ { "-orport", "x" }, { E1S }, "-orport: 'x'" },
		{ { NULL }, { "TOR_PT_MANAGED_TRANSPORT_VER=1", "TOR_PT_STATE_LOCATION=/nowhere/s",
		    "TOR_PT_SERVER_TRANSPORTS=d", "TOR_PT_ORPORT=x" }, "TOR_PT_ORPORT: 'x'" },
		{ { "-targethost", "", "-targetport", "1" }, { E1S }, "-targethost: ''" },
		{ { "-targethost", "a b", "-targetport", "1" }, { E1S }, "-targethost: 'a b'" },
		{ { "-targethost", "h", "-targetport", "0" }, { E1S }, "-targetport: '0'" },
		{ { "-extorport", "x", "-authcookie", "/c" }, { E1S }, "-extorport: 'x'" },
		{ { "-extorport", "h.example:1", "-authcookie", "/c" }, { E1S }, "-extorport" },
		{ { F3C, "-logLevel", "loud" }, { NULL }, "-logLevel: 'loud' is not one of ERROR" },
		{ { F3C, "-logLevel", "NONE" }, { NULL }, "-logLevel: 'NONE'" },
		{ { F3C, "-dialTimeout", "0" }, { NULL }, "-dialTimeout: '0'" },
		{ { F3C, "-peerTimeout", "36001" }, { NULL }, "-peerTimeout: '36001' is no number from 0" },
		{ { F3C, "-ipcMessages" }, { NULL }, "-ipcMessages is not taken here: no transport has messages" },
		{ { F3C, "-udpTimeout", "86401" }, { NULL }, "-udpTimeout" },
		{ { F3C, "-udpMaxPeers", "0" }, { NULL }, "-udpMaxPeers" },
		{ { F3C, "-udpQueue", "65" }, { NULL }, "-udpQueue" },
		{ { F3C, "-udpFraming", "middle" }, { NULL }, "-udpFraming: 'middle'" },
		{ { F3C, "-ipcErrors", "nowhere" }, { NULL }, "-ipcErrors: 'nowhere'" },
		{ { F3C, "-state", "/dev/null" }, { NULL }, "-state: '/dev/null' is no folder" },
		{ { F3C, "-state", "/dev/null/x" }, { NULL }, "-state: '/dev/null/x' is no folder" },
		{ { F3C, "-options", "[1]" }, { NULL }, "-options: " },
		{ { F3C, "-optionsFile", "/nowhere/o" }, { NULL }, "-optionsFile: " },
		{ { NULL }, { E1S, "TOR_PT_SERVER_TRANSPORT_OPTIONS=dummy" },
		    "TOR_PT_SERVER_TRANSPORT_OPTIONS: " },
		{ { "-generateConfig", "-transport", "a", "-serverIP", "x" }, { NULL }, "-serverIP: 'x'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_plan plan;
		struct ptah_verdict verdict;

		if (read_plan(&plan, &verdict, "ptah", cases[i].words, cases[i].env) != -EINVAL)
			fail_msg("case %zu (%s) is taken", i, cases[i].says);
		assert_string_equal(verdict.keyword, "ENV-ERROR");
		assert_int_equal(verdict.rc, 64);
		if (!strstr(verdict.text, cases[i].says))
			fail_msg("'%s' does not say '%s'", verdict.text, cases[i].says);
		ptah_plan_clear(&plan);
	}
}

static void
the_first_error_in_the_order_of_validation_is_told(void **state)
{
	/* Each line lacks the first word of the one above. */
	static const char *const words[] = {
		"-nosuchflag", "-client", "-target=x", "-workers=0", "-ipcLogLevel=loud",
		"-state=/dev/null", "-options=[]", "-proxy=x",
	};
	static const char *const says[] = {
		"-nosuchflag", "-client and -server", "-target", "-workers", "-ipcLogLevel",
		"-state", "-options", "-proxy",
	};
	const size_t n = sizeof(words) / sizeof(words[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const char *line[MAX] = { "-ptversion=3.0", "-transport=d", i < 2 ? "-server" : "-client" };
		struct ptah_verdict verdict;
		struct ptah_plan plan;
		size_t at = 3;

		for (size_t k = i; k < n; k++)
			line[at++] = words[k];
		assert_int_equal(read_plan(&plan, &verdict, "ptah", line, NOTHING), -EINVAL);
		assert_ptr_equal(strstr(verdict.text, says[i]), verdict.text);
		assert_string_equal(verdict.keyword, i == n - 1 ? "PROXY-ERROR" : "ENV-ERROR");
		assert_int_equal(verdict.rc, i == n - 1 ? 69 : 64);
		assert_string_equal(announced, "3.0");
		ptah_plan_clear(&plan);
	}
}

static void
errors_go_where_the_version_says(void **state)
{
	static const struct {
		const char *words[MAX], *env[MAX];
		const char *keyword;
		unsigned streams;
	} cases[] = {
		{ { "-x" }, { E1C }, "ENV-ERROR", PTAH_STREAM_OUT },
		{ { "-x", "-ptversion=2" }, { NULL }, "ENV-ERROR", PTAH_STREAM_ERR },
		{ { "-x", "-ptversion=3.0" }, { NULL }, "ENV-ERROR", PTAH_STREAM_ERR },
		{ { "-ptversion=9" }, { E1C }, "VERSION-ERROR", PTAH_STREAM_ERR },
		{ { NULL }, { "TOR_PT_MANAGED_TRANSPORT_VER=9" }, "VERSION-ERROR",
		    PTAH_STREAM_OUT | PTAH_STREAM_ERR },
		{ { "-ptversion=9", "-ipcErrors=stdout" }, { NULL }, "VERSION-ERROR", PTAH_STREAM_OUT },
		{ { "-x", "-ipcErrors", "Both" }, { NULL }, "ENV-ERROR",
		    PTAH_STREAM_OUT | PTAH_STREAM_ERR },
		{ { "-x", "-ipcErrors=stderr" }, { E1C }, "ENV-ERROR", PTAH_STREAM_ERR },
		{ { "-x", "-ipcErrors=auto" }, { E1C }, "ENV-ERROR", PTAH_STREAM_OUT },
		{ { "-ipcErrors=loud" }, { E1C }, "ENV-ERROR", PTAH_STREAM_OUT },
		{ { "-proxy=x" }, { E1C }, "PROXY-ERROR", PTAH_STREAM_OUT },
		{ { F3C, "-proxy=x" }, { NULL }, "PROXY-ERROR", PTAH_STREAM_ERR },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_plan plan;
		struct ptah_verdict verdict;

		assert_int_equal(read_plan(&plan, &verdict, "ptah", cases[i].words, cases[i].env), -EINVAL);
		assert_string_equal(verdict.keyword, cases[i].keyword);
		assert_int_equal(verdict.streams, cases[i].streams);
		if (strcmp(verdict.keyword, "VERSION-ERROR") == 0) {
			assert_string_equal(verdict.text, "no-version");
			assert_int_equal(verdict.rc, 78);
			assert_string_equal(announced, "");
		}
		ptah_plan_clear(&plan);
	}
}

static void
reading_ends_when_nobody_hears_the_version(void **state)
{
	char *argv[] = { (char *)(uintptr_t)"ptah", (char *)(uintptr_t)"-x", NULL };
	struct ptah_verdict verdict;
	struct ptah_plan plan;
	int rc = -EPIPE;

	(void)state;
	assert_int_equal(ptah_plan_read(&plan, &verdict, 2, argv, argv + 2, on_version, &rc), -EPIPE);
	assert_null(verdict.keyword);
	ptah_plan_clear(&plan);
}

static void
empty_variables_are_unset(void **state)
{
	struct ptah_plan plan;

	(void)state;
	read_well(&plan, NOTHING, WORDS(E1S, "TOR_PT_SERVER_BINDADDR=", "TOR_PT_AUTH_COOKIE_FILE=",
	    "TOR_PT_SERVER_TRANSPORT_OPTIONS=", "TOR_PT_OUTBOUND_BIND_ADDRESS_V4=",
	    "TOR_PT_EXIT_ON_STDIN_CLOSE=", "PTAH_MODULE_PATH="));
	assert_int_equal(plan.outbound_v4.sa.sa_family, AF_UNSPEC);
	assert_false(plan.stdin_close);
	assert_null(plan.module_path);
	ptah_plan_clear(&plan);
	read_well(&plan, NOTHING, WORDS(E1C, "TOR_PT_PROXY=", "TOR_PT_EXIT_ON_STDIN_CLOSE=true"));
	assert_int_equal(plan.proxy.scheme, PTAH_PROXY_NONE);
	assert_false(plan.stdin_close);
	ptah_plan_clear(&plan);
}

static void
a_flag_beats_its_variable(void **state)
{
	struct ptah_plan plan;

	(void)state;
	read_well(&plan, WORDS("-state", "/nowhere/t", "-transports", "other", "-proxy=",
	    "-exit-on-stdin-close=0"), WORDS(E1C, "TOR_PT_PROXY=garbage",
	    "TOR_PT_EXIT_ON_STDIN_CLOSE=1"));
	assert_string_equal(plan.state_dir, "/nowhere/t");
	assert_string_equal(plan.services[0].name, "other");
	assert_int_equal(plan.proxy.scheme, PTAH_PROXY_NONE);
	assert_false(plan.stdin_close);
	ptah_plan_clear(&plan);
	read_well(&plan, WORDS("-target", "127.0.0.1:5", "-bindaddr", "dummy-[::1]:6"),
	    WORDS(E1S, "TOR_PT_SERVER_BINDADDR=garbage"));
	assert_int_equal(plan.target.port, 5);
	listens_at(&plan.services[0], "[::1]:6");
	ptah_plan_clear(&plan);
}

static void
version_3_by_flag_leaves_variables_alone(void **state)
{
	struct ptah_plan plan;

	(void)state;
	read_well(&plan, WORDS(F3C), WORDS("TOR_PT_PROXY=bogus",
	    "TOR_PT_SERVER_TRANSPORTS=x", "TOR_PT_STATE_LOCATION=/nowhere/s"));
	assert_int_equal(plan.proxy.scheme, PTAH_PROXY_NONE);
	assert_string_not_equal(plan.state_dir, "/nowhere/s");
	assert_int_equal(plan.n_warnings, 1);
	assert_non_null(strstr(plan.warnings[0], "TOR_PT_PROXY"));
	ptah_plan_clear(&plan);
	/* but version 3 by variable does not */
	read_well(&plan, NOTHING, WORDS("TOR_PT_MANAGED_TRANSPORT_VER=3.0",
	    "TOR_PT_CLIENT_TRANSPORTS=dummy", "TOR_PT_STATE_LOCATION=/nowhere/s"));
	assert_int_equal(plan.dialect, PTAH_D3);
	assert_string_equal(plan.services[0].name, "dummy");
	assert_string_equal(plan.state_dir, "/nowhere/s");
	assert_int_equal(plan.n_warnings, 0);
	ptah_plan_clear(&plan);
}

static void
names_that_cannot_be_are_passed_over(void **state)
{
	struct ptah_plan plan;

	(void)state;
	read_well(&plan, WORDS("-ptversion=3.0", "-transports", "ghost,dummy,foo-bar,,dummy"), NOTHING);
	assert_int_equal(plan.n_services, 2);
	assert_string_equal(plan.services[0].name, "ghost");
	assert_string_equal(plan.services[1].name, "dummy");
	assert_int_equal(plan.n_warnings, 1);
	assert_non_null(strstr(plan.warnings[0], "foo-bar"));
	ptah_plan_clear(&plan);
}

static void
a_star_is_filled_in_later(void **state)
{
	static const char *const all[] = { "alpha", "beta", "dummy" };
	struct ptah_plan plan;

	(void)state;
	read_well(&plan, WORDS("-ptversion=2.1", "-server", "-transports", "dummy,*", "-target",
	    "127.0.0.1:1", "-bindaddr", "beta-127.0.0.1:7", "-options",
	    "{\"dummy\":{\"a\":1},\"beta\":{\"b\":2}}"), NOTHING);
	assert_true(plan.all);
	assert_int_equal(plan.n_services, 1);
	assert_int_equal(ptah_plan_expand(&plan, all, 3), 0);
	assert_int_equal(plan.n_services, 3);
	assert_string_equal(plan.services[0].name, "dummy");
	assert_string_equal(plan.services[2].name, "beta");
	listens_at(&plan.services[1], "0.0.0.0:0");
	listens_at(&plan.services[2], "127.0.0.1:7");
	has_options(&plan.services[0], "{\"a\":1}");
	has_options(&plan.services[1], "{}");
	has_options(&plan.services[2], "{\"b\":2}");
	ptah_plan_clear(&plan);
}

static void
an_old_clients_target_is_its_server(void **state)
{
	struct ptah_plan plan;

	(void)state;
	read_well(&plan, WORDS("-ptversion=2.1", "-client", "-transports", "a,b", "-target",
	    "[::1]:7", "-options", "{\"a\":{\"serverAddress\":\"h:1\"},\"b\":{\"k\":1}}"), NOTHING);
	has_options(&plan.services[0], "{\"serverAddress\":\"h:1\"}");
	has_options(&plan.services[1], "{\"k\":1,\"serverAddress\":\"[::1]:7\"}");
	ptah_plan_clear(&plan);
}

static void
what_is_odd_is_warned_of(void **state)
{
	static const struct {
		const char *words[MAX], *env[MAX];
		const char *says;
	} cases[] = {
		{ { "-ptversion=3.0", "-server", "-transport=d", "-bindhost=::1", "-bindport=0",
		    "-orport=a:1" }, { NULL }, "-orport" },
		{ { F3C, "-enableLocket" }, { NULL }, "-enableLocket" },
		{ { F3C, "-proxylistenaddr", "192.0.2.1:0" }, { NULL }, "192.0.2.1" },
		{ { "-extorport=192.0.2.1:5", "-authcookie=/c" }, { E1S }, "Extended ORPort" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_plan plan;

		read_well(&plan, cases[i].words, cases[i].env);
		assert_int_equal(plan.n_warnings, 1);
		assert_non_null(strstr(plan.warnings[0], cases[i].says));
		ptah_plan_clear(&plan);
	}
}

static void
other_things_can_be_asked(void **state)
{
	struct ptah_verdict verdict;
	struct ptah_plan plan;

	(void)state;
	assert_int_equal(read_plan(&plan, &verdict, "ptah", WORDS("--help", "-x"), NOTHING), 0);
	assert_int_equal(plan.asked, PTAH_ASKED_HELP);
	assert_string_equal(announced, "");
	ptah_plan_clear(&plan);
	assert_int_equal(read_plan(&plan, &verdict, "ptah", WORDS("--version"), WORDS(E1C)), 0);
	assert_int_equal(plan.asked, PTAH_ASKED_VERSION);
	assert_string_equal(announced, "");
	ptah_plan_clear(&plan);
	assert_int_equal(read_plan(&plan, &verdict, "ptah", WORDS("-generateConfig", "-transport",
	    "obfs4", "-serverIP", "192.0.2.1:443", "-state", "/nowhere/s"), NOTHING), 0);
	assert_int_equal(plan.asked, PTAH_ASKED_GENERATE);
	assert_string_equal(announced, "");
	assert_string_equal(plan.generate_server, "192.0.2.1:443");
	assert_string_equal(plan.services[0].name, "obfs4");
	ptah_plan_clear(&plan);
}

static void
a_link_named_obfs4proxy_is_that_program(void **state)
{
	struct ptah_verdict verdict;
	struct ptah_plan plan;

	(void)state;
	assert_int_equal(read_plan(&plan, &verdict, "/usr/bin/obfs4proxy", WORDS("-enableLogging",
	    "-logLevel", "INFO", "-unsafeLogging"), WORDS(E1C)), 0);
	assert_int_equal(plan.who, PTAH_AS_OBFS4PROXY);
	assert_true(plan.log_file);
	assert_string_equal(plan.log_name, "obfs4proxy.log");
	assert_int_equal(plan.log_level, PTAH_LOG_INFO);
	ptah_plan_clear(&plan);
	assert_int_equal(read_plan(&plan, &verdict, "obfs4proxy", WORDS("-version"), NOTHING), 0);
	assert_int_equal(plan.asked, PTAH_ASKED_VERSION);
	ptah_plan_clear(&plan);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_of_tor),
		cmocka_unit_test(a_server_of_tor),
		cmocka_unit_test(a_server_with_an_extended_orport),
		cmocka_unit_test(flags_fill_the_plan),
		cmocka_unit_test(every_bad_value_is_told_with_its_place),
		cmocka_unit_test(the_first_error_in_the_order_of_validation_is_told),
		cmocka_unit_test(errors_go_where_the_version_says),
		cmocka_unit_test(reading_ends_when_nobody_hears_the_version),
		cmocka_unit_test(empty_variables_are_unset),
		cmocka_unit_test(a_flag_beats_its_variable),
		cmocka_unit_test(version_3_by_flag_leaves_variables_alone),
		cmocka_unit_test(names_that_cannot_be_are_passed_over),
		cmocka_unit_test(a_star_is_filled_in_later),
		cmocka_unit_test(an_old_clients_target_is_its_server),
		cmocka_unit_test(what_is_odd_is_warned_of),
		cmocka_unit_test(other_things_can_be_asked),
		cmocka_unit_test(a_link_named_obfs4proxy_is_that_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
