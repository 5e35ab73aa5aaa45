/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

#define NAME_MAX_LEN 64
#define LOCK "lock"
#define GUARDED (-2) /* as a lock: none is needed */
#define YIELDED (-3) /* as a lock: another process has it */

struct ptah_state {
	char *folder, *ptname;
	int lock; /* descriptor, -1, or GUARDED */
	struct ptah_states *states;      /* NULL: it has followed nobody, and nobody follows */
	struct ptah_state **back, *next; /* all of those */
	unsigned turn;
};

struct ptah_states {
	pthread_mutex_t lock; /* of all locks of them, too */
	struct ptah_state *first;
	bool yielded; /* to another process */
};

struct ptah_state *
ptah_state_new(const char *folder, const char *ptname)
{
	struct ptah_state *state = calloc(1, sizeof(*state));

	if (state == NULL)
		return NULL;
	state->lock = -1;
	state->folder = strdup(folder);
	state->ptname = strdup(ptname);
	if (state->folder == NULL || state->ptname == NULL) {
		ptah_state_free(state);
		errno = ENOMEM;
		return NULL;
	}
	return state;
}

void
ptah_state_guard(struct ptah_state *state)
{
	state->lock = GUARDED;
}

static char *
path_of(const struct ptah_state *state, const char *name)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s_%s", state->folder, state->ptname, name) != -1 ? path : NULL;
}

/* ---- who follows whom -------------------------------------------------------- */

struct ptah_states *
ptah_states_new(void)
{
	struct ptah_states *states = calloc(1, sizeof(*states));

	if (states != NULL)
		pthread_mutex_init(&states->lock, NULL);
	return states;
}

void
ptah_states_free(struct ptah_states *states)
{
	if (states == NULL)
		return;
	pthread_mutex_destroy(&states->lock);
	free(states);
}

static bool
are_same(const struct ptah_state *a, const struct ptah_state *b)
{
	return strcmp(a->folder, b->folder) == 0 && strcmp(a->ptname, b->ptname) == 0;
}

/* With the lock of all held: does a newer one have it? */
static bool
is_past(const struct ptah_state *state)
{
	const struct ptah_state *one = state->states->first;

	while (one != NULL && !(one->turn > state->turn && are_same(one, state)))
		one = one->next;
	return one != NULL;
}

/* The same: the newest of the older ones, or NULL. */
static struct ptah_state *
elder_of(const struct ptah_state *state)
{
	struct ptah_state *elder = NULL;

	for (struct ptah_state *one = state->states->first; one != NULL; one = one->next)
		if (one->turn < state->turn && are_same(one, state) && (elder == NULL || one->turn > elder->turn))
			elder = one;
	return elder;
}

static void
hand_over(struct ptah_state *from, struct ptah_state *to)
{
	if (from->lock < 0 || to->lock != -1)
		return;
	to->lock = from->lock;
	from->lock = -1;
}

bool
ptah_state_join(struct ptah_state *state, struct ptah_states *states, unsigned turn)
{
	struct ptah_state *elder;

	state->turn = turn;
	state->states = states;
	pthread_mutex_lock(&states->lock);
	state->next = states->first;
	state->back = &states->first;
	if (state->next != NULL)
		state->next->back = &state->next;
	states->first = state;
	elder = elder_of(state);
	if (elder != NULL && !is_past(state))
		hand_over(elder, state);
	pthread_mutex_unlock(&states->lock);
	return elder != NULL;
}

static void
leave(struct ptah_state *state)
{
	struct ptah_state *elder;

	if (state->states == NULL)
		return;
	pthread_mutex_lock(&state->states->lock);
	elder = elder_of(state);
	if (elder != NULL)
		hand_over(state, elder);
	*state->back = state->next;
	if (state->next != NULL)
		state->next->back = state->back;
	pthread_mutex_unlock(&state->states->lock);
}

void
ptah_state_free(struct ptah_state *state)
{
	if (state == NULL)
		return;
	leave(state);
	if (state->lock >= 0) {
		char *path = path_of(state, LOCK);

		/* While we hold it: nobody else takes a file that is not there any more. */
		if (path != NULL)
			(void)unlink(path);
		free(path);
		close(state->lock);
	}
	free(state->folder);
	free(state->ptname);
	free(state);
}

static bool
is_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= NAME_MAX_LEN && name[0] != '.' && strcmp(name, LOCK) != 0 &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

/* Between open and lock the holder may have removed the file: then ours is not the one that others see. */
static int
lock_once(const char *path, int *out)
{
	struct stat ours, seen;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = 0;

	if (fd == -1)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == -1)
		rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
	else if (fstat(fd, &ours) == -1 || stat(path, &seen) == -1 || ours.st_ino != seen.st_ino || ours.st_dev != seen.st_dev)
		rc = -EAGAIN;
	if (rc < 0)
		close(fd);
	else
		*out = fd;
	return rc;
}

