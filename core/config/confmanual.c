/* SPDX-License-Identifier: BSD-3-Clause */
/* core/host/ptah-conf.5 is what "ptah manual ptah-conf" prints; a test holds them together. */
#include <string.h>

#include "base/text.h"
#include "config/flag.h"
#include "config/key.h"
#include "config/mdoc.h"
#include "config/schema.h"

static const char head[] =
    ".\\\" SPDX-License-Identifier: BSD-3-Clause\n"
    ".\\\" Made by \"ptah manual ptah-conf\"; change core/config/confmanual.c, key.c or flag.c.\n"
    ".Dd November 21, 2026\n"
    ".Dt PTAH-CONF 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm ptah-conf\n"
    ".Nd configuration of ptah run\n"
    ".Sh DESCRIPTION\n"
    "The file of\n"
    ".Dl ptah run FILE\n"
    "is one JSON object.\n"
    "Comments are fine:\n"
    ".Li //\n"
    "to the end of the line, and\n"
    ".Li /* ... */ .\n"
    "It names services; each has listeners, a mode, a stack of transports, and somewhere to send what arrives.\n"
    "Clients and servers can stand in one file.\n"
    ".Pp\n"
    ".Dl ptah check FILE\n"
    "says all that is wrong with a file, each with its line, column and path.\n"
    "A key that is not known is an error; so is an option that the transport does not know.\n"
    ".Pp\n"
    ".Dl ptah check --schema\n"
    "prints a JSON Schema of it, which is also installed as\n"
    ".Pa ptah.schema.json ;\n"
    "editors complete and check by it.\n"
    ".Pp\n"
    "All paths are absolute.\n"
    "All times are whole seconds.\n";

static const char services[] =
    ".Sh KEYS OF A SERVICE\n"
    "Each member of\n"
    ".Li services\n"
    "is an object; its name is the label of the service, by which logs, figures and\n"
    ".Cm ptah ctl\n"
    "call it, and under which it keeps its state.\n"
    "A service whose label is gone after a reload is gone; one that says the same as before is left alone, however it is\n"
    "written.\n"
    ".Pp\n"
    "A service needs\n"
    ".Li role ,\n"
    ".Li listen ,\n"
    "and\n"
    ".Li transport\n"
    "or\n"
    ".Li stack ;\n"
    "a server also\n"
    ".Li target ,\n"
    "or\n"
    ".Li extorport\n"
    "with\n"
    ".Li authcookie .\n"
    "Two services may not listen on one port.\n";

static const char limits[] =
    ".Sh KEYS OF LIMITS\n"
    "What\n"
    ".Li limits\n"
    "of a service may hold:\n";

static const char layers[] =
    ".Sh KEYS OF A LAYER\n"
    "What each object in the\n"
    ".Li stack\n"
    "of a service may hold.\n"
    "Options of every transport, such as\n"
    ".Li serverAddress ,\n"
    "go into the first:\n";

static const char files[] =
    ".Ss Files that options name\n"
    "An option that takes a file\n"
    ".Pq Li ptah info NAME No says so\n"
    "is given an absolute path, and what the file holds is a part of what the service is:\n"
    "a reload takes one whose file has changed as a changed service.\n"
    "New links begin with the new content, and live ones end under what they were born with.\n"
    "With\n"
    ".Li watch\n"
    "a change is noticed without a word, in whichever way it is made (written in place, renamed, a link that leads elsewhere), once its folder\n"
    "has been quiet for a second.\n"
    "A file that is gone, cannot be read, or is not what the transport takes changes nothing; the log says which it is, and why.\n"
    "One that is a secret, such as a private key, may be open to its owner and group alone.\n"
    "Where ptah is hardened it can read the folders of the files that its first configuration named.\n"
    ".Pp\n"
    "What ptah cannot know of is put into\n"
    ".Li files\n"
    "of the service, too: all that an isolated service is to read, since ptah itself does not look into its modules,\n"
    "and what options of options name, such as those of the transports of an\n"
    ".Li optimizer ,\n"
    "if they are to be watched.\n"
    ".Nm ptah\n"
    ".Cm check\n"
    "warns of one that is not there; an isolated service can read only what is there when it starts.\n";

