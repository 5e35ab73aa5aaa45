/* SPDX-License-Identifier: BSD-3-Clause */
/* test: what the transport must do, without a network. */
#include "key.h"

static uint8_t text[20000];

static void
begin(struct fake *client, struct fake *server)
{
	open_with_key(client, PTAH_CLIENT, 7, 1);
	open_with_key(server, PTAH_SERVER, 7, 2);
}

static void
end(struct fake *client, struct fake *server)
{
	fake_close(client);
	fake_close(server);
}

/* Both ways, however the bytes are cut and however little room there is. */
static void
carries_every_byte(void)
{
	static const size_t pieces[] = { 0, 1, 2, 63, 64, 65, 1000 }, rooms[] = { 0, 1, 4096 };

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]) * 3; i++) {
		size_t piece = pieces[i / 3];
		struct fake client, server;

		begin(&client, &server);
		fake_talk(&client, &server, piece);
		MUST(client.open && server.open);
		client.room = server.room = rooms[i % 3];
		fake_hear(&client, &client.plain, text, sizeof(text), piece);
		fake_hear(&server, &server.plain, text, 5000, piece);
		fake_talk(&client, &server, piece);
		MUST(server.plain.out.len == sizeof(text) && memcmp(server.plain.out.at, text, sizeof(text)) == 0);
		MUST(client.plain.out.len == 5000 && memcmp(client.plain.out.at, text, 5000) == 0);
		end(&client, &server);
	}
}

static void
passes_the_end_on(void)
{
	struct fake client, server;

	begin(&client, &server);
	fake_talk(&client, &server, 0);
	fake_hear(&client, &client.plain, text, 100, 0);
	fake_end(&client, &client.plain);
	fake_talk(&client, &server, 0);
	MUST(server.plain.finished && server.plain.out.len == 100 && server.rc == 0);
	fake_hear(&server, &server.plain, text, 50, 0);
	fake_talk(&client, &server, 0);
	MUST(client.plain.out.len == 50 && client.rc == 0);
	end(&client, &server);
}

static void
answers_nobody_without_the_key(void)
{
	struct fake client, server;

	open_with_key(&client, PTAH_CLIENT, 7, 1);
	open_with_key(&server, PTAH_SERVER, 8, 2);
	fake_talk(&client, &server, 1);
	MUST(server.rc == PTAH_REJECT && server.reason != NULL);
	MUST(server.wire.out.len == 0 && !client.open);
	end(&client, &server);
}

/* Two hellos have nothing in common but chance, and not one length. */
static void
says_no_hello_twice(void)
{
	struct fake one, other;

	open_with_key(&one, PTAH_CLIENT, 7, 1);
	open_with_key(&other, PTAH_CLIENT, 7, 3);
	MUST(one.wire.out.len != other.wire.out.len);
	MUST(memcmp(one.wire.out.at, other.wire.out.at, 33) != 0);
	end(&one, &other);
}

static void
ends_with_a_peer_that_ends_too_soon(void)
{
	struct fake client, server;

	begin(&client, &server);
	fake_hear(&server, &server.wire, client.wire.out.at, 20, 0);
	fake_end(&server, &server.wire);
	MUST(server.rc < 0 && server.wire.out.len == 0);
	end(&client, &server);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 31 + (i >> 8));
	carries_every_byte();
	passes_the_end_on();
	answers_nobody_without_the_key();
	says_no_hello_twice();
	ends_with_a_peer_that_ends_too_soon();
	puts("5 tests passed");
	return 0;
}
