/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/pass.h"

#include <stddef.h>

#include "relay/link.h"
#include "wire/gate.h"
#include "wire/listen.h"

int
ptah_pass_accepted(struct ptah_pass *pass, struct ptah_issuer *issuer, const struct ptah_addr *from)
{
	*pass = (struct ptah_pass){ .issuer = issuer, .in = true };
	int rc = ptah_gate_sit(issuer->gate, issuer->stats, from, &pass->seat);
	if (rc != 0)
		ptah_pass_return(pass);
	return rc;
}

void
ptah_pass_stranger(struct ptah_pass *pass, struct ptah_issuer *issuer)
{
	*pass = (struct ptah_pass){ .issuer = issuer };
	ptah_quota_add(issuer->quota);
}

int
ptah_pass_admit(struct ptah_pass *pass, const struct ptah_addr *from)
{
	int rc = ptah_gate_admit(pass->issuer->gate, pass->issuer->stats, from, &pass->seat);

	pass->in = rc == 0;
	return rc;
}

int
ptah_pass_take(struct ptah_pass *pass, struct ptah_issuer *issuer, const struct ptah_addr *from)
{
	ptah_pass_stranger(pass, issuer);
	int rc = ptah_pass_admit(pass, from);
	if (rc != 0)
		ptah_pass_return(pass);
	return rc;
}

void
ptah_pass_return(struct ptah_pass *pass)
{
	if (pass->issuer == NULL)
		return;
	ptah_seat_leave(pass->seat);
	if (pass->in)
		ptah_gate_leave(pass->issuer->gate);
	ptah_quota_release(pass->issuer->quota);
	*pass = (struct ptah_pass){ NULL, NULL, false };
}

struct ptah_issuer *
ptah_pass_stand_up(struct ptah_pass *pass)
{
	struct ptah_issuer *issuer = pass->issuer;

	ptah_seat_leave(pass->seat);
	*pass = (struct ptah_pass){ NULL, NULL, false };
	return issuer;
}

void
ptah_issuer_take_back(void *arg)
{
	struct ptah_issuer *issuer = arg;

	ptah_gate_leave(issuer->gate);
	ptah_quota_release(issuer->quota);
}

/* ---- one that a link has ------------------------------------------------------- */

/* An idle link has no room for a pass of its own: it knows its seat, which knows the issuer, or else the issuer. */
static void
on_closed(int rc, void *arg)
{
	(void)rc;
	ptah_issuer_take_back(arg);
}

static void
on_seated_closed(int rc, void *arg)
{
	struct ptah_seat *seat = arg;
	struct ptah_issuer *issuer = seat->owner;

	(void)rc;
	ptah_seat_leave(seat);
	ptah_issuer_take_back(issuer);
}

static const struct ptah_link_ops ops = { .on_closed = on_closed };
static const struct ptah_link_ops seated_ops = { .on_closed = on_seated_closed };

void
ptah_pass_to_link(struct ptah_pass *pass, struct ptah_link *link)
{
	if (pass->seat != NULL) {
		pass->seat->owner = pass->issuer;
		ptah_link_own(link, &seated_ops, pass->seat);
	} else {
		ptah_link_own(link, &ops, pass->issuer);
	}
	*pass = (struct ptah_pass){ NULL, NULL, false };
}
