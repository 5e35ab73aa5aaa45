/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "home.h"

/* How long a visitor may take to say who it is; how many at once. */
#define VISIT_NS (10 * EXEC_NS_PER_S)
#define VISITS_MAX 1024u

/*
 * A visitor has two things to say: who the client is, and the client's first
 * word.  For that a target must not wait for ever, for it may be its turn to
 * speak; but an obfs4proxy at the client's side holds what it gets in one read
 * with the handshake until it gets more.  So the target is not heard before
 * the client, for a while.
 */
struct exec_visit {
	struct exec_visit *next;
	struct ptah_stream *stream;
	uint64_t due_ns;
	int known; /* it has said who it is */
	struct exec_orport orport;
};

int
exec_visits_open(struct exec_home *home, const char **why)
{
	int rc = home->host->listen(home->self, "127.0.0.1:0", 0, home->orport, sizeof(home->orport));

	if (rc < 0) {
		*why = "cannot listen on loopback for the program's connections";
		return rc;
	}
	if (!home->conf->ext_orport)
		return 0;
	home->cookie = sodium_malloc(EXEC_COOKIE_LEN);
	if (home->cookie == NULL)
		return -ENOMEM;
	home->host->random(home->self, home->cookie, EXEC_COOKIE_LEN);
	if ((size_t)snprintf(home->cookie_path, sizeof(home->cookie_path), "%s/extended_orport_auth_cookie", home->folder.path) >=
	    sizeof(home->cookie_path)) {
		*why = "the path of the state folder is too long";
		return -ENAMETOOLONG;
	}
	rc = exec_cookie_write(home->cookie_path, home->cookie);
	if (rc < 0)
		*why = "cannot write extended_orport_auth_cookie in its state folder";
	return rc;
}

static void
unlink_visit(struct exec_home *home, struct exec_visit *visit)
{
	struct exec_visit **at = &home->visits;

	while (*at != visit)
		at = &(*at)->next;
	*at = visit->next;
	home->n_visits--;
	sodium_memzero(visit, sizeof(*visit));
	free(visit);
}

static void
end_visit(struct exec_home *home, struct exec_visit *visit)
{
	home->host->drop(visit->stream);
	unlink_visit(home, visit);
}

/* It has said who the client is: from here on the stream is a link's. */
static void
let_in(struct exec_home *home, struct ptah_stream *stream, const char *peer)
{
	int rc = home->host->arrive(home->self, stream, peer, NULL, 0);

	if (rc == -EINVAL || rc == -EBUSY)
		home->host->drop(stream);
	if (rc < 0)
		exec_say(home, PTAH_LOG_LEVEL_WARN, "a connection of the program is lost: %s", strerror(-rc));
}

static void
end_known(struct exec_home *home, struct exec_visit *visit)
{
	struct ptah_stream *stream = visit->stream;
	char peer[EXEC_PEER_ROOM];

	memcpy(peer, visit->orport.peer, sizeof(peer));
	unlink_visit(home, visit);
	let_in(home, stream, peer);
}

/* It may take so long.  -errno: nobody would look. */
static int
give_time(struct exec_home *home, struct exec_visit *visit, uint64_t ns)
{
	int rc;

	visit->due_ns = home->host->now_ns(home->self) + ns;
	if (home->look_ns != 0 && home->look_ns <= visit->due_ns)
		return 0;
	rc = home->host->timer(home->self, EXEC_T_VISITS, ns);
	if (rc == 0)
		home->look_ns = visit->due_ns;
	return rc;
}

/* Who it is is known: let it in with the client's first word, or after a while. */
static void
be_known(struct exec_home *home, struct exec_visit *visit, int spoke)
{
	visit->known = 1;
	if (spoke || home->conf->client_first_ns == 0 || give_time(home, visit, home->conf->client_first_ns) < 0)
		end_known(home, visit);
}

/* There are too many: nobody is waited for who is known. */
static void
make_room(struct exec_home *home)
{
	struct exec_visit *next;

	for (struct exec_visit *visit = home->visits; visit != NULL; visit = next) {
		next = visit->next;
		if (visit->known)
			end_known(home, visit);
	}
}

