/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The services of a lab.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/lab.h"
#include "check/party.h"
#include "check/trial.h"

#define LETTER_MOST ((size_t)1024 * 1024)

static struct ptah_lab_life *
life_of(struct ptah_self *self)
{
	struct ptah_lab_life *life = (struct ptah_lab_life *)self;

	if (life == NULL || life->lab == NULL)
		ptah_trial_fail("it calls a service with a 'self' that is none");
	return life;
}

/* Does this service fail, because the row wants that? */
static bool
is_refused(struct ptah_lab *lab)
{
	if (lab->refuse_service == 0 || --lab->refuse_service > 0)
		return false;
	lab->has_refused = true;
	return true;
}

static uint64_t
now_ns(struct ptah_self *self)
{
	return life_of(self)->lab->now_ns;
}

static int64_t
wall_s(struct ptah_self *self)
{
	struct ptah_lab *lab = life_of(self)->lab;

	return lab->wall_s + (int64_t)(lab->now_ns / PTAH_NS_PER_S);
}

static void
random_bytes(struct ptah_self *self, void *out, size_t len)
{
	ptah_lab_fill(life_of(self)->lab, out, len);
}

static int
timer(struct ptah_self *self, uint32_t which, uint64_t after_ns)
{
	struct ptah_lab_life *life = life_of(self);

	if (which >= PTAH_TIMERS)
		ptah_trial_fail("it sets timer %u: each life has timers 0 to %u", which, PTAH_TIMERS - 1);
	if (life->kind == PTAH_LAB_WORKER && life->lab->module->worker_event == NULL)
		ptah_trial_fail("a worker life sets a timer, and there is no .worker_event to hear of it");
	if (after_ns == 0) {
		life->due[which] = 0;
		return 0;
	}
	if (is_refused(life->lab))
		return -ENOMEM;
	if (after_ns > INT64_MAX - life->lab->now_ns)
		after_ns = INT64_MAX - life->lab->now_ns;
	life->due[which] = life->lab->now_ns + after_ns;
	return 0;
}

static void
log_text(struct ptah_self *self, uint32_t level, const char *text, size_t len)
{
	(void)life_of(self);
	if (level < PTAH_LOG_LEVEL_ERROR || level > PTAH_LOG_LEVEL_DEBUG)
		ptah_trial_fail("it logs at a level that does not exist: %u", level);
	if (len > 0 && memchr(text, '\n', len) != NULL)
		ptah_trial_fail("it logs more than one line at once");
}

static void
count(struct ptah_self *self, uint32_t counter, int64_t add)
{
	const char *const *counters = life_of(self)->lab->module->counters;
	uint32_t n = 0;

	(void)add;
	while (counters != NULL && counters[n] != NULL)
		n++;
	if (counter >= n)
		ptah_trial_fail("it counts with number %u, and .counters has %u names", counter, n);
}

static uint64_t
id(struct ptah_self *self)
{
	struct ptah_lab_life *life = life_of(self);

	if (life->kind != PTAH_LAB_LINK)
		return 0;
	if (life->id == 0)
		life->id = ++life->lab->last_id;
	return life->id;
}

/* ---- what comes back as an event -------------------------------------------------- */

static int
post(struct ptah_lab *lab, const struct ptah_lab_letter *head, struct ptah_span body)
{
	struct ptah_lab_letter *letter = body.len <= LETTER_MOST ? malloc(sizeof(*letter) + body.len) : NULL;

	if (letter == NULL)
		return -ENOMEM;
	*letter = *head;
	letter->next = NULL;
	letter->len = body.len;
	if (body.len > 0)
		memcpy(letter->body, body.at, body.len);
	*lab->letters_end = letter;
	lab->letters_end = &letter->next;
	return 0;
}

static int
mail(struct ptah_self *self, uint64_t to, struct ptah_span body)
{
	struct ptah_lab_life *life = life_of(self);
	const struct ptah_lab_letter head = {
		.what = PTAH_EV_MAIL, .home = to == PTAH_HOME ? life->base : NULL, .link = to, .from = id(self),
	};

	if (life->kind == PTAH_LAB_WORKER)
		return -EINVAL;
	return is_refused(life->lab) ? -ENOMEM : post(life->lab, &head, body);
}

