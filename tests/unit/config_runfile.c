/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/log.h"
#include "config/key.h"
#include "config/runfile.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A service that nothing is wrong with, and one more key. */
#define SERVER(more) "{\"services\": {\"a\": {\"role\": \"server\", \"listen\": \"127.0.0.1:4000\", " \
	"\"transport\": \"dummy\", \"target\": \"127.0.0.1:80\"" more "}}}"
#define CLIENT(more) "{\"services\": {\"a\": {\"role\": \"client\", \"listen\": \"127.0.0.1:4000\", " \
	"\"transport\": \"dummy\"" more "}}}"
#define BARE(more) "{\"services\": {\"a\": {" more "}}}"
#define TOP(more) "{\"services\": {\"a\": {\"role\": \"client\", \"listen\": \"127.0.0.1:4000\", " \
	"\"transport\": \"dummy\"}}, " more "}"

static char *no_env[] = { NULL };

/* Read a text that is fine. */
static void
read_good(struct ptah_runfile *file, const char *text, char *const envp[])
{
	struct ptah_faults faults = { 0 };
	struct ptah_buf out = { 0 };
	int rc = ptah_runfile_parse(file, text, strlen(text), envp, &faults);

	if (faults.n > 0)
		(void)ptah_fault_print(&faults.at[0], "good", &out);
	assert_string_equal(out.at ? (char *)out.at : "", "");
	assert_int_equal(rc, 0);
	ptah_faults_clear(&faults);
}

/* All faults of a text, a line each. */
static char *
faults_of(const char *text)
{
	struct ptah_faults faults = { 0 };
	struct ptah_runfile file;
	struct ptah_buf out = { 0 };
	int rc = ptah_runfile_parse(&file, text, strlen(text), no_env, &faults);

	assert_int_equal(rc, faults.n_errors > 0 ? -EINVAL : 0);
	(void)ptah_buf_puts(&out, "");
	for (size_t i = 0; i < faults.n; i++) {
		(void)ptah_fault_print(&faults.at[i], "f", &out);
		ptah_buf_puts(&out, "\n");
	}
	ptah_runfile_clear(&file);
	ptah_faults_clear(&faults);
	return ptah_buf_take_text(&out);
}

