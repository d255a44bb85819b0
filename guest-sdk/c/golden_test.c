/* golden_test runs berth.h natively, without a host: testsuites/guests/c_test.go compiles it and gives it the golden vectors. Its argument is

   golden    for each vector on standard input, prints what it decodes to and what is written for it
   hostile   feeds every cut and many changes of the vectors to the decoders
   heap      runs the allocator for a long time

   A vector is the line "vector DIR OP HEX", a line for each value, "KEY i NUMBER" or "KEY s HEX", and the line "end". Lists have the key KEY.N for an item
   and KEY for the count. An answer is the same without the first line's end. */

#define BERTH_NATIVE_TEST
#define BERTH_IMPLEMENTATION
#include "berth.h"

#include <stdio.h>

/* ---- Values ---- */

#define MOST_VALUES 512

typedef struct value {
	char key[64];
	int64_t number;
	berth_str text;
} value;

static struct {
	char dir[16], op[32];
	berth_str message;
	value values[MOST_VALUES];
	size_t count;
} vector;

static bool silent;   /* dumps print nothing */
static unsigned long fed; /* how many changed messages there were */
static bool answering; /* the driver answers with the vector's values, and does not dump */

static void die(const char *message)
{
	fprintf(stderr, "golden_test: %s (vector %s %s)\n", message, vector.dir, vector.op);
	exit(1);
}

static char within[64]; /* what the keys that are looked up and dumped begin with: nothing, or a list's item and a dot */

static value *look(const char *key)
{
	size_t n = strlen(within);
	for (size_t i = 0; i < vector.count; i++) {
		if (strncmp(vector.values[i].key, within, n) == 0 && strcmp(vector.values[i].key + n, key) == 0) return &vector.values[i];
	}
	return NULL;
}

static const char *item(const char *list, uint32_t i, const char *key)
{
	static char name[128];
	snprintf(name, sizeof name, key[0] == '\0' ? "%s.%u%s" : "%s.%u.%s", list, i, key);
	return name;
}

static int64_t number(const char *key)
{
	value *v = look(key);
	return v == NULL ? 0 : v->number;
}

static berth_str text(const char *key)
{
	value *v = look(key);
	return v == NULL ? (berth_str){0} : v->text;
}

static void dump_int(const char *key, int64_t n)
{
	if (n != 0 && !silent) printf("%s%s i %lld\n", within, key, (long long)n);
}

static volatile unsigned char seen; /* has every byte of what is dumped be read */

static void dump_str(const char *key, berth_str s)
{
	for (uint32_t i = 0; i < s.n; i++) seen ^= (unsigned char)s.p[i];
	if (s.n == 0 || silent) return;
	printf("%s%s s ", within, key);
	for (uint32_t i = 0; i < s.n; i++) printf("%02x", (unsigned)(unsigned char)s.p[i]);
	printf("\n");
}

static void dump_strs(const char *key, const berth_str *list, uint32_t count)
{
	dump_int(key, count);
	for (uint32_t i = 0; i < count; i++) dump_str(item(key, i, ""), list[i]);
}

static const berth_str *strs(const char *key, uint32_t *count)
{
	static berth_str list[16];
	*count = (uint32_t)number(key);
	for (uint32_t i = 0; i < *count; i++) list[i] = text(item(key, i, ""));
	return *count == 0 ? NULL : list;
}

static void dump_digests(const berth_digest *list, uint32_t count)
{
	dump_int("digests", count);
	for (uint32_t i = 0; i < count; i++) {
		dump_str(item("digests", i, "name"), list[i].name);
		dump_str(item("digests", i, "bytes"), list[i].bytes);
	}
}

static void dump_entry(const berth_entry *e)
{
	dump_str("name", e->name);
	dump_int("size", e->size);
	dump_int("time", e->time);
	dump_int("dir", e->dir);
}