static const char tail[] =
    ".Sh ENVIRONMENT\n"
    ".Bl -tag -width indent\n"
    ".It Ev STATE_DIRECTORY\n"
    "Where\n"
    ".Li stateDir\n"
    "is not said; a service manager sets it.\n"
    ".It Ev RUNTIME_DIRECTORY\n"
    "Where\n"
    ".Li control\n"
    "is not said: the socket\n"
    ".Pa control\n"
    "in this folder.\n"
    ".It Ev PTAH_MODULE_PATH\n"
    "Where\n"
    ".Li modulePath\n"
    "is not said.\n"
    ".El\n"
    ".Sh EVENTS\n"
    "With\n"
    ".Li logFormat\n"
    "json each line of the log is an object with time, level, area, event and text, and service where it is about one.\n"
    "The events keep their names from one version to the next:\n"
    ".Bl -tag -width indent\n"
    ".It Li begin\n"
    "The program starts.\n"
    ".It Li ready\n"
    "All services serve, or have failed.\n"
    ".It Li service-serves , Li service-failed\n"
    "One does, or does not start.\n"
    ".It Li service-kept\n"
    "Its change failed, and the old one goes on.\n"
    ".It Li service-cut-off\n"
    "Links of an old plan had their time, and are ended.\n"
    ".It Li isolated-ended , Li isolated-serves\n"
    "The process of an isolated service died, and the next one serves.\n"
    ".It Li config-fault\n"
    "A line of what is wrong with the file.\n"
    ".It Li reload , Li reload-refused\n"
    "The file was read again, or is not taken.\n"
    ".It Li modules-changed\n"
    "A module is another one on disk; a reload follows.\n"
    ".It Li files-changed\n"
    "A file that an option names is another one on disk, or gone; a reload follows.\n"
    ".It Li order\n"
    "Somebody gave one by ptah ctl.\n"
    ".It Li drain\n"
    "No new links from now on.\n"
    ".It Li upgrade , Li upgraded , Li upgrade-failed\n"
    "Another program is started, serves, or does not.\n"
    ".It Li metrics\n"
    "Where figures can be had.\n"
    ".It Li end\n"
    "The program ends.\n"
    ".It Li log\n"
    "Any other line.\n"
    ".El\n"
    ".Sh EXAMPLES\n"
    "A bridge for Tor, whose torrc says\n"
    ".Li ExtORPort 127.0.0.1:9002 :\n"
    ".Bd -literal -offset indent\n"
    "{\n"
    "    \"services\": {\n"
    "        \"bridge\": {\n"
    "            \"role\": \"server\",\n"
    "            \"listen\": [\"0.0.0.0:443\", \"[::]:443\"],\n"
    "            \"family\": \"ipv6\",\n"
    "            \"transport\": \"obfs4\",\n"
    "            \"extorport\": \"127.0.0.1:9002\",\n"
    "            \"authcookie\": \"/var/lib/tor/extended_orport_auth_cookie\",\n"
    "            \"limits\": {\"links\": 10000, \"linksPerPrefix\": 64}\n"
    "        }\n"
    "    }\n"
    "}\n"
    ".Ed\n"
    ".Pp\n"
    "With\n"
    ".Li family\n"
    "ipv6\n"
    ".Li [::]\n"
    "leaves IPv4 to the other address.\n"
    "More stand in the folder\n"
    ".Pa examples\n"
    "of the documents.\n"
    ".Sh SEE ALSO\n"
    ".Xr ptah 1 ,\n"
    ".Xr ptah-module 7\n"
    ".Sh SECURITY\n"
    "Secrets among the options, such as passwords, belong in the file of\n"
    ".Li optionsFile\n"
    "with mode 0600, or the whole file gets mode 0640 and the group that ptah runs in.\n"
    ".Pp\n"
    "A service with\n"
    ".Li isolate\n"
    "runs in a process of its own, which is locked up before its module is loaded:\n"
    "it reads libraries and modules, writes to its folder in\n"
    ".Li stateDir ,\n"
    "and makes no socket, process or signal.\n"
    "ptah connects for it: a server's to its\n"
    ".Li target\n"
    "or\n"
    ".Li extorport ,\n"
    "a client's to each\n"
    ".Li serverAddress\n"
    "in its options; where these name none, to any TCP port.\n"
    "Its links are in\n"
    ".Ic ptah ctl links ,\n"
    "as it says that they are, and its memory, as the kernel says, in\n"
    ".Ic ptah ctl status\n"
    "and the metrics.\n"
    "Should it crash, exit or hang, its links are lost, its port stays open and the next process starts at once.\n"
    "The UDP modes and transports that start programs cannot be isolated.\n"
    ".Pp\n"
    "With\n"
    ".Li harden\n"
    "ptah keeps the network and the folders that the file names, and gives up other files, programs and calls into the\n"
    "rest of the machine; what a reload wants beyond that, the log says, takes a new start.\n"
    "Where a service starts programs nothing is given up.\n"
    "Both need Linux 5.13 with Landlock; without it nothing is isolated, and less is given up.\n";

