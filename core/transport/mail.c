/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/mail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loop/worker.h"
#include "transport/home.h"
#include "transport/instance.h"

/* An address is the worker's index (above), and a number that its instance never gives again. */
#define SERIAL_BITS 56
#define SERIAL_MASK ((UINT64_C(1) << SERIAL_BITS) - 1)

/* The worker's table of addresses: chains of lives, by number. */
struct addresses {
	size_t n, n_slots; /* n_slots: a power of two */
	struct ptah_self **slots;
};

struct letter {
	struct ptah_instance *instance; /* a reference */
	uint64_t to, from;
	size_t len;
	uint8_t body[];
};

static struct ptah_self **
slot_of(const struct addresses *table, uint64_t id)
{
	return &table->slots[id & (table->n_slots - 1)];
}

static int
grow(struct addresses *table)
{
	struct addresses bigger = *table;

	bigger.n_slots = table->n_slots == 0 ? 16 : table->n_slots * 2;
	bigger.slots = calloc(bigger.n_slots, sizeof(struct ptah_self *));
	if (bigger.slots == NULL)
		return table->n_slots == 0 ? -ENOMEM : 0; /* longer chains do as well */
	for (size_t i = 0; i < table->n_slots; i++) {
		struct ptah_self *self = table->slots[i];

		while (self != NULL) {
			struct ptah_self *next = self->next, **slot = slot_of(&bigger, self->id);

			self->next = *slot;
			*slot = self;
			self = next;
		}
	}
	free(table->slots);
	*table = bigger;
	return 0;
}

uint64_t
ptah_mail_id(struct ptah_self *self)
{
	struct addresses *table = self->worker->rooms[PTAH_ROOM_TRANSPORT];
	struct ptah_self **slot;

	if (self->id != 0 || self->life != PTAH_LIFE_LINK)
		return self->id;
	if (table == NULL) {
		table = calloc(1, sizeof(*table));
		if (table == NULL)
			return 0;
		self->worker->rooms[PTAH_ROOM_TRANSPORT] = table;
	}
	if (table->n >= table->n_slots && grow(table) < 0) {
		self->worker->rooms[PTAH_ROOM_TRANSPORT] = NULL;
		free(table);
		return 0;
	}
	/* Not 0, which is the home. */
	self->id = (uint64_t)self->worker->index << SERIAL_BITS |
	    ((atomic_fetch_add_explicit(&self->instance->n_ids, 1, memory_order_relaxed) + 1) & SERIAL_MASK);
	slot = slot_of(table, self->id);
	self->next = *slot;
	*slot = self;
	table->n++;
	return self->id;
}

void
ptah_mail_forget(struct ptah_self *self)
{
	struct addresses *table = self->worker->rooms[PTAH_ROOM_TRANSPORT];
	struct ptah_self **at;

	if (self->id == 0)
		return;
	for (at = slot_of(table, self->id); *at != self; at = &(*at)->next)
		continue;
	*at = self->next;
	self->next = NULL;
	self->id = 0;
	if (--table->n > 0)
		return;
	self->worker->rooms[PTAH_ROOM_TRANSPORT] = NULL;
	free(table->slots);
	free(table);
}

static struct ptah_self *
find(const struct ptah_worker *worker, const struct letter *letter)
{
	const struct addresses *table = worker->rooms[PTAH_ROOM_TRANSPORT];
	struct ptah_self *self;

	if (letter->to == PTAH_HOME)
		return letter->instance->home->open ? &letter->instance->home->self : NULL;
	if (table == NULL || table->n_slots == 0)
		return NULL;
	for (self = *slot_of(table, letter->to); self != NULL; self = self->next)
		if (self->id == letter->to && self->instance == letter->instance)
			return self; /* another instance counts its links as it does */
	return NULL;
}

static void
on_letter(struct ptah_worker *worker, void *arg)
{
	struct letter *letter = arg;
	struct ptah_self *self = find(worker, letter);
	struct ptah_event event = {
		.size = sizeof(event),
		.what = PTAH_EV_MAIL,
		.from = letter->from,
		.body = { letter->body, letter->len },
	};

	atomic_fetch_sub(&letter->instance->mail_bytes, sizeof(*letter) + letter->len);
	if (self != NULL)
		self->ops->deliver(self, &event);
	explicit_bzero(letter->body, letter->len);
	ptah_instance_unref(letter->instance);
	free(letter);
}

int
ptah_mail_send(struct ptah_self *self, uint64_t to, struct ptah_span body)
{
	struct ptah_instance *instance = self->instance;
	struct ptah_worker *worker;
	struct letter *letter;
	int rc;

	if (self->life == PTAH_LIFE_WORKER || (to == PTAH_HOME && instance->home == NULL) ||
	    (to != PTAH_HOME && to >> SERIAL_BITS >= instance->n_workers))
		return -EINVAL;
	if (body.len > PTAH_MAIL_MAX)
		return -EMSGSIZE;
	worker = to == PTAH_HOME ? instance->home_worker : instance->workers[to >> SERIAL_BITS];
	letter = malloc(sizeof(*letter) + body.len);
	if (letter == NULL)
		return -ENOMEM;
	letter->to = to;
	letter->len = body.len;
	if (body.len > 0)
		memcpy(letter->body, body.at, body.len);
	/* Whoever writes can be answered. */
	letter->from = ptah_mail_id(self);
	if (atomic_fetch_add(&instance->mail_bytes, sizeof(*letter) + body.len) > PTAH_MAIL_UNDER_WAY) {
		rc = -ENOBUFS;
		goto fail;
	}
	letter->instance = ptah_instance_ref(instance);
	rc = ptah_worker_post(worker, on_letter, letter);
	if (rc == 0)
		return 0;
	ptah_instance_unref(instance);
fail:
	atomic_fetch_sub(&instance->mail_bytes, sizeof(*letter) + body.len);
	free(letter);
	return rc;
}
