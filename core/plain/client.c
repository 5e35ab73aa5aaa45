/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/flag.h"
#include "loop/deadline.h"
#include "loop/end.h"
#include "loop/worker.h"
#include "plain/linger.h"
#include "plain/permit.h"
#include "plain/socks.h"
#include "relay/flock.h"
#include "relay/link.h"
#include "wire/gate.h"

struct ptah_client {
	struct ptah_worker *worker;
	struct ptah_stats *stats;
	struct ptah_client_how how;
	struct ptah_listener *listener;
	struct ptah_flock *flock;
	struct ptah_issuer issuer;
	struct guest *guests; /* list: those in their SOCKS handshake */
	unsigned n_guests;
	struct ptah_often refused, no_address, no_memory;
};

/* An application, until its link relays. */
struct guest {
	struct guest *prev, *next;
	struct ptah_client *client;
	struct ptah_permit permit;
	struct ptah_end end;
	struct ptah_deadline deadline;
	struct ptah_socks socks;
};

static void
guest_forget(struct guest *guest)
{
	struct ptah_client *client = guest->client;

	ptah_deadline_clear(&guest->deadline);
	if (guest->prev != NULL)
		guest->prev->next = guest->next;
	else
		client->guests = guest->next;
	if (guest->next != NULL)
		guest->next->prev = guest->prev;
	client->n_guests--;
	ptah_flock_leave(client->flock);
}

/* The last of a guest, wherever it got to. */
static void
guest_free(struct guest *guest)
{
	ptah_end_close(&guest->end);
	ptah_socks_clear(&guest->socks);
	ptah_permit_return(&guest->permit);
	free(guest);
}

/* The last of a guest but for these words, which its connection is closed behind. */
static void
guest_part(struct guest *guest, int fd, struct ptah_span words)
{
	struct ptah_worker *worker = guest->client->worker;
	struct ptah_issuer *issuer = ptah_permit_stand_up(&guest->permit);

	guest_free(guest);
	ptah_linger_begin(worker, fd, words, ptah_issuer_take_back, issuer);
}

/* ---- the link of a guest ------------------------------------------------------ */

static struct ptah_span
on_link_open(struct ptah_link *link, void *arg)
{
	struct guest *guest = arg;
	struct ptah_client *client = guest->client;
	static _Thread_local uint8_t reply[PTAH_SOCKS_REPLY_MAX];
	size_t len = client->how.socks ? ptah_socks_reply(client->how.dialect, guest->socks.method, PTAH_REP_OK, reply) : 0;

	ptah_permit_to_link(&guest->permit, link);
	guest_free(guest);
	return (struct ptah_span){ reply, len };
}

static void
say_no_memory(struct ptah_client *client)
{
	ptah_warn_often(&client->no_memory, AREA_SOCKS, "out of memory: an application is turned away");
}

/* Say why not, and close. */
static void
refuse(struct guest *guest, int fd, unsigned rep)
{
	struct ptah_client *client = guest->client;
	uint8_t reply[PTAH_SOCKS_REPLY_MAX];
	size_t len = 0;

	if (client->how.socks)
		len = ptah_socks_reply(client->how.dialect, guest->socks.method, rep, reply);
	guest_part(guest, fd, (struct ptah_span){ reply, len });
}

static void
on_link_failed(int plain_fd, int rc, const char *reason, void *arg)
{
	(void)reason; /* the link has logged it */
	/* One that was told to end failed all the same. */
	refuse(arg, plain_fd, rc < 0 ? ptah_socks_rep(rc) : PTAH_REP_GENERAL);
}

static const struct ptah_link_ops guest_ops = {
	.on_open = on_link_open,
	.on_failed = on_link_failed,
};

/* Which address is dialled?  "" in *server: none, and that is fine.  A SOCKS reply code. */
static unsigned
choose_server(const struct guest *guest, const struct ptah_args *args, struct ptah_dest *server)
{
	struct ptah_instance *top = guest->client->how.instance;
	const struct ptah_module *module = top->module, *bottom = ptah_instance_bottom(top)->module;
	bool needed = (bottom->abilities & PTAH_NO_ADDRESS) == 0 && bottom->endpoint == NULL;

	/* The destination of a free transport is where the stream goes, not where we dial. */
	if (guest->client->how.socks && (module->abilities & PTAH_IS_FREE) == 0)
		return ptah_socks_choose(&guest->socks, args->server, args->server_is_own, needed, server);
	server->host[0] = '\0';
	if (args->server[0] == '\0')
		return needed ? PTAH_REP_SETTINGS : PTAH_REP_OK;
	return ptah_dest_parse(server, args->server, false) == 0 ? PTAH_REP_OK : PTAH_REP_SETTINGS;
}

