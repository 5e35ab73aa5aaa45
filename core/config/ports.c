/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/ports.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* One address that somebody wants to listen on. */
struct port {
	const struct ptah_addr *addr;
	const struct ptah_plan *plan;  /* NULL: the metrics of the process */
	const struct ptah_json *value; /* where the file says so */
	int kind;
};

static bool
is_any(const struct ptah_addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return addr->v4.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&addr->v6.sin6_addr);
}

/* Does an address of IPv6 take what comes for IPv4? */
static bool
takes_both(const struct port *port)
{
	return port->addr->sa.sa_family == AF_INET6 && is_any(port->addr) &&
	    (!port->plan || port->plan->bounds.family != AF_INET6);
}

static bool
on_other_interfaces(const struct port *a, const struct port *b)
{
	const char *one = a->plan ? a->plan->bounds.interface : "", *two = b->plan ? b->plan->bounds.interface : "";

	return one[0] && two[0] && strcmp(one, two) != 0;
}

static bool
collide(const struct port *a, const struct port *b)
{
	if (a->kind != b->kind || a->kind == PTAH_PORT_UNKNOWN || on_other_interfaces(a, b) ||
	    ptah_addr_port(a->addr) == 0 || ptah_addr_port(a->addr) != ptah_addr_port(b->addr))
		return false;
	if (a->addr->sa.sa_family != b->addr->sa.sa_family)
		return takes_both(a) || takes_both(b);
	return ptah_addr_equal(a->addr, b->addr) || is_any(a->addr) || is_any(b->addr);
}

static int
say_collision(const struct ptah_runfile *file, struct ptah_faults *faults, const struct port *first,
    const struct port *second)
{
	const char *kind = second->kind == PTAH_PORT_TCP ? "TCP" : "UDP";
	char text[PTAH_ADDR_TEXT];

	ptah_addr_format(first->addr, text);
	if (first->plan == second->plan)
		return ptah_runfile_fault(file, faults, 0, second->value, NULL, "%s port %u is taken by %s of this service%s",
		    kind, ptah_addr_port(second->addr), text, first->addr->sa.sa_family == second->addr->sa.sa_family ? "" :
		    ": \"family\": \"ipv6\" leaves IPv4 to the other, or let [::] listen alone, for both");
	return ptah_runfile_fault(file, faults, 0, second->value, NULL, "%s port %u is taken by %s of %s%s%s: give each its "
	    "own", kind, ptah_addr_port(second->addr), text, first->plan ? "service \"" : "metrics",
	    first->plan ? first->plan->label : "", first->plan ? "\"" : "");
}

/* Add the addresses of a plan. */
static size_t
add_plan(struct port *ports, size_t n, const struct ptah_runfile *file, const struct ptah_plan *plan, int kind)
{
	const struct ptah_service *service = &plan->services[0];
	const struct ptah_json *json = ptah_runfile_service(file, plan->label);
	const struct ptah_json *listen = json ? ptah_json_get(json, "listen") : NULL;

	for (size_t i = 0; i <= service->n_also; i++) {
		const struct ptah_addr *addr = i == 0 ? &service->listen : &service->also[i - 1];
		bool inside = listen && listen->type == PTAH_JSON_ARRAY && i < listen->n;

		if (addr->sa.sa_family != AF_UNSPEC)
			ports[n++] = (struct port){ .addr = addr, .plan = plan, .kind = kind,
				.value = inside ? listen->items[i] : listen };
	}
	return n;
}

/* Of two that want the same inherited sockets, the first has them. */
static int
check_activation(const struct ptah_runfile *file, size_t second, struct ptah_faults *faults)
{
	const struct ptah_plan *plan = file->plans[second];
	const struct ptah_json *json = plan->activation ? ptah_runfile_service(file, plan->label) : NULL;

	for (size_t i = 0; json && i < second; i++)
		if (file->plans[i]->activation && strcmp(file->plans[i]->activation, plan->activation) == 0)
			return ptah_runfile_fault(file, faults, 0, ptah_json_get(json, "listen"), NULL,
			    "service \"%s\" has these sockets: give each its own", file->plans[i]->label);
	return 0;
}

int
ptah_ports_check(const struct ptah_runfile *file, const int *kinds, struct ptah_faults *faults)
{
	struct port *ports = calloc(file->n_plans * (1 + PTAH_ALSO_MAX) + 1, sizeof(*ports));
	size_t n = 0;
	int rc = ports ? 0 : -ENOMEM;

	if (ports && file->metrics.sa.sa_family != AF_UNSPEC)
		ports[n++] = (struct port){ .addr = &file->metrics, .kind = PTAH_PORT_TCP,
			.value = ptah_json_get(file->json, "metrics") };
	for (size_t i = 0; rc == 0 && i < file->n_plans; i++) {
		if (file->plans[i]->n_services == 1)
			n = add_plan(ports, n, file, file->plans[i], kinds[i]);
		rc = check_activation(file, i, faults);
	}
	for (size_t second = 1; rc == 0 && second < n; second++) {
		size_t first = 0;

		while (first < second && !collide(&ports[first], &ports[second]))
			first++;
		if (first < second)
			rc = say_collision(file, faults, &ports[first], &ports[second]);
	}
	free(ports);
	return rc;
}
