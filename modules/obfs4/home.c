/* SPDX-License-Identifier: BSD-3-Clause */
#include "home.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "options.h"
#include "statewords.h"

#define STATE "state.json"
#define BRIDGELINE "bridgeline.txt"

static void
say(const struct obfs4_home *home, uint32_t level, const char *text)
{
	home->host->log(home->self, level, text, strlen(text));
}

static int
refuse(const struct obfs4_home *home, int rc, const char *reason)
{
	home->host->ready(home->self, rc, NULL, NULL, reason);
	return 0;
}

static void
be_ready(const struct obfs4_home *home)
{
	char cert[OBFS4_CERT_LEN + 1], args[OBFS4_CERT_LEN + 64];

	obfs4_cert_write(&home->identity->bridge, cert);
	snprintf(args, sizeof(args), "{\"cert\": \"%s\", \"iat-mode\": \"%u\"}", cert, home->identity->iat_mode);
	home->host->ready(home->self, 0, NULL, args, NULL);
}

/* ---- the files -------------------------------------------------------------- */

/* 1 if it was read, 0 if there is none, -errno and 'why'. */
static int
read_state(struct obfs4_home *home, char *why, size_t room)
{
	char text[4096];
	long n = home->host->state_get(home->self, STATE, (struct ptah_room){ (uint8_t *)text, sizeof(text) });
	const char *problem = "it is longer than such a file can be";
	int rc = n == -ENOSPC ? -EBADMSG : (int)n;

	if (n == -ENOENT)
		return 0;
	if (n < 0 && rc != -EBADMSG) {
		snprintf(why, room, "cannot read obfs4_" STATE ": %s", ptah_state_words(rc));
		return rc;
	}
	if (n >= 0)
		rc = obfs4_state_read(text, (size_t)n, home->identity, &problem);
	sodium_memzero(text, sizeof(text));
	if (rc < 0)
		snprintf(why, room, "obfs4_" STATE " is damaged: %s.  Bring it back from a copy, "
		    "or remove it and give the clients the new bridge line", problem);
	return rc < 0 ? rc : 1;
}

/* 1 if files are being written, 0 if there is no folder for them, -errno. */
static int
write_state(struct obfs4_home *home)
{
	char state[OBFS4_STATE_ROOM], line[OBFS4_BRIDGELINE_ROOM];
	size_t n = obfs4_state_write(home->identity, state), m = obfs4_bridgeline_write(home->identity, line);
	int rc = home->host->state_put(home->self, STATE, (struct ptah_span){ (const uint8_t *)state, n }, 0);

	sodium_memzero(state, sizeof(state));
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	home->writing++;
	rc = home->host->state_put(home->self, BRIDGELINE, (struct ptah_span){ (const uint8_t *)line, m }, 1);
	if (rc < 0)
		return rc;
	home->writing++;
	return 1;
}

/* ---- its life ----------------------------------------------------------------- */

static int
find_identity(struct obfs4_home *home, const struct obfs4_conf *conf, char *why, size_t room)
{
	const struct ptah_chance chance = { home->host->random, home->self };
	int rc = obfs4_conf_identity(conf, home->identity);

	if (rc == 0)
		rc = read_state(home, why, room);
	if (rc == 0)
		obfs4_identity_new(home->identity, &chance);
	if (rc >= 0 && conf->iat_mode != NULL)
		(void)obfs4_iat_read(conf->iat_mode, &home->identity->iat_mode);
	return rc < 0 ? rc : 0;
}

static int
open_server(struct obfs4_home *home, const struct obfs4_conf *conf)
{
	char why[256] = "";
	int rc;

	home->identity = sodium_malloc(sizeof(*home->identity));
	home->skew_said = malloc(sizeof(*home->skew_said));
	if (home->identity == NULL || home->skew_said == NULL)
		return -ENOMEM;
	memset(home->identity, 0, sizeof(*home->identity));
	atomic_flag_clear(home->skew_said);
	rc = find_identity(home, conf, why, sizeof(why));
	if (rc < 0)
		return refuse(home, rc, why);
	(void)sodium_mprotect_readonly(home->identity);
	rc = write_state(home);
	if (rc < 0) {
		snprintf(why, sizeof(why), "cannot write to its state folder: %s", ptah_state_words(rc));
		return refuse(home, rc, why);
	}
	if (rc == 0) {
		if (conf->private_key.len == 0)
			say(home, PTAH_LOG_LEVEL_WARN, "it was given no state folder, so this identity ends with the process, and a cert with it: "
			    "name one (-state), or give node-id, private-key and drbg-seed");
		be_ready(home);
	}
	return 0;
}

int
obfs4_home_open(void *home, const struct ptah_start *start)
{
	struct obfs4_home *mine = home;

	mine->host = start->host;
	mine->self = start->self;
	if (sodium_init() < 0)
		return -ENOSYS;
	if (start->role == PTAH_SERVER)
		return open_server(mine, start->conf);
	mine->host->ready(mine->self, 0, NULL, NULL, NULL);
	return 0;
}

static int
on_written(struct obfs4_home *home, int rc)
{
	char why[128];

	if (rc < 0)
		home->failed = rc;
	if (home->writing == 0 || --home->writing > 0)
		return 0;
	if (home->failed == 0) {
		be_ready(home);
		return 0;
	}
	snprintf(why, sizeof(why), "cannot write to its state folder: %s", strerror(-home->failed));
	return refuse(home, home->failed, why);
}

int
obfs4_home_event(void *home, const struct ptah_event *event)
{
	struct obfs4_home *mine = home;

	if (event->what == PTAH_EV_STATE)
		return on_written(mine, (int)event->val);
	if (event->what == PTAH_EV_STOP)
		mine->host->home_done(mine->self);
	return 0;
}

void
obfs4_home_close(void *home)
{
	struct obfs4_home *mine = home;

	sodium_free(mine->identity); /* wipes */
	free(mine->skew_said);
}
