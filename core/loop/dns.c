/* SPDX-License-Identifier: BSD-3-Clause */
#include "loop/dns.h"

#include <errno.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "loop/worker.h"

#define ADDRS_MAX 16
#define LABEL_MAX 63
#define NAME_MAX_LEN 253

struct ptah_dns {
	struct ptah_worker *worker;
	struct evdns_getaddrinfo_request *request;
	struct event *later; /* an answer that was there at once waits a turn */
	ptah_dns_fn *fn;
	void *arg;
	bool inside, canceled, answered;
	int rc;
	size_t n;
	struct ptah_addr addrs[ADDRS_MAX];
};

/* The resolver would only say "unknown error" for these. */
static bool
can_be_a_name(const char *host)
{
	size_t label = 0, len = strlen(host);

	if (len == 0 || len > NAME_MAX_LEN + (host[len - 1] == '.'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (host[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if (++label > LABEL_MAX) {
			return false;
		}
	}
	return true;
}

static struct evdns_base *
resolver(struct ptah_worker *worker)
{
	if (worker->dns != NULL)
		return worker->dns;
	worker->dns = evdns_base_new(worker->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (worker->dns == NULL)
		return NULL;
	/*
	 * No nameserver at all is not fatal: the hosts file may know the name.  Lines for which there is no memory are
	 * left out without a word, but for errno; half a resolver would be there for good, so rather none for now.
	 */
	errno = 0;
	(void)evdns_base_resolv_conf_parse(worker->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
	if (errno == ENOMEM) {
		evdns_base_free(worker->dns, 0);
		worker->dns = NULL;
	}
	return worker->dns;
}

static void
finish(struct ptah_dns *dns)
{
	ptah_dns_fn *fn = dns->fn;

	if (dns->later != NULL)
		event_free(dns->later);
	fn(dns->rc, dns->addrs, dns->n, dns->arg);
	free(dns);
}

static void
on_later(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	finish(arg);
}

static void
on_answer(int result, struct evutil_addrinfo *list, void *arg)
{
	struct ptah_dns *dns = arg;

	dns->request = NULL;
	if (dns->canceled) {
		if (list != NULL)
			evutil_freeaddrinfo(list);
		free(dns);
		return;
	}
	dns->answered = true;
	for (struct evutil_addrinfo *ai = list; ai != NULL && dns->n < ADDRS_MAX; ai = ai->ai_next)
		if (ai->ai_family == AF_INET || ai->ai_family == AF_INET6)
			ptah_addr_from_sockaddr(&dns->addrs[dns->n++], ai->ai_addr);
	if (list != NULL)
		evutil_freeaddrinfo(list);
	dns->rc = dns->n > 0 ? 0 : result == EVUTIL_EAI_MEMORY ? -ENOMEM : -EHOSTUNREACH;
	if (!dns->inside)
		finish(dns);
}

static struct ptah_dns *
answer_later(struct ptah_dns *dns)
{
	static const struct timeval at_once = { 0, 0 };

	dns->later = evtimer_new(dns->worker->base, on_later, dns);
	if (dns->later == NULL || event_add(dns->later, &at_once) == -1) {
		if (dns->later != NULL)
			event_free(dns->later);
		free(dns);
		errno = ENOMEM;
		return NULL;
	}
	return dns;
}

struct ptah_dns *
ptah_dns_resolve(struct ptah_worker *worker, const char *host, uint16_t port, int family, ptah_dns_fn *fn, void *arg)
{
	struct evutil_addrinfo hints = {
		.ai_family = family,
		.ai_socktype = SOCK_STREAM,
		.ai_protocol = IPPROTO_TCP,
		.ai_flags = EVUTIL_AI_NUMERICSERV,
	};
	struct ptah_dns *dns = calloc(1, sizeof(*dns));
	char service[8];

	if (dns == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	dns->worker = worker;
	dns->fn = fn;
	dns->arg = arg;
	if (!can_be_a_name(host)) {
		dns->rc = -EHOSTUNREACH;
		return answer_later(dns);
	}

	struct evdns_base *base = resolver(worker);
	if (base == NULL) {
		free(dns);
		errno = ENOMEM;
		return NULL;
	}
	evutil_snprintf(service, sizeof(service), "%u", port);
	dns->inside = true;
	dns->request = evdns_getaddrinfo(base, host, service, &hints, on_answer, dns);
	dns->inside = false;
	return dns->answered ? answer_later(dns) : dns;
}

void
ptah_dns_cancel(struct ptah_dns *request)
{
	if (request == NULL)
		return;
	if (request->later != NULL) {
		event_free(request->later);
		free(request);
		return;
	}
	request->canceled = true;
	/* Its callback runs with EAI_CANCEL, perhaps not before we return, and frees. */
	evdns_getaddrinfo_cancel(request->request);
}

void
ptah_dns_free(struct ptah_worker *worker)
{
	if (worker->dns == NULL)
		return;
	evdns_base_free(worker->dns, 0);
	worker->dns = NULL;
}
