/* SPDX-License-Identifier: BSD-3-Clause */
#include "home.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Links that wait at once, at most. */
#define ASKING_MAX 16384u

/* A server's identity lies in one folder and no other.  A client has none, so it may take the next. */
#define CLIENT_FOLDERS_MAX 64u

void
exec_say(const struct exec_home *home, uint32_t level, const char *format, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n > 0)
		home->host->log(home->self, level, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/* ---- links that ask ------------------------------------------------------------------ */

static void
write_to(struct exec_home *home, uint64_t link)
{
	char letter[EXEC_LETTER_MAX];
	int n;

	if (home->state == EXEC_READY)
		n = snprintf(letter, sizeof(letter), "%c%u%s", EXEC_CALL, home->socks, home->address);
	else
		n = snprintf(letter, sizeof(letter), "%c%s", EXEC_NO, home->why);
	if (n >= (int)sizeof(letter))
		n = sizeof(letter) - 1;
	(void)home->host->mail(home->self, link, (struct ptah_span){ (const uint8_t *)letter, (size_t)n });
}

static void
tell_host(struct exec_home *home)
{
	if (home->told)
		return;
	home->told = 1;
	home->host->ready(home->self, 0, home->is_server ? home->address : NULL, home->args, NULL);
}

/* Wait on, while it is being started or soon will be. */
void
exec_home_answer(struct exec_home *home)
{
	if (home->state == EXEC_READY)
		tell_host(home);
	else if (home->state != EXEC_FAILED && home->state != EXEC_STOPPING)
		return;
	for (size_t i = 0; i < home->n_asking; i++)
		write_to(home, home->asking[i]);
	home->n_asking = 0;
}

static int
queue(struct exec_home *home, uint64_t link)
{
	if (home->n_asking == home->asking_room) {
		size_t room = home->asking_room != 0 ? home->asking_room * 2 : 16;
		uint64_t *more = room <= ASKING_MAX ? reallocarray(home->asking, room, sizeof(*more)) : NULL;

		if (more == NULL)
			return -ENOMEM;
		home->asking = more;
		home->asking_room = room;
	}
	home->asking[home->n_asking++] = link;
	return 0;
}

static void
on_ask(struct exec_home *home, uint64_t link)
{
	if (home->state == EXEC_FAILED && home->host->now_ns(home->self) >= home->retry_ns)
		home->state = EXEC_OFF;
	if (home->state == EXEC_READY || home->state == EXEC_FAILED || home->state == EXEC_STOPPING ||
	    queue(home, link) < 0) {
		write_to(home, link);
		return;
	}
	if (home->state == EXEC_OFF)
		exec_life_start(home);
}

/* ---- birth ---------------------------------------------------------------------------- */

static int
copy_start(struct exec_home *home, const struct ptah_start *start)
{
	home->name = strdup(home->conf->name != NULL ? home->conf->name : start->name);
	if (start->proxy != NULL)
		home->proxy = strdup(start->proxy);
	if (start->bind != NULL)
		home->bind = strdup(start->bind);
	home->out = calloc(1, sizeof(*home->out));
	home->err = calloc(1, sizeof(*home->err));
	if (home->name == NULL || home->out == NULL || home->err == NULL ||
	    (start->proxy != NULL && home->proxy == NULL) || (start->bind != NULL && home->bind == NULL))
		return -ENOMEM;
	return 0;
}

static int
look_at_program(const struct exec_home *home, char *why, size_t room)
{
	const char *path = home->conf->exec;
	struct stat st;

	if (stat(path, &st) == -1)
		snprintf(why, room, "cannot start %s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		snprintf(why, room, "cannot start %s: it is no program", path);
	else if (access(path, X_OK) == -1)
		snprintf(why, room, "cannot start %s: it is not executable (chmod +x?)", path);
	else
		return 0;
	return -ENOEXEC;
}

static int
make_program(struct exec_home *home, const struct ptah_start *start, const char **why)
{
	const struct exec_wish wish = {
		.conf = home->conf,
		.name = home->name,
		.settings = start->settings,
		.folder = home->folder.path,
		.proxy = home->proxy,
		.bind = home->bind,
		.orport = home->is_server ? home->orport : NULL,
		.cookie = home->cookie != NULL ? home->cookie_path : NULL,
	};

	if (home->is_server && home->bind == NULL) {
		*why = "nobody said where the program shall listen";
		return -EDESTADDRREQ;
	}
	return exec_program_make(&home->program, &wish, why);
}

static int
prepare(struct exec_home *home, const struct ptah_start *start, char *text, size_t room)
{
	const char *why = NULL;
	int rc;

	if (sodium_init() < 0)
		return -ENOSYS;
	if (start->folder == NULL) {
		snprintf(text, room, "the program wants a state folder: give one with -state (or TOR_PT_STATE_LOCATION)");
		return -ENOENT;
	}
	rc = copy_start(home, start);
	if (rc == 0)
		rc = look_at_program(home, text, room);
	if (rc == 0)
		rc = exec_folder_take(&home->folder, start->folder, start->name, home->is_server ? 1 : CLIENT_FOLDERS_MAX, text, room);
	if (rc == 0 && home->is_server)
		rc = exec_visits_open(home, &why);
	if (rc == 0)
		rc = make_program(home, start, &why);
	if (rc < 0 && why != NULL)
		snprintf(text, room, "%s", why);
	return rc;
}

int
exec_home_open(void *opaque, const struct ptah_start *start)
{
	struct exec_home *home = opaque;
	char why[512] = "";
	int rc;

	home->conf = start->conf;
	home->host = start->host;
	home->self = start->self;
	home->is_server = start->role == PTAH_SERVER;
	rc = prepare(home, start, why, sizeof(why));
	if (rc < 0) {
		home->told = 1;
		home->host->ready(home->self, rc, NULL, NULL, why[0] != '\0' ? why : NULL);
		return 0;
	}
	if (home->is_server || home->conf->start == EXEC_EAGER)
		exec_life_start(home);
	else
		tell_host(home);
	return 0;
}

/* ---- events ------------------------------------------------------------------------------ */

static void
on_timer(struct exec_home *home, uint32_t which)
{
	switch (which) {
	case EXEC_T_VISITS:
		exec_visits_timer(home);
		break;
	case EXEC_T_BREATHE:
		exec_heard_timer(home);
		break;
	default:
		exec_life_timer(home, which);
		break;
	}
}

int
exec_home_event(void *opaque, const struct ptah_event *event)
{
	struct exec_home *home = opaque;

	switch (event->what) {
	case PTAH_EV_MAIL:
		on_ask(home, event->from);
		break;
	case PTAH_EV_STREAM:
		if (!exec_visits_hear(home, event))
			exec_heard(home, event);
		break;
	case PTAH_EV_ACCEPT:
		exec_visits_accept(home, event);
		break;
	case PTAH_EV_TIMER:
		on_timer(home, (uint32_t)event->val);
		break;
	case PTAH_EV_EXIT:
		if (event->from == home->process)
			exec_life_exited(home, (int)event->val);
		break;
	case PTAH_EV_STOP:
		exec_life_stop(home, event->deadline_ns);
		break;
	default:
		break;
	}
	return 0;
}

/* The program listens, not we. */
int
exec_home_listen(void *home, const char *bind)
{
	(void)home;
	(void)bind;
	return 0;
}

void
exec_home_close(void *opaque)
{
	struct exec_home *home = opaque;

	exec_visits_close(home);
	exec_program_free(&home->program);
	free(home->args);
	free(home->asking);
	free(home->out);
	free(home->err);
	if (home->proxy != NULL)
		sodium_memzero(home->proxy, strlen(home->proxy));
	free(home->proxy);
	free(home->bind);
	free(home->name);
	exec_folder_clear(&home->folder);
}