static berth_entry entry_at(const char *list, uint32_t i)
{
	berth_entry e = {.name = text(item(list, i, "name"))};
	e.size = number(item(list, i, "size"));
	e.time = number(item(list, i, "time"));
	e.dir = number(item(list, i, "dir")) != 0;
	return e;
}

static void dump_page(const berth_page *page)
{
	dump_int("entries", page->count);
	for (uint32_t i = 0; i < page->count; i++) {
		dump_str(item("entries", i, "name"), page->entries[i].name);
		dump_int(item("entries", i, "size"), page->entries[i].size);
		dump_int(item("entries", i, "time"), page->entries[i].time);
		dump_int(item("entries", i, "dir"), page->entries[i].dir);
	}
	dump_str("cursor", page->cursor);
}

/* ---- The driver ---- */

/* result is what every function of the driver ends with. */
static berth_err result(berth_call *c)
{
	if (!answering || strcmp(vector.dir, "error") != 0) return BERTH_OK;
	berth_failure f = {.kind = (berth_err)number("kind"), .temporary = number("tmp") != 0, .retry_after = number("after"), .status = (int32_t)number("status"), .message = text("msg")};
	return berth_fail_with(c, &f);
}

static berth_err test_open(berth_call *c, berth_str parameters, uint64_t features, berth_opened *out)
{
	if (!answering) dump_str("params", parameters), dump_int("features", (int64_t)features);
	*out = (berth_opened){(uint64_t)number("caps"), number("maxobj")};
	return result(c);
}

static berth_err path_alone(berth_call *c, berth_str path)
{
	if (!answering) dump_str("path", path);
	return result(c);
}

static berth_err token_alone(berth_call *c, berth_str token)
{
	if (!answering) dump_str("token", token);
	return result(c);
}

static berth_err test_stat(berth_call *c, berth_str path, berth_entry *out)
{
	if (answering) *out = (berth_entry){.size = number("size"), .time = number("time"), .dir = number("dir") != 0};
	return path_alone(c, path);
}

static berth_err test_list(berth_call *c, berth_str path, berth_str cursor, uint32_t limit, berth_page *out)
{
	if (!answering) dump_str("cursor", cursor), dump_int("limit", limit);
	for (uint32_t i = 0; answering && i < number("entries"); i++) {
		berth_entry e = entry_at("entries", i);
		if (berth_page_add(c, out, &e) != BERTH_OK) die("no memory for a page");
	}
	if (answering) out->cursor = text("cursor");
	return path_alone(c, path);
}

static berth_err test_list_tree(berth_call *c, berth_str path, berth_str after, berth_str cursor, uint32_t limit, berth_page *out)
{
	if (!answering) dump_str("after", after);
	return test_list(c, path, cursor, limit, out);
}

static berth_err test_read(berth_call *c, berth_str path, int64_t offset, int64_t length, berth_content *out)
{
	if (!answering) dump_int("off", offset), dump_int("len", length);
	if (answering) *out = (berth_content){.length = number("len"), .body = {number("body"), 0}, .data = text("data"), .version = text("version"), .state = text("stream"), .skip = number("skip")};
	return path_alone(c, path);
}

static void dump_body(berth_stream body)
{
	dump_int("body", body.handle);
	dump_int("size", body.size);
}

static berth_err test_put(berth_call *c, berth_str path, berth_stream body)
{
	if (!answering) dump_body(body);
	return path_alone(c, path);
}

static berth_err two_paths(berth_call *c, berth_str path, berth_str dest)
{
	if (!answering) dump_str("dest", dest);
	return path_alone(c, path);
}

static berth_err test_concat(berth_call *c, berth_str dest, const berth_str *sources, uint32_t count)
{
	if (!answering) dump_str("dest", dest), dump_strs("paths", sources, count);
	return result(c);
}

static berth_err test_redirect(berth_call *c, berth_str path, const berth_redirect *who, berth_str *url)
{
	if (!answering) dump_str("method", who->method), dump_str("remote", who->remote), dump_str("forwarded", who->forwarded);
	if (answering) *url = text("url");
	return path_alone(c, path);
}

