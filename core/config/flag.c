/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/flag.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define C PTAH_ROLE_CLIENT
#define S PTAH_ROLE_SERVER
#define B PTAH_ROLE_BOTH
#define EXT PTAH_FLAG_EXTENSION
#define HIDE PTAH_FLAG_HIDDEN

static const char *const modes[] = {
	"socks5", "transparent-TCP", "transparent-UDP", "STUN", NULL,
};
static const char *const ipc_levels[] = { "NONE", "ERROR", "WARN", "INFO", "DEBUG", NULL };
static const char *const file_levels[] = { "ERROR", "WARN", "INFO", "DEBUG", NULL };
static const char *const streams[] = { "auto", "stdout", "stderr", "both", NULL };
static const char *const framings[] = { "be", "le", NULL };

const struct ptah_flag ptah_flags[PTAH_FLAG_COUNT] = {
	[PTAH_FLAG_PTVERSION] = { .name = "ptversion",
	    .env = "TOR_PT_MANAGED_TRANSPORT_VER", .value = "LIST",
	    .type = PTAH_VALUE_TEXT, .roles = B, .since = PTAH_D2,
	    .help = "versions that the parent speaks, such as 2.1,3.0" },
	[PTAH_FLAG_STATE] = { .name = "state", .env = "TOR_PT_STATE_LOCATION",
	    .value = "FOLDER", .type = PTAH_VALUE_FOLDER, .roles = B, .since = PTAH_D2,
	    .def = "the current folder",
	    .help = "where transports keep their files; made on first use" },
	[PTAH_FLAG_STDIN_CLOSE] = { .name = "exit-on-stdin-close",
	    .env = "TOR_PT_EXIT_ON_STDIN_CLOSE", .type = PTAH_VALUE_SWITCH, .roles = B,
	    .since = PTAH_D2, .def = "false", .marks = PTAH_FLAG_DETACHED,
	    .help = "end when standard input does" },
	[PTAH_FLAG_OUTBOUND_V4] = { .env = "TOR_PT_OUTBOUND_BIND_ADDRESS_V4",
	    .value = "IPv4", .type = PTAH_VALUE_IP, .roles = B, .since = PTAH_D1,
	    .help = "source address of what goes out over IPv4, but for loopback" },
	[PTAH_FLAG_OUTBOUND_V6] = { .env = "TOR_PT_OUTBOUND_BIND_ADDRESS_V6",
	    .value = "[IPv6]", .type = PTAH_VALUE_IP, .roles = B, .since = PTAH_D1,
	    .help = "source address of what goes out over IPv6, but for loopback" },
	[PTAH_FLAG_MODULE_DIR] = { .name = "moduleDir", .value = "FOLDER",
	    .type = PTAH_VALUE_FOLDER, .roles = B, .marks = EXT,
	    .help = "look here for modules before the installed folder" },
	[PTAH_FLAG_WORKERS] = { .name = "workers", .value = "N",
	    .type = PTAH_VALUE_NUMBER, .min = 1, .max = 64, .roles = B, .marks = EXT,
	    .def = "the processors, at most 8", .help = "threads that carry links" },
	[PTAH_FLAG_PROXY_PROTOCOL] = { .name = "proxyProtocol", .value = "N",
	    .type = PTAH_VALUE_NUMBER, .min = 0, .max = 2, .roles = S, .def = "0", .marks = EXT,
	    .help = "tell the target who the client is, by PROXY protocol 1 or 2" },
	[PTAH_FLAG_REPLAY_STATE] = { .name = "replayState", .type = PTAH_VALUE_SWITCH,
	    .roles = S, .def = "false", .marks = EXT,
	    .help = "remember across a restart which handshakes came, in the state folder" },
	[PTAH_FLAG_IPC_LOG_LEVEL] = { .name = "ipcLogLevel", .value = "LEVEL",
	    .type = PTAH_VALUE_WORD, .words = ipc_levels, .roles = B, .since = PTAH_D22,
	    .def = "NONE", .help = "send LOG lines of this level and worse to the parent" },
	[PTAH_FLAG_TRANSPORT] = { .name = "transport", .value = "NAME",
	    .type = PTAH_VALUE_NAME, .roles = B, .since = PTAH_D22,
	    .help = "the one transport to start" },
	[PTAH_FLAG_TRANSPORTS] = { .name = "transports", .env = "TOR_PT_CLIENT_TRANSPORTS",
	    .env_server = "TOR_PT_SERVER_TRANSPORTS", .value = "NAMES",
	    .type = PTAH_VALUE_NAMES, .roles = B, .since = PTAH_D2,
	    .help = "the transports to start, with commas between; * is all" },
	[PTAH_FLAG_CLIENT] = { .name = "client", .type = PTAH_VALUE_SWITCH, .roles = B,
	    .since = PTAH_D22, .help = "be a client (the usual)" },
	[PTAH_FLAG_SERVER] = { .name = "server", .type = PTAH_VALUE_SWITCH, .roles = B,
	    .since = PTAH_D22, .help = "be a server" },
	[PTAH_FLAG_MODE] = { .name = "mode", .value = "MODE", .type = PTAH_VALUE_WORD,
	    .words = modes, .roles = B, .since = PTAH_D22, .def = "socks5",
	    .help = "how the application speaks to us" },
	[PTAH_FLAG_TRANSPARENT] = { .name = "transparent", .type = PTAH_VALUE_SWITCH,
	    .roles = B, .marks = HIDE, .help = "old form of -mode transparent-TCP; "
	    "with -udp of transparent-UDP" },
	[PTAH_FLAG_UDP] = { .name = "udp", .type = PTAH_VALUE_SWITCH, .roles = B,
	    .marks = HIDE, .help = "old form of -mode STUN" },
	[PTAH_FLAG_OPTIONS] = { .name = "options",
	    .env_server = "TOR_PT_SERVER_TRANSPORT_OPTIONS", .value = "OPTIONS",
	    .type = PTAH_VALUE_TEXT, .roles = B, .since = PTAH_D2,
	    .marks = PTAH_FLAG_SECRET,
	    .help = "options of the transports: JSON, or NAME:KEY=VALUE;..." },
	[PTAH_FLAG_OPTIONS_FILE] = { .name = "optionsFile", .value = "FILE",
	    .type = PTAH_VALUE_FILE, .roles = B, .since = PTAH_D22,
	    .help = "the same from a file; the place for secrets" },
	[PTAH_FLAG_LISTEN_ADDR] = { .name = "proxylistenaddr", .value = "IP:PORT",
	    .type = PTAH_VALUE_ADDR, .roles = C, .since = PTAH_D22, .def = "127.0.0.1:0",
	    .marks = PTAH_FLAG_ONE, .help = "where applications connect to" },
	[PTAH_FLAG_LISTEN_HOST] = { .name = "proxylistenhost", .value = "IP",
	    .type = PTAH_VALUE_IP, .roles = C, .since = PTAH_D22, .def = "127.0.0.1",
	    .marks = PTAH_FLAG_ONE, .help = "the same in two parts: its address" },
	[PTAH_FLAG_LISTEN_PORT] = { .name = "proxylistenport", .value = "PORT",
	    .type = PTAH_VALUE_PORT, .roles = C, .since = PTAH_D22, .def = "0",
	    .marks = PTAH_FLAG_ONE, .help = "and its port; 0 is any free one" },
	[PTAH_FLAG_PROXY] = { .name = "proxy", .env = "TOR_PT_PROXY",
	    .value = "URI", .type = PTAH_VALUE_TEXT, .roles = C, .since = PTAH_D2,
	    .marks = PTAH_FLAG_SECRET,
	    .help = "go out through SCHEME://[USER:PASSWORD@]IP:PORT "
	    "(socks5, socks4a, http)" },
	[PTAH_FLAG_BIND_ADDR] = { .name = "bindaddr", .env = "TOR_PT_SERVER_BINDADDR",
	    .value = "NAME-IP:PORT,...", .type = PTAH_VALUE_TEXT, .roles = S,
	    .since = PTAH_D2, .marks = PTAH_FLAG_ONE,
	    .help = "where each transport listens" },
	[PTAH_FLAG_BIND_HOST] = { .name = "bindhost", .value = "IP",
	    .type = PTAH_VALUE_IP, .roles = S, .since = PTAH_D22, .marks = PTAH_FLAG_ONE,
	    .help = "where the one transport listens: its address" },
	[PTAH_FLAG_BIND_PORT] = { .name = "bindport", .value = "PORT",
	    .type = PTAH_VALUE_PORT, .roles = S, .since = PTAH_D22, .marks = PTAH_FLAG_ONE,
	    .help = "and its port; 0 is any free one" },
	[PTAH_FLAG_TARGET] = { .name = "target", .env_server = "TOR_PT_ORPORT",
	    .value = "HOST:PORT", .type = PTAH_VALUE_DEST, .roles = B, .since = PTAH_D2,
	    .marks = PTAH_FLAG_ONE,
	    .help = "server: the destination; client, before 3.0: the server" },
	[PTAH_FLAG_ORPORT] = { .name = "orport", .value = "HOST:PORT",
	    .type = PTAH_VALUE_DEST, .roles = S, .since = PTAH_D2, .until = PTAH_D22,
	    .marks = PTAH_FLAG_ONE, .help = "old name of -target" },
	[PTAH_FLAG_TARGET_HOST] = { .name = "targethost", .value = "HOST",
	    .type = PTAH_VALUE_TEXT, .roles = B, .since = PTAH_D22, .marks = PTAH_FLAG_ONE,
	    .help = "the same in two parts: its name or address" },
	[PTAH_FLAG_TARGET_PORT] = { .name = "targetport", .value = "PORT",
	    .type = PTAH_VALUE_PORT, .roles = B, .since = PTAH_D22, .marks = PTAH_FLAG_ONE,
	    .help = "and its port (1 to 65535)" },
	[PTAH_FLAG_EXTORPORT] = { .name = "extorport", .env = "TOR_PT_EXTENDED_SERVER_PORT",
	    .value = "IP:PORT", .type = PTAH_VALUE_ADDR, .roles = S, .since = PTAH_D2,
	    .help = "Tor's Extended ORPort, in place of a target" },
	[PTAH_FLAG_AUTH_COOKIE] = { .name = "authcookie", .env = "TOR_PT_AUTH_COOKIE_FILE",
	    .value = "FILE", .type = PTAH_VALUE_FILE, .roles = S, .since = PTAH_D2,
	    .help = "its cookie; an absolute path" },
	[PTAH_FLAG_ENABLE_LOGGING] = { .name = "enableLogging", .type = PTAH_VALUE_SWITCH,
	    .roles = B, .def = "false", .help = "write a log file into the state folder" },
	[PTAH_FLAG_LOG_LEVEL] = { .name = "logLevel", .value = "LEVEL",
	    .type = PTAH_VALUE_WORD, .words = file_levels, .roles = B, .def = "ERROR",
	    .help = "what goes into the log file" },
	[PTAH_FLAG_UNSAFE_LOGGING] = { .name = "unsafeLogging", .type = PTAH_VALUE_SWITCH,
	    .roles = B, .def = "false", .help = "do not hide addresses in logs" },
	[PTAH_FLAG_IPC_ERRORS] = { .name = "ipcErrors", .value = "STREAM",
	    .type = PTAH_VALUE_WORD, .words = streams, .roles = B, .def = "auto", .marks = EXT,
	    .help = "where error lines go; auto is what the version says" },
	[PTAH_FLAG_IPC_STATUS] = { .name = "ipcStatus", .type = PTAH_VALUE_SWITCH,
	    .roles = B, .def = "false", .marks = EXT,
	    .help = "tell Tor our name and version by a STATUS line" },
	[PTAH_FLAG_IPC_MESSAGES] = { .name = "ipcMessages", .type = PTAH_VALUE_SWITCH,
	    .roles = B, .marks = HIDE | PTAH_FLAG_REFUSED,
	    .help = "no transport has messages for a parent" },
	[PTAH_FLAG_DIAL_TIMEOUT] = { .name = "dialTimeout", .value = "SECONDS",
	    .type = PTAH_VALUE_NUMBER, .min = 1, .max = 3600, .roles = B, .def = "30",
	    .marks = EXT, .help = "give up a connection attempt" },
	[PTAH_FLAG_PEER_TIMEOUT] = { .name = "peerTimeout", .value = "SECONDS",
	    .type = PTAH_VALUE_NUMBER, .min = 0, .max = 36000, .roles = B, .def = "900",
	    .marks = EXT, .help = "end a link whose peer has vanished, or has said all and takes nothing; 0: never" },
	[PTAH_FLAG_LEGACY_SOCKS80] = { .name = "legacySocks80", .type = PTAH_VALUE_SWITCH,
	    .roles = C, .def = "false", .marks = EXT,
	    .help = "take the SOCKS method 80 of old drafts, too" },
	[PTAH_FLAG_UDP_TIMEOUT] = { .name = "udpTimeout", .value = "SECONDS",
	    .type = PTAH_VALUE_NUMBER, .min = 1, .max = 86400, .roles = B, .def = "120",
	    .marks = EXT, .help = "forget a silent UDP peer" },
	[PTAH_FLAG_UDP_MAX_PEERS] = { .name = "udpMaxPeers", .value = "N",
	    .type = PTAH_VALUE_NUMBER, .min = 1, .max = 65536, .roles = B, .def = "1024",
	    .marks = EXT, .help = "UDP peers of one listener at a time" },
	[PTAH_FLAG_UDP_QUEUE] = { .name = "udpQueue", .value = "N",
	    .type = PTAH_VALUE_NUMBER, .min = 0, .max = 64, .roles = B, .def = "0",
	    .marks = EXT, .help = "datagrams to keep while a connection is made" },
	[PTAH_FLAG_UDP_FRAMING] = { .name = "udpFraming", .value = "ORDER",
	    .type = PTAH_VALUE_WORD, .words = framings, .roles = B, .def = "be", .marks = EXT,
	    .help = "byte order of datagram lengths; le for shapeshifter-dispatcher" },
	[PTAH_FLAG_PARENT_DEATH] = { .name = "exit-on-parent-death",
	    .type = PTAH_VALUE_SWITCH, .roles = B, .def = "true", .marks = EXT,
	    .help = "end when the parent process does" },
	[PTAH_FLAG_GENERATE] = { .name = "generateConfig", .type = PTAH_VALUE_SWITCH,
	    .roles = B, .def = "false", .marks = EXT,
	    .help = "write matching client and server options for -transport, and end" },
	[PTAH_FLAG_SERVER_IP] = { .name = "serverIP", .value = "HOST:PORT",
	    .type = PTAH_VALUE_DEST, .roles = B, .marks = EXT,
	    .help = "with -generateConfig: what clients connect to" },
	[PTAH_FLAG_SHOW_VERSION] = { .name = "showVersion", .type = PTAH_VALUE_SWITCH,
	    .roles = B, .help = "print our version and end; --version does, too" },
	[PTAH_FLAG_VERSION] = { .name = "version", .value = "LIST", .type = PTAH_VALUE_TEXT,
	    .roles = B, .marks = HIDE, .help = "alone: -showVersion; else -ptversion" },
	[PTAH_FLAG_HELP] = { .name = "help", .type = PTAH_VALUE_SWITCH, .roles = B,
	    .help = "print this text and end" },
	[PTAH_FLAG_HELP_SHORT] = { .name = "h", .type = PTAH_VALUE_SWITCH, .roles = B,
	    .marks = HIDE, .help = "-help" },
	[PTAH_FLAG_LOCKET] = { .name = "enableLocket", .type = PTAH_VALUE_SWITCH,
	    .roles = B, .marks = HIDE, .help = "has no effect" },
	[PTAH_FLAG_TONEBURST] = { .name = "toneburst", .value = "TEXT",
	    .type = PTAH_VALUE_TEXT, .roles = B, .marks = HIDE | PTAH_FLAG_REFUSED,
	    .help = "put it into the transport's options" },
	[PTAH_FLAG_POLISH] = { .name = "polish", .value = "TEXT",
	    .type = PTAH_VALUE_TEXT, .roles = B, .marks = HIDE | PTAH_FLAG_REFUSED,
	    .help = "put it into the transport's options" },
};

int
ptah_flag_find(const char *name, unsigned long len)
{
	for (int id = 0; id < PTAH_FLAG_COUNT; id++) {
		const char *known = ptah_flags[id].name;

		if (known && strlen(known) == len && memcmp(known, name, len) == 0)
			return id;
	}
	return -ENOENT;
}

const char *
ptah_flag_word(const struct ptah_flag *flag, const char *text)
{
	for (const char *const *word = flag->words; *word; word++)
		if (strcasecmp(*word, text) == 0)
			return *word;
	return NULL;
}
