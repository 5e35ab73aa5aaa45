/* SPDX-License-Identifier: BSD-3-Clause */
#include "check/heap.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check/trial.h"

/* Live blocks: open addressing; a hole keeps the way to those behind it. */
struct block {
	void *at;  /* NULL: free, HOLE: was in use */
	void *was; /* of a hole */
	size_t len;
};
#define HOLE ((void *)(uintptr_t)1)
#define LEAST_SLOTS 4096u
#define NOWHERE SIZE_MAX

/* Global: an allocator has no argument to find them by. */
static struct block *blocks;
static size_t n_slots, n_used, n_blocks, n_bytes;
static uint64_t n_asked, refuse_at;
static bool refuse_after, has_refused;
static unsigned inside;

/* ---- the table ---------------------------------------------------------------- */

static size_t
slot_of(const void *at)
{
	return (size_t)(((uintptr_t)at >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (n_slots - 1);
}

static void
put(void *at, size_t len)
{
	size_t i = slot_of(at);

	while (blocks[i].at != NULL && blocks[i].at != HOLE)
		i = (i + 1) & (n_slots - 1);
	n_used += blocks[i].at == NULL;
	blocks[i] = (struct block){ .at = at, .len = len };
}

static void
grow(void)
{
	struct block *old = blocks;
	size_t n = n_slots;

	n_slots = n_blocks * 4 > LEAST_SLOTS ? n_slots * 2 : LEAST_SLOTS;
	blocks = calloc(n_slots, sizeof(*blocks));
	if (blocks == NULL)
		ptah_trial_na("no memory to count the module's with");
	n_used = 0;
	for (size_t i = 0; i < n; i++)
		if (old[i].at != NULL && old[i].at != HOLE)
			put(old[i].at, old[i].len);
	free(old);
}

static void *
note(void *at, size_t len)
{
	if (at == NULL || inside == 0)
		return at;
	if (n_used * 2 >= n_slots)
		grow();
	put(at, len);
	n_blocks++;
	n_bytes += len;
	return at;
}

static size_t
find(const void *at)
{
	if (at == NULL || n_slots == 0)
		return NOWHERE;
	for (size_t i = slot_of(at); blocks[i].at != NULL; i = (i + 1) & (n_slots - 1))
		if (blocks[i].at == at)
			return i;
	return NOWHERE;
}

/* Its address stays beside the hole, for put_back(). */
static void
take_out(size_t slot)
{
	n_blocks--;
	n_bytes -= blocks[slot].len;
	blocks[slot].was = blocks[slot].at;
	blocks[slot].at = HOLE;
}

static void
put_back(size_t slot, size_t len)
{
	n_blocks++;
	n_bytes += len;
	blocks[slot].at = blocks[slot].was;
	blocks[slot].len = len;
}

static bool
is_refused(void)
{
	if (inside == 0)
		return false;
	n_asked++;
	if (refuse_at == 0 || n_asked < refuse_at || (n_asked > refuse_at && !refuse_after))
		return false;
	has_refused = true;
	errno = ENOMEM;
	return true;
}

/* ---- in the place of the library's ------------------------------------------------ */

static void *
my_malloc(size_t len)
{
	return is_refused() ? NULL : note(malloc(len), len);
}

static void *
my_calloc(size_t n, size_t len)
{
	return is_refused() ? NULL : note(calloc(n, len), n * len);
}

/* The old block is forgotten first: when it has moved, its place is another's. */
static void *
my_realloc(void *old, size_t len)
{
	size_t slot = find(old), was = 0;
	void *at;

	if (is_refused())
		return NULL;
	if (slot != NOWHERE) {
		was = blocks[slot].len;
		take_out(slot);
	}
	at = realloc(old, len);
	if (at == NULL && len > 0 && slot != NOWHERE)
		put_back(slot, was);
	return note(at, len);
}

static void *
my_reallocarray(void *old, size_t n, size_t len)
{
	size_t whole;

	if (__builtin_mul_overflow(n, len, &whole)) {
		errno = ENOMEM;
		return NULL;
	}
	return my_realloc(old, whole);
}

static void *
my_aligned_alloc(size_t align, size_t len)
{
	return is_refused() ? NULL : note(aligned_alloc(align, len), len);
}

static int
my_posix_memalign(void **out, size_t align, size_t len)
{
	int rc = is_refused() ? ENOMEM : posix_memalign(out, align, len);

	if (rc == 0)
		note(*out, len);
	return rc;
}

static char *
my_strdup(const char *text)
{
	return is_refused() ? NULL : note(strdup(text), strlen(text) + 1);
}

static char *
my_strndup(const char *text, size_t most)
{
	return is_refused() ? NULL : note(strndup(text, most), most + 1);
}

static void
my_free(void *at)
{
	size_t slot = find(at);

	if (slot != NOWHERE)
		take_out(slot);
	free(at);
}

#define LED(name) { #name, (void (*)(void))(name), (void (*)(void))(my_##name) }
static const struct {
	const char *name;
	void (*usual)(void), (*mine)(void);
} led[] = {
	LED(malloc), LED(calloc), LED(realloc), LED(reallocarray), LED(aligned_alloc), LED(posix_memalign),
	LED(strdup), LED(strndup), LED(free),
};

/* ---- tables of addresses ------------------------------------------------------------ */

struct object {
	ElfW(Addr) base;
	const char *texts;
	const ElfW(Sym) *symbols;
	const ElfW(Rela) *rela[2]; /* of data; of calls */
	size_t n_rela[2];
};

/* Some loaders write addresses into the table, some leave offsets. */
static uintptr_t
absolute(const struct object *object, uintptr_t at)
{
	return at < object->base ? at + object->base : at;
}

static bool
read_object(struct object *object, const ElfW(Dyn) *dyn)
{
	for (; dyn->d_tag != DT_NULL; dyn++) {
		uintptr_t at = absolute(object, (uintptr_t)dyn->d_un.d_ptr);

		switch (dyn->d_tag) {
		case DT_STRTAB: object->texts = (const char *)at; break;
		case DT_SYMTAB: object->symbols = (const ElfW(Sym) *)at; break;
		case DT_RELA: object->rela[0] = (const ElfW(Rela) *)at; break;
		case DT_RELASZ: object->n_rela[0] = dyn->d_un.d_val / sizeof(ElfW(Rela)); break;
		case DT_JMPREL: object->rela[1] = (const ElfW(Rela) *)at; break;
		case DT_PLTRELSZ: object->n_rela[1] = dyn->d_un.d_val / sizeof(ElfW(Rela)); break;
		default: break;
		}
	}
	return object->texts != NULL && object->symbols != NULL;
}

static void
write_slot(void (**slot)(void), void (*mine)(void))
{
	uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE), page = (uintptr_t)slot / size * size;

	/* The table is sealed (RELRO) in whatever is built with care. */
	if (mprotect((void *)page, size, PROT_READ | PROT_WRITE) == 0)
		memcpy(slot, &mine, sizeof(mine));
}

static void
lead(const struct object *object, const ElfW(Rela) *rela, bool calls)
{
	size_t symbol = (size_t)(sizeof(void *) == 8 ? (uint64_t)rela->r_info >> 32 : (uint64_t)rela->r_info >> 8);
	const char *name = object->texts + object->symbols[symbol].st_name;
	void (**slot)(void) = (void (**)(void))(object->base + rela->r_offset);

	for (size_t i = 0; symbol != 0 && i < sizeof(led) / sizeof(led[0]); i++)
		if (strcmp(name, led[i].name) == 0 && (calls || memcmp(slot, &led[i].usual, sizeof(led[i].usual)) == 0))
			write_slot(slot, led[i].mine);
}

static bool
is_ours(const char *path)
{
	static const char *const ours[] = { "libptah.so", "libevent", "libltdl", "libyajl", "libc.so", "libc-",
		"ld-linux", "linux-vdso", "libpthread", "libdl", "libasan", "libubsan", "libtsan" };
	const char *slash = strrchr(path, '/');
	const char *file = slash != NULL ? slash + 1 : path;

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strncmp(file, ours[i], strlen(ours[i])) == 0)
			return true;
	return *file == '\0'; /* the program itself */
}

static int
on_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct object object = { .base = info->dlpi_addr };

	(void)size;
	(void)arg;
	if (is_ours(info->dlpi_name))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC &&
		    read_object(&object, (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr)))
			for (int k = 0; k < 2; k++)
				for (size_t n = 0; n < object.n_rela[k]; n++)
					lead(&object, &object.rela[k][n], k == 1);
	return 0;
}

void
ptah_heap_watch(void)
{
	if (n_slots == 0)
		grow();
	dl_iterate_phdr(on_object, NULL);
}

/* ---- what is asked of it --------------------------------------------------------------- */

void
ptah_heap_enter(void)
{
	inside++;
}

void
ptah_heap_leave(void)
{
	inside--;
}

size_t
ptah_heap_blocks(void)
{
	return n_blocks;
}

size_t
ptah_heap_bytes(void)
{
	return n_bytes;
}

uint64_t
ptah_heap_asked(void)
{
	return n_asked;
}

void
ptah_heap_refuse(uint64_t n, bool all_after)
{
	refuse_at = n > 0 ? n_asked + n : 0;
	refuse_after = all_after;
	if (n > 0)
		has_refused = false;
}

bool
ptah_heap_has_refused(void)
{
	return has_refused;
}
