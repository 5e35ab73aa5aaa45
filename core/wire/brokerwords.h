/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * wire/brokerwords.h: what a process that may not dial says to the one that
 * dials for it, and hears.  One message each on a SOCK_SEQPACKET socket; both
 * sides are the same program.
 */
#ifndef PTAH_WIRE_BROKERWORDS_H
#define PTAH_WIRE_BROKERWORDS_H

#include <stdint.h>

#include "base/addr.h"

#define PTAH_BROKER_DIAL 1u   /* answered once */
#define PTAH_BROKER_CANCEL 2u /* not answered; that the answer is on its way already is no fault */

/** Asked.  Cut behind the text's NUL. */
struct ptah_broker_ask {
	uint64_t id; /* the asker's */
	uint32_t what;
	char dest[PTAH_DEST_TEXT]; /* of a DIAL */
};

#define PTAH_BROKER_SECRET 32

/** Answered; with a connected descriptor if 'rc' is 0. */
struct ptah_broker_answer {
	uint64_t id;
	int32_t rc;
	int32_t secret_rc; /* -ENOENT: none belongs to it */
	uint8_t secret[PTAH_BROKER_SECRET];
	char reason[160]; /* "": none */
};

#endif