static struct exec_visit *
begin_visit(struct exec_home *home, struct ptah_stream *stream)
{
	struct exec_visit *visit;

	if (home->n_visits == VISITS_MAX)
		make_room(home);
	visit = home->n_visits < VISITS_MAX ? calloc(1, sizeof(*visit)) : NULL;
	if (visit == NULL) {
		home->host->drop(stream);
		return NULL;
	}
	visit->stream = stream;
	visit->next = home->visits;
	home->visits = visit;
	home->n_visits++;
	return visit;
}

void
exec_visits_accept(struct exec_home *home, const struct ptah_event *event)
{
	struct exec_visit *visit = begin_visit(home, event->stream);
	uint8_t out[EXEC_ORPORT_ROOM];

	if (visit == NULL)
		return;
	if (!home->conf->ext_orport) {
		/* Who it is has no name here: the program's own address is nobody's. */
		be_known(home, visit, 0);
		return;
	}
	if (give_time(home, visit, VISIT_NS) < 0) {
		end_visit(home, visit);
		return;
	}
	home->host->write(visit->stream, (struct ptah_span){ out, exec_orport_begin(&visit->orport, out) });
}

/* One step of the words; what it answers. */
static int
step(struct exec_home *home, struct exec_visit *visit, struct ptah_span *in, size_t *eaten)
{
	uint8_t nonce[EXEC_NONCE_LEN], out[EXEC_ORPORT_ROOM];
	size_t said;
	int rc;

	home->host->random(home->self, nonce, sizeof(nonce));
	rc = exec_orport_hear(&visit->orport, home->cookie, nonce, *in, eaten, out, &said);
	*in = ptah_span_from(*in, *eaten);
	home->host->eat(visit->stream, *eaten);
	/* So few bytes, on loopback, that they always go. */
	if (said > 0 && home->host->write(visit->stream, (struct ptah_span){ out, said }) != said)
		return -EIO;
	return rc;
}

static void
hear(struct exec_home *home, struct exec_visit *visit, const struct ptah_event *event)
{
	struct ptah_span in = event->body;
	size_t eaten;
	int rc;

	do
		rc = step(home, visit, &in, &eaten);
	while (rc == 0 && eaten > 0);
	if (rc == 0)
		return;
	if (rc < 0) {
		if (visit->orport.why != NULL)
			exec_say(home, PTAH_LOG_LEVEL_WARN, "%s", visit->orport.why);
		end_visit(home, visit);
		return;
	}
	be_known(home, visit, in.len > 0 || (event->val & PTAH_STREAM_ENDED) != 0);
}

int
exec_visits_hear(struct exec_home *home, const struct ptah_event *event)
{
	const int64_t said = PTAH_STREAM_INPUT | PTAH_STREAM_ENDED;
	struct exec_visit *visit = home->visits;

	while (visit != NULL && visit->stream != event->stream)
		visit = visit->next;
	if (visit == NULL)
		return 0;
	if ((event->val & PTAH_STREAM_FAILED) != 0)
		unlink_visit(home, visit);
	else if (visit->known && (event->val & said) != 0)
		end_known(home, visit);
	else if (!visit->known && (event->val & PTAH_STREAM_INPUT) != 0)
		hear(home, visit, event);
	else if (!visit->known && (event->val & PTAH_STREAM_ENDED) != 0)
		end_visit(home, visit);
	return 1;
}

void
exec_visits_timer(struct exec_home *home)
{
	uint64_t now = home->host->now_ns(home->self), soonest = 0;
	struct exec_visit *next;

	home->look_ns = 0;
	for (struct exec_visit *visit = home->visits; visit != NULL; visit = next) {
		next = visit->next;
		if (visit->due_ns > now)
			soonest = soonest == 0 || visit->due_ns < soonest ? visit->due_ns : soonest;
		else if (visit->known)
			end_known(home, visit);
		else
			end_visit(home, visit);
	}
	if (soonest == 0)
		return;
	if (home->host->timer(home->self, EXEC_T_VISITS, soonest - now) == 0)
		home->look_ns = soonest;
}

void
exec_visits_close(struct exec_home *home)
{
	while (home->visits != NULL)
		end_visit(home, home->visits);
	if (home->cookie_path[0] != '\0')
		(void)remove(home->cookie_path);
	sodium_free(home->cookie);
	home->cookie = NULL;
}
