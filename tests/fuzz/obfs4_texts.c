/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The texts that obfs4 reads: a cert, an iat-mode, a state file.  What was
 * read and is written again reads the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "identity.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1), cert[OBFS4_CERT_LEN + 1], state[OBFS4_STATE_ROOM];
	struct obfs4_bridge bridge, again;
	struct obfs4_identity identity, same;
	const char *why = NULL;
	uint8_t mode = 9;

	expect(text != NULL && sodium_init() >= 0);
	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	if (obfs4_cert_read(text, &bridge, &why) == 0) {
		obfs4_cert_write(&bridge, cert);
		expect(obfs4_cert_read(cert, &again, &why) == 0);
		expect(memcmp(&bridge, &again, sizeof(bridge)) == 0);
	} else {
		expect(why != NULL);
	}
	expect(obfs4_iat_read(text, &mode) != 0 || mode < OBFS4_IAT_MODES);
	if (obfs4_state_read(text, len, &identity, &why) == 0) {
		size_t n = obfs4_state_write(&identity, state);

		expect(n < sizeof(state));
		expect(obfs4_state_read(state, n, &same, &why) == 0);
		expect(memcmp(&identity, &same, sizeof(same)) == 0);
	} else {
		expect(why != NULL);
	}
	free(text);
	return 0;
}
