/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/key.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "base/buf.h"
#include "config/flag.h"
#include "config/keyread.h"
#include "config/runfile.h"

#define C PTAH_ROLE_CLIENT
#define S PTAH_ROLE_SERVER
#define FLAG(id) .flag = PTAH_FLAG_##id + 1
#define FILE_TO(fn, member) .read = ptah_keyread_##fn, .offset = offsetof(struct ptah_runfile, member)
#define PLAN_TO(fn, member) .read = ptah_keyread_##fn, .offset = offsetof(struct ptah_plan, member)

static const char *const roles[] = { "client", "server", NULL };
static const char *const formats[] = { "plain", "journal", "json", "auto", NULL };
static const char *const families[] = { "any", "ipv4", "ipv6", NULL };

const struct ptah_key ptah_keys_file[] = {
	{ .name = "$schema", .value = "URI", .kind = PTAH_KIND_TEXT, .marks = PTAH_KEY_IGNORED,
	    .help = "for editors; not looked at" },
	{ .name = "services", .value = "SERVICES", .kind = PTAH_KIND_SERVICES, .marks = PTAH_KEY_REQUIRED,
	    .of = ptah_keys_service,
	    .help = "the services, each under a label: letters, digits, '_', '-' and '.', at most 64" },
	{ .name = "stateDir", .value = "FOLDER", .kind = PTAH_KIND_PATH, FILE_TO(path, state_dir),
	    .def = "the first of STATE_DIRECTORY, else /var/lib/ptah",
	    .help = "where each service keeps its files, in a folder that is named as it is" },
	{ .name = "moduleDir", .kind = PTAH_KIND_PATH, FLAG(MODULE_DIR), FILE_TO(path, module_dir) },
	{ .name = "modulePath", .value = "[FOLDER, ...]", .kind = PTAH_KIND_PATHS, FILE_TO(paths, module_path),
	    .def = "those of PTAH_MODULE_PATH", .help = "look here for modules before moduleDir" },
	{ .name = "workers", FLAG(WORKERS), .kind = PTAH_KIND_NUMBER, FILE_TO(number, workers) },
	{ .name = "replayState", FLAG(REPLAY_STATE), .kind = PTAH_KIND_SWITCH, .roles = C | S,
	    .help = "servers remember across a restart which handshakes came, in the file ptah_replay of stateDir",
	    FILE_TO(flag, replay_state) },
	{ .name = "peerTimeout", FLAG(PEER_TIMEOUT), .kind = PTAH_KIND_NUMBER, FILE_TO(number, peer_timeout_s) },
	{ .name = "drainTimeout", .value = "SECONDS", .kind = PTAH_KIND_NUMBER, .min = 0, .max = 604800,
	    .def = "600", FILE_TO(number, drain_s),
	    .help = "how long links may go on whose service was changed or removed, or after a drain was asked for" },
	{ .name = "logLevel", FLAG(LOG_LEVEL), .kind = PTAH_KIND_WORD, .def = "INFO", FILE_TO(level, log_level),
	    .help = "what goes into the log" },
	{ .name = "logFormat", .value = "FORMAT", .kind = PTAH_KIND_WORD, .words = formats, .def = "auto",
	    FILE_TO(word, log_format), .help = "lines as they are, with a priority before them for the journal, or "
	    "one JSON object each; auto is journal where standard error is the journal, else plain" },
	{ .name = "logFile", .value = "FILE", .kind = PTAH_KIND_PATH, FILE_TO(path, log_file),
	    .def = "standard error", .help = "write the log to this file" },
	{ .name = "unsafeLogging", FLAG(UNSAFE_LOGGING), .kind = PTAH_KIND_SWITCH, FILE_TO(flag, log_unsafe) },
	{ .name = "control", .value = "FILE", .kind = PTAH_KIND_PATH, .max = PTAH_SOCKET_PATH_MAX,
	    FILE_TO(path, control), .def = "the file control in RUNTIME_DIRECTORY, else none",
	    .help = "the socket that ptah ctl talks to" },
	{ .name = "metrics", .value = "FILE|IP:PORT", .kind = PTAH_KIND_METRICS, .max = PTAH_SOCKET_PATH_MAX,
	    FILE_TO(metrics, metrics_path),
	    .help = "show figures and the status page on this socket, or on this port of this machine" },
	{ .name = "watch", .kind = PTAH_KIND_SWITCH, .def = "true", FILE_TO(flag, watch),
	    .help = "read this file again when a module, a definition of a transport, or a file that an option names, such as a "
	    "certificate, has changed on disk" },
	{ .name = "harden", .kind = PTAH_KIND_SWITCH, .def = "true", FILE_TO(flag, harden),
	    .help = "once all services are started, give up the rights that none of them needs" },
	{ .name = NULL },
};

