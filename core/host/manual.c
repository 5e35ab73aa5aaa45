/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/manual.h"

#include "config/usage.h"

/* core/host/ptah.1 is what "ptah manual" prints; a test holds them together. */

static const char head[] =
    ".\\\" SPDX-License-Identifier: BSD-3-Clause\n"
    ".\\\" Made by \"ptah manual\"; change core/host/manual.c or core/config/flag.c.\n"
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
    "Each source address gets a connection of its own; datagrams are carried with their lengths.\n"
    ".It Li STUN\n"
    "The same for STUN messages and TURN channel data, which need no lengths.\n"
    ".El\n"
    ".Sh COMMANDS\n"
    ".Bl -tag -width indent\n";

static const char flags[] =
    ".El\n"
    ".Sh FLAGS\n"
    "A flag is written\n"
    ".Fl NAME Ar VALUE\n"
    "or\n"
    ".Fl NAME Ns = Ns Ar VALUE ,\n"
    "with one dash or two.\n"
    "Where a flag and its variable are both given, the flag wins;\n"
    "an empty variable is none.\n";

static const char tail[] =
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
    ".It Li over\n"
    "The transport to stand on: a name, or an object with\n"
    ".Li module\n"
    "and its options.\n"
    ".El\n"
    ".Pp\n"
    "Other options are the transport's own:\n"
    ".Dl ptah info NAME\n"
    ".Sh ENVIRONMENT\n"
    ".Bl -tag -width indent\n"
    ".It Ev PTAH_MODULE_PATH\n"
    "Folders, separated by colons, that are searched for modules before\n"
    ".Fl moduleDir\n"
    "and the installed folder.\n"
    "A module, and each folder above it, must not be writable by others.\n"
    ".El\n"
    ".Sh SIGNALS\n"
    ".Bl -tag -width SIGTERM,SIGHUP\n"
    ".It Dv SIGTERM , SIGHUP\n"
    "End at once.\n"
    ".It Dv SIGINT\n"
    "Take no new connections, and end with the last one that is open; a second one ends at once.\n"
    ".It Dv SIGUSR1\n"
    "Log the counters.\n"
    ".El\n"
    ".Sh EXIT STATUS\n"
    ".Bl -tag -width indent\n"
    ".It 0\n"
    "The parent asked it to end, or is gone.\n"
    ".It 64\n"
    "A flag or a variable is wrong, and the ENV-ERROR line says which.\n"
    ".It 69\n"
    "The upstream proxy cannot be used (PROXY-ERROR).\n"
    ".It 70\n"
    "Something inside failed.\n"
    ".It 78\n"
    "No version of the protocol in common (VERSION-ERROR).\n"
    ".El\n"
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
    ".Sh SEE ALSO\n"
    ".Xr ptah-module 7\n"
    ".Sh SECURITY\n"
    "Options with secrets belong in the file of\n"
    ".Fl optionsFile ,\n"
    "with mode 0600: everybody can read a program's arguments.\n"
    "The log shows no addresses unless\n"
    ".Fl unsafeLogging\n"
    "asks for them.\n";

int
ptah_manual(struct ptah_buf *out, const struct ptah_command *commands, size_t n)
{
	ptah_buf_puts(out, head);
	for (size_t i = 0; i < n; i++)
		ptah_buf_printf(out, ".Nm\n.Cm %s%s%s\n", commands[i].name, commands[i].arguments[0] ? " Ar" : "",
		    commands[i].arguments);
	ptah_buf_puts(out, description);
	for (size_t i = 0; i < n; i++)
		ptah_buf_printf(out, ".It Cm %s%s%s\n%s.\n", commands[i].name, commands[i].arguments[0] ? " Ar" : "",
		    commands[i].arguments, commands[i].help);
	ptah_buf_puts(out, flags);
	ptah_usage_manual(out);
	return ptah_buf_puts(out, tail);
}