static uint64_t
digest(uint64_t sum, struct ptah_span span)
{
	for (size_t i = 0; i < span.len; i++)
		sum = (sum ^ span.at[i]) * UINT64_C(0x100000001b3);
	return sum;
}

/* 1 fresh, 0 seen. */
static int
look_up(struct ptah_lab *lab, struct ptah_span scope, struct ptah_span token)
{
	uint64_t sum = digest(digest(UINT64_C(0xcbf29ce484222325), scope) + 1, token), *more;

	for (size_t i = 0; i < lab->n_tokens; i++)
		if (lab->tokens[i] == sum)
			return 0;
	more = realloc(lab->tokens, (lab->n_tokens + 1) * sizeof(*more));
	if (more == NULL)
		return -ENOMEM;
	lab->tokens = more;
	more[lab->n_tokens++] = sum;
	return 1;
}

static int
replay(struct ptah_self *self, struct ptah_span scope, struct ptah_span token, uint32_t ttl_s, uint64_t cookie)
{
	struct ptah_lab_life *life = life_of(self);
	static const struct ptah_span none = { NULL, 0 };

	(void)ttl_s;
	if (life->kind == PTAH_LAB_WORKER)
		return -EINVAL;
	life->lab->n_replays++;
	if (is_refused(life->lab))
		return -ENOMEM;
	int rc = look_up(life->lab, scope, token);
	if (rc < 0 || !life->lab->replay_later)
		return rc;
	const struct ptah_lab_letter head = {
		.what = PTAH_EV_REPLAY, .home = life->kind == PTAH_LAB_HOME ? life->base : NULL, .link = id(self),
		.cookie = cookie, .val = rc,
	};
	rc = post(life->lab, &head, none);
	return rc < 0 ? rc : -EINPROGRESS;
}

/* ---- state ---------------------------------------------------------------------------- */

static struct ptah_lab_file *
file_of(struct ptah_base *base, const char *name)
{
	struct ptah_lab_file *file = base->files;

	while (file != NULL && strcmp(file->name, name) != 0)
		file = file->next;
	return file;
}

static long
state_get(struct ptah_self *self, const char *name, struct ptah_room out)
{
	struct ptah_lab_life *life = life_of(self);
	const struct ptah_lab_file *file;

	if (life->kind != PTAH_LAB_HOME || life->base->said_ready)
		return -EINVAL;
	file = file_of(life->base, name);
	if (file == NULL)
		return -ENOENT;
	if (file->body.len > out.len)
		return -ENOSPC;
	if (file->body.len > 0)
		memcpy(out.at, file->body.at, file->body.len);
	return (long)file->body.len;
}

static int
state_put(struct ptah_self *self, const char *name, struct ptah_span body, uint64_t cookie)
{
	struct ptah_lab_life *life = life_of(self);
	const struct ptah_lab_letter head = { .what = PTAH_EV_STATE, .home = life->base, .cookie = cookie };
	static const struct ptah_span none = { NULL, 0 };
	struct ptah_lab_file *file;

	if (life->kind != PTAH_LAB_HOME)
		return -EINVAL;
	if (is_refused(life->lab))
		return -ENOMEM;
	file = file_of(life->base, name);
	if (file == NULL) {
		file = calloc(1, sizeof(*file));
		if (file == NULL || (file->name = strdup(name)) == NULL) {
			free(file);
			return -ENOMEM;
		}
		file->next = life->base->files;
		life->base->files = file;
	}
	ptah_buf_clear(&file->body);
	if (ptah_buf_add(&file->body, body.at, body.len) < 0)
		return -ENOMEM;
	return post(life->lab, &head, none);
}

/* ---- the home ---------------------------------------------------------------------------- */