static void
reads_a_bridge_with_all_that_it_may_say(void **state)
{
	static const char text[] = "// a bridge\n"
	    "{\n"
	    "\t\"$schema\": \"https://example/x\",\n"
	    "\t\"stateDir\": \"/srv/ptah\", \"moduleDir\": \"/srv/mods\", \"modulePath\": [\"/a\", \"/b\"],\n"
	    "\t\"workers\": 3, \"replayState\": true, \"peerTimeout\": 60, \"drainTimeout\": 0,\n"
	    "\t\"logLevel\": \"DEBUG\", \"logFormat\": \"json\", \"logFile\": \"/var/log/ptah.log\",\n"
	    "\t\"unsafeLogging\": true, \"control\": \"/run/c\", \"metrics\": \"[::1]:9100\", \"harden\": false,\n"
	    "\t\"services\": {\n"
	    "\t\t\"bridge-1\": {\n"
	    "\t\t\t\"role\": \"server\", \"mode\": \"transparent-TCP\", /* the usual for a bridge */\n"
	    "\t\t\t\"listen\": [\"0.0.0.0:443\", \"[::]:443\", \"192.0.2.1:80\"],\n"
	    "\t\t\t\"transport\": \"obfs4\", \"options\": {\"iat-mode\": 1},\n"
	    "\t\t\t\"extorport\": \"127.0.0.1:9002\", \"authcookie\": \"/var/lib/tor/cookie\",\n"
	    "\t\t\t\"proxyProtocolFrom\": [\"10.0.0.0/8\", \"::1\"],\n"
	    "\t\t\t\"outboundBindV4\": \"192.0.2.1\", \"outboundBindV6\": \"2001:db8::1\", \"dialTimeout\": 5,\n"
	    "\t\t\t\"limits\": {\"links\": 100, \"linksPerSecond\": 7, \"linksPerPrefix\": 4, \"prefixV4\": 24, \"prefixV6\": 48},\n"
	    "\t\t\t\"backlog\": 64, \"keepAlive\": 30, \"interface\": \"lo\", \"family\": \"ipv6\",\n"
	    "\t\t\t\"isolate\": true, \"isolateMemory\": 256\n"
	    "\t\t}\n"
	    "\t}\n"
	    "}\n";
	struct ptah_runfile file;
	char shown[PTAH_ADDR_TEXT], prefix[PTAH_PREFIX_TEXT];

	(void)state;
	read_good(&file, text, no_env);
	assert_int_equal(file.n_plans, 1);
	assert_string_equal(file.state_dir, "/srv/ptah");
	assert_string_equal(file.module_dir, "/srv/mods");
	assert_string_equal(file.module_path, "/a:/b");
	assert_int_equal(file.workers, 3);
	assert_true(file.replay_state);
	assert_int_equal(file.peer_timeout_s, 60);
	assert_int_equal(file.drain_s, 0);
	assert_int_equal(file.log_level, PTAH_LOG_DEBUG);
	assert_int_equal(file.log_format, PTAH_LOG_JSON);
	assert_string_equal(file.log_file, "/var/log/ptah.log");
	assert_true(file.log_unsafe);
	assert_string_equal(file.control, "/run/c");
	assert_null(file.metrics_path);
	assert_string_equal(ptah_addr_format(&file.metrics, shown), "[::1]:9100");
	assert_false(file.harden);

	const struct ptah_plan *plan = ptah_runfile_get(&file, "bridge-1");

	assert_non_null(plan);
	assert_int_equal(plan->asked, PTAH_ASKED_SERVE);
	assert_int_equal(plan->dialect, PTAH_D3);
	assert_int_equal(plan->role, PTAH_ROLE_SERVER);
	assert_int_equal(plan->mode, PTAH_MODE_TCP);
	assert_int_equal(plan->n_services, 1);
	assert_string_equal(plan->state_dir, "/srv/ptah/bridge-1");
	assert_string_equal(plan->module_dir, "/srv/mods");
	assert_string_equal(plan->module_path, "/a:/b");
	assert_int_equal(plan->workers, 3);
	assert_int_equal(plan->peer_timeout_s, 60);
	assert_true(plan->replay_state);
	assert_true(plan->log_unsafe);
	assert_false(plan->parent_death);

	const struct ptah_service *service = &plan->services[0];
	char *options = ptah_json_text(service->options);

	assert_string_equal(service->name, "obfs4");
	assert_null(service->refused);
	assert_string_equal(options, "{\"iat-mode\":1}");
	free(options);
	assert_string_equal(ptah_addr_format(&service->listen, shown), "0.0.0.0:443");
	assert_int_equal(service->n_also, 2);
	assert_string_equal(ptah_addr_format(&service->also[0], shown), "[::]:443");
	assert_string_equal(ptah_addr_format(&service->also[1], shown), "192.0.2.1:80");
	assert_false(plan->has_target);
	assert_true(plan->has_extorport);
	assert_string_equal(ptah_addr_format(&plan->extorport, shown), "127.0.0.1:9002");
	assert_string_equal(plan->cookie_path, "/var/lib/tor/cookie");
	assert_int_equal(plan->n_proxy_from, 2);
	assert_string_equal(ptah_prefix_format(&plan->proxy_from[1], prefix), "::1/128");
	assert_string_equal(ptah_addr_format(&plan->outbound_v4, shown), "192.0.2.1:0");
	assert_string_equal(ptah_addr_format(&plan->outbound_v6, shown), "[2001:db8::1]:0");
	assert_int_equal(plan->dial_timeout_s, 5);
	assert_int_equal(plan->bounds.links, 100);
	assert_int_equal(plan->bounds.links_per_second, 7);
	assert_int_equal(plan->bounds.links_per_prefix, 4);
	assert_int_equal(plan->bounds.prefix_v4, 24);
	assert_int_equal(plan->bounds.prefix_v6, 48);
	assert_int_equal(plan->bounds.backlog, 64);
	assert_int_equal(plan->bounds.keep_alive_s, 30);
	assert_string_equal(plan->bounds.interface, "lo");
	assert_int_equal(plan->bounds.family, AF_INET6);
	assert_true(plan->isolate);
	assert_int_equal(plan->isolate_memory_mib, 256);
	ptah_runfile_clear(&file);
}

