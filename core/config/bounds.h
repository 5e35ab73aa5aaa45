/* SPDX-License-Identifier: BSD-3-Clause */
/** config/bounds.h: what a service of a configuration file may take, and from where. */
#ifndef PTAH_CONFIG_BOUNDS_H
#define PTAH_CONFIG_BOUNDS_H

#include <net/if.h>

/** Under a parent all of it is 0: no bounds of its own. */
struct ptah_bounds {
	unsigned links;            /* most at once, over all workers; 0: what the process can take */
	unsigned links_per_second; /* most new ones; 0: any number */
	unsigned links_per_prefix; /* most at once whose sources share a prefix; 0: any number */
	unsigned prefix_v4, prefix_v6; /* how long that prefix is, in bits */
	unsigned backlog;          /* of a listening socket; 0: the system's most */
	unsigned keep_alive_s;     /* silence after which a peer is asked and counts as gone; 0: what the worker says */
	char interface[IFNAMSIZ];  /* listen on this one only; "": on all */
	int family;                /* AF_UNSPEC; AF_INET or AF_INET6: names are dialled by this one only, [::] takes no IPv4 */
};

#endif
