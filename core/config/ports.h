/* SPDX-License-Identifier: BSD-3-Clause */
/** config/ports.h: do two services of a configuration file want one port? */
#ifndef PTAH_CONFIG_PORTS_H
#define PTAH_CONFIG_PORTS_H

#include "config/runfile.h"

#define PTAH_PORT_UNKNOWN 0 /* which it is could not be learnt; it is in nobody's way */
#define PTAH_PORT_TCP 1
#define PTAH_PORT_UDP 2

/**
 * Look at all listeners of the file; 'kinds' has one of the above for each of its plans.
 * Fails: -ENOMEM.  What is wrong goes to the faults.
 */
int ptah_ports_check(const struct ptah_runfile *file, const int *kinds, struct ptah_faults *faults);

#endif
