/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * aesctr.h: one direction of a stream under AES-CTR: a 128-bit counter,
 * big-endian, that goes on from call to call.
 *
 * Threads: a stream belongs to its link; the ciphers to a worker.
 */
#ifndef PTAH_COMMON_AESCTR_H
#define PTAH_COMMON_AESCTR_H

#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

#define PTAH_AESCTR_COUNTER_LEN 16
#define PTAH_AESCTR_KEY128_LEN 16
#define PTAH_AESCTR_KEY256_LEN 32

/** AES as the library has it, looked up once. */
struct ptah_aes;

/**
 * Gives: ciphers; free them with ptah_aes_free() after the last stream.
 * Fails: NULL and errno (ENOMEM).
 */
struct ptah_aes *ptah_aes_new(void);
/** NULL is fine. */
void ptah_aes_free(struct ptah_aes *aes);

/** Zeroed is closed. */
struct ptah_aesctr {
	void *cipher;
};

/**
 * Begin at the first byte of the stream; 'key_len' is one of the two above.
 * Fails: -ENOMEM.
 */
int ptah_aesctr_open(struct ptah_aesctr *ctr, const struct ptah_aes *aes, const uint8_t *key, size_t key_len,
    const uint8_t counter[PTAH_AESCTR_COUNTER_LEN]);
/** Encrypt or decrypt 'in' to 'out', which is as long and may be the same place.  Fails: -EIO. */
int ptah_aesctr_apply(struct ptah_aesctr *ctr, struct ptah_span in, uint8_t *out);
/** Wipe and free; closed already is fine. */
void ptah_aesctr_close(struct ptah_aesctr *ctr);

#endif