static berth_err test_open_upload(berth_call *c, berth_str path, bool resume, berth_handle receipts, berth_upload *out)
{
	if (!answering) {
		dump_int("append", resume);
		dump_int("receipts", receipts);
		return path_alone(c, path);
	}
	berth_limits *l = &out->limits;
	*l = (berth_limits){.min = number("limits.min"), .max = number("limits.max"), .count = number("limits.count"), .multiple = number("limits.multiple"), .total = number("limits.total")};
	l->equal = number("limits.equal") != 0;
	l->sequential = number("limits.seq") != 0;
	l->digests = strs("limits.digests", &l->digest_count);
	out->token = text("token");
	out->resumed = number("resumed") != 0;
	out->tail = (berth_content){.length = number("len"), .body = {number("body"), 0}, .data = text("tail")};
	out->store = text("store");
	out->store_path = text("dest");
	out->transform = number("transform") != 0;
	return result(c);
}

static void dump_part(const berth_part *p)
{
	dump_int("num", p->number);
	dump_int("off", p->offset);
	if (p->body.size != p->size) die("a part and its body have two sizes");
	dump_body(p->body);
	dump_digests(p->digests, p->digest_count);
}

static berth_err test_put_part(berth_call *c, berth_str token, const berth_part *part, berth_str *receipt)
{
	if (!answering) dump_part(part);
	if (answering) *receipt = text("data");
	return token_alone(c, token);
}

static berth_err test_suspend(berth_call *c, berth_str token, berth_handle receipts, berth_stream tail)
{
	if (!answering) dump_int("receipts", receipts), dump_body(tail);
	return token_alone(c, token);
}

static berth_err test_commit(berth_call *c, berth_str token, berth_handle receipts, const berth_part *last)
{
	if (!answering) dump_int("receipts", receipts);
	if (!answering && last != NULL) dump_part(last);
	return token_alone(c, token);
}

static berth_err test_stream(berth_call *c, berth_str path, berth_str state, berth_stream body, berth_handle sink, berth_str *next)
{
	if (!answering) dump_str("state", state), dump_body(body), dump_int("sink", sink);
	if (answering) *next = text("state");
	return path_alone(c, path);
}

static berth_err test_committing(berth_call *c, berth_str path, int64_t size, berth_str state, berth_handle sink)
{
	if (!answering) dump_int("size", size), dump_str("state", state), dump_int("sink", sink);
	return path_alone(c, path);
}

static char manifest[4096];

const berth_driver berth_the_driver = {
    .manifest = manifest,
    .open = test_open,
    .stat = test_stat,
    .list = test_list,
    .read = test_read,
    .put = test_put,
    .del = path_alone,
    .delete_tree = path_alone,
    .copy = two_paths,
    .move = two_paths,
    .concat = test_concat,
    .list_tree = test_list_tree,
    .redirect = test_redirect,
    .open_upload = test_open_upload,
    .put_part = test_put_part,
    .suspend_upload = test_suspend,
    .commit_upload = test_commit,
    .cancel_upload = token_alone,
    .abort_uploads = path_alone,
    .list_uploads = test_list,
    .stream = test_stream,
    .committing = test_committing,
};

#include "testdata/host.h"
#include "testdata/heap.h"

/* ---- What is run ---- */

static const char *const operations[] = {
    [BERTH_OP_DESCRIBE] = "describe", [BERTH_OP_OPEN] = "open", [BERTH_OP_STAT] = "stat", [BERTH_OP_LIST] = "list", [BERTH_OP_READ] = "read", [BERTH_OP_PUT] = "put",
    [BERTH_OP_DELETE] = "delete", [BERTH_OP_DELETE_TREE] = "delete_tree", [BERTH_OP_COPY] = "copy", [BERTH_OP_MOVE] = "move", [BERTH_OP_CONCAT] = "concat",
    [BERTH_OP_LIST_TREE] = "list_tree", [BERTH_OP_REDIRECT] = "redirect", [BERTH_OP_UPLOAD_OPEN] = "upload_open", [BERTH_OP_UPLOAD_PART] = "upload_part",
    [BERTH_OP_UPLOAD_SUSPEND] = "upload_suspend", [BERTH_OP_UPLOAD_COMMIT] = "upload_commit", [BERTH_OP_UPLOAD_CANCEL] = "upload_cancel",
    [BERTH_OP_UPLOAD_ABORT] = "upload_abort", [BERTH_OP_STREAM] = "stream", [BERTH_OP_COMMITTING] = "committing", [BERTH_OP_LIST_UPLOADS] = "list_uploads",
};