/* The application has said what it wants.  'early' are bytes behind its request. */
static void
begin_link(struct guest *guest, struct ptah_span early)
{
	struct ptah_client *client = guest->client;
	struct ptah_instance *instance = client->how.instance;
	struct ptah_args args;
	struct ptah_dest server = { .host = "" };
	char why[256], dest[PTAH_DEST_TEXT];
	int fd = ptah_end_take_fd(&guest->end);
	int rc = ptah_args_make(&args, instance, guest->socks.args, why, sizeof(why));
	unsigned rep;

	guest_forget(guest);
	if (rc != 0) {
		if (rc == -EINVAL)
			ptah_warn_often(&client->refused, AREA_SOCKS, "%s: settings refused: %s", instance->name, why);
		else
			say_no_memory(client);
		refuse(guest, fd, rc == -EINVAL ? PTAH_REP_SETTINGS : PTAH_REP_GENERAL);
		return;
	}
	rep = choose_server(guest, &args, &server);
	if (rep != PTAH_REP_OK) {
		if (rep == PTAH_REP_SETTINGS)
			ptah_warn_often(&client->no_address, AREA_SOCKS,
			    "%s: no server address: give \"serverAddress\" in the options, or a destination", instance->name);
		ptah_args_free(&args);
		refuse(guest, fd, rep);
		return;
	}

	struct ptah_link_client how = {
		.instance = instance,
		.how = client->how.dial,
		.plain_fd = fd,
		.early = early,
		.args = &args,
		.server = server.host[0] != '\0' ? &server : NULL,
		.dial_ms = client->how.dial_ms,
	};
	const struct ptah_dest *asked = &guest->socks.dest;
	bool elsewhere = (instance->module->abilities & PTAH_IS_FREE) != 0 ||
	    strcmp(asked->host, server.host) != 0 || asked->port != server.port;
	if (asked->host[0] != '\0' && elsewhere)
		how.dest = ptah_dest_format(&guest->socks.dest, dest);
	struct ptah_link *link = ptah_link_client_new(client->worker, &how, &guest_ops, guest);
	if (link == NULL) {
		ptah_args_free(&args);
		say_no_memory(client);
		refuse(guest, fd, PTAH_REP_GENERAL);
		return;
	}
	ptah_link_go(link);
}

/* ---- SOCKS ---------------------------------------------------------------------- */

/* The machine has said its last word, which may be none. */
static void
finish_socks(struct guest *guest)
{
	struct ptah_socks *socks = &guest->socks;
	uint8_t words[sizeof(socks->out)];
	size_t len = socks->status == PTAH_SOCKS_FAILED ? socks->out_len : 0;
	int fd = ptah_end_take_fd(&guest->end);

	ptah_debug(AREA_SOCKS, "refused: %s", socks->why);
	memcpy(words, socks->out, len);
	guest_forget(guest);
	if (len > 0) {
		guest_part(guest, fd, (struct ptah_span){ words, len });
		return;
	}
	close(fd);
	guest_free(guest);
}

static void
on_deadline(struct ptah_deadline *deadline, void *arg)
{
	struct guest *guest = arg;

	(void)deadline;
	ptah_socks_timeout(&guest->socks);
	finish_socks(guest);
}