static void
fills_in_what_is_not_said(void **state)
{
	struct ptah_runfile file;

	(void)state;
	read_good(&file, CLIENT(""), no_env);
	assert_string_equal(file.state_dir, "/var/lib/ptah");
	assert_null(file.module_dir);
	assert_null(file.module_path);
	assert_null(file.control);
	assert_null(file.metrics_path);
	assert_int_equal(file.metrics.sa.sa_family, AF_UNSPEC);
	assert_null(file.log_file);
	assert_int_equal(file.workers, 0);
	assert_int_equal(file.peer_timeout_s, 900);
	assert_int_equal(file.drain_s, 600);
	assert_int_equal(file.log_level, PTAH_LOG_INFO);
	assert_int_equal(file.log_format, PTAH_LOG_AUTO);
	assert_true(file.harden);
	assert_true(file.watch);

	const struct ptah_plan *plan = file.plans[0];

	assert_int_equal(plan->mode, PTAH_MODE_SOCKS5);
	assert_int_equal(plan->dial_timeout_s, 30);
	assert_int_equal(plan->udp_timeout_s, 120);
	assert_int_equal(plan->udp_max_peers, 1024);
	assert_int_equal(plan->proxy.scheme, PTAH_PROXY_NONE);
	assert_int_equal(plan->bounds.links + plan->bounds.links_per_second + plan->bounds.links_per_prefix, 0);
	assert_int_equal(plan->bounds.prefix_v4, 32);
	assert_int_equal(plan->bounds.prefix_v6, 64);
	assert_int_equal(plan->bounds.backlog + plan->bounds.keep_alive_s, 0);
	assert_int_equal(plan->bounds.family, AF_UNSPEC);
	assert_false(plan->isolate);
	ptah_runfile_clear(&file);
}

static void
takes_from_the_environment_what_a_service_manager_sets(void **state)
{
	char *envp[] = { (char *)"STATE_DIRECTORY=/var/lib/one:/var/lib/two", (char *)"RUNTIME_DIRECTORY=/run/ptah",
		(char *)"PTAH_MODULE_PATH=/x:/y", NULL };
	struct ptah_runfile file;

	(void)state;
	read_good(&file, CLIENT(""), envp);
	assert_string_equal(file.state_dir, "/var/lib/one");
	assert_string_equal(file.control, "/run/ptah/control");
	assert_string_equal(file.module_path, "/x:/y");
	ptah_runfile_clear(&file);
	read_good(&file, TOP("\"stateDir\": \"/s\", \"control\": \"/c\", \"modulePath\": [\"/m\"]"), envp);
	assert_string_equal(file.state_dir, "/s");
	assert_string_equal(file.control, "/c");
	assert_string_equal(file.module_path, "/m");
	ptah_runfile_clear(&file);
}

static void
makes_a_stack_of_its_layers(void **state)
{
	static const char text[] = BARE("\"role\": \"client\", \"listen\": \"127.0.0.1:1\", \"stack\": ["
	    "{\"transport\": \"obfs4\", \"options\": {\"cert\": \"x\"}}, {\"transport\": \"shadow\"}, "
	    "{\"transport\": \"dummy\", \"options\": {\"serverAddress\": \"192.0.2.1:1\"}}]");
	struct ptah_runfile file;

	(void)state;
	read_good(&file, text, no_env);

	char *options = ptah_json_text(file.plans[0]->services[0].options);

	assert_string_equal(file.plans[0]->services[0].name, "obfs4+shadow+dummy");
	assert_string_equal(options, "{\"cert\":\"x\",\"over\":{\"over\":"
	    "{\"serverAddress\":\"192.0.2.1:1\",\"module\":\"dummy\"},\"module\":\"shadow\"}}");
	free(options);
	ptah_runfile_clear(&file);
}

static void
listens_on_inherited_sockets_by_name(void **state)
{
	struct ptah_runfile file;

	(void)state;
	read_good(&file, BARE("\"role\": \"client\", \"listen\": \"fd:https\", \"transport\": \"dummy\""), no_env);
	assert_string_equal(file.plans[0]->activation, "https");
	assert_int_equal(file.plans[0]->services[0].listen.sa.sa_family, AF_UNSPEC);
	ptah_runfile_clear(&file);
}

