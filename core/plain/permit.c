/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/permit.h"

#include <stddef.h>

#include "relay/link.h"
#include "wire/gate.h"
#include "wire/listen.h"

int
ptah_permit_accepted(struct ptah_permit *permit, struct ptah_issuer *issuer, const struct ptah_addr *from)
{
	*permit = (struct ptah_permit){ .issuer = issuer, .in = true };
	int rc = ptah_gate_sit(issuer->gate, issuer->stats, from, &permit->seat);
	if (rc != 0)
		ptah_permit_return(permit);
	return rc;
}

void
ptah_permit_stranger(struct ptah_permit *permit, struct ptah_issuer *issuer)
{
	*permit = (struct ptah_permit){ .issuer = issuer };
	ptah_quota_add(issuer->quota);
}

int
ptah_permit_admit(struct ptah_permit *permit, const struct ptah_addr *from)
{
	int rc = ptah_gate_admit(permit->issuer->gate, permit->issuer->stats, from, &permit->seat);

	permit->in = rc == 0;
	return rc;
}

int
ptah_permit_take(struct ptah_permit *permit, struct ptah_issuer *issuer, const struct ptah_addr *from)
{
	ptah_permit_stranger(permit, issuer);
	int rc = ptah_permit_admit(permit, from);
	if (rc != 0)
		ptah_permit_return(permit);
	return rc;
}

void
ptah_permit_return(struct ptah_permit *permit)
{
	if (permit->issuer == NULL)
		return;
	ptah_seat_leave(permit->seat);
	if (permit->in)
		ptah_gate_leave(permit->issuer->gate);
	ptah_quota_release(permit->issuer->quota);
	*permit = (struct ptah_permit){ NULL, NULL, false };
}

struct ptah_issuer *
ptah_permit_stand_up(struct ptah_permit *permit)
{
	struct ptah_issuer *issuer = permit->issuer;

	ptah_seat_leave(permit->seat);
	*permit = (struct ptah_permit){ NULL, NULL, false };
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

/* An idle link has no room for a permit of its own: it knows its seat, which knows the issuer, or else the issuer. */
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
ptah_permit_to_link(struct ptah_permit *permit, struct ptah_link *link)
{
	if (permit->seat != NULL) {
		permit->seat->owner = permit->issuer;
		ptah_link_own(link, &seated_ops, permit->seat);
	} else {
		ptah_link_own(link, &ops, permit->issuer);
	}
	*permit = (struct ptah_permit){ NULL, NULL, false };
}