static void
on_readable(struct ptah_end *end)
{
	struct guest *guest = end->arg;
	struct ptah_client *client = guest->client;
	struct ptah_socks *socks = &guest->socks;
	uint8_t *scratch = ptah_worker_scratch_in(client->worker);
	bool hurried = socks->hurry;

	ssize_t n = scratch == NULL ? -ENOMEM : ptah_end_read(end, scratch, PTAH_SCRATCH_LEN);
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		ptah_socks_timeout(socks);
		finish_socks(guest);
		return;
	}
	size_t eaten = ptah_socks_feed(socks, (struct ptah_span){ scratch, (size_t)n });
	bool refused = socks->status == PTAH_SOCKS_FAILED || socks->status == PTAH_SOCKS_CLOSED;

	/* There may have been a password among it, and scratch lives as long as the worker. */
	explicit_bzero(scratch, refused ? (size_t)n : eaten);
	if (refused) {
		finish_socks(guest);
		return;
	}
	if (socks->out_len > 0) {
		if (ptah_end_write(end, socks->out, socks->out_len) != 0) {
			/* Two bytes that do not fit: this peer does not read. */
			socks->status = PTAH_SOCKS_CLOSED;
			socks->why = "it does not read our answers";
			finish_socks(guest);
			return;
		}
		socks->out_len = 0;
	}
	if (socks->status == PTAH_SOCKS_REQUEST)
		begin_link(guest, (struct ptah_span){ scratch + eaten, (size_t)n - eaten });
	else if (socks->hurry && !hurried &&
	    ptah_deadline_set(client->worker, &guest->deadline, PTAH_SOCKS_HURRY_MS, on_deadline, guest) != 0)
		on_deadline(&guest->deadline, guest);
}

static void
on_drained(struct ptah_end *end)
{
	(void)end; /* nothing is ever kept */
}

static void
on_broken(struct ptah_end *end, int rc)
{
	(void)end;
	(void)rc;
}

static const struct ptah_end_ops end_ops = { on_readable, on_drained, on_broken };

/* ---- the port ------------------------------------------------------------------------ */

static void
on_accept(int fd, const struct ptah_addr *peer, void *arg)
{
	struct ptah_client *client = arg;
	struct ptah_permit permit;
	int rc = ptah_permit_accepted(&permit, &client->issuer, peer);
	struct guest *guest = rc == 0 ? calloc(1, sizeof(*guest)) : NULL;

	if (rc == -EUSERS) {
		ptah_gate_reset(fd);
		return;
	}
	if (guest == NULL || ptah_end_open(&guest->end, client->worker, fd, &end_ops, guest) != 0) {
		say_no_memory(client);
		free(guest);
		close(fd);
		ptah_permit_return(&permit);
		return;
	}
	guest->client = client;
	guest->permit = permit;
	guest->next = client->guests;
	if (guest->next != NULL)
		guest->next->prev = guest;
	client->guests = guest;
	client->n_guests++;
	ptah_flock_enter(client->flock);
	ptah_socks_init(&guest->socks, client->how.dialect, client->how.legacy80);
	if (!client->how.socks) {
		begin_link(guest, (struct ptah_span){ NULL, 0 });
		return;
	}
	if (ptah_end_read_start(&guest->end) != 0 ||
	    ptah_deadline_set(client->worker, &guest->deadline, PTAH_SOCKS_HANDSHAKE_MS, on_deadline, guest) != 0) {
		say_no_memory(client);
		guest_forget(guest);
		guest_free(guest);
	}
}

struct ptah_client *
ptah_client_new(struct ptah_worker *worker, const struct ptah_client_how *how, int listen_fd)
{
	struct ptah_client *client = calloc(1, sizeof(*client));

	if (client == NULL) {
		close(listen_fd);
		errno = ENOMEM;
		return NULL;
	}
	client->worker = worker;
	client->stats = ptah_instance_stats(how->instance, worker);
	client->how = *how;
	client->issuer = (struct ptah_issuer){ how->quota, how->gate, client->stats };
	client->flock = ptah_flock_of(worker, how->instance);
	if (client->flock == NULL) {
		close(listen_fd);
	} else {
		client->listener = ptah_listener_new(worker, listen_fd, how->quota, how->gate, on_accept, client);
		ptah_listener_count(client->listener, client->stats);
	}
	if (client->listener == NULL) {
		free(client);
		errno = ENOMEM;
		return NULL;
	}
	return client;
}

void
ptah_client_shut(struct ptah_client *client, bool drain)
{
	ptah_listener_free(client->listener, drain);
	client->listener = NULL;
}

unsigned
ptah_client_waiting(const struct ptah_client *client)
{
	return client->n_guests;
}

void
ptah_client_free(struct ptah_client *client)
{
	if (client == NULL)
		return;
	ptah_client_shut(client, false);
	ptah_linger_end_of(client->worker, &client->issuer);
	while (client->guests != NULL) {
		struct guest *guest = client->guests;

		guest_forget(guest);
		guest_free(guest);
	}
	free(client);
}