static void
print_words(struct ptah_buf *out, const struct ptah_key *key)
{
	ptah_buf_puts(out, "One of\n");
	for (const char *const *word = key->words; *word; word++)
		ptah_buf_printf(out, ".Li %s%s\n", *word, word[1] == NULL ? " ." : word[2] == NULL ? "\nand" : " ,");
}

static void
print_default(struct ptah_buf *out, const struct ptah_key *key)
{
	if (!key->def || (key->kind == PTAH_KIND_SWITCH && strcmp(key->def, "false") == 0))
		return;
	ptah_buf_puts(out, "Default: ");
	ptah_mdoc_text(out, key->def);
	ptah_buf_puts(out, ".\n");
}

static void
print_key(struct ptah_buf *out, const struct ptah_key *row)
{
	struct ptah_key key = ptah_key_whole(row);

	ptah_buf_printf(out, ".It Li %s", key.name);
	if (key.kind == PTAH_KIND_SWITCH)
		ptah_buf_puts(out, " : Li true | false");
	else
		ptah_buf_printf(out, " : Ar %s", key.value);
	ptah_buf_puts(out, "\n");
	ptah_mdoc_text(out, key.help);
	if (key.kind == PTAH_KIND_NUMBER)
		ptah_buf_printf(out, " (%llu to %llu)", (unsigned long long)key.min, (unsigned long long)key.max);
	ptah_buf_puts(out, ".\n");
	if (key.kind == PTAH_KIND_WORD)
		print_words(out, &key);
	print_default(out, &key);
	if (key.roles != PTAH_ROLE_BOTH)
		ptah_buf_printf(out, "For a %s only.\n", key.roles == PTAH_ROLE_CLIENT ? "client" : "server");
	if ((key.marks & PTAH_KEY_UDP) != 0)
		ptah_buf_puts(out, "For the UDP modes only.\n");
	if ((key.marks & PTAH_KEY_REQUIRED) != 0)
		ptah_buf_puts(out, "Required.\n");
}

static void
print_section(struct ptah_buf *out, const struct ptah_key *section)
{
	ptah_buf_puts(out, ".Bl -tag -width indent\n");
	for (const struct ptah_key *row = section; row->name; row++)
		print_key(out, row);
	ptah_buf_puts(out, ".El\n");
}

int
ptah_confmanual_print(struct ptah_buf *out)
{
	ptah_buf_puts(out, head);
	ptah_buf_puts(out, ".Sh KEYS OF THE FILE\n");
	print_section(out, ptah_keys_file);
	ptah_buf_puts(out, services);
	print_section(out, ptah_keys_service);
	ptah_buf_puts(out, limits);
	print_section(out, ptah_keys_limits);
	ptah_buf_puts(out, layers);
	print_section(out, ptah_keys_layer);
	ptah_buf_puts(out, files);
	return ptah_buf_puts(out, tail);
}
