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
#define TICKETS "tickets.json"
/*
 * What the texts of keys leave on the stack: the dynamic linker, when it looks
 * up a function of a library at its first call, saves vector registers there,
 * and those hold what was copied or compared last.
 */
#define STACK_LEN ((size_t)16 * 1024)

/* A ticket is used only after the file has lost it: else two links might show the same one. */
struct scramble_answer {
	struct scramble_answer *next;
	uint64_t cookie, to;
	uint8_t body[1 + SCRAMBLE_TICKET_PAYLOAD_LEN];
};

static void
say(const struct scramble_home *home, const char *text)
{
	home->host->log(home->self, PTAH_LOG_LEVEL_WARN, text, strlen(text));
}

static int
refuse(const struct scramble_home *home, int rc, const char *reason)
{
	home->host->ready(home->self, rc, NULL, NULL, reason);
	return 0;
}

static void
mail(const struct scramble_home *home, uint64_t to, const uint8_t *at, size_t len)
{
	/* To a link that is gone it says nothing; one that lives and hears nothing has a timer. */
	(void)home->host->mail(home->self, to, (struct ptah_span){ at, len });
}

/* ---- server ------------------------------------------------------------------------- */

static void
be_ready(struct scramble_home *home)
{
	char password[SCRAMBLE_PASSWORD_LEN + 1], args[64];

	home->is_ready = true;
	scramble_base32_write((struct ptah_span){ home->identity->secret, SCRAMBLE_SECRET_LEN }, password);
	snprintf(args, sizeof(args), "{\"password\": \"%s\"}", password);
	home->host->ready(home->self, 0, NULL, args, NULL);
	sodium_memzero(password, sizeof(password));
	sodium_memzero(args, sizeof(args));
}

/* 1 if it was read, 0 if there is none, -errno and 'why'. */
static int
read_state(const struct scramble_home *home, struct scramble_identity *identity, char *why, size_t room)
{
	char text[SCRAMBLE_STATE_MAX];
	long n = home->host->state_get(home->self, STATE, (struct ptah_room){ (uint8_t *)text, sizeof(text) });
	const char *problem = "it is longer than such a file can be";
	int rc = n == -ENOSPC ? -EBADMSG : (int)n;

	if (n == -ENOENT)
		return 0;
	if (n < 0 && rc != -EBADMSG) {
		snprintf(why, room, "cannot read scramblesuit_" STATE ": %s", ptah_state_words(rc));
		return rc;
	}
	if (n >= 0)
		rc = scramble_state_read(text, (size_t)n, identity, home->ring, &problem);
	sodium_memzero(text, sizeof(text));
	if (rc < 0)
		snprintf(why, room, "scramblesuit_" STATE " is damaged: %s.  Bring it back from a copy, "
		    "or remove it and give the clients the new bridge line", problem);
	return rc < 0 ? rc : 1;
}

/* Asks for EV_STATE with the cookie after the last; -ENOENT: there is no folder. */
static int
write_state(struct scramble_home *home)
{
	char text[SCRAMBLE_STATE_ROOM];
	size_t n = scramble_state_write(home->identity, home->ring, text);
	int rc = home->host->state_put(home->self, STATE, (struct ptah_span){ (const uint8_t *)text, n }, ++home->cookie);

	sodium_memzero(text, sizeof(text));
	return rc;
}

static void
turn_keys(struct scramble_home *home)
{
	const struct ptah_chance chance = { home->host->random, home->self };
	int64_t now = home->host->wall_s(home->self);
	int rc;

	if (!scramble_ring_is_due(home->ring, now))
		return;
	scramble_ring_turn(home->ring, &chance, now);
	rc = write_state(home);
	sodium_stackzero(STACK_LEN);
	if (rc < 0 && rc != -ENOENT)
		say(home, "cannot write the new keys of tickets: those who come back after a restart will wait in vain once");
}

