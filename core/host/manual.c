/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/manual.h"

#include <stdbool.h>
#include <sysexits.h>

#include "config/usage.h"
#include "host/checkmodule.h"
#include "host/doctor.h"

/* core/host/ptah.1 is what "ptah manual" prints; a test holds them together. */

static const char head[] =
    ".\\\" SPDX-License-Identifier: BSD-3-Clause\n"
    ".\\\" Made by \"ptah manual\"; change core/host/manual.c, commands.c or core/config/flag.c.\n"
    ".Dd November 21, 2026\n"
    ".Dt PTAH 1\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm ptah\n"
    ".Nd host of Pluggable Transports\n"
    ".Sh SYNOPSIS\n"
    ".Nm\n"
    ".Op Ar flags\n";

static const char description[] =
    ".Nm\n"
    ".Cm COMMAND\n"
    ".Fl -help\n"
    ".Nm\n"
    ".Fl -help | Fl -version\n"
    ".Sh DESCRIPTION\n"
    ".Nm\n"
    "carries connections over Pluggable Transports, which reshape traffic so that a\n"
    "censor cannot recognise it.\n"
    "A parent program, such as Tor, starts it with flags or with\n"
    ".Ev TOR_PT_*\n"
    "variables, and hears on its standard output where it listens; this is the\n"
    "Pluggable Transport protocol, versions 1, 2.0, 2.1, 2.2 and 3.0.\n"
    "Each transport is a module: a file\n"
    ".Pa NAME.so\n"
    "in a modules folder, which is opened when that name is asked for.\n"
    ".Pp\n"
    "Started through a link named\n"
    ".Pa obfs4proxy ,\n"
    ".Nm\n"
    "takes that program's flags.\n"
    ".Ss Modes\n"
    "A client listens for the application, a server for clients on the wire.\n"
    "Both must be started in the same family: the two TCP modes go together, each UDP mode only with itself.\n"
    ".Bl -tag -width transparent-TCP\n"
    ".It Li socks5\n"
    "The application speaks SOCKS5 (methods 00, 02 and 09; in version 1 also SOCKS4 and 4a)\n"
    "and may give options of the transport with each connection.\n"
    ".It Li transparent-TCP\n"
    "Whatever connects is carried to\n"
    ".Li serverAddress\n"
    "of the options.\n"
    ".It Li transparent-UDP\n"
    "Each source address gets a connection of its own; datagrams are carried with their lengths,\n"
    "or as they are by a transport that keeps messages.\n"
    ".It Li STUN\n"
    "The same for STUN messages and TURN channel data, which need no lengths; all else is dropped.\n"
    ".El\n"
    ".Sh COMMANDS\n"
    ".Bl -tag -width indent\n";

static const char invite[] =
    ".El\n"
    ".Ss Invite\n"
    ".Nm\n"
    ".Cm invite\n"
    "prints what the operator of a server and its clients must write down: the bridge line, the lines of both\n"
    ".Pa torrc\n"
    "files, and the options of both sides as JSON.\n"
    "The identity that is in the state folder is read, also while a server uses it, and nothing is changed;\n"
    "where there is none, one is made.\n"
    "That is for who will run ptah to do: below a folder of another user root makes nothing, for that one could not read it.\n"
    "A transport that keeps no identity of its own gets options that are made,\n"
    "and kept in the state folder as\n"
    ".Pa NAME_server.json\n"
    "and\n"
    ".Pa NAME_client.json .\n"
    "Which files it is, is said first.\n";

static const char check[] =
    ".Ss Check a module\n"
    ".Nm\n"
    ".Cm check-module\n"
    "tries a module in a host that is made for that:\n"
    "it cuts what is carried, closes, refuses memory and plays a hostile peer.\n"
    "The options are those of the module's example, or of\n"
    ".Li \\-\\-options .\n"
    "These are the rows of the table:\n";

static const char doctor[] =
    ".Ss What the doctor looks at\n"
    ".Nm\n"
    ".Cm doctor\n"
    "connects to what a configuration names as its target or upstream proxy, and binds its addresses and lets them go at once.\n"
    "It connects to no bridge, and writes nothing.\n"
    "These are its checks:\n";

static const char flags[] =
    ".Sh FLAGS\n"
    "A flag is written\n"
    ".Fl NAME Ar VALUE\n"
    "or\n"
    ".Fl NAME Ns = Ns Ar VALUE ,\n"
    "with one dash or two.\n"
    "Where a flag and its variable are both given, the flag wins;\n"
    "an empty variable is none.\n";