static int
take_lock_here(struct ptah_state *state)
{
	char *path;
	int rc = -EAGAIN;

	if (state->lock != -1)
		return 0;
	path = path_of(state, LOCK);
	if (path == NULL)
		return -ENOMEM;
	for (int i = 0; rc == -EAGAIN && i < 100; i++)
		rc = lock_once(path, &state->lock);
	free(path);
	return rc == -EAGAIN ? -EBUSY : rc;
}

/* Who writes nothing any more needs none. */
static int
take_lock(struct ptah_state *state)
{
	struct ptah_state *elder;
	int rc = 0;

	if (state->states == NULL)
		return take_lock_here(state);
	pthread_mutex_lock(&state->states->lock);
	if (!is_past(state) && !state->states->yielded) {
		elder = elder_of(state);
		if (elder != NULL)
			hand_over(elder, state);
		rc = take_lock_here(state);
	}
	pthread_mutex_unlock(&state->states->lock);
	return rc;
}

void
ptah_states_yield(struct ptah_states *states)
{
	pthread_mutex_lock(&states->lock);
	states->yielded = true;
	for (struct ptah_state *state = states->first; state != NULL; state = state->next) {
		if (state->lock < 0)
			continue;
		close(state->lock);
		state->lock = YIELDED;
	}
	pthread_mutex_unlock(&states->lock);
}

int
ptah_states_regain(struct ptah_states *states)
{
	int rc = 0;

	pthread_mutex_lock(&states->lock);
	states->yielded = false;
	for (struct ptah_state *state = states->first; state != NULL; state = state->next) {
		int one = 0;

		if (state->lock == YIELDED) {
			state->lock = -1;
			one = take_lock_here(state);
		}
		if (one != 0)
			rc = one;
	}
	pthread_mutex_unlock(&states->lock);
	return rc;
}

/* The file's length, or -errno. */
static long
read_into(const char *path, struct ptah_room out)
{
	uint8_t *bytes = NULL;
	size_t len = 0;
	long rc = ptah_file_read(path, PTAH_STATE_MAX, &bytes, &len);

	if (rc < 0)
		return rc;
	if (len <= out.len && len > 0)
		memcpy(out.at, bytes, len);
	explicit_bzero(bytes, len);
	free(bytes);
	return len <= out.len ? (long)len : -ENOSPC;
}

long
ptah_state_peek(struct ptah_state *state, const char *name, struct ptah_room out, struct ptah_state_look *look)
{
	char *path;
	long rc;

	if (!is_name(name))
		return -EINVAL;
	path = path_of(state, name);
	if (path == NULL)
		return -ENOMEM;
	rc = read_into(path, out);
	if (rc >= 0)
		look->on_read(path, look->arg);
	free(path);
	return rc;
}

long
ptah_state_get(struct ptah_state *state, const char *name, struct ptah_room out)
{
	char *path;
	long rc;

	if (!is_name(name))
		return -EINVAL;
	path = path_of(state, name);
	if (path == NULL)
		return -ENOMEM;
	/* Where there is no file there is nothing to guard, and nothing is made. */
	rc = access(path, F_OK) == 0 ? take_lock(state) : -errno;
	if (rc == -EROFS || rc == -EACCES) /* we cannot write there, but read */
		rc = 0;
	if (rc == 0)
		rc = read_into(path, out);
	free(path);
	return rc;
}

int
ptah_state_prepare(struct ptah_state *state, const char *name)
{
	int rc = is_name(name) ? 0 : -EINVAL;

	if (rc == 0)
		rc = ptah_file_mkdirs(state->folder);
	if (rc == 0)
		rc = take_lock(state);
	/* -ENOENT is for who has no folder at all; this one has one that cannot be (a link to nowhere, in /proc ...). */
	return rc == -ENOENT ? -ENOTDIR : rc;
}

/* ---- the writer ------------------------------------------------------------ */

struct job {
	struct job *next;
	bool dropped; /* another one writes this state now */
	char *path;
	ptah_written_fn *written;
	void *arg;
	size_t len;
	uint8_t body[];
};

struct ptah_writer {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct job *first, **last;
	size_t waiting; /* bytes of memory */
	bool closing, running;
	bool held;              /* what comes waits */
	bool busy;              /* with a job that it has taken */
	pthread_cond_t idle;
	atomic_bool muted;
	pthread_t thread;
};

/* More of them may be empty than there is memory. */
static size_t
cost_of(const struct job *job)
{
	return sizeof(*job) + strlen(job->path) + 1 + job->len;
}

static void
free_job(struct job *job)
{
	explicit_bzero(job->body, job->len);
	free(job->path);
	free(job);
}