static void
says_what_is_wrong_with_a_key_and_where(void **state)
{
	static const struct {
		const char *text, *faults;
	} cases[] = {
		{ "", "f:1:1: this is no JSON: it ends too early\n" },
		{ "{\n\"services\": {,}}", "f:2:14: this is no JSON: an object's key must be a string\n" },
		{ "[]", "f:1:1: a configuration is an object, such as {\"services\": {...}}\n" },
		{ "{}", "f:1:1: services: this is missing: the services, each under a label: letters, digits, '_', '-' "
		    "and '.', at most 64\n" },
		{ "{\"services\": {}}", "f:1:14: services: no service is in it: there is nothing to do\n" },
		{ "{\"services\": []}", "f:1:14: services: an array is not an object of services, each under its label\n" },
		{ "{\"services\": {\"a b\": 1}}", "f:1:15: services[\"a b\"]: this is no label of a service: write letters, "
		    "digits, '_', '-' and '.', a letter or digit first, at most 64\n"
		    "f:1:22: services[\"a b\"]: a service is an object, such as {\"role\": \"client\", ...}\n" },
		{ BARE("\"rol\": 1"), "f:1:20: services.a.listen: this is missing: where it listens; up to four addresses "
		    "in an array; fd:NAME takes the sockets that the service manager opened under this name\n"
		    "f:1:20: services.a.role: this is missing: a client listens for the application, a server for clients\n"
		    "f:1:20: services.a.transport: this is missing: name a transport, or several in \"stack\"\n"
		    "f:1:21: services.a.rol: there is no such key; did you mean \"role\"?\n" },
		/* keys that belong elsewhere, or nowhere, or are there twice */
		{ TOP("\n\"worker\": 1"), "f:2:1: worker: there is no such key; did you mean \"workers\"?\n" },
		{ TOP("\n\"colour\": 1"), "f:2:1: colour: there is no such key: see man ptah-conf\n" },
		{ TOP("\n\"mode\": 1"), "f:2:1: mode: this key does not belong here, but in a service\n" },
		{ CLIENT(", \n\"workers\": 1"), "f:2:1: services.a.workers: this key does not belong here, but at the top of "
		    "the file\n" },
		{ CLIENT(", \n\"links\": 1"), "f:2:1: services.a.links: this key does not belong here, but in the \"limits\" "
		    "of a service\n" },
		{ CLIENT(", \n\"limits\": {\"links\": 5,\n\"links\": 5}"), "f:3:1: services.a.limits.links: this key stands "
		    "twice in its object: leave one out\n" },
		/* types and bounds */
		{ TOP("\n\"workers\": \"3\""), "f:2:12: workers: \"3\" is not a whole number from 1 to 64\n" },
		{ TOP("\n\"workers\": 65"), "f:2:12: workers: 65 is not a whole number from 1 to 64\n" },
		{ TOP("\n\"workers\": 1.5"), "f:2:12: workers: 1.5 is not a whole number from 1 to 64\n" },
		{ TOP("\n\"workers\": null"), "f:2:12: workers: null is not a whole number from 1 to 64\n" },
		{ TOP("\n\"harden\": 1"), "f:2:11: harden: 1 is not true or false\n" },
		{ TOP("\n\"stateDir\": \"var\""), "f:2:13: stateDir: \"var\" is not an absolute path, which begins with /\n" },
		{ TOP("\n\"modulePath\": [\"/a\", \"b\"]"), "f:2:22: modulePath[1]: \"b\" is not an absolute path, which begins "
		    "with /\n" },
		{ TOP("\n\"logLevel\": \"INF\""), "f:2:13: logLevel: \"INF\" is not one of \"ERROR\", \"WARN\", \"INFO\", "
		    "\"DEBUG\"; did you mean \"INFO\"?\n" },
		{ TOP("\n\"metrics\": \"192.0.2.1:1\""), "f:2:12: metrics: \"192.0.2.1:1\" is not an absolute path, or a "
		    "loopback address with a port, such as \"127.0.0.1:9100\" (at most 107 bytes)\n" },
		{ TOP("\n\"control\": \"/c\", \"metrics\": \"/c\""), "f:2:29: metrics: this is the control socket: give it a "
		    "path of its own\n" },
		{ CLIENT(", \n\"mode\": \"sock5\""), "f:2:9: services.a.mode: \"sock5\" is not one of \"socks5\", "
		    "\"transparent-TCP\", \"transparent-UDP\", \"STUN\"; did you mean \"socks5\"?\n" },
		{ CLIENT(", \n\"outboundBindV4\": \"::1\""), "f:2:19: services.a.outboundBindV4: \"::1\" is not an IPv4 "
		    "address, such as \"192.0.2.1\"\n" },
		{ CLIENT(", \n\"interface\": \"a-name-that-is-too-long\""), "f:2:14: services.a.interface: "
		    "\"a-name-that-is-too-long\" is not a text (at most 15 bytes)\n" },
		{ CLIENT(", \n\"proxy\": \"ftp://u:secret@192.0.2.1:1\""), NULL },
		{ CLIENT(", \n\"proxy\": 5"), "f:2:10: services.a.proxy: the value is not a text\n" },
		{ SERVER(", \n\"target\": \"nowhere\""), "f:2:1: services.a.target: this key stands twice in its object: leave "
		    "one out\nf:2:11: services.a.target: \"nowhere\" is not a host with a port, such as \"127.0.0.1:9001\" or "
		    "\"host.example:9001\"\n" },
		{ SERVER(", \n\"proxyProtocolFrom\": [\"10.0.0.1/8\", 5]"), "f:2:23: services.a.proxyProtocolFrom[0]: "
		    "\"10.0.0.1/8\" is no network: write one such as \"192.0.2.0/24\", with no bit set behind its prefix, or an "
		    "address\nf:2:37: services.a.proxyProtocolFrom[1]: 5 is not an array of networks, such as "
		    "[\"192.0.2.0/24\", \"::1\"]\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *said = faults_of(cases[i].text);

		if (cases[i].faults)
			assert_string_equal(said, cases[i].faults);
		assert_null(strstr(said, "secret"));
		assert_true(said[0] != '\0');
		free(said);
	}
}

static void
says_which_keys_do_not_go_together(void **state)
{
	static const struct {
		const char *text, *fault; /* part of what is said; "": nothing is wrong */
	} cases[] = {
		{ SERVER(""), "" },
		{ CLIENT(""), "" },
		/* roles */
		{ CLIENT(", \"target\": \"127.0.0.1:1\""), "services.a.target: this is for a server, and the service is a "
		    "client: leave it out; options.serverAddress names a client's server" },
		{ CLIENT(", \"proxyProtocol\": 1"), "proxyProtocol: this is for a server" },
		{ SERVER(", \"proxy\": \"socks5://127.0.0.1:1\""), "proxy: this is for a client" },
		{ SERVER(", \"legacySocks80\": true"), "legacySocks80: this is for a client" },
		/* listeners */
		{ CLIENT(", \"listen\": \"0.0.0.0:1\""), "f:1:99: services.a.listen: warning: everybody who can reach" },
		{ CLIENT(", \"listen\": []"), "listen: 0 addresses: write one to 4" },
		{ CLIENT(", \"listen\": [\"127.0.0.1:1\", \"fd:x\"]"), "listen[1]: \"fd:x\" is not an IP address" },
		{ CLIENT(", \"listen\": \"fd:\""), "\"fd:\" is no name of sockets" },
		{ CLIENT(", \"listen\": \"localhost:1\""), "listen: \"localhost:1\" is not an IP address" },
		{ CLIENT(", \"listen\": [\"127.0.0.1:1\",\"127.0.0.1:2\",\"127.0.0.1:3\",\"127.0.0.1:4\",\"127.0.0.1:5\"]"),
		    "5 addresses: write one to 4" },
		/* stacks */
		{ CLIENT(", \"stack\": [{\"transport\": \"dummy\"}]"), "transport: \"stack\" says this already" },
		{ BARE("\"role\": \"client\", \"listen\": \"127.0.0.1:1\", \"stack\": []"), "stack: no layer is in it" },
		{ BARE("\"role\": \"client\", \"listen\": \"127.0.0.1:1\", \"stack\": [5, {}, {\"transport\": \"a+b\"}]"),
		    "stack[0]: this is no object" },
		{ BARE("\"role\": \"client\", \"listen\": \"127.0.0.1:1\", \"stack\": [5, {}, {\"transport\": \"a+b\"}]"),
		    "stack[1].transport: this is missing" },
		{ BARE("\"role\": \"client\", \"listen\": \"127.0.0.1:1\", \"stack\": [5, {}, {\"transport\": \"a+b\"}]"),
		    "stack[2].transport: \"a+b\" is a stack itself" },
		{ BARE("\"role\": \"client\", \"listen\": \"127.0.0.1:1\", \"stack\": [{\"transport\": \"a\", \"options\": "
		    "{\"over\": \"b\"}}]"), "stack[0].options.over: what a layer stands on is the next one" },
		{ CLIENT(", \"transport\": \"a,b\""), "transport: \"a,b\" is not the name of a transport" },
		/* destinations */
		{ BARE("\"role\": \"server\", \"listen\": \"127.0.0.1:1\", \"transport\": \"a\""),
		    "services.a.target: this is missing" },
		{ SERVER(", \"extorport\": \"127.0.0.1:1\", \"authcookie\": \"/c\""), "target and extorport: give one" },
		{ SERVER(", \"extorport\": \"127.0.0.1:1\""), "the Extended ORPort without its cookie" },
		{ SERVER(", \"authcookie\": \"/c\""), "a cookie without an Extended ORPort" },
		{ SERVER(", \"authcookie\": \"c\""), "authcookie: \"c\" is not an absolute path" },
		{ SERVER(", \"extorport\": \"127.0.0.1:1\", \"authcookie\": \"/c\", \"mode\": \"STUN\""),
		    "cannot go with a UDP mode: give a target" },
		{ SERVER(", \"extorport\": \"192.0.2.1:1\", \"authcookie\": \"/c\""), "warning: this is not on this machine" },
		{ SERVER(", \"extorport\": \"127.0.0.1:1\", \"authcookie\": \"/c\", \"proxyProtocol\": 2"),
		    "proxyProtocol: this is for a target" },
		/* modes */
		{ SERVER(", \"proxyProtocol\": 2, \"mode\": \"transparent-UDP\""), "this cannot go with a UDP mode" },
		{ SERVER(", \"proxyProtocolFrom\": [\"::1\"], \"mode\": \"transparent-UDP\""), "" },
		{ CLIENT(", \"isolate\": true, \"mode\": \"transparent-UDP\""), "isolate: this cannot go with a UDP mode" },
		{ SERVER(", \"proxyProtocolFrom\": []"), "no network is in it" },
		{ CLIENT(", \"udpQueue\": 3"), "udpQueue: warning: this has no effect in mode socks5" },
		{ CLIENT(", \"udpQueue\": 3, \"mode\": \"STUN\""), "" },
		{ CLIENT(", \"isolateMemory\": 64"), "warning: this has no effect without \"isolate\": true" },
		{ CLIENT(", \"limits\": {\"prefixV4\": 24}"), "warning: this has no effect without linksPerPrefix" },
		/* options from a file */
		{ CLIENT(", \"optionsFile\": \"/nowhere/at/all\""), "optionsFile: cannot read '/nowhere/at/all': No such file" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *said = faults_of(cases[i].text);

		if (cases[i].fault[0] == '\0')
			assert_string_equal(said, "");
		else if (!strstr(said, cases[i].fault))
			assert_string_equal(said, cases[i].fault);
		free(said);
	}
}

static void
says_all_that_is_wrong(void **state)
{
	char *said = faults_of("{\n\"workers\": 0,\n\"x\": 1,\n\"services\": {\n\"a\": {\"role\": \"client\", \"mode\": 3},\n"
	    "\"b\": {\"role\": \"server\", \"limits\": {\"links\": -1}}\n}}");
	size_t n = 0;

	(void)state;
	for (const char *at = said; (at = strchr(at, '\n')) != NULL; at++)
		n++;
	assert_int_equal(n, 9);
	assert_non_null(strstr(said, "f:6:45: services.b.limits.links: -1 is not"));
	free(said);
}

static void
lays_options_of_a_file_beside_its_own(void **state)
{
	char path[] = "/tmp/ptah-runfile-XXXXXX", text[400];
	int fd = mkstemp(path);
	struct ptah_runfile file;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ptah_write_full(fd, "{\"cert\": \"c\"}", 13), 13);
	close(fd);
	snprintf(text, sizeof(text), CLIENT(", \"options\": {\"iat-mode\": 0}, \"optionsFile\": \"%s\""), path);
	read_good(&file, text, no_env);

	char *options = ptah_json_text(file.plans[0]->services[0].options), *one = strdup(file.plans[0]->fingerprint);

	assert_string_equal(options, "{\"iat-mode\":0,\"cert\":\"c\"}");
	free(options);
	ptah_runfile_clear(&file);

	/* What the file says is part of what the service is. */
	assert_int_equal(ptah_file_write_atomic(path, "{\"cert\": \"d\"}", 13), 0);
	read_good(&file, text, no_env);
	assert_string_not_equal(one, file.plans[0]->fingerprint);
	ptah_runfile_clear(&file);
	free(one);

	assert_int_equal(chmod(path, 0644), 0);
	snprintf(text, sizeof(text), CLIENT(", \"options\": {\"cert\": 0}, \"optionsFile\": \"%s\""), path);

	char *said = faults_of(text);

	assert_non_null(strstr(said, "\"cert\" stands in this file and in the options here: leave one out"));
	assert_non_null(strstr(said, "warning: others may read this file"));
	free(said);
	unlink(path);
}

/* ---- fingerprints ------------------------------------------------------------------- */

static char *
fingerprint_of(const char *text)
{
	struct ptah_faults faults = { 0 };
	struct ptah_runfile file;
	char *made;

	(void)ptah_runfile_parse(&file, text, strlen(text), no_env, &faults);
	assert_int_equal(file.n_plans, 1);
	made = strdup(file.plans[0]->fingerprint);
	ptah_runfile_clear(&file);
	ptah_faults_clear(&faults);
	return made;
}

static void
knows_a_service_again_by_what_it_says(void **state)
{
	static const struct {
		const char *one, *other;
		bool same;
	} cases[] = {
		{ CLIENT(""), CLIENT(", \"mode\": \"socks5\", \"dialTimeout\": 30, \"isolate\": false"), true }, /* defaults */
		{ CLIENT(", \"options\": {\"a\": 1, \"b\": {\"c\": 2, \"d\": 3}}"),
		    "/* order */ " CLIENT(",\n\"options\": {\"b\": {\"d\": 3, \"c\": 2}, \"a\": 1}"), true },
		{ CLIENT(", \"limits\": {}"), CLIENT(""), true },
		{ CLIENT(", \"options\": {\"a\": 1}"), CLIENT(", \"options\": {\"a\": \"1\"}"), false },
		{ CLIENT(", \"options\": {\"a\": [1, 2]}"), CLIENT(", \"options\": {\"a\": [2, 1]}"), false },
		{ CLIENT(", \"limits\": {\"links\": 5}"), CLIENT(", \"limits\": {\"links\": 6}"), false },
		{ TOP("\"workers\": 1"), TOP("\"workers\": 2, \"metrics\": \"/m\", \"logLevel\": \"WARN\""), true },
		{ TOP("\"stateDir\": \"/a\""), TOP("\"stateDir\": \"/b\""), false },
		{ TOP("\"peerTimeout\": 5"), TOP("\"peerTimeout\": 6"), false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *one = fingerprint_of(cases[i].one), *other = fingerprint_of(cases[i].other);

		assert_int_equal(strcmp(one, other) == 0, cases[i].same);
		free(one);
		free(other);
	}
}

/* A value of each kind, which no service has by default; whether it goes with the others is another matter. */
static const char *
odd_value(int kind)
{
	switch (kind) {
	case PTAH_KIND_SWITCH:
		return "true";
	case PTAH_KIND_NUMBER:
		return "61";
	case PTAH_KIND_PREFIXES:
		return "[\"192.0.2.0/24\"]";
	case PTAH_KIND_OPTIONS:
		return "{\"key\": \"odd\"}";
	case PTAH_KIND_LAYERS:
		return "[{\"transport\": \"odd\"}]";
	default:
		return "\"odd\"";
	}
}

static void
takes_each_key_of_a_service_for_a_part_of_it(void **state)
{
	char *plain = fingerprint_of(BARE("")), text[300];
	size_t n = 0;

	(void)state;
	for (const struct ptah_key *key = ptah_keys_service; key->name; key++) {
		const struct ptah_key *inner = key->kind == PTAH_KIND_SECTION ? key->of : NULL;

		do {
			if (inner)
				snprintf(text, sizeof(text), BARE("\"%s\": {\"%s\": %s}"), key->name, inner->name,
				    odd_value(inner->kind));
			else
				snprintf(text, sizeof(text), BARE("\"%s\": %s"), key->name, odd_value(key->kind));

			char *other = fingerprint_of(text);

			if (strcmp(plain, other) == 0)
				fail_msg("%s makes no difference", text);
			free(other);
			n++;
		} while (inner && (++inner)->name);
	}
	assert_true(n > 30);
	free(plain);
}

static void
each_key_can_be_told_from_the_others(void **state)
{
	static const struct ptah_key *const sections[] = { ptah_keys_file, ptah_keys_service, ptah_keys_limits,
		ptah_keys_layer };

	(void)state;
	for (size_t s = 0; s < COUNT(sections); s++) {
		for (const struct ptah_key *row = sections[s]; row->name; row++) {
			struct ptah_key key = ptah_key_whole(row);
			struct ptah_buf out = { 0 };

			assert_ptr_equal(ptah_key_find(sections[s], row->name), row);
			assert_non_null(key.help);
			assert_true(strlen(key.help) > 0 && key.help[strlen(key.help) - 1] != '.');
			assert_true(key.kind == PTAH_KIND_SWITCH || key.value != NULL);
			assert_true(key.kind != PTAH_KIND_WORD || key.words != NULL);
			assert_true(key.kind != PTAH_KIND_NUMBER || key.max > key.min);
			assert_int_equal(ptah_key_expect(row, &out), 0);
			assert_true(out.len > 0);
			ptah_buf_clear(&out);
		}
	}
}

static void
reads_files_and_says_why_not(void **state)
{
	char path[] = "/tmp/ptah-runfile-XXXXXX";
	int fd = mkstemp(path);
	struct ptah_faults faults = { 0 };
	struct ptah_runfile file;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ptah_write_full(fd, CLIENT(""), strlen(CLIENT(""))), strlen(CLIENT("")));
	close(fd);
	assert_int_equal(ptah_runfile_read(&file, path, no_env, &faults), 0);
	assert_int_equal(file.n_plans, 1);
	assert_false(file.exposed);

	struct ptah_plan *plan = ptah_runfile_take(&file, 0);

	assert_int_equal(file.n_plans, 0);
	ptah_runfile_forget(&file);
	assert_null(file.json);
	assert_string_equal(plan->label, "a");
	ptah_plan_free(plan);
	ptah_runfile_clear(&file);

	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(ptah_runfile_read(&file, path, no_env, &faults), 0);
	assert_true(file.exposed);
	ptah_runfile_clear(&file);
	unlink(path);

	assert_int_equal(ptah_runfile_read(&file, path, no_env, &faults), -EINVAL);
	assert_int_equal(faults.n, 1);
	assert_string_equal(faults.at[0].text, "cannot be read: No such file or directory");
	assert_int_equal(faults.at[0].line, 0);
	ptah_runfile_clear(&file);
	ptah_faults_clear(&faults);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_bridge_with_all_that_it_may_say),
		cmocka_unit_test(fills_in_what_is_not_said),
		cmocka_unit_test(takes_from_the_environment_what_a_service_manager_sets),
		cmocka_unit_test(makes_a_stack_of_its_layers),
		cmocka_unit_test(listens_on_inherited_sockets_by_name),
		cmocka_unit_test(says_what_is_wrong_with_a_key_and_where),
		cmocka_unit_test(says_which_keys_do_not_go_together),
		cmocka_unit_test(says_all_that_is_wrong),
		cmocka_unit_test(lays_options_of_a_file_beside_its_own),
		cmocka_unit_test(knows_a_service_again_by_what_it_says),
		cmocka_unit_test(takes_each_key_of_a_service_for_a_part_of_it),
		cmocka_unit_test(each_key_can_be_told_from_the_others),
		cmocka_unit_test(reads_files_and_says_why_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
