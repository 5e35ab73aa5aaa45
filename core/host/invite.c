/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/invite.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "config/flag.h"
#include "config/options.h"
#include "config/source.h"
#include "host/card.h"
#include "host/invitation.h"
#include "host/process.h"
#include "transport/loader.h"
#include "transport/registry.h"

#define NAME "invite"

enum flag { BIND, ADVERTISE, NEW, STATE, OPTIONS, OPTIONS_FILE, JSON, MODULE_DIR };

const struct ptah_ask ptah_invite_flags[] = {
	[BIND] = { .name = "bind", .value = "IP:PORT", .type = PTAH_VALUE_ADDR, .required = true,
	    .help = "where the server listens" },
	[ADVERTISE] = { .name = "advertise", .value = "HOST:PORT", .type = PTAH_VALUE_DEST, .required = true,
	    .help = "where clients reach it from outside" },
	[NEW] = { .name = "new", .help = "make another identity; the old one is kept, with the date behind its name" },
	[STATE] = { .name = "state", .value = "FOLDER", .type = PTAH_VALUE_FOLDER,
	    .help = "where the identity is kept (TOR_PT_STATE_LOCATION; default: the current folder); "
	    "under Tor that is pt_state in its data folder" },
	[OPTIONS] = { .name = "options", .value = "OPTIONS", .type = PTAH_VALUE_TEXT,
	    .help = "options of the server: JSON, or NAME:KEY=VALUE;..." },
	[OPTIONS_FILE] = { .name = "optionsFile", .value = "FILE", .type = PTAH_VALUE_FILE,
	    .help = "the same from a file; the place for secrets" },
	[JSON] = { .name = "json", .help = "print one JSON object" },
	[MODULE_DIR] = { .name = "moduleDir", .value = "FOLDER", .type = PTAH_VALUE_FOLDER,
	    .help = "look here for modules before the installed folder" },
	{ .name = NULL },
};

/* ---- what was asked --------------------------------------------------------------- */

static int
check_addresses(const char *bind, const char *advertise)
{
	struct ptah_addr addr;
	struct ptah_dest dest;

	if (!bind || ptah_addr_parse(&addr, bind) != 0 || ptah_addr_port(&addr) == 0)
		return ptah_asked_wrong(NAME, "--bind %s%s: say where the server listens, such as --bind 0.0.0.0:443",
		    bind ? "is " : "is missing", bind ? bind : "");
	if (!advertise || ptah_dest_parse(&dest, advertise, false) != 0)
		return ptah_asked_wrong(NAME, "--advertise %s%s: say where clients reach it from outside, such as --advertise 203.0.113.7:443",
		    advertise ? "is " : "is missing", advertise ? advertise : "");
	return 0;
}

/* An object, or NULL when it was told why. */
static struct ptah_json *
read_options(const char *name, const char *text, const char *path)
{
	struct ptah_options options = { 0 };
	struct ptah_json *json = NULL;
	bool exposed = false;
	char why[400] = "";
	int rc = 0;

	if (text && path) {
		ptah_asked_wrong(NAME, "--options and --optionsFile are both there: leave one out");
		return NULL;
	}
	if (text)
		rc = ptah_options_parse(&options, text, strlen(text), why, sizeof(why));
	else if (path)
		rc = ptah_options_read(&options, path, &exposed, why, sizeof(why));
	if (rc == 0)
		json = ptah_options_of(&options, ptah_options_keyed(&options, &name, 1), name);
	if (!json)
		ptah_asked_wrong(NAME, "%s: %s", path ? "--optionsFile" : "--options", why[0] ? why : strerror(ENOMEM));
	if (exposed)
		fprintf(stderr, "ptah: %s can be read by others: chmod 600 it\n", path);
	ptah_options_clear(&options);
	return json;
}

/* ---- and done ------------------------------------------------------------------------- */

static int
print(const struct ptah_invitation *invitation, const struct ptah_invitation_wish *wish, bool json)
{
	struct ptah_buf out = { 0 };
	int rc = json ? ptah_card_json(&out, invitation, wish) : ptah_card_print(&out, invitation, wish);
	bool written = rc == 0 && ptah_write_full(STDOUT_FILENO, out.at, out.len) == (ssize_t)out.len;

	ptah_buf_wipe(&out);
	return written ? EX_OK : EX_OSERR;
}

static int
invite(const struct ptah_invitation_wish *wish, const char *path, const char *dir, bool json)
{
	struct ptah_registry *registry = ptah_registry_new(path, dir);
	struct ptah_invitation invitation = { 0 };
	char why[PTAH_WHY_TEXT] = "";
	int rc = registry ? ptah_invitation_make(&invitation, registry, wish, why, sizeof(why)) : -ENOMEM;

	ptah_registry_free(registry);
	if (rc < 0)
		fprintf(stderr, "ptah: invite: %s: %s\n", wish->name, why[0] ? why : strerror(-rc));
	rc = rc < 0 ? EX_UNAVAILABLE : print(&invitation, wish, json);
	ptah_invitation_clear(&invitation);
	return rc;
}

int
ptah_invite(const struct ptah_asked *asked, char *envp[])
{
	const char *const *values = asked->value;
	const char *name = asked->operand;
	struct stat st;
	int rc = EX_USAGE;

	if (!ptah_text_is_ptname(name, strlen(name))) {
		ptah_asked_wrong(NAME, "\"%.100s\" is no name of a transport: ptah modules lists them", name);
		return EX_USAGE;
	}
	if (check_addresses(values[BIND], values[ADVERTISE]) < 0)
		return EX_USAGE;

	struct ptah_json *options = read_options(name, values[OPTIONS], values[OPTIONS_FILE]);
	const char *state = values[STATE] ? values[STATE] : ptah_env_get(envp, "TOR_PT_STATE_LOCATION");
	char *folder = state ? ptah_file_absolute(state) : getcwd(NULL, 0);

	(void)ptah_log_add(PTAH_LOG_WARN, ptah_log_to_stderr, NULL);
	ptah_process_hear_libevent();
	if (!folder)
		perror("ptah: invite: --state");
	if (folder && stat(folder, &st) == 0 && !S_ISDIR(st.st_mode)) {
		ptah_asked_wrong(NAME, "%s is no folder: name one by --state", folder);
		free(folder);
		folder = NULL;
	}
	if (options && folder) {
		const struct ptah_invitation_wish wish = {
			.name = name, .bind = values[BIND], .advertise = values[ADVERTISE],
			.folder = folder, .options = options, .anew = values[NEW] != NULL,
		};

		rc = invite(&wish, ptah_env_get(envp, "PTAH_MODULE_PATH"), values[MODULE_DIR], values[JSON] != NULL);
	}
	ptah_log_remove(ptah_log_to_stderr, NULL);
	ptah_json_free(options);
	free(folder);
	return rc;
}