const struct ptah_key ptah_keys_service[] = {
	{ .name = "role", .value = "ROLE", .kind = PTAH_KIND_WORD, .words = roles, .marks = PTAH_KEY_REQUIRED,
	    PLAN_TO(role, role), .help = "a client listens for the application, a server for clients" },
	{ .name = "mode", FLAG(MODE), .kind = PTAH_KIND_WORD, PLAN_TO(word, mode) },
	{ .name = "listen", .value = "IP:PORT|fd:NAME", .kind = PTAH_KIND_LISTEN, .marks = PTAH_KEY_REQUIRED,
	    .help = "where it listens; up to four addresses in an array; fd:NAME takes the sockets that the service "
	    "manager opened under this name" },
	{ .name = "transport", .value = "NAME[+NAME...]", .kind = PTAH_KIND_STACK,
	    .help = "the transport, or several, top first, which stand on each other" },
	{ .name = "options", .value = "OPTIONS", .kind = PTAH_KIND_OPTIONS,
	    .help = "the transport's own: see ptah info NAME; a client's has serverAddress, where its server is" },
	{ .name = "optionsFile", FLAG(OPTIONS_FILE), .kind = PTAH_KIND_PATH,
	    .help = "more of them from a file; the place for secrets" },
	{ .name = "stack", .value = "[LAYER, ...]", .kind = PTAH_KIND_LAYERS, .of = ptah_keys_layer,
	    .help = "instead of transport and options: each layer with its own, top first" },
	{ .name = "target", FLAG(TARGET), .kind = PTAH_KIND_DEST, .roles = S, PLAN_TO(target, target),
	    .help = "where to send what arrives" },
	{ .name = "extorport", FLAG(EXTORPORT), .kind = PTAH_KIND_ADDR, PLAN_TO(extorport, extorport) },
	{ .name = "authcookie", FLAG(AUTH_COOKIE), .kind = PTAH_KIND_PATH, PLAN_TO(path, cookie_path),
	    .help = "the cookie of the Extended ORPort" },
	{ .name = "proxyProtocol", FLAG(PROXY_PROTOCOL), .kind = PTAH_KIND_NUMBER, PLAN_TO(number, proxy_protocol) },
	{ .name = "proxyProtocolFrom", .value = "[IP/BITS, ...]", .kind = PTAH_KIND_PREFIXES, .roles = S,
	    PLAN_TO(prefixes, proxy_from),
	    .help = "from these sources, and no others, expect a PROXY header that says who the client is" },
	{ .name = "proxy", FLAG(PROXY), .kind = PTAH_KIND_SECRET, PLAN_TO(proxy, proxy) },
	{ .name = "outboundBindV4", FLAG(OUTBOUND_V4), .kind = PTAH_KIND_IPV4, PLAN_TO(ip, outbound_v4) },
	{ .name = "outboundBindV6", FLAG(OUTBOUND_V6), .value = "IPv6", .kind = PTAH_KIND_IPV6,
	    PLAN_TO(ip, outbound_v6) },
	{ .name = "dialTimeout", FLAG(DIAL_TIMEOUT), .kind = PTAH_KIND_NUMBER, PLAN_TO(number, dial_timeout_s) },
	{ .name = "legacySocks80", FLAG(LEGACY_SOCKS80), .kind = PTAH_KIND_SWITCH, PLAN_TO(flag, legacy_socks80) },
	{ .name = "udpTimeout", FLAG(UDP_TIMEOUT), .kind = PTAH_KIND_NUMBER, .marks = PTAH_KEY_UDP,
	    PLAN_TO(number, udp_timeout_s) },
	{ .name = "udpMaxPeers", FLAG(UDP_MAX_PEERS), .kind = PTAH_KIND_NUMBER, .marks = PTAH_KEY_UDP,
	    PLAN_TO(number, udp_max_peers) },
	{ .name = "udpQueue", FLAG(UDP_QUEUE), .kind = PTAH_KIND_NUMBER, .marks = PTAH_KEY_UDP,
	    PLAN_TO(number, udp_queue) },
	{ .name = "udpFraming", FLAG(UDP_FRAMING), .kind = PTAH_KIND_WORD, .marks = PTAH_KEY_UDP,
	    PLAN_TO(framing, udp_little_endian) },
	{ .name = "limits", .value = "LIMITS", .kind = PTAH_KIND_SECTION, .of = ptah_keys_limits,
	    .read = ptah_keyread_section, .help = "how many links it takes; those from before a reload that "
	    "changed the service do not count" },
	{ .name = "backlog", .value = "N", .kind = PTAH_KIND_NUMBER, .min = 1, .max = 65535,
	    .def = "the system's most", PLAN_TO(number, bounds.backlog),
	    .help = "connections that may wait to be accepted; of sockets of the service manager, that says it" },
	{ .name = "keepAlive", .value = "SECONDS", .kind = PTAH_KIND_NUMBER, .min = 1, .max = 36000,
	    .def = "as peerTimeout", PLAN_TO(number, bounds.keep_alive_s),
	    .help = "a peer from whom nothing came for so long, though TCP asked, has vanished" },
	{ .name = "interface", .value = "NAME", .kind = PTAH_KIND_TEXT, .max = IFNAMSIZ - 1,
	    PLAN_TO(interface, bounds.interface), .help = "listen on this network interface only" },
	{ .name = "family", .value = "FAMILY", .kind = PTAH_KIND_WORD, .words = families, .def = "any",
	    PLAN_TO(family, bounds.family),
	    .help = "of names, dial the addresses of this family only; with ipv6, [::] takes no IPv4" },
	{ .name = "files", .value = "[FILE, ...]", .kind = PTAH_KIND_PATHS, PLAN_TO(files, files),
	    .help = "files that belong to it, such as certificates, beside those that its options name; an isolated "
	    "service can read these and no others" },
	{ .name = "isolate", .kind = PTAH_KIND_SWITCH, .def = "false", PLAN_TO(flag, isolate),
	    .help = "run it in a process of its own, which can reach nothing but what this service needs" },
	{ .name = "isolateMemory", .value = "MIB", .kind = PTAH_KIND_NUMBER, .min = 32, .max = 1048576,
	    .def = "1024", PLAN_TO(number, isolate_memory_mib), .help = "memory that this process may have" },
	{ .name = NULL },
};

