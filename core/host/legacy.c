/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/upgradeself.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "host/activation.h"
#include "host/crew.h"
#include "transport/registry.h"
#include "transport/replay.h"
#include "transport/state.h"
#include "wire/place.h"

/* ---- what the replay filter remembers ---------------------------------------------------- */

int
ptah_legacy_tell_replay(struct ptah_upgrade *upgrade)
{
	struct ptah_replay *replay = ptah_registry_replay(upgrade->crew->registry);
	uint8_t *text = NULL;
	size_t len = 0;
	int fd = -1, rc = replay ? 0 : -ENOMEM;

	if (rc == 0) {
		upgrade->n_told = ptah_replay_count(replay);
		rc = ptah_replay_save(replay, ptah_clock_now_ns() / PTAH_NS_PER_S, ptah_clock_wall_s(), &text, &len);
	}
	if (rc == 0 && (fd = memfd_create("replay", MFD_CLOEXEC)) == -1)
		rc = -errno;
	if (rc == 0 && (ptah_write_full(fd, text, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) == -1))
		rc = -EIO;
	if (rc == 0)
		rc = ptah_keeper_tell(upgrade->fd, PTAH_KEEPER_REPLAY, 0, "", &fd, 1);
	if (fd != -1)
		close(fd);
	free(text);
	return rc;
}

void
ptah_legacy_tell_news(struct ptah_upgrade *upgrade)
{
	struct ptah_replay *replay = ptah_registry_replay(upgrade->crew->registry);

	if (replay && ptah_replay_count(replay) != upgrade->n_told)
		(void)ptah_legacy_tell_replay(upgrade);
}

void
ptah_legacy_take_replay(struct ptah_upgrade *upgrade, int fd)
{
	struct ptah_replay *replay = ptah_registry_replay(upgrade->crew->registry);
	off_t len = lseek(fd, 0, SEEK_END);
	uint8_t *text = len > 0 && (size_t)len <= PTAH_STATE_MAX ? malloc((size_t)len) : NULL;
	int rc = replay && text ? 0 : -ENOMEM;

	if (rc == 0 && pread(fd, text, (size_t)len, 0) != (ssize_t)len)
		rc = -EIO;
	if (rc == 0)
		rc = ptah_replay_merge(replay, (struct ptah_span){ text, (size_t)len }, ptah_clock_now_ns() / PTAH_NS_PER_S,
		    ptah_clock_wall_s());
	free(text);
	if (rc != 0)
		ptah_warn_rc(AREA_HOST, rc, "what the program before this one remembers of replays is not known here");
}

/* ---- places -------------------------------------------------------------------------------- */

static int
tell_place(const struct ptah_place_want *want, const int *fds, unsigned n, void *arg)
{
	const struct ptah_upgrade *upgrade = arg;
	char addr[PTAH_ADDR_TEXT], text[PTAH_KEEPER_TEXT];

	snprintf(text, sizeof(text), "%s\n%s\n%s\n%s\n%d", want->udp ? "udp" : "tcp", ptah_addr_format(want->addr, addr), want->name,
	    want->bounds->interface, want->bounds->family);
	return ptah_keeper_tell(upgrade->fd, PTAH_KEEPER_PLACE, 0, text, fds, n);
}

int
ptah_legacy_tell_places(const struct ptah_upgrade *upgrade)
{
	return ptah_places_each(upgrade->crew->places, tell_place, (void *)(uintptr_t)upgrade);
}

static int
take_place(struct ptah_upgrade *upgrade, struct ptah_handed *handed)
{
	char *rest = handed->word.text, *kind = strsep(&rest, "\n"), *addr_text = strsep(&rest, "\n"), *name = strsep(&rest, "\n"),
	     *interface = strsep(&rest, "\n"), *family = strsep(&rest, "\n");
	struct ptah_bounds bounds = { 0 };
	struct ptah_addr addr;
	const struct ptah_place_want want = { .udp = strcmp(kind, "udp") == 0, .addr = &addr, .name = name, .bounds = &bounds };
	unsigned n = handed->n;

	if (!family || ptah_addr_parse(&addr, addr_text) != 0 || strlen(interface) >= sizeof(bounds.interface) || n == 0)
		return -EINVAL;
	memcpy(bounds.interface, interface, strlen(interface) + 1);
	bounds.family = (int)strtol(family, NULL, 10);
	handed->n = 0;
	return ptah_places_inherit(upgrade->crew->places, &want, handed->fds, n);
}

static int
take_adopted(struct ptah_upgrade *upgrade, struct ptah_handed *handed)
{
	if (handed->n != 1)
		return -EINVAL;
	handed->n = 0;
	return ptah_activation_place(upgrade->crew->places, handed->word.text, handed->fds[0]);
}

int
ptah_legacy_take(struct ptah_upgrade *upgrade, struct ptah_handed *handed)
{
	switch (handed->word.what) {
	case PTAH_KEEPER_PLACE:
		return take_place(upgrade, handed);
	case PTAH_KEEPER_ADOPTED:
		return take_adopted(upgrade, handed);
	case PTAH_KEEPER_REPLAY:
		if (handed->n == 1)
			ptah_legacy_take_replay(upgrade, handed->fds[0]); /* told, and no reason not to serve */
		return 0;
	default:
		return 0;
	}
}
