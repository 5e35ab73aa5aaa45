/* SPDX-License-Identifier: BSD-3-Clause */
/* What comes to the port of the metrics, and to the control socket: the first byte picks which. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "control/order.h"
#include "control/request.h"
#include "target.h"

/* What is there already is read no differently when more comes. */
static void
request(struct ptah_span in)
{
	struct ptah_request whole, cut;
	long rc = ptah_request_parse(&whole, in);

	expect(rc <= (long)in.len && rc > -600);
	if (rc <= 0)
		return;
	expect(whole.path[0] == '/' && memchr(whole.path, '\0', sizeof(whole.path)) && memchr(whole.host, '\0', sizeof(whole.host)));
	(void)ptah_request_host_is_local(whole.host);
	for (size_t n = 0; n < (size_t)rc; n++)
		expect(ptah_request_parse(&cut, (struct ptah_span){ in.at, n }) == 0);
	expect(ptah_request_parse(&cut, (struct ptah_span){ in.at, (size_t)rc }) == rc && memcmp(&whole, &cut, sizeof(cut)) == 0);
}

static void
order(struct ptah_span in)
{
	struct ptah_order got, again;
	struct ptah_buf out = { 0 };
	char why[200] = "";
	int rc = ptah_order_parse(&got, in, why, sizeof(why));

	expect(rc == 0 || (rc == -EINVAL && why[0]));
	if (rc != 0)
		return;
	expect(ptah_order_print(&got, &out) == 0);
	expect(ptah_order_parse(&again, (struct ptah_span){ out.at, out.len }, why, sizeof(why)) == 0);
	expect(again.what == got.what && again.most == got.most && again.seconds == got.seconds);
	ptah_buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 1 || len > PTAH_REQUEST_MAX)
		return 0;
	(data[0] == '{' ? order : request)((struct ptah_span){ data[0] == '{' ? data : data + 1, data[0] == '{' ? len : len - 1 });
	return 0;
}