const struct ptah_key ptah_keys_limits[] = {
	{ .name = "links", .value = "N", .kind = PTAH_KIND_NUMBER, .min = 1, .max = 1000000,
	    .def = "what the process can take", PLAN_TO(number, bounds.links), .help = "open at once; more wait to be "
	    "accepted, or are turned away where they cannot wait: in the UDP modes" },
	{ .name = "linksPerSecond", .value = "N", .kind = PTAH_KIND_NUMBER, .min = 1, .max = 1000000,
	    .def = "any number", PLAN_TO(number, bounds.links_per_second), .help = "new ones, of which so many "
	    "may come at once; more wait, or are turned away as above" },
	{ .name = "linksPerPrefix", .value = "N", .kind = PTAH_KIND_NUMBER, .min = 1, .max = 1000000,
	    .def = "any number", PLAN_TO(number, bounds.links_per_prefix),
	    .help = "open at once from sources that share a prefix; more are reset; behind a proxy of "
	    "proxyProtocolFrom it is the client's address that counts" },
	{ .name = "prefixV4", .value = "BITS", .kind = PTAH_KIND_NUMBER, .min = 1, .max = 32, .def = "32",
	    PLAN_TO(number, bounds.prefix_v4), .help = "length of that prefix for IPv4" },
	{ .name = "prefixV6", .value = "BITS", .kind = PTAH_KIND_NUMBER, .min = 1, .max = 128, .def = "64",
	    PLAN_TO(number, bounds.prefix_v6), .help = "length of that prefix for IPv6" },
	{ .name = NULL },
};