static const char rest[] =
    ".Sh OPTIONS OF EVERY TRANSPORT\n"
    ".Bl -tag -width indent\n"
    ".It Li serverAddress\n"
    "Where a client connects to:\n"
    ".Ar HOST : Ns Ar PORT .\n"
    ".It Li half-close\n"
    "What follows when the application has said all:\n"
    ".Li send\n"
    "tells the peer at once,\n"
    ".Li hold\n"
    "keeps the wire open until the peer closes or 60 seconds pass without a byte, and\n"
    ".Li auto\n"
    "does what the transport can.\n"
    ".It Li messages\n"
    "In the UDP modes, of a transport that can do both: true makes each datagram one on the wire, false frames them on a stream.\n"
    "Client and server must be told the same, for they cannot see it of each other.\n"
    ".It Li over\n"
    "The transport to stand on: a name, or an object with\n"
    ".Li module\n"
    "and its options.\n"
    "A stack can also be asked for by its names, top first:\n"
    ".Fl transport Li obfs4+shadow .\n"
    "What is so put under a stack that a\n"
    ".Pa NAME.json\n"
    "defines comes below all its layers.\n"
    "An option that a transport does not know goes to the one below it;\n"
    ".Li over.KEY\n"
    "is\n"
    ".Li KEY\n"
    "of the one below in any case, in a bridge line too.\n"
    ".El\n"
    ".Pp\n"
    "Other options are the transport's own:\n"
    ".Dl ptah info NAME\n"
    "One that takes a file, such as a certificate, is given its absolute path.\n"
    "The file is read when the transport is opened, by the user who runs ptah;\n"
    "one that is a secret may be open to its owner and group alone.\n"
    ".Sh AS A PLUGIN OF SHADOWSOCKS\n"
    "Started without flags where\n"
    ".Ev SS_REMOTE_HOST , SS_REMOTE_PORT , SS_LOCAL_HOST\n"
    "and\n"
    ".Ev SS_LOCAL_PORT\n"
    "are set, ptah is a plugin (SIP003) of ss-local or ss-server:\n"
    ".Dl ss-server ... --plugin ptah --plugin-opts 'server;transport=obfs4;state=FOLDER'\n"
    ".Dl ss-local ... --plugin ptah --plugin-opts 'transport=obfs4;iat-mode=0;cert=CERT'\n"
    "The options,\n"
    ".Ev SS_PLUGIN_OPTIONS ,\n"
    "are flags and pairs with semicolons between;\n"
    "a backslash stands before a semicolon, an equals sign or a backslash that is meant as it is.\n"
    ".Bl -tag -width indent\n"
    ".It Li transport Ns = Ns Ar NAME\n"
    "Which transport; it must be there.\n"
    ".It Li server\n"
    "This is the server; so is a program whose name ends in -server.\n"
    "It listens where clients come, on up to four addresses, and sends all to ss-server.\n"
    ".It Li state Ns = Ns Ar FOLDER\n"
    "Where state is kept, as with\n"
    ".Fl state .\n"
    "A server that makes its keys writes there what its clients need.\n"
    ".El\n"
    ".Pp\n"
    "All others are the transport's; one that begins with a brace is JSON.\n"
    "Nothing is printed while all is well, errors go to standard error, and the end of standard input ends nothing.\n"
    "What the Shadowsocks programs send by UDP\n"
    ".Pq Fl u\n"
    "goes past every plugin, straight to the server:\n"
    "it is not carried by the transport, and hides nothing.\n"
    ".Sh ENVIRONMENT\n"
    ".Bl -tag -width indent\n"
    ".It Ev PTAH_MODULE_PATH\n"
    "Folders, separated by colons, that are searched for modules before\n"
    ".Fl moduleDir\n"
    "and the installed folder.\n"
    "A module, and each folder above it, must belong to root or to who runs ptah,\n"
    "and others must not be able to write to it.\n"
    ".El\n"
    ".Sh FILES\n"
    "In the state folder, with mode 0600:\n"
    ".Bl -tag -width indent\n"
    ".It Pa NAME_FILE\n"
    "What the transport\n"
    ".Li NAME\n"
    "keeps there, such as\n"
    ".Pa obfs4_state.json .\n"
    ".It Pa ptah_replay\n"
    "With\n"
    ".Fl replayState :\n"
    "which handshakes came, as marks that tell nothing of them.\n"
    "It is written every 30 seconds in which one came, and at the end, and read at the start;\n"
    "after a crash those of the last 30 seconds could be repeated.\n"
    "At most 16 MiB; a file that is damaged is not read, which the log says.\n"
    ".El\n"
    ".Pp\n"
    "Each is replaced whole: it is the old one or the new one, whenever the power fails.\n"
    ".Sh SIGNALS\n"
    ".Bl -tag -width SIGTERM,SIGHUP\n"
    ".It Dv SIGTERM , SIGHUP\n"
    "End at once; for\n"
    ".Cm run ,\n"
    "SIGHUP is another word: read the file again.\n"
    ".It Dv SIGINT\n"
    "Take no new connections, and end with the last one that is open; a second one ends at once.\n"
    "As a plugin: end at once.\n"
    ".It Dv SIGUSR1\n"
    "Log the counters.\n"
    ".El\n";

