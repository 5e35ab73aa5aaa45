/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * hourmark.h: the end of a handshake message of obfs4 and ScrambleSuit, by
 * which who knows the key finds where it ends and that it is good.
 *
 *     | first bytes | padding | mark 16 | MAC 16 |
 *
 * The mark is the HMAC of the first bytes; the MAC that of all before it and
 * of the hour, which is not sent.  Both are cut to 16 bytes.
 */
#ifndef PTAH_COMMON_HOURMARK_H
#define PTAH_COMMON_HOURMARK_H

#include <stddef.h>
#include <stdint.h>

#include <ptah/host.h>

#include "epoch.h"
#include "hmac.h"

#define PTAH_MARK_LEN 16u
#define PTAH_MARK_TRAILER_LEN (2 * PTAH_MARK_LEN) /* mark and MAC */

/** The mark of 'first'.  -ENOMEM, as all below. */
int ptah_mark_make(struct ptah_hmac *hmac, struct ptah_span key, struct ptah_span first, uint8_t mark[static PTAH_MARK_LEN]);
/** The MAC of 'bytes', in this hour. */
int ptah_mark_mac(struct ptah_hmac *hmac, struct ptah_span key, struct ptah_span bytes, uint64_t hour,
    uint8_t mac[static PTAH_MARK_LEN]);
/** Is 'mac' that of 'bytes' in this hour?  1 or 0, in a time that tells nothing. */
int ptah_mark_is(struct ptah_hmac *hmac, struct ptah_span key, struct ptah_span bytes, uint64_t hour, const uint8_t *mac);
/**
 * Is 'mac' that of 'bytes' in this hour, the one before it or the one behind
 * it?  1, and which; 0.  All three are looked at, whichever it is.
 */
int ptah_mark_hour(struct ptah_hmac *hmac, struct ptah_span key, struct ptah_span bytes, const uint8_t *mac,
    uint64_t hour, uint64_t *found);
/**
 * Of a MAC that is of none of the three: by how many hours is its sender's
 * clock before (above 0) or behind ours, at most a day?  0: it is not the clock.
 */
int ptah_mark_skew(struct ptah_hmac *hmac, struct ptah_span key, struct ptah_span bytes, const uint8_t *mac, uint64_t hour);
/** Say so in a server's log; 'protocol' by its own name. */
void ptah_mark_log_skew(const struct ptah_host *host, struct ptah_self *self, const char *protocol, int skew);

#endif