const struct ptah_key ptah_keys_layer[] = {
	{ .name = "transport", .value = "NAME", .kind = PTAH_KIND_STACK, .marks = PTAH_KEY_REQUIRED,
	    .help = "the transport of this layer" },
	{ .name = "options", .value = "OPTIONS", .kind = PTAH_KIND_OPTIONS, .help = "its own" },
	{ .name = NULL },
};

struct ptah_key
ptah_key_whole(const struct ptah_key *row)
{
	struct ptah_key key = *row;

	if (row->flag != 0) {
		const struct ptah_flag *flag = &ptah_flags[row->flag - 1];

		key.value = key.value ? key.value : flag->value;
		key.help = key.help ? key.help : flag->help;
		key.def = key.def ? key.def : flag->def;
		key.words = key.words ? key.words : flag->words;
		key.min = key.max ? key.min : flag->min;
		key.max = key.max ? key.max : flag->max;
		key.roles = key.roles ? key.roles : flag->roles;
	}
	key.roles = key.roles ? key.roles : PTAH_ROLE_BOTH;
	return key;
}

const struct ptah_key *
ptah_key_find(const struct ptah_key *section, const char *name)
{
	for (const struct ptah_key *key = section; key->name; key++)
		if (strcmp(key->name, name) == 0)
			return key;
	return NULL;
}

int
ptah_label_check(const char *label)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	size_t len = strlen(label);

	if (len == 0 || len > PTAH_LABEL_MAX || !strchr(first, label[0]))
		return -EINVAL;
	for (size_t i = 1; i < len; i++)
		if (!strchr(first, label[i]) && !strchr("_.-", label[i]))
			return -EINVAL;
	return 0;
}

static int
expect_words(const struct ptah_key *key, struct ptah_buf *out)
{
	ptah_buf_puts(out, "one of ");
	for (const char *const *word = key->words; *word; word++)
		ptah_buf_printf(out, "%s\"%s\"", word == key->words ? "" : ", ", *word);
	return out->rc;
}

int
ptah_key_expect(const struct ptah_key *row, struct ptah_buf *out)
{
	static const char *const texts[] = {
		[PTAH_KIND_SWITCH] = "true or false",
		[PTAH_KIND_TEXT] = "a text",
		[PTAH_KIND_SECRET] = "a text",
		[PTAH_KIND_PATH] = "an absolute path, which begins with /",
		[PTAH_KIND_PATHS] = "an array of absolute paths",
		[PTAH_KIND_ADDR] = "an IP address with a port, such as \"127.0.0.1:9002\" or \"[::1]:9002\"",
		[PTAH_KIND_DEST] = "a host with a port, such as \"127.0.0.1:9001\" or \"host.example:9001\"",
		[PTAH_KIND_IPV4] = "an IPv4 address, such as \"192.0.2.1\"",
		[PTAH_KIND_IPV6] = "an IPv6 address, such as \"2001:db8::1\"",
		[PTAH_KIND_STACK] = "the name of a transport, or several with + between",
		[PTAH_KIND_LISTEN] = "an IP address with a port, such as \"0.0.0.0:443\" or \"[::]:443\", up to four of "
		    "them in an array, or \"fd:NAME\"",
		[PTAH_KIND_PREFIXES] = "an array of networks, such as [\"192.0.2.0/24\", \"::1\"]",
		[PTAH_KIND_OPTIONS] = "an object",
		[PTAH_KIND_SECTION] = "an object",
		[PTAH_KIND_LAYERS] = "an array of objects, each with \"transport\" and \"options\"",
		[PTAH_KIND_SERVICES] = "an object of services, each under its label",
		[PTAH_KIND_METRICS] = "an absolute path, or a loopback address with a port, such as \"127.0.0.1:9100\"",
	};
	struct ptah_key key = ptah_key_whole(row);

	if (key.kind == PTAH_KIND_WORD)
		return expect_words(&key, out);
	if (key.kind == PTAH_KIND_NUMBER)
		return ptah_buf_printf(out, "a whole number from %llu to %llu", (unsigned long long)key.min,
		    (unsigned long long)key.max);
	ptah_buf_puts(out, texts[key.kind]);
	if (key.max != 0)
		ptah_buf_printf(out, " (at most %llu bytes)", (unsigned long long)key.max);
	return out->rc;
}
