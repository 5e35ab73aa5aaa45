/* SPDX-License-Identifier: BSD-3-Clause */
#include "relay/call.h"

#include <errno.h>

#include "base/log.h"
#include "base/text.h"

static const char *
nonsense(const struct ptah_io *io, int rc)
{
	if (io->plain.eaten > io->plain.in.len || io->wire.eaten > io->wire.in.len)
		return "ate more than there was";
	if (io->plain.made > io->plain.out.len || io->wire.made > io->wire.out.len)
		return "made more than there was room for";
	if (rc > PTAH_REJECT)
		return "gave an answer that does not exist";
	return NULL;
}

static void
note_answers(struct layer *layer, struct call *call)
{
	const struct ptah_side *sides[2] = { &call->io.plain, &call->io.wire };

	if (call->io.wire.finish == PTAH_FINISH_INSIDE) {
		layer->inside = true;
		call->io.wire.finish = 0;
	}
	for (int s = PLAIN; s <= WIRE; s++) {
		if (sides[s]->eaten > 0 || sides[s]->made > 0 || (sides[s]->finish && !layer->finished[s]) ||
		    layer->hold[s] != (sides[s]->hold != 0) || layer->want[s] != sides[s]->want)
			call->moved = true;
		layer->hold[s] = sides[s]->hold != 0;
		layer->want[s] = sides[s]->want;
	}
	if (call->rc != PTAH_GO)
		call->moved = true;
}

/* Remember what only the end of a handshake says; 'dest' and 'peer' live for the call. */
static int
note_admission(struct ptah_link *link, const struct layer *layer, const struct ptah_io *io)
{
	struct birth *birth = link->birth;

	if (birth == NULL || link->role != PTAH_SERVER)
		return 0;
	if (io->dest != NULL && layer == &link->layers[0]) {
		if (ptah_text_copy(birth->dest, sizeof(birth->dest), io->dest) != 0)
			return -ENAMETOOLONG;
		birth->has_dest = true;
	}
	return io->peer != NULL ? ptah_text_copy(birth->peer, sizeof(birth->peer), io->peer) : 0;
}

static int
note_rc(struct ptah_link *link, struct layer *layer, const struct call *call)
{
	switch (call->rc) {
	case PTAH_GO:
		return 0;
	case PTAH_ADMIT:
		if (link->role != PTAH_SERVER || layer->phase != PHASE_OPENING || link->asked)
			break;
		layer->phase = PHASE_ADMITTED;
		return note_admission(link, layer, &call->io);
	case PTAH_OPEN:
	case PTAH_PASS:
		if (layer->phase >= PHASE_OPEN && !(call->rc == PTAH_PASS && layer->phase == PHASE_OPEN))
			break;
		if (link->birth != NULL && link->birth->plain_rc != 0)
			break;
		int rc = layer->phase == PHASE_OPENING ? note_admission(link, layer, &call->io) : 0;
		layer->phase = call->rc == PTAH_PASS ? PHASE_PASSED : PHASE_OPEN;
		return rc;
	case PTAH_REJECT:
		link->rejected = true;
		link->manner = (uint8_t)call->io.manner;
		link->close_s = call->io.close_s;
		if (call->io.reason != NULL)
			link->reason = call->io.reason;
		return -EACCES;
	default:
		if (call->io.reason != NULL)
			link->reason = call->io.reason;
		return call->rc;
	}
	link->reason = "the module gave an answer that its state does not allow";
	return -EPROTO;
}

int
ptah_call_hook(struct ptah_link *link, struct layer *layer, int s, const struct ptah_event *event,
    const struct ptah_open *open, struct call *call)
{
	const struct ptah_module *module = layer->self.instance->module;
	void *state = layer->self.state;
	int (*step)(void *, struct ptah_io *) = s == PLAIN ? module->wrap : module->unwrap;

	call->io.size = sizeof(call->io);
	call->io.plain.ended = layer->ended[PLAIN] && layer->phase >= PHASE_ADMITTED;
	call->io.wire.ended = layer->ended[WIRE];
	call->io.plain.want = layer->want[PLAIN];
	call->io.wire.want = layer->want[WIRE];
	call->io.plain.hold = layer->hold[PLAIN];
	call->io.wire.hold = layer->hold[WIRE];
	if (open != NULL)
		call->rc = module->open != NULL ? module->open(state, open, &call->io) : PTAH_OPEN;
	else if (event != NULL)
		call->rc = module->event != NULL ? module->event(state, event, &call->io) : PTAH_GO;
	else if (step != NULL)
		call->rc = step(state, &call->io);
	else
		call->rc = -ENOSYS;

	const char *wrong = nonsense(&call->io, call->rc);
	if (wrong != NULL) {
		ptah_error(AREA_MODULE, "%s: a step %s; the link ends", module->name, wrong);
		link->reason = wrong;
		return -EPROTO;
	}
	note_answers(layer, call);
	return note_rc(link, layer, call);
}
