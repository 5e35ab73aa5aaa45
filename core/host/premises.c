/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/premises.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/runfile.h"
#include "wire/listen.h"

int
ptah_premises_take(struct ptah_premises *premises, const struct ptah_runfile *file)
{
	*premises = (struct ptah_premises){
		.control = file->control ? strdup(file->control) : NULL,
		.metrics_path = file->metrics_path ? strdup(file->metrics_path) : NULL, .metrics_addr = file->metrics,
	};
	return (file->control && !premises->control) || (file->metrics_path && !premises->metrics_path) ? -ENOMEM : 0;
}

void
ptah_premises_clear(struct ptah_premises *premises)
{
	ptah_premises_leave(premises);
	free(premises->control);
	free(premises->metrics_path);
	*premises = (struct ptah_premises){ 0 };
}

bool
ptah_premises_has_control(const struct ptah_premises *premises)
{
	return premises->control != NULL;
}

bool
ptah_premises_has_metrics(const struct ptah_premises *premises)
{
	return premises->metrics_path || premises->metrics_addr.sa.sa_family != AF_UNSPEC;
}

int
ptah_premises_open_control(struct ptah_premises *premises)
{
	char why[200];
	int fd = ptah_path_listen(&premises->at_control, premises->control, why, sizeof(why));

	if (fd < 0)
		ptah_error(AREA_HOST, "the control socket cannot be opened: %s", why);
	return fd;
}

static int
open_port(struct ptah_premises *premises)
{
	struct ptah_addr bound;
	char text[PTAH_ADDR_TEXT];
	int fd, rc = ptah_listen_open(&premises->metrics_addr, &fd, 1, &bound);

	if (rc < 0) {
		ptah_error_rc(AREA_HOST, rc, "cannot listen for metrics on %s", ptah_addr_format(&premises->metrics_addr, text));
		return rc;
	}
	premises->metrics_addr = bound; /* one that the kernel chose is the same again */
	ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "metrics", NULL, "metrics and the status page are on port %u of this machine",
	    ptah_addr_port(&bound));
	return fd;
}

int
ptah_premises_open_metrics(struct ptah_premises *premises)
{
	char why[200];
	int fd;

	if (!premises->metrics_path)
		return open_port(premises);
	fd = ptah_path_listen(&premises->at_metrics, premises->metrics_path, why, sizeof(why));
	if (fd < 0)
		ptah_error(AREA_HOST, "the socket for metrics cannot be opened: %s", why);
	return fd;
}

void
ptah_premises_leave(struct ptah_premises *premises)
{
	ptah_path_clear(&premises->at_control);
	ptah_path_clear(&premises->at_metrics);
}