static int
open_server(struct scramble_home *home, const struct scramble_conf *conf)
{
	const struct ptah_chance chance = { home->host->random, home->self };
	struct scramble_identity *identity = sodium_malloc(sizeof(*identity));
	const char *ignored;
	char why[256] = "";
	int rc;

	home->identity = identity;
	home->ring = sodium_malloc(sizeof(*home->ring));
	home->skew_said = malloc(sizeof(*home->skew_said));
	if (identity == NULL || home->ring == NULL || home->skew_said == NULL)
		return -ENOMEM;
	atomic_flag_clear(home->skew_said);
	memset(identity, 0, sizeof(*identity));
	memset(home->ring, 0, sizeof(*home->ring));
	rc = read_state(home, identity, why, sizeof(why));
	sodium_stackzero(STACK_LEN);
	if (rc < 0)
		return refuse(home, rc, why);
	if (rc == 0) {
		ptah_chance_bytes(&chance, identity->secret, sizeof(identity->secret));
		ptah_chance_bytes(&chance, identity->seed, sizeof(identity->seed));
		scramble_ring_new(home->ring, &chance, home->host->wall_s(home->self));
	}
	if (conf->password != NULL)
		(void)scramble_password_read(conf->password, identity->secret, &ignored); /* it has been checked */
	(void)sodium_mprotect_readonly(identity);
	rc = write_state(home);
	sodium_stackzero(STACK_LEN);
	if (rc == -ENOENT) {
		if (conf->password == NULL)
			say(home, "it was given no state folder, so this password ends with the process, and a bridge line with it: "
			    "name one (-state), or give a password");
		be_ready(home);
	} else if (rc < 0) {
		snprintf(why, sizeof(why), "cannot write to its state folder: %s", ptah_state_words(rc));
		return refuse(home, rc, why);
	}
	return 0;
}

static void
tell_keys(struct scramble_home *home, uint64_t to)
{
	uint8_t letter[1 + sizeof(struct scramble_ring)];

	turn_keys(home);
	letter[0] = SCRAMBLE_MAIL_KEYS;
	memcpy(letter + 1, home->ring, sizeof(*home->ring));
	mail(home, to, letter, sizeof(letter));
	sodium_memzero(letter, sizeof(letter));
}

/* ---- client -------------------------------------------------------------------------- */

static int
open_client(struct scramble_home *home)
{
	static const char elsewhere[] = "scramblesuit_" TICKETS " is in use elsewhere: tickets are not kept for the next start";
	char *text = malloc(SCRAMBLE_STORE_TEXT_MAX);
	long n;
	int rc = 0;

	if (text == NULL)
		return -ENOMEM;
	n = home->host->state_get(home->self, TICKETS, (struct ptah_room){ (uint8_t *)text, SCRAMBLE_STORE_TEXT_MAX });
	if (n >= 0) {
		rc = scramble_store_read(&home->store, text, (size_t)n, home->host->wall_s(home->self));
		sodium_memzero(text, (size_t)n);
	} else if (n == -EBUSY) {
		home->host->log(home->self, PTAH_LOG_LEVEL_INFO, elsewhere, strlen(elsewhere));
	} else if (n != -ENOENT) {
		rc = (int)n;
	}
	free(text);
	if (rc == -ENOMEM)
		return rc;
	if (rc == -EBADMSG || rc == -ENOSPC)
		return refuse(home, rc, "scramblesuit_" TICKETS " is damaged: it is no JSON object, or longer than a mebibyte.  "
		    "Remove it: it only saves time");
	if (rc < 0)
		return refuse(home, rc, "cannot read scramblesuit_" TICKETS);
	home->is_ready = true;
	home->host->ready(home->self, 0, NULL, NULL, NULL);
	return 0;
}

static int
put_tickets(struct scramble_home *home)
{
	size_t len = 0;
	char *text = scramble_store_text(&home->store, &len);
	int rc;

	if (text == NULL)
		return -ENOMEM;
	rc = home->host->state_put(home->self, TICKETS, (struct ptah_span){ (const uint8_t *)text, len }, ++home->cookie);
	sodium_memzero(text, len);
	free(text);
	home->writing = rc == 0;
	return rc;
}

/*
 * One at a time: what many links change meanwhile goes together, and none
 * waits for more than two turns of the disk.  '*cookie' is that of the file
 * which has it all.
 */
static int
write_tickets(struct scramble_home *home, uint64_t *cookie)
{
	*cookie = home->cookie + 1;
	if (!home->writing)
		return put_tickets(home);
	home->dirty = true;
	return 0;
}

