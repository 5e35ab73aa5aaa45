/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/checks.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "doctor/holder.h"

/* So long a target, a proxy or a name may take. */
#define ANSWER_MS 3000

/* ---- to listen ---------------------------------------------------------------------- */

static int
open_bound(const struct ptah_addr *addr, bool udp)
{
	int fd = socket(addr->sa.sa_family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, rc = fd == -1 ? -errno : 0;

	if (rc == 0 && !udp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1)
		rc = -errno;
	if (rc == 0 && bind(fd, &addr->sa, ptah_addr_len(addr)) == -1)
		rc = -errno;
	if (rc == 0 && !udp && ptah_addr_port(addr) != 0 && listen(fd, 1) == -1)
		rc = -errno;
	if (fd != -1)
		close(fd);
	return rc;
}

bool
ptah_check_is_here(const struct ptah_addr *addr)
{
	struct ptah_addr any = *addr;

	ptah_addr_set_port(&any, 0);
	return open_bound(&any, true) == 0;
}

/* A machine without it has no address of its kind, not even ::1. */
static bool
has_ipv6(void)
{
	FILE *file = fopen("/proc/net/if_inet6", "re");
	bool any = file && fgetc(file) != EOF;

	if (file)
		fclose(file);
	return any;
}

static bool
may_bind_any(const struct ptah_exam *exam, const struct ptah_case *one)
{
	/* A capability of the file, as setcap gives it. */
	if (one->program && getxattr(one->program, "security.capability", NULL, 0) > 0)
		return true;
	return !one->line && exam->unit.may_bind;
}

static void
say_privileged(struct ptah_exam *exam, const struct ptah_case *one, const char *text, const struct ptah_addr *addr)
{
	unsigned port = ptah_addr_port(addr);

	if (may_bind_any(exam, one))
		return;
	ptah_exam_fault(exam, one, "%s may not listen on %s: ports below 1024 are for root",
	    ptah_guise_name(&exam->guise), text);
	if (one->line) {
		ptah_exam_cure(exam, "setcap cap_net_bind_service=+ep %s", one->program);
		ptah_exam_cure(exam, "and, if systemd starts Tor: systemctl edit tor@default, [Service], NoNewPrivileges=no");
	} else if (exam->unit.path && one->service) { /* of no use to the metrics, which take no socket of the manager's */
		ptah_exam_cure(exam, "\"listen\": \"fd:web\" in %s", one->where);
		ptah_exam_cure(exam, "and ptah.socket with FileDescriptorName=web and ListenStream=%u: systemctl enable --now ptah.socket", port);
	} else {
		ptah_exam_cure(exam, "listen on a port of 1024 or above in %s, or: sysctl net.ipv4.ip_unprivileged_port_start=%u",
		    one->where, port);
	}
}

static void
say_in_use(struct ptah_exam *exam, const struct ptah_case *one, const char *text, const struct ptah_addr *addr, bool udp)
{
	struct ptah_holder holder;

	ptah_guise_drop(&exam->guise);
	ptah_holder_find(&holder, addr, udp);
	ptah_guise_wear(&exam->guise);
	/* What is looked at may run already. */
	if (holder.pid != 0 && strcmp(holder.name, "ptah") == 0) {
		ptah_exam_fine(exam, one, "%s is in use by ptah itself (process %d)", text, (int)holder.pid);
		return;
	}
	if (holder.pid != 0)
		ptah_exam_fault(exam, one, "%s is in use by %s (process %d)", text, holder.name, (int)holder.pid);
	else
		ptah_exam_fault(exam, one, "%s is in use by another program", text);
	if (holder.pid != 0)
		ptah_exam_cure(exam, "end it (systemctl status %d says what it belongs to), or change the port in %s", (int)holder.pid, one->where);
	else
		ptah_exam_cure(exam, "find it as root (ss -%slnp 'sport = :%u') and end it, or change the port in %s", udp ? "u" : "t",
		    ptah_addr_port(addr), one->where);
}

static void
try_bind(struct ptah_exam *exam, const struct ptah_case *one, const struct ptah_addr *addr)
{
	bool udp = ptah_case_serves(one) ? one->messages : ptah_case_is_udp(one);
	char text[PTAH_ADDR_TEXT];
	int rc = addr->sa.sa_family == AF_INET6 && !has_ipv6() ? 0 : open_bound(addr, udp); /* that is said by its own row */

	ptah_addr_format(addr, text);
	if (rc == -EACCES || rc == -EPERM) {
		say_privileged(exam, one, text, addr);
	} else if (rc == -EADDRINUSE) {
		say_in_use(exam, one, text, addr, udp);
	} else if (rc == -EADDRNOTAVAIL) {
		ptah_exam_fault(exam, one, "%s is not an address of this machine", text);
		ptah_exam_cure(exam, "change it in %s: 0.0.0.0:%u is every address; ip -brief address lists those there are",
		    one->where, ptah_addr_port(addr));
	} else if (rc != 0) {
		ptah_exam_fault(exam, one, "cannot listen on %s: %s", text, strerror(-rc));
		ptah_exam_cure(exam, "change the address in %s", one->where);
	}
}

/* The figures' port, as if it were a service: it is bound as theirs are. */
static bool
try_metrics(struct ptah_exam *exam)
{
	struct ptah_plan plan = { .role = PTAH_ROLE_SERVER, .mode = PTAH_MODE_TCP };
	struct ptah_case metrics = { .plan = &plan, .label = "metrics" };

	if (exam->file.metrics.sa.sa_family == AF_UNSPEC)
		return false;
	snprintf(metrics.where, sizeof(metrics.where), "\"metrics\" of %.400s", exam->path);
	try_bind(exam, &metrics, &exam->file.metrics);
	return true;
}

bool
ptah_check_bind(struct ptah_exam *exam)
{
	bool any = try_metrics(exam);

	for (size_t i = 0; i < exam->n_cases; i++) {
		const struct ptah_case *one = &exam->cases[i];
		const struct ptah_addr *addr;

		for (size_t k = 0; (addr = ptah_case_listen(one, k)); k++) {
			any = true;
			try_bind(exam, one, addr);
		}
		if (one->plan->bounds.interface[0] && if_nametoindex(one->plan->bounds.interface) == 0) {
			ptah_exam_fault(exam, one, "there is no interface %s", one->plan->bounds.interface);
			ptah_exam_cure(exam, "change \"interface\" in %s: ip -brief link lists those there are", one->where);
		}
	}
	return any;
}

bool
ptah_check_activation(struct ptah_exam *exam)
{
	bool any = false;

	for (size_t i = 0; i < exam->n_cases; i++) {
		const struct ptah_case *one = &exam->cases[i];
		const struct ptah_unit_socket *found = NULL;

		if (!one->plan->activation)
			continue;
		any = true;
		for (size_t k = 0; k < exam->unit.n_sockets && !found; k++)
			if (strcmp(exam->unit.sockets[k].name, one->plan->activation) == 0)
				found = &exam->unit.sockets[k];
		if (!found && exam->unit.path) {
			ptah_exam_fault(exam, one, "it listens on fd:%s, and no socket unit of %s has that name",
			    one->plan->activation, exam->unit.name);
			ptah_exam_cure(exam, "FileDescriptorName=%s in /etc/systemd/system/ptah.socket, then: systemctl enable --now ptah.socket",
			    one->plan->activation);
		} else if (!found) {
			ptah_exam_warn(exam, one, "it listens on fd:%s, and no unit of systemd runs this file: who starts ptah must hand it over",
			    one->plan->activation);
			ptah_exam_cure(exam, "\"listen\": \"IP:PORT\" in %s, or run it by ptah.service", one->where);
		} else if (!found->enabled) {
			const char *name = strrchr(found->path, '/') + 1;

			ptah_exam_warn(exam, one, "%s, which opens fd:%s, does not start with the machine", name, one->plan->activation);
			ptah_exam_cure(exam, "systemctl enable --now %s", name);
		}
	}
	return any;
}

/* ---- addresses ---------------------------------------------------------------------- */

static void
want_ipv6(struct ptah_exam *exam, const struct ptah_case *one, const struct ptah_addr *addr, bool *any)
{
	char text[PTAH_ADDR_TEXT];

	if (addr->sa.sa_family != AF_INET6)
		return;
	*any = true;
	if (has_ipv6())
		return;
	ptah_exam_fault(exam, one, "%s is an IPv6 address, and this machine has no IPv6", ptah_addr_format(addr, text));
	ptah_exam_cure(exam, "sysctl net.ipv6.conf.all.disable_ipv6=0, or an IPv4 address in %s", one->where);
}

bool
ptah_check_ipv6(struct ptah_exam *exam)
{
	bool any = false;

	for (size_t i = 0; i < exam->n_cases; i++) {
		const struct ptah_case *one = &exam->cases[i];
		const struct ptah_addr *addr;

		for (size_t k = 0; (addr = ptah_case_listen(one, k)); k++)
			want_ipv6(exam, one, addr, &any);
		if (one->plan->has_target && one->plan->target.literal)
			want_ipv6(exam, one, &one->plan->target.addr, &any);
		if (one->plan->has_extorport)
			want_ipv6(exam, one, &one->plan->extorport, &any);
	}
	return any;
}

bool
ptah_check_outbound(struct ptah_exam *exam)
{
	bool any = false;

	for (size_t i = 0; i < exam->n_cases; i++) {
		const struct ptah_case *one = &exam->cases[i];
		const struct ptah_addr *addrs[] = { &one->plan->outbound_v4, &one->plan->outbound_v6 };
		char text[PTAH_ADDR_TEXT];

		for (size_t k = 0; k < 2; k++) {
			if (addrs[k]->sa.sa_family == AF_UNSPEC)
				continue;
			any = true;
			if (ptah_check_is_here(addrs[k]))
				continue;
			ptah_exam_fault(exam, one, "it is to connect from %s, which is not an address of this machine",
			    ptah_addr_format(addrs[k], text));
			ptah_exam_cure(exam, "change %s in %s: ip -brief address lists those there are",
			    one->line ? "OutboundBindAddressPT" : k == 0 ? "\"outboundBindV4\"" : "\"outboundBindV6\"",
			    one->line ? "the torrc" : one->where);
		}
	}
	return any;
}

/* ---- to connect --------------------------------------------------------------------- */

static int
wait_until(int fd, short events, uint64_t until)
{
	struct pollfd waiting = { .fd = fd, .events = events };
	uint64_t now;
	int rc;

	do {
		now = ptah_clock_now_ns();
		rc = now < until ? poll(&waiting, 1, (int)((until - now) / PTAH_NS_PER_MS) + 1) : 0;
	} while (rc == -1 && errno == EINTR);
	return rc > 0 ? 0 : -ETIMEDOUT;
}

/* Connect, and close at once.  Of UDP that says no more than whether there is a way. */
static int
connect_once(const struct ptah_addr *addr, bool udp, uint64_t until)
{
	int fd = socket(addr->sa.sa_family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc = fd == -1 ? -errno : 0, error = 0;
	socklen_t len = sizeof(error);

	if (rc == 0 && connect(fd, &addr->sa, ptah_addr_len(addr)) == -1)
		rc = -errno;
	if (rc == -EINPROGRESS) {
		rc = wait_until(fd, POLLOUT, until);
		if (rc == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0)
			rc = -error;
	}
	if (fd != -1)
		close(fd);
	return rc;
}

/* A name may stay unanswered for longer than we wait: then the question is left to itself. */
static int
resolve(const char *host, struct addrinfo **list)
{
	struct gaicb *question = calloc(1, sizeof(*question) + strlen(host) + 1);
	char *name = question ? (char *)(question + 1) : NULL;
	const struct timespec limit = { .tv_sec = ANSWER_MS / 1000 };
	int rc;

	if (!question)
		return -ENOMEM;
	memcpy(name, host, strlen(host) + 1);
	question->ar_name = name;
	rc = getaddrinfo_a(GAI_NOWAIT, &question, 1, NULL);
	if (rc == 0)
		rc = gai_suspend((const struct gaicb *const *)&question, 1, &limit);
	if (rc != 0 && rc != EAI_ALLDONE)
		return -ETIMEDOUT;
	rc = gai_error(question);
	*list = question->ar_result;
	free(question);
	return rc == 0 ? 0 : -ENOENT;
}

static int
connect_to(const struct ptah_dest *dest, bool udp)
{
	uint64_t until = ptah_clock_now_ns() + ANSWER_MS * PTAH_NS_PER_MS;
	struct addrinfo *list = NULL;
	struct ptah_addr addr;
	int rc;

	if (dest->literal)
		return connect_once(&dest->addr, udp, until);
	rc = resolve(dest->host, &list);
	if (rc == 0)
		rc = -ENOENT;
	for (const struct addrinfo *at = list; at && rc != 0; at = at->ai_next) {
		ptah_addr_from_sockaddr(&addr, at->ai_addr);
		ptah_addr_set_port(&addr, dest->port);
		rc = connect_once(&addr, udp, until);
	}
	if (list)
		freeaddrinfo(list);
	return rc;
}

static const char *
reason_of(int rc)
{
	switch (rc) {
	case -ENOENT:
		return "the name has no address";
	case -ETIMEDOUT:
		return "no answer within 3 seconds";
	case -ECONNREFUSED:
		return "nothing listens there";
	default:
		return strerror(-rc);
	}
}

/* What is said of a plan needs not be said of each of its services. */
static bool
is_of_last(const struct ptah_exam *exam, size_t i)
{
	return i > 0 && exam->cases[i].plan == exam->cases[i - 1].plan;
}

static void
look_at_target(struct ptah_exam *exam, const struct ptah_case *one)
{
	const struct ptah_plan *plan = one->plan;
	struct ptah_dest dest = plan->target;
	char text[PTAH_DEST_TEXT];
	int rc;

	if (plan->has_extorport) {
		dest = (struct ptah_dest){ .literal = true, .addr = plan->extorport };
		ptah_addr_format(&plan->extorport, text);
	} else {
		ptah_dest_format(&dest, text);
	}
	rc = connect_to(&dest, ptah_case_is_udp(one));
	if (rc == 0)
		return;
	/* Tor starts ptah: while it does not run, nobody need answer. */
	if (one->line) {
		ptah_exam_warn(exam, one, "Tor does not answer on %s: %s", text, reason_of(rc));
		ptah_exam_cure(exam, "systemctl start tor@default; if it runs, compare ORPort and ExtORPort with what its log says");
	} else if (rc == -ENOENT) {
		ptah_exam_fault(exam, one, "the target %s does not answer: %s", text, reason_of(rc));
		ptah_exam_cure(exam, "change \"target\" in %s, or cure the resolver: getent hosts %s asks it", one->where, dest.host);
	} else {
		ptah_exam_fault(exam, one, "the %s %s does not answer: %s", plan->has_extorport ? "Extended ORPort" : "target", text, reason_of(rc));
		ptah_exam_cure(exam, "start what listens there, or change \"%s\" in %s", plan->has_extorport ? "extorport" : "target", one->where);
	}
}

bool
ptah_check_target(struct ptah_exam *exam)
{
	bool any = false;

	for (size_t i = 0; i < exam->n_cases; i++) {
		const struct ptah_case *one = &exam->cases[i];

		if (!ptah_case_serves(one) || (!one->plan->has_target && !one->plan->has_extorport) || is_of_last(exam, i))
			continue;
		any = true;
		look_at_target(exam, one);
	}
	return any;
}

bool
ptah_check_proxy(struct ptah_exam *exam)
{
	bool any = false;

	for (size_t i = 0; i < exam->n_cases; i++) {
		const struct ptah_case *one = &exam->cases[i];
		const struct ptah_addr *addr = &one->plan->proxy.addr;
		char text[PTAH_ADDR_TEXT];
		int rc;

		if (one->plan->proxy.scheme == PTAH_PROXY_NONE || is_of_last(exam, i))
			continue;
		any = true;
		rc = connect_once(addr, false, ptah_clock_now_ns() + ANSWER_MS * PTAH_NS_PER_MS);
		if (rc == 0)
			continue;
		ptah_exam_fault(exam, one, "the proxy %s does not answer: %s", ptah_addr_format(addr, text), reason_of(rc));
		ptah_exam_cure(exam, "start it, or change %s in %s", one->line ? "Socks5Proxy, Socks4Proxy or HTTPSProxy" : "\"proxy\"",
		    one->line ? "the torrc" : one->where);
	}
	return any;
}
