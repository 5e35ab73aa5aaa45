/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz: what a stranger may say to a server, or a server to us.  The first
 * byte of the input says which, the second how the rest is cut.
 */
#include "path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
gives(const uint8_t *data, size_t size, size_t piece)
{
	bool server = data[0] % 2 == 0, given;
	struct ptah_stream *stream;
	struct fake fake;

	new_with_path(&fake, "/feed");
	if (server)
		fake_serve(&fake);
	stream = server ? fake_meet(&fake, "192.0.2.9:9") : fake_call(&fake);
	fake_hear(stream, server, data + 2, size - 2, piece, true);
	MUST(!server || fake.rc == 0);
	given = stream->given;
	if (server)
		fake_stop(&fake);
	fake_close(&fake);
	return given;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size >= 2)
		MUST(gives(data, size, 0) == gives(data, size, 1 + (size_t)data[1]));
	return 0;
}