/* The ticket for a server goes to the link once it is gone from the file. */
static void
give_ticket(struct scramble_home *home, uint64_t to, struct ptah_span server)
{
	struct scramble_answer *answer = calloc(1, sizeof(*answer));
	const uint8_t none = SCRAMBLE_MAIL_NONE;
	uint64_t cookie = 0;
	int found = 0, rc = 0;

	if (answer != NULL) {
		answer->to = to;
		answer->body[0] = SCRAMBLE_MAIL_TAKE;
		found = scramble_store_take(&home->store, server, home->host->wall_s(home->self), answer->body + 1);
	}
	if (found > 0)
		rc = write_tickets(home, &cookie);
	if (found == 1 && rc == 0) {
		answer->cookie = cookie;
		answer->next = home->answers;
		home->answers = answer;
		return;
	}
	if (found == 1 && (rc == -ENOENT || rc == -EBUSY)) /* it is in no file: we have none, or another has ours */
		mail(home, to, answer->body, sizeof(answer->body));
	else
		mail(home, to, &none, 1);
	if (answer != NULL)
		sodium_memzero(answer, sizeof(*answer));
	free(answer);
}

static void
keep_ticket(struct scramble_home *home, struct ptah_span letter)
{
	struct ptah_span server = ptah_span_from(letter, SCRAMBLE_TICKET_PAYLOAD_LEN);
	uint64_t cookie;

	if (scramble_store_put(&home->store, server, letter.at, home->host->wall_s(home->self)) == 0)
		(void)write_tickets(home, &cookie); /* what is not kept costs time at the next start, and no more */
}

/* ---- both ------------------------------------------------------------------------------ */

int
scramble_home_open(void *home, const struct ptah_start *start)
{
	struct scramble_home *mine = home;

	mine->host = start->host;
	mine->self = start->self;
	if (sodium_init() < 0)
		return -ENOSYS;
	return start->role == PTAH_SERVER ? open_server(mine, start->conf) : open_client(mine);
}

static void
on_mail(struct scramble_home *home, const struct ptah_event *event)
{
	struct ptah_span rest;

	if (event->body.len == 0)
		return;
	rest = ptah_span_from(event->body, 1);
	if (event->body.at[0] == SCRAMBLE_MAIL_KEYS && home->ring != NULL)
		tell_keys(home, event->from);
	else if (event->body.at[0] == SCRAMBLE_MAIL_TAKE)
		give_ticket(home, event->from, rest);
	else if (event->body.at[0] == SCRAMBLE_MAIL_STORE && rest.len > SCRAMBLE_TICKET_PAYLOAD_LEN)
		keep_ticket(home, rest);
}

/* The tickets that waited for this file may be used now, or (rc) not at all. */
static void
send_answers(struct scramble_home *home, uint64_t cookie, int rc)
{
	const uint8_t none = SCRAMBLE_MAIL_NONE;

	for (struct scramble_answer **at = &home->answers, *answer; (answer = *at) != NULL;) {
		if (answer->cookie != cookie) {
			at = &answer->next;
			continue;
		}
		*at = answer->next;
		mail(home, answer->to, rc == 0 ? answer->body : &none, rc == 0 ? sizeof(answer->body) : 1);
		sodium_memzero(answer, sizeof(*answer));
		free(answer);
	}
}

/* A file is on disk, or cannot be. */
static void
on_written(struct scramble_home *home, uint64_t cookie, int rc)
{
	char why[128];

	if (!home->is_ready && rc == 0)
		be_ready(home);
	if (!home->is_ready) {
		snprintf(why, sizeof(why), "cannot write to its state folder: %s", strerror(-rc));
		(void)refuse(home, rc, why);
		return;
	}
	send_answers(home, cookie, rc);
	home->writing = false;
	if (!home->dirty)
		return;
	home->dirty = false;
	rc = put_tickets(home);
	if (rc < 0)
		send_answers(home, cookie + 1, rc);
}

int
scramble_home_event(void *home, const struct ptah_event *event)
{
	struct scramble_home *mine = home;

	if (event->what == PTAH_EV_MAIL)
		on_mail(mine, event);
	else if (event->what == PTAH_EV_STATE)
		on_written(mine, event->cookie, (int)event->val);
	else if (event->what == PTAH_EV_STOP)
		mine->host->home_done(mine->self);
	return 0;
}

void
scramble_home_close(void *home)
{
	struct scramble_home *mine = home;

	for (struct scramble_answer *answer = mine->answers, *next; answer != NULL; answer = next) {
		next = answer->next;
		sodium_memzero(answer, sizeof(*answer));
		free(answer);
	}
	scramble_store_clear(&mine->store);
	sodium_free((void *)(uintptr_t)mine->identity); /* wipes */
	sodium_free(mine->ring);
	free(mine->skew_said);
}
