/* SPDX-License-Identifier: BSD-3-Clause */
#include "proc/filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "proc/calls.h"

/* The one family of calls that this program was compiled for. */
#if defined(__x86_64__) && !defined(__ILP32__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#else
#define ARCH 0
#endif

/* From here on numbers are those of x32, a second family on the same processor. */
#define NR_OTHER 0x40000000u

/* A test of a row: load a word, mask it, compare. */
#define TEST_LEN 3

struct program {
	struct sock_filter *at;
	unsigned n, room;
};

static void
put(struct program *program, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	ptah_assert(program->n < program->room);
	program->at[program->n++] = (struct sock_filter){ code, yes, no, k };
}

static void
put_load(struct program *program, size_t offset)
{
	put(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void
put_end(struct program *program, int rc)
{
	put(program, BPF_RET | BPF_K, rc == 0 ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | (uint32_t)rc, 0, 0);
}

static unsigned
n_musts(const struct ptah_call *row)
{
	unsigned n = 0;

	while (n < PTAH_CALL_MUSTS && row->must[n].word != PTAH_CALL_ANY)
		n++;
	return n;
}

/* The number stands in the accumulator, before and after. */
static void
put_row(struct program *program, const struct ptah_call *row)
{
	unsigned n = n_musts(row), left = n * TEST_LEN + 1;

	put(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)row->nr, 0, (uint8_t)(left + (n > 0 ? 1 : 0)));
	for (unsigned i = 0; i < n; i++) {
		const struct ptah_call_must *must = &row->must[i];

		put_load(program, offsetof(struct seccomp_data, args) + must->word * sizeof(uint32_t));
		put(program, BPF_ALU | BPF_AND | BPF_K, must->mask, 0, 0);
		left -= TEST_LEN;
		put(program, BPF_JMP | BPF_JEQ | BPF_K, must->pid ? (uint32_t)getpid() : must->value, 0, (uint8_t)left);
	}
	put_end(program, row->rc);
	if (n > 0)
		put_load(program, offsetof(struct seccomp_data, nr));
}

/* 'args' are pairs of words; which comes first is the processor's order. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ || ARCH == 0, "the halves of arguments stand the other way round");

static void
make(struct program *program, const struct ptah_calls *calls)
{
	/* Who calls in another family's numbers is not in the table, whatever it says. */
	put_load(program, offsetof(struct seccomp_data, arch));
	put(program, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	put_end(program, EPERM);
	put_load(program, offsetof(struct seccomp_data, nr));
	put(program, BPF_JMP | BPF_JGE | BPF_K, NR_OTHER, 0, 1);
	put_end(program, EPERM);
	for (unsigned i = 0; i < calls->n; i++)
		put_row(program, &calls->rows[i]);
	put_end(program, calls->otherwise);
}

int
ptah_filter_install(int which)
{
	const struct ptah_calls *calls = &ptah_calls[which];
	struct program program = { .room = 8 + calls->n * (3 + PTAH_CALL_MUSTS * TEST_LEN) };
	int rc = 0;

	if (ARCH == 0)
		return -ENOSYS;
	program.at = calloc(program.room, sizeof(*program.at));
	if (program.at == NULL)
		return -ENOMEM;
	make(&program, calls);

	struct sock_fprog text = { (unsigned short)program.n, program.at };
	long got = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &text);

	if (got == -1)
		rc = -errno;
	else if (got > 0)
		rc = -EBUSY; /* a thread that has a filter of its own */
	free(program.at);
	return rc;
}

bool
ptah_filter_is_there(void)
{
	/* A filter that is none: a kernel that has them says that its address is wrong. */
	return ARCH != 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0u, NULL) == -1 && errno == EFAULT;
}