static const char tail[] =
    ".Sh EXAMPLES\n"
    "In the torrc of a client, and in that of a bridge:\n"
    ".Bd -literal -offset indent\n"
    "ClientTransportPlugin dummy exec /usr/bin/ptah\n"
    "ServerTransportPlugin dummy exec /usr/bin/ptah\n"
    ".Ed\n"
    ".Pp\n"
    "By hand, a server in front of a web server, and a client for it:\n"
    ".Bd -literal -offset indent\n"
    "ptah -ptversion 3.0 -server -transport dummy \\e\n"
    "    -bindhost 127.0.0.1 -bindport 4430 -target 127.0.0.1:80\n"
    "ptah -ptversion 3.0 -client -transport dummy \\e\n"
    "    -options '{\"serverAddress\": \"127.0.0.1:4430\"}' \\e\n"
    "    -proxylistenport 1080\n"
    "curl --socks5-hostname 127.0.0.1:1080 http://any.name/\n"
    ".Ed\n"
    ".Pp\n"
    "A bridge of obfs4: its identity, made or read, and what to write where:\n"
    ".Bd -literal -offset indent\n"
    "ptah invite obfs4 --bind 0.0.0.0:443 --advertise 203.0.113.7:443 \\e\n"
    "    --state /var/lib/tor/pt_state\n"
    ".Ed\n"
    ".Sh SEE ALSO\n"
    ".Xr ptah-conf 5 ,\n"
    ".Xr ptah-module 7\n"
    ".Sh SECURITY\n"
    "Options with secrets belong in the file of\n"
    ".Fl optionsFile ,\n"
    "with mode 0600: everybody can read a program's arguments.\n"
    "The log shows no addresses unless\n"
    ".Fl unsafeLogging\n"
    "asks for them.\n";

/* ---- exit status ------------------------------------------------------------ */

/* What is so whatever was asked; what is only so of a command stands with that (host/commands.c). */
static const struct ptah_exit exits[] = {
	{ EX_OK, "It was asked to end: by the parent, which may be gone, or by a signal; a command has done what it was asked" },
	{ 1, "As a plugin of Shadowsocks: what was asked for does not run" },
	{ EX_USAGE, "A flag or a variable is wrong, and the ENV-ERROR line says which; of a command, a word or a flag" },
	{ EX_UNAVAILABLE, "The upstream proxy cannot be used (PROXY-ERROR)" },
	{ EX_SOFTWARE, "Something inside failed" },
	{ EX_OSERR, "What a command had to print could not be written, or there is no memory for it" },
	{ EX_CONFIG, "No version of the protocol in common (VERSION-ERROR); as a plugin of Shadowsocks, a variable or an option is wrong" },
	{ 0, NULL },
};

/* The highest of all that there can be. */
#define EXIT_MOST 127

static void
add_exit(struct ptah_buf *out, const struct ptah_command *commands, int status)
{
	bool any = false;

	for (const struct ptah_exit *row = exits; row->when; row++)
		if (row->status == status) {
			ptah_buf_printf(out, ".It %d\n%s.\n", status, row->when);
			any = true;
		}
	for (const struct ptah_command *command = commands; command->name && status != EX_OK; command++) {
		const char *when = ptah_asked_exit(command, status);

		if (!when)
			continue;
		if (!any)
			ptah_buf_printf(out, ".It %d\n", status);
		ptah_buf_printf(out, "For\n.Cm %s :\n%s.\n", command->name, when);
		any = true;
	}
}

int
ptah_manual(struct ptah_buf *out, const struct ptah_command *commands)
{
	ptah_buf_puts(out, head);
	for (const struct ptah_command *command = commands; command->name; command++)
		ptah_buf_printf(out, ".Nm\n.Cm %s%s%s\n", command->name, !command->operand.value ? "" :
		    command->operand.optional ? " Op Ar " : " Ar ",
		    command->operand.value ? command->operand.value : "");
	ptah_buf_puts(out, description);
	for (const struct ptah_command *command = commands; command->name; command++)
		(void)ptah_asked_manual(out, command);
	ptah_buf_puts(out, invite);
	ptah_buf_puts(out, check);
	ptah_check_module_manual(out);
	ptah_buf_puts(out, doctor);
	ptah_doctor_manual(out);
	ptah_buf_puts(out, flags);
	ptah_usage_manual(out);
	ptah_buf_puts(out, rest);
	ptah_buf_puts(out, ".Sh EXIT STATUS\n.Bl -tag -width indent\n");
	for (int status = EX_OK; status <= EXIT_MOST; status++)
		add_exit(out, commands, status);
	ptah_buf_puts(out, ".El\n");
	return ptah_buf_puts(out, tail);
}
