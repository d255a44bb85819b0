/* The allocator's part of golden_test. */

#define ARENA (64u << 20)
#define SLOTS 512
#define ROUNDS 400000

static uint64_t arena[ARENA / 8];
static uint32_t arena_used;
static bool arena_gaps; /* memory that grows leaves some out: somebody else took it */

static uint8_t *grow_arena(uint32_t size, uint32_t *got)
{
	uint32_t gap = arena_gaps ? 24 : 0;
	size = (size + 65535u) & ~65535u;
	if (size > ARENA - arena_used - gap) return NULL;
	uint8_t *p = (uint8_t *)arena + arena_used + gap;
	arena_used += size + gap;
	*got = size;
	return p;
}

static uint32_t heap_random(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15u;
	state ^= state << 13, state ^= state >> 7, state ^= state << 17;
	return (uint32_t)(state >> 16);
}

typedef struct heap_slot {
	uint8_t *p;
	uint32_t size;
	uint8_t mark;
} heap_slot;

static void heap_check(const heap_slot *s)
{
	if (((uintptr_t)s->p & 7u) != 0) die("memory is not aligned");
	for (uint32_t i = 0; i < s->size; i++) {
		if (s->p[i] != s->mark) die("memory was given out twice");
	}
}

/* heap_size is mostly small, sometimes an object's. */
static uint32_t heap_size(void)
{
	uint32_t r = heap_random();
	return 1 + (r % 100 == 0 ? heap_random() % 200000 : r % 4 == 0 ? heap_random() % 5000 : heap_random() % 200);
}

static void heap_round(berth__heap *h, heap_slot *s)
{
	if (s->p != NULL) heap_check(s);
	uint32_t size = heap_size(), before = s->size;
	if (s->p != NULL && heap_random() % 3 != 0) {
		berth__heap_free(h, s->p);
		*s = (heap_slot){0};
		return;
	}
	uint8_t *p = s->p == NULL ? berth__heap_alloc(h, size) : berth__heap_realloc(h, s->p, size);
	if (p == NULL) die("there is no memory though little is in use");
	for (uint32_t i = 0; i < size && i < before; i++) {
		if (p[i] != s->mark) die("realloc lost what there was");
	}
	*s = (heap_slot){p, size, (uint8_t)heap_random()};
	memset(p, s->mark, size);
}

/* heap_whole counts the free blocks, and the bytes that are in them. */
static uint32_t heap_whole(const berth__heap *h, uint32_t *bytes)
{
	uint32_t blocks = 0;
	*bytes = 0;
	for (int i = 0; i < 32; i++) {
		for (const berth__block *b = h->free[i]; b != NULL; b = b->next) blocks++, *bytes += b->size;
	}
	return blocks;
}

static void heap_rounds(void)
{
	static heap_slot slots[SLOTS];
	berth__heap h = {.grow = grow_arena};
	uint32_t bytes, in_use = 0, peak = 0;
	arena_used = 0;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		heap_slot *s = &slots[heap_random() % SLOTS];
		in_use -= s->size;
		heap_round(&h, s);
		in_use += s->size;
		peak = in_use > peak ? in_use : peak;
	}
	if (arena_used > peak + peak / 2 + BERTH__GROWTH) die("the heap is much larger than what was in use");
	for (int i = 0; i < SLOTS; i++) {
		if (slots[i].p != NULL) heap_check(&slots[i]);
		berth__heap_free(&h, slots[i].p);
		slots[i] = (heap_slot){0};
	}
	uint32_t blocks = heap_whole(&h, &bytes);
	if (!arena_gaps && (blocks != 1 || bytes != arena_used - BERTH__HEADER)) die("free neighbours were not joined");
	printf("%u bytes for %u in use at most\n", arena_used, peak);
	if (berth__heap_alloc(&h, ARENA) != NULL || berth__heap_alloc(&h, SIZE_MAX) != NULL || berth__heap_alloc(&h, 0) != NULL) die("there is memory that nobody has");
	if (berth__heap_alloc(&h, ARENA / 2) == NULL) die("there is none of the memory left");
}

static void heap(void)
{
	heap_rounds();
	arena_gaps = true;
	heap_rounds();
}
