/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * control/request.h: a request of HTTP/1, as far as a server must know it that
 * only shows things: GET and HEAD, no body.
 *
 * A pure parser: RFC 9112 where it matters, and where the RFC lets a server
 * choose, the narrower choice.
 */
#ifndef PTAH_CONTROL_REQUEST_H
#define PTAH_CONTROL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include <ptah/span.h>

/** Longest request, with all its lines. */
#define PTAH_REQUEST_MAX 8192
/** Longest path that anything is under, and longest name of a host. */
#define PTAH_REQUEST_PATH 128
#define PTAH_REQUEST_HOST 256

struct ptah_request {
	bool head;                    /* HEAD: as GET, without the body */
	char path[PTAH_REQUEST_PATH]; /* begins with a slash; without what stands behind '?' */
	char host[PTAH_REQUEST_HOST]; /* as said, with its port; "": HTTP/1.0 that said none */
};

/**
 * Read one from the front of 'in'.
 * Returns its length; 0 if it is not whole yet; or minus the status that says what is wrong with it (-400 ...).
 */
long ptah_request_parse(struct ptah_request *out, struct ptah_span in);

/**
 * Is this a name that only this machine has: an address of the loopback, or localhost, with or without a port?
 *
 * A page of somebody else's that a browser shows may point its own name at us, and would then be us to the browser
 * ("DNS rebinding"); but its name is not one of these.
 */
bool ptah_request_host_is_local(const char *host);

#endif