struct ptah_writer *
ptah_writer_new(void)
{
	struct ptah_writer *writer = calloc(1, sizeof(*writer));

	if (writer == NULL)
		return NULL;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->more, NULL);
	pthread_cond_init(&writer->idle, NULL);
	writer->last = &writer->first;
	return writer;
}

static struct job *
take_job(struct ptah_writer *writer)
{
	struct job *job;

	pthread_mutex_lock(&writer->lock);
	writer->busy = false;
	if (writer->first == NULL)
		pthread_cond_broadcast(&writer->idle);
	while ((writer->first == NULL || writer->held) && !writer->closing)
		pthread_cond_wait(&writer->more, &writer->lock);
	job = writer->first;
	writer->busy = job != NULL;
	if (job != NULL) {
		writer->first = job->next;
		if (writer->first == NULL)
			writer->last = &writer->first;
		writer->waiting -= cost_of(job);
	}
	pthread_mutex_unlock(&writer->lock);
	return job;
}

static void *
write_all(void *arg)
{
	struct ptah_writer *writer = arg;
	struct job *job;

	while ((job = take_job(writer)) != NULL) {
		int rc = job->dropped || atomic_load(&writer->muted) ? 0 : ptah_file_write_atomic(job->path, job->body, job->len);

		job->written(rc, job->arg);
		free_job(job);
	}
	return NULL;
}

void
ptah_writer_settle(struct ptah_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	while (writer->running && !writer->held && (writer->first != NULL || writer->busy))
		pthread_cond_wait(&writer->idle, &writer->lock);
	pthread_mutex_unlock(&writer->lock);
}

int
ptah_writer_hold(struct ptah_writer *writer, uint64_t until_ns)
{
	const struct timespec until = { (time_t)(until_ns / PTAH_NS_PER_S), (long)(until_ns % PTAH_NS_PER_S) };
	int rc = 0;

	pthread_mutex_lock(&writer->lock);
	while (rc == 0 && writer->running && (writer->first != NULL || writer->busy))
		rc = -pthread_cond_clockwait(&writer->idle, &writer->lock, CLOCK_MONOTONIC, &until);
	writer->held = rc == 0;
	pthread_cond_signal(&writer->more); /* it may have been held before */
	pthread_mutex_unlock(&writer->lock);
	return rc;
}

void
ptah_writer_release(struct ptah_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	writer->held = false;
	pthread_cond_signal(&writer->more);
	pthread_mutex_unlock(&writer->lock);
}

void
ptah_writer_free(struct ptah_writer *writer)
{
	if (writer == NULL)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->closing = true;
	pthread_cond_signal(&writer->more);
	pthread_mutex_unlock(&writer->lock);
	if (writer->running)
		pthread_join(writer->thread, NULL);
	pthread_cond_destroy(&writer->more);
	pthread_cond_destroy(&writer->idle);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

/* With the lock held.  The new thread takes no signal: those are the main thread's. */
static int
start(struct ptah_writer *writer)
{
	sigset_t all, old;
	int rc;

	if (writer->running)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&writer->thread, NULL, write_all, writer);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	writer->running = rc == 0;
	return -rc;
}

int
ptah_writer_start(struct ptah_writer *writer)
{
	int rc;

	pthread_mutex_lock(&writer->lock);
	rc = start(writer);
	pthread_mutex_unlock(&writer->lock);
	return rc;
}

void
ptah_writer_mute(struct ptah_writer *writer)
{
	atomic_store(&writer->muted, true);
}

int
ptah_writer_put(struct ptah_writer *writer, const struct ptah_state *state, const char *name,
    struct ptah_span body, ptah_written_fn *written, void *arg)
{
	struct job *job;
	int rc = 0;

	if (body.len > PTAH_STATE_MAX)
		return -EFBIG;
	job = malloc(sizeof(*job) + body.len);
	if (job == NULL)
		return -ENOMEM;
	job->next = NULL;
	job->path = path_of(state, name);
	job->written = written;
	job->arg = arg;
	job->len = body.len;
	if (body.len > 0)
		memcpy(job->body, body.at, body.len);
	/* Until it stands in the queue, so that who takes the state over waits for it. */
	if (state->states != NULL)
		pthread_mutex_lock(&state->states->lock);
	job->dropped = state->states != NULL && is_past(state);
	pthread_mutex_lock(&writer->lock);
	if (job->path == NULL)
		rc = -ENOMEM;
	else if (writer->waiting > 2 * PTAH_STATE_MAX)
		rc = -EAGAIN;
	else
		rc = start(writer);
	if (rc == 0) {
		*writer->last = job;
		writer->last = &job->next;
		writer->waiting += cost_of(job);
		pthread_cond_signal(&writer->more);
	}
	pthread_mutex_unlock(&writer->lock);
	if (state->states != NULL)
		pthread_mutex_unlock(&state->states->lock);
	if (rc < 0)
		free_job(job);
	return rc;
}
