/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * relay/through.h: links for the transports that a module made for itself.
 *
 * Hand the table to ptah_registry_set_hands().
 */
#ifndef PTAH_RELAY_THROUGH_H
#define PTAH_RELAY_THROUGH_H

#include "transport/child.h"

extern const struct ptah_through_ops ptah_through_links;

#endif
