/* SPDX-License-Identifier: BSD-3-Clause */
/* test: what the transport must do, without a network. */
#include "path.h"

#define CLIENT false
#define SERVER true

/* Both heads are said and eaten, however they are cut; what stands behind them is the link's. */
static void
gives_the_stream_after_both_heads(void)
{
	static const size_t pieces[] = { 0, 1, 7, 1000 };

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct fake client, server;
		struct ptah_stream *near, *far;

		new_with_path(&client, "/feed");
		new_with_path(&server, "/feed");
		near = fake_call(&client);
		fake_serve(&server);
		far = fake_meet(&server, "192.0.2.9:9");
		fake_hear(far, SERVER, near->out, near->out_len, pieces[i], false);
		MUST(far->given && far->in_len == 0 && strcmp(server.peer, "192.0.2.9:9") == 0);
		fake_hear(near, CLIENT, far->out, far->out_len, pieces[i], false);
		MUST(near->given && near->in_len == 0 && client.rc == 0);
		fake_stop(&server);
		fake_close(&client);
		fake_close(&server);
	}
}

static void
keeps_what_stands_behind_the_head(void)
{
	struct fake client, server;
	struct ptah_stream *near, *far;

	new_with_path(&client, "/feed");
	new_with_path(&server, "/feed");
	near = fake_call(&client);
	fake_serve(&server);
	far = fake_meet(&server, NULL);
	fake_add(&near->out, &near->out_len, "early", 5);
	fake_hear(far, SERVER, near->out, near->out_len, 0, false);
	MUST(far->given && far->in_len == 5 && memcmp(far->in, "early", 5) == 0);
	fake_close(&client);
	fake_close(&server);
}

static void
answers_nobody_with_another_path(void)
{
	struct fake client, server;
	struct ptah_stream *near, *far;

	new_with_path(&client, "/fee2");
	new_with_path(&server, "/feed");
	near = fake_call(&client);
	fake_serve(&server);
	far = fake_meet(&server, NULL);
	fake_hear(far, SERVER, near->out, near->out_len, 1, false);
	MUST(far->dropped && far->out_len == 0 && server.rc == 0);
	fake_hear(near, CLIENT, "HTTP/1.1 404 Not Found\r\n\r\n", 26, 0, true);
	MUST(!near->given && client.rc < 0 && client.reason != NULL);
	fake_close(&client);
	fake_close(&server);
}

/* Silent strangers go when time is up, and a crowd of them makes room for itself. */
static void
waits_for_nobody_for_ever(void)
{
	struct fake server;
	size_t n_left = 0;

	new_with_path(&server, "/feed");
	fake_serve(&server);
	for (size_t i = 0; i < 200; i++)
		(void)fake_meet(&server, NULL);
	for (size_t i = 0; i < 200; i++)
		n_left += !server.streams[i]->dropped;
	MUST(n_left == 64 && !server.streams[199]->dropped);
	fake_ring(&server, 0);
	for (size_t i = 0; i < 200; i++)
		MUST(server.streams[i]->dropped);
	fake_stop(&server);
	fake_close(&server);
}

int
main(void)
{
	gives_the_stream_after_both_heads();
	keeps_what_stands_behind_the_head();
	answers_nobody_with_another_path();
	waits_for_nobody_for_ever();
	puts("4 tests passed");
	return 0;
}