#define OPERATIONS (sizeof operations / sizeof operations[0])

static uint32_t operation(void)
{
	for (uint32_t i = 0; i < OPERATIONS; i++) {
		if (strcmp(operations[i], vector.op) == 0) return i;
	}
	return UINT32_MAX;
}

/* exact calls dispatch with a message in memory of just its size, so that reading past it is found. */
static berth_str exact(uint32_t op, const char *p, uint32_t n)
{
	char *own = malloc((size_t)n + (n == 0));
	if (own == NULL) die("no memory");
	memcpy(own, p, n);
	berth_str reply = berth__dispatch(op, own, n);
	free(own);
	return reply;
}

static void golden(void)
{
	uint32_t op = operation();
	answering = strcmp(vector.dir, "request") != 0;
	if (op == UINT32_MAX) {
		host_golden();
	} else if (answering) {
		if (op == BERTH_OP_DESCRIBE) snprintf(manifest, sizeof manifest, "%.*s", (int)text("manifest").n, text("manifest").p);
		dump_str("hex", exact(op, "\x80", 1));
	} else {
		berth_str reply = exact(op, vector.message.p, vector.message.n);
		if (reply.n == 0 || reply.p[0] == (char)0x81) dump_str("reply", reply); /* dumping drivers have nothing to say */
	}
	printf("end\n");
}

static berth_str unhex(const char *hex)
{
	size_t n = strlen(hex) / 2;
	char *p = malloc(n + 1);
	if (p == NULL) die("no memory");
	for (size_t i = 0; i < n; i++) {
		unsigned byte;
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1) die("this is not in hex");
		p[i] = (char)byte;
	}
	return (berth_str){p, (uint32_t)n};
}

#include "testdata/hostile.h"

/* ---- Reading the vectors ---- */

static bool next_vector(void)
{
	static char line[1 << 20], hex[1 << 20];
	char kind;
	for (size_t i = 0; i < vector.count; i++) free((void *)(uintptr_t)vector.values[i].text.p);
	free((void *)(uintptr_t)vector.message.p);
	vector.count = 0;
	vector.message = (berth_str){0};
	if (fgets(line, sizeof line, stdin) == NULL) return false;
	if (sscanf(line, "vector %15s %31s %1048575s", vector.dir, vector.op, hex) != 3) die("want a line of a vector");
	vector.message = unhex(hex);
	while (fgets(line, sizeof line, stdin) != NULL && strcmp(line, "end\n") != 0) {
		value *v = &vector.values[vector.count++];
		if (vector.count > MOST_VALUES) die("too many values");
		*v = (value){0};
		hex[0] = '\0';
		if (sscanf(line, "%63s %c %1048575s", v->key, &kind, hex) < 2) die("want a line of a value");
		if (kind == 'i') v->number = strtoll(hex, NULL, 10);
		else v->text = unhex(hex);
	}
	return true;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "heap") == 0) {
		heap();
		return 0;
	}
	if (argc != 2 || (strcmp(argv[1], "golden") != 0 && strcmp(argv[1], "hostile") != 0)) die("want golden, hostile or heap");
	berth__the_call.opened = true;
	while (next_vector()) {
		if (argv[1][0] == 'g') golden();
		else hostile();
	}
	if (argv[1][0] == 'h') {
		refusing();
		skipped();
		several();
		nested();
		printf("%lu\n", fed);
	}
	return 0;
}