static void
ready(struct ptah_self *self, int rc, const char *advertise, const char *bridge_args, const char *reason)
{
	struct ptah_lab_life *life = life_of(self);
	struct ptah_base *base = life->base;
	char why[256];

	(void)advertise;
	if (life->kind != PTAH_LAB_HOME)
		ptah_trial_fail("who says ready() is no home");
	if (base->said_ready)
		ptah_trial_fail("its home says ready() twice");
	base->said_ready = true;
	base->ready_rc = rc;
	snprintf(base->reason, sizeof(base->reason), "%s", reason != NULL ? reason : "");
	if (rc < 0 || bridge_args == NULL)
		return;
	base->bridge_args = ptah_json_parse(bridge_args, strlen(bridge_args), 0, why, sizeof(why));
	if (base->bridge_args == NULL || base->bridge_args->type != PTAH_JSON_OBJECT)
		ptah_trial_fail("the bridge arguments that its home says are no JSON object");
}

static void
home_done(struct ptah_self *self)
{
	life_of(self)->base->home_is_done = true;
}

static int
message(struct ptah_self *self, const struct ptah_msg *msg)
{
	struct ptah_lab_life *life = life_of(self);

	if (life->kind != PTAH_LAB_LINK)
		return -EINVAL;
	return ptah_party_take_message(life->party, msg);
}

static void
status(struct ptah_self *self, const char *text, size_t len)
{
	(void)life_of(self);
	(void)text;
	(void)len;
}

/* ---- what is a carrier's: its rows run on the real relay --------------------------------- */

static struct ptah_stream *
no_stream(void)
{
	errno = ENOMEM;
	return NULL;
}

static struct ptah_stream *
dial(struct ptah_self *self, int32_t via, const char *server, const char *args)
{
	(void)self;
	(void)via;
	(void)server;
	(void)args;
	return no_stream();
}

static struct ptah_stream *
make_pipe(struct ptah_self *self, struct ptah_stream **other)
{
	(void)self;
	(void)other;
	return no_stream();
}

static void
eat(struct ptah_stream *stream, size_t n)
{
	(void)stream;
	(void)n;
}

static size_t
write_stream(struct ptah_stream *stream, struct ptah_span bytes)
{
	(void)stream;
	(void)bytes;
	return 0;
}

static void
ask(struct ptah_stream *stream, size_t want, uint32_t hold, uint32_t finish)
{
	(void)stream;
	(void)want;
	(void)hold;
	(void)finish;
}

static void
drop(struct ptah_stream *stream)
{
	(void)stream;
}

static int
give(struct ptah_self *self, struct ptah_stream *stream)
{
	(void)self;
	(void)stream;
	return -EINVAL;
}

static int
arrive(struct ptah_self *self, struct ptah_stream *stream, const char *peer, const char *dest, uint64_t cookie)
{
	(void)peer;
	(void)dest;
	(void)cookie;
	return give(self, stream);
}

static int
listen_on(struct ptah_self *self, const char *bind, uint64_t cookie, char *bound, size_t room)
{
	(void)self;
	(void)bind;
	(void)cookie;
	(void)bound;
	(void)room;
	return -EINVAL;
}

static int
child(struct ptah_self *self, const char *name, const char *options, const char *bind)
{
	(void)self;
	(void)name;
	(void)options;
	(void)bind;
	return -EINVAL;
}

static long
spawn(struct ptah_self *self, const struct ptah_spawn *how, struct ptah_stream *stdio[3])
{
	(void)self;
	(void)how;
	(void)stdio;
	return -EPERM;
}

static int
kill_process(struct ptah_self *self, uint64_t process, int sig)
{
	(void)self;
	(void)process;
	(void)sig;
	return -ESRCH;
}

const struct ptah_host ptah_lab_services = {
	.size = sizeof(struct ptah_host),
	.major = PTAH_ABI_MAJOR,
	.minor = PTAH_ABI_MINOR,
	.now_ns = now_ns,
	.wall_s = wall_s,
	.random = random_bytes,
	.timer = timer,
	.log = log_text,
	.count = count,
	.id = id,
	.mail = mail,
	.replay = replay,
	.state_get = state_get,
	.state_put = state_put,
	.ready = ready,
	.home_done = home_done,
	.dial = dial,
	.pipe = make_pipe,
	.eat = eat,
	.write = write_stream,
	.ask = ask,
	.drop = drop,
	.give = give,
	.arrive = arrive,
	.listen = listen_on,
	.child = child,
	.spawn = spawn,
	.kill = kill_process,
	.message = message,
	.status = status,
};
