/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/proxyhdr.h: the PROXY protocol's header, which tells the target who
 * the client behind us is.
 *
 * Source: The PROXY protocol, versions 1 and 2 (haproxy.org).
 */
#ifndef PTAH_PLAIN_PROXYHDR_H
#define PTAH_PLAIN_PROXYHDR_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/** Longest header of either version. */
#define PTAH_PROXYHDR_MAX 108

/**
 * Write the header for a connection from 'peer' to 'local', the address that
 * it was accepted on.  Either may be NULL or without an address: then the
 * header says that they are not known.
 * Returns its length; 0 for version 0 (no header).
 */
size_t ptah_proxyhdr_make(unsigned version, const struct ptah_addr *peer, const struct ptah_addr *local,
    uint8_t out[static PTAH_PROXYHDR_MAX]);

#endif
