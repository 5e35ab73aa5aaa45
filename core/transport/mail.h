/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/mail.h: letters between a home and its links.
 *
 * A letter is a copy, and arrives by EV_MAIL; one to a life that has ended is
 * dropped.  Letters go from one life of an instance to another of the same.
 *
 * Threads: the sender's worker; delivery on the receiver's.
 */
#ifndef PTAH_TRANSPORT_MAIL_H
#define PTAH_TRANSPORT_MAIL_H

#include "transport/self.h"

/** Longest letter, and most bytes of one instance that are under way. */
#define PTAH_MAIL_MAX ((size_t)64 * 1024)
#define PTAH_MAIL_UNDER_WAY ((size_t)8 * 1024 * 1024)

/** The mail address of a link, made with the first call; 0 if that is not possible. */
uint64_t ptah_mail_id(struct ptah_self *self);
/** Send.  -EMSGSIZE, -ENOBUFS (too much is under way), -ENOMEM, -EINVAL. */
int ptah_mail_send(struct ptah_self *self, uint64_t to, struct ptah_span body);
/** The address is no more. */
void ptah_mail_forget(struct ptah_self *self);

#endif
