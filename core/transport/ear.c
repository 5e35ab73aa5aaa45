/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/ear.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "transport/home.h"
#include "transport/stream.h"
#include "wire/listen.h"

struct ptah_ear {
	struct ptah_ear *next;
	struct ptah_home *home;
	struct ptah_listener *listener;
	uint64_t cookie;
};

static void
on_guest_gone(void *arg)
{
	ptah_quota_release(arg);
}

static void
on_connection(int fd, const struct ptah_addr *peer, void *arg)
{
	struct ptah_ear *ear = arg;
	struct ptah_home *home = ear->home;
	struct ptah_stream *stream = ptah_stream_new(&home->self, fd);
	char text[PTAH_ADDR_TEXT];

	ptah_addr_format_peer(peer, text);
	if (stream != NULL && ptah_stream_introduce(stream, PTAH_OUT, ear->cookie, text, NULL, on_guest_gone, &home->guests) == 0)
		return;
	ptah_stream_drop(stream);
	ptah_quota_release(&home->guests);
	ptah_warn(AREA_MODULE, "%s: no memory for a connection", home->self.instance->name);
}

int
ptah_ear_listen(struct ptah_self *self, const char *bind, uint64_t cookie, char *bound, size_t room)
{
	struct ptah_home *home = ptah_home_of(self);
	struct ptah_addr wanted, got;
	char text[PTAH_ADDR_TEXT];
	struct ptah_ear *ear;
	int fd, rc;

	if (home == NULL || ptah_addr_parse(&wanted, bind) < 0)
		return -EINVAL;
	rc = ptah_listen_open(&wanted, &fd, 1, &got);
	if (rc < 0)
		return rc;
	ptah_addr_format(&got, text);
	rc = bound != NULL ? ptah_text_copy(bound, room, text) : 0;
	ear = rc == 0 ? calloc(1, sizeof(*ear)) : NULL;
	if (ear == NULL) {
		close(fd);
		return rc < 0 ? rc : -ENOMEM;
	}
	ear->home = home;
	ear->cookie = cookie;
	ear->listener = ptah_listener_new(self->worker, fd, &home->guests, NULL, on_connection, ear);
	if (ear->listener == NULL) {
		free(ear);
		return -ENOMEM;
	}
	ear->next = home->ears;
	home->ears = ear;
	if (home->bound[0] == '\0')
		(void)ptah_text_copy(home->bound, sizeof(home->bound), text);
	return 0;
}

void
ptah_ears_end(struct ptah_home *home)
{
	while (home->ears != NULL) {
		struct ptah_ear *ear = home->ears;

		home->ears = ear->next;
		ptah_listener_free(ear->listener, false);
		free(ear);
	}
}
