/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * loop/dns.h: names to addresses, without waiting.
 *
 * Reads the system's resolver settings and hosts file when the first name comes, not before.
 *
 * Threads: the worker's own.
 */
#ifndef PTAH_LOOP_DNS_H
#define PTAH_LOOP_DNS_H

#include "base/addr.h"

struct ptah_worker;
struct ptah_dns;

/** rc 0 with n > 0 addresses (v6 and v4 in the resolver's order), or -EHOSTUNREACH, -ENOMEM. */
typedef void ptah_dns_fn(int rc, const struct ptah_addr *addrs, size_t n, void *arg);

/**
 * Resolve 'host' to addresses of 'family' (AF_UNSPEC: any) with 'port'.
 * Gives: a request that ends by its callback (never from inside this call) or by ptah_dns_cancel().
 * Fails: NULL and errno.
 */
struct ptah_dns *ptah_dns_resolve(struct ptah_worker *worker, const char *host, uint16_t port, int family, ptah_dns_fn *fn,
    void *arg);
void ptah_dns_cancel(struct ptah_dns *request);
/** For the worker's death. */
void ptah_dns_free(struct ptah_worker *worker);

#endif
