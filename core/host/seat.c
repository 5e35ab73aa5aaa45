/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/seat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/runfile.h"
#include "wire/listen.h"

int
ptah_seat_take(struct ptah_seat *seat, const struct ptah_runfile *file)
{
	*seat = (struct ptah_seat){
		.control = file->control ? strdup(file->control) : NULL,
		.metrics_path = file->metrics_path ? strdup(file->metrics_path) : NULL, .metrics_addr = file->metrics,
	};
	return (file->control && !seat->control) || (file->metrics_path && !seat->metrics_path) ? -ENOMEM : 0;
}

void
ptah_seat_clear(struct ptah_seat *seat)
{
	ptah_seat_leave(seat);
	free(seat->control);
	free(seat->metrics_path);
	*seat = (struct ptah_seat){ 0 };
}

bool
ptah_seat_has_control(const struct ptah_seat *seat)
{
	return seat->control != NULL;
}

bool
ptah_seat_has_metrics(const struct ptah_seat *seat)
{
	return seat->metrics_path || seat->metrics_addr.sa.sa_family != AF_UNSPEC;
}

int
ptah_seat_open_control(struct ptah_seat *seat)
{
	char why[200];
	int fd = ptah_path_listen(&seat->at_control, seat->control, why, sizeof(why));

	if (fd < 0)
		ptah_error(AREA_HOST, "the control socket cannot be opened: %s", why);
	return fd;
}

static int
open_port(struct ptah_seat *seat)
{
	struct ptah_addr bound;
	char text[PTAH_ADDR_TEXT];
	int fd, rc = ptah_listen_open(&seat->metrics_addr, &fd, 1, &bound);

	if (rc < 0) {
		ptah_error_rc(AREA_HOST, rc, "cannot listen for metrics on %s", ptah_addr_format(&seat->metrics_addr, text));
		return rc;
	}
	seat->metrics_addr = bound; /* one that the kernel chose is the same again */
	ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "metrics", NULL, "metrics and the status page are on port %u of this machine",
	    ptah_addr_port(&bound));
	return fd;
}

int
ptah_seat_open_metrics(struct ptah_seat *seat)
{
	char why[200];
	int fd;

	if (!seat->metrics_path)
		return open_port(seat);
	fd = ptah_path_listen(&seat->at_metrics, seat->metrics_path, why, sizeof(why));
	if (fd < 0)
		ptah_error(AREA_HOST, "the socket for metrics cannot be opened: %s", why);
	return fd;
}

void
ptah_seat_leave(struct ptah_seat *seat)
{
	ptah_path_clear(&seat->at_control);
	ptah_path_clear(&seat->at_metrics);
}
