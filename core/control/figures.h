/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * control/figures.h: how a process and its services are doing, at one moment.
 *
 * Whoever has the services fills it in; the texts made of it (text of
 * Prometheus, JSON, tables) are functions of it and of nothing else.  No
 * address of a peer is in it.
 *
 * Threads: any; it is only data.
 */
#ifndef PTAH_CONTROL_FIGURES_H
#define PTAH_CONTROL_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/json.h"
#include "control/vitals.h"
#include "stats/stats.h"

/** A service: one label, transport and role.  Texts are lent. */
struct ptah_figures_service {
	const char *label, *transport, *mode;
	uint32_t role;        /* PTAH_CLIENT or PTAH_SERVER */
	const char *state;    /* "serves" ...; "gone": only what is left of it */
	bool serves;
	bool isolated;
	double since_s;       /* for how long it has been so */
	const char *reason;   /* why it failed, or what of it did; or NULL */
	char listen[PTAH_ADDR_TEXT]; /* our own address; "": none yet */
	unsigned n_draining;  /* older plans of it that wait for their last link */
	uint64_t resident;    /* bytes of memory of its own processes; 0: it has none, or that is not known */
	struct ptah_stats stats;
};

struct ptah_figures {
	const char *version;
	struct ptah_vitals vitals;
	unsigned n_workers;
	unsigned links_open, links_most; /* of the process: what counts against its descriptors */
	uint64_t n_reloads, n_reloads_refused;
	bool draining;
	struct ptah_figures_service *services;
	size_t n_services;
};

/** Forget the list of services; what it lent was not its own. */
void ptah_figures_clear(struct ptah_figures *figures);

/** How many of the links that began have not ended. */
uint64_t ptah_figures_open(const struct ptah_stats *stats);
/** Failed handshakes, of all reasons; and the word for one from PTAH_STAT_FAILED_FIRST on. */
uint64_t ptah_figures_failed(const struct ptah_stats *stats);
const char *ptah_figures_reason(enum ptah_stat why);
/** "client" or "server". */
const char *ptah_figures_role(uint32_t role);

/** Content-Type of the text of Prometheus. */
#define PTAH_PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"
/** Print it as Prometheus reads it.  -ENOMEM. */
int ptah_figures_prometheus(const struct ptah_figures *figures, struct ptah_buf *out);

/** The same as a tree; with 'addresses' where services listen, too.  Gives: an object; NULL: ENOMEM. */
struct ptah_json *ptah_figures_json(const struct ptah_figures *figures, bool addresses);

#endif
