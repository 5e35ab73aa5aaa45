/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an application is answered, and what is dialled for it: functions of
 * their arguments, beside the machine that reads its words.
 */
#include <errno.h>
#include <string.h>

#include "config/flag.h"
#include "plain/socks.h"
#include "wire/dial.h"

size_t
ptah_socks_reply(int dialect, uint8_t method, unsigned rep, uint8_t out[static PTAH_SOCKS_REPLY_MAX])
{
	if (method == PTAH_SOCKS_V4) {
		memset(out, 0, 8);
		out[1] = rep == PTAH_REP_OK ? 0x5a : 0x5b;
		return 8;
	}
	if (rep > PTAH_REP_ADDRESS && dialect == PTAH_D1 && method != PTAH_SOCKS_JSON &&
	    method != PTAH_SOCKS_OLD_JSON)
		rep = PTAH_REP_GENERAL;
	memset(out, 0, 10);
	out[0] = 5;
	out[1] = (uint8_t)rep;
	out[3] = 1; /* 0.0.0.0, port 0 */
	return 10;
}

unsigned
ptah_socks_rep(int rc)
{
	/* What an upstream proxy said goes through. */
	if (rc <= -PTAH_EPROXY - PTAH_REP_GENERAL && rc >= -PTAH_EPROXY - PTAH_REP_ADDRESS)
		return (unsigned)(-rc - PTAH_EPROXY);
	switch (-rc) {
	case 0:
		return PTAH_REP_OK;
	case EPERM:
	case EACCES:
		return PTAH_REP_NOT_ALLOWED;
	case ENETUNREACH:
	case ENETDOWN:
		return PTAH_REP_NET_UNREACHABLE;
	case EHOSTUNREACH:
	case EHOSTDOWN:
		return PTAH_REP_HOST_UNREACHABLE;
	case ECONNREFUSED:
	case ECONNRESET:
		return PTAH_REP_REFUSED;
	case ETIMEDOUT:
		return PTAH_REP_TIMED_OUT;
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return PTAH_REP_ADDRESS;
	default:
		return PTAH_REP_GENERAL;
	}
}

unsigned
ptah_socks_choose(const struct ptah_socks *socks, const char *server, bool own, bool needed, struct ptah_dest *dest)
{
	bool asked = socks->dest.host[0] != '\0' || socks->dest_bad;
	bool later = socks->dialect == PTAH_D22 || socks->dialect == PTAH_D3;

	if (server[0] != '\0' && (own || later || !asked))
		return ptah_dest_parse(dest, server, false) == 0 ? PTAH_REP_OK : PTAH_REP_SETTINGS;
	*dest = socks->dest;
	if (socks->dest_bad)
		return PTAH_REP_HOST_UNREACHABLE; /* no resolver would find it */
	if (!asked)
		return needed ? PTAH_REP_SETTINGS : PTAH_REP_OK;
	return dest->port != 0 ? PTAH_REP_OK : PTAH_REP_GENERAL;
}
