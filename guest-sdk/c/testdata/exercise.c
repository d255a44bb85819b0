/* exercise is a driver over the granted store "under" that answers a read of /NAME with what the host function NAME gave. */

#define BERTH_IMPLEMENTATION
#include "berth.h"

static const berth_str under = BERTH_STR("under");

/* What open was given. */
static berth_str greeting, endpoint;

typedef berth_err (*exercise)(berth_call *c, berth_str *out);

static berth_err hex(berth_call *c, berth_str bytes, berth_str *out)
{
	char *text = berth_arena(c, 2 * (size_t)bytes.n);
	if (text == NULL) return berth_fail(c, BERTH_KIND_LIMIT, "no memory");
	for (uint32_t i = 0; i < bytes.n; i++) {
		text[2 * i] = "0123456789abcdef"[(uint8_t)bytes.p[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[(uint8_t)bytes.p[i] & 15];
	}
	*out = (berth_str){text, 2 * bytes.n};
	return BERTH_OK;
}

static berth_err run_hash(berth_call *c, berth_str *out)
{
	berth_str algs[] = {BERTH_STR("sha256"), BERTH_STR("md5")};
	berth_hashes hashes;
	berth_err err = berth_hash(c, algs, 2, BERTH_S("abc"), NULL, 0, &hashes);
	return err != BERTH_OK ? err : hex(c, berth_digest_of(&hashes, "md5"), out);
}

static berth_err run_hash_sink(berth_call *c, berth_str *out)
{
	berth_str alg = BERTH_STR("md5");
	berth_hashes hashes;
	berth_handle sink;
	berth_err err = berth_hash_begin(c, &alg, 1, &sink);
	if (err == BERTH_OK) err = berth_write(c, sink, BERTH_S("ab"));
	if (err == BERTH_OK) err = berth_write(c, sink, BERTH_S("c"));
	if (err == BERTH_OK) err = berth_hash_finish(c, sink, &hashes);
	return err != BERTH_OK ? err : hex(c, berth_digest_of(&hashes, "md5"), out);
}

static berth_err run_time(berth_call *c, berth_str *out)
{
	int64_t time;
	berth_err err = berth_time_parse(c, BERTH_S("2023-11-14T22:13:20Z"), BERTH_S("rfc3339"), &time);
	if (err == BERTH_OK) err = berth_time_format(c, time, BERTH_S("http"), out);
	if (err == BERTH_OK) *out = BERTH_CAT(c, *out, BERTH_S(", "), berth_decimal(c, time));
	return err;
}

/* run_store has content go through a sink, a compressed copy and back, a listing and a move. */
static berth_err run_store(berth_call *c, berth_str *out)
{
	berth_handle sink;
	berth_content content, packed;
	berth_stream small, large;
	berth_page page;
	berth_entry entry;
	berth_compression zstd = {.alg = BERTH_STR("zstd")}, undo = {.alg = BERTH_STR("zstd"), .undo = true, .max = 100};
	berth_err err = berth_store_begin(c, under, BERTH_S("/dir/sink"), &sink);
	if (err == BERTH_OK) err = berth_write(c, sink, BERTH_S("hello, "));
	if (err == BERTH_OK) err = berth_write(c, sink, BERTH_S("store"));
	if (err == BERTH_OK) err = berth_store_finish(c, sink);
	if (err == BERTH_OK) err = berth_store_read(c, under, BERTH_S("/dir/sink"), 0, -1, &content);
	if (err == BERTH_OK) err = berth_compress(c, &zstd, &content.body, 1, &small);
	if (err == BERTH_OK) err = berth_store_put(c, under, BERTH_S("/dir/packed"), (berth_str){0}, &small, 1);
	if (err == BERTH_OK) err = berth_store_list(c, under, BERTH_S("/dir"), (berth_str){0}, 10, &page);
	if (err == BERTH_OK && page.count != 2) err = berth_fail(c, BERTH_KIND_CORRUPT, "want two entries");
	if (err == BERTH_OK) err = berth_store_move(c, under, BERTH_S("/dir/packed"), BERTH_S("/moved"));
	if (err == BERTH_OK) err = berth_store_delete(c, under, BERTH_S("/dir/sink"));
	if (err == BERTH_OK) err = berth_store_stat(c, under, BERTH_S("/moved"), &entry);
	if (err == BERTH_OK) err = berth_store_read(c, under, BERTH_S("/moved"), 0, entry.size, &packed);
	if (err == BERTH_OK) err = berth_compress(c, &undo, &packed.body, 1, &large);
	if (err == BERTH_OK) err = berth_read_all(c, large, 100, out);
	if (err == BERTH_OK) err = berth_store_delete_tree(c, under, BERTH_S("/moved"));
	if (err == BERTH_OK && berth_store_stat(c, under, BERTH_S("/moved"), &entry) != BERTH_KIND_NOT_FOUND) err = berth_fail(c, BERTH_KIND_CORRUPT, "want nothing left");
	return err;
}

/* run_long has the store answer with more than fits the room that replies have at first. */
static berth_err run_long(berth_call *c, berth_str *out)
{
	berth_page page;
	berth_err err = BERTH_OK;
	for (int64_t i = 100; i < 400 && err == BERTH_OK; i++) err = berth_store_put(c, under, BERTH_CAT(c, BERTH_S("/long/a-rather-long-name-"), berth_decimal(c, i)), BERTH_S("x"), NULL, 0);
	if (err == BERTH_OK) err = berth_store_list(c, under, BERTH_S("/long"), (berth_str){0}, 1000, &page);
	if (err == BERTH_OK) *out = BERTH_CAT(c, berth_decimal(c, page.count), BERTH_S(" "), page.entries[page.count - 1].name);
	return err;
}

static berth_err run_metric(berth_call *c, berth_str *out)
{
	*out = BERTH_S("counted");
	berth_log(BERTH_LOG_INFO, BERTH_S("a line"));
	berth_err err = berth_count(c, BERTH_S("reads"), 1);
	return err != BERTH_OK ? err : berth_gauge(c, BERTH_S("level"), 7);
}

static berth_err run_random(berth_call *c, berth_str *out)
{
	uint8_t a[16] = {0}, b[16] = {0};
	berth_random(a, sizeof a);
	berth_random(b, sizeof b);
	(void)c;
	*out = memcmp(a, b, sizeof a) != 0 && berth_now() > 0 ? BERTH_S("random") : BERTH_S("not random");
	return BERTH_OK;
}

/* upload puts a text at the endpoint, through a sink, half of it spliced from the store. */
static berth_err upload(berth_call *c, berth_str *etag)
{
	berth_str headers[] = {BERTH_STR("x-from"), BERTH_STR("c")}, want = BERTH_STR("etag");
	berth_request r = {.method = BERTH_STR("PUT"), .url = BERTH_CAT(c, endpoint, BERTH_S("/object")), .headers = headers, .header_count = 2};
	berth_content half;
	berth_handle sink;
	berth_response response;
	int64_t moved = 0;
	berth_err err = berth_store_put(c, under, BERTH_S("/half"), BERTH_S("over http"), NULL, 0);
	if (err == BERTH_OK) err = berth_store_read(c, under, BERTH_S("/half"), 0, -1, &half);
	if (err == BERTH_OK) err = berth_http_begin(c, &r, 15, &sink);
	if (err == BERTH_OK) err = berth_write(c, sink, BERTH_S("hello "));
	if (err == BERTH_OK) err = berth_splice(c, sink, half.body.handle, -1, &moved);
	if (err == BERTH_OK) err = berth_http_finish(c, sink, 100, &want, 1, &response);
	if (err == BERTH_OK && (moved != 9 || response.status != 201 || response.header_count != 2)) err = berth_fail(c, BERTH_KIND_CORRUPT, "want a spliced body to be created, with one header");
	if (err == BERTH_OK) *etag = berth_header(&response, "etag");
	return err;
}

static berth_err run_http(berth_call *c, berth_str *out)
{
	berth_request r = {.method = BERTH_STR("GET"), .url = BERTH_CAT(c, endpoint, BERTH_S("/object")), .max = 100, .want = BERTH_NONE};
	berth_response response;
	berth_err err = upload(c, out);
	if (err == BERTH_OK) err = berth_http(c, &r, &response);
	if (err == BERTH_OK && (response.status != 200 || response.header_count != 0)) err = berth_fail(c, BERTH_KIND_CORRUPT, "want the object without headers");
	if (err == BERTH_OK) *out = BERTH_CAT(c, *out, BERTH_S(" "), response.data);
	return err;
}

/* run_http_all has four requests run side by side: for the object, for what is longer than is wanted, where nobody may go, and for its length alone. */
static berth_err run_http_all(berth_call *c, berth_str *out)
{
	berth_str object = BERTH_CAT(c, endpoint, BERTH_S("/object"));
	berth_request requests[4] = {
	    {.method = BERTH_STR("GET"), .url = object, .max = 15, .want = BERTH_NONE},
	    {.method = BERTH_STR("GET"), .url = object, .max = 14},
	    {.method = BERTH_STR("GET"), .url = BERTH_STR("http://nowhere.example/")},
	    {.method = BERTH_STR("HEAD"), .url = object},
	};
	berth_exchange all[4];
	berth_err err = upload(c, out);
	if (err == BERTH_OK) err = berth_http_all(c, requests, 4, all);
	if (err != BERTH_OK) return err;
	if (all[0].failure.kind != BERTH_OK || all[0].response.status != 200 || all[0].response.header_count != 0) err = berth_fail(c, BERTH_KIND_CORRUPT, "want the object without headers");
	if (all[1].failure.kind != BERTH_KIND_LIMIT || all[1].response.status != 0) err = berth_fail(c, BERTH_KIND_CORRUPT, "want what is too long to be refused");
	if (all[3].failure.kind != BERTH_OK || all[3].response.length != 15 || all[3].response.data.n != 0) err = berth_fail(c, BERTH_KIND_CORRUPT, "want the object's length");
	if (err != BERTH_OK) return err;
	if (berth_fail_with(c, &all[2].failure) != BERTH_KIND_DENIED) return berth_fail(c, BERTH_KIND_CORRUPT, "want an origin that is not allowed to be denied");
	*out = BERTH_CAT(c, all[0].response.data, BERTH_S(", "), berth_slice(berth_last(c)->message, 0, 10));
	return BERTH_OK;
}

static berth_err run_denied(berth_call *c, berth_str *out)
{
	berth_request r = {.method = BERTH_STR("GET"), .url = BERTH_STR("http://nowhere.example/")};
	berth_response response;
	(void)out;
	return berth_http(c, &r, &response);
}

static berth_err run_kept(berth_call *c, berth_str *out)
{
	(void)out;
	berth_err err = berth_fail(c, BERTH_KIND_UNAVAILABLE, "come\nagain");
	berth_last(c)->temporary = true;
	berth_last(c)->retry_after = 1500;
	return err;
}

static berth_err run_assert(berth_call *c, berth_str *out)
{
	(void)c;
	BERTH_ASSERT(out->n == 1 + 1);
	return BERTH_OK;
}

static berth_err run_deep(berth_call *c, berth_str *out)
{
	volatile char frame[4096] = {0}; /* until the stack is used up */
	frame[0] = 1;
	berth_err err = run_deep(c, out);
	return err + (berth_err)frame[0];
}

static const struct {
	berth_str path;
	exercise run;
} exercises[] = {
    {BERTH_STR("/hash"), run_hash}, {BERTH_STR("/hash-sink"), run_hash_sink}, {BERTH_STR("/time"), run_time}, {BERTH_STR("/store"), run_store}, {BERTH_STR("/long"), run_long},
    {BERTH_STR("/metric"), run_metric}, {BERTH_STR("/random"), run_random}, {BERTH_STR("/http"), run_http}, {BERTH_STR("/http-all"), run_http_all}, {BERTH_STR("/denied"), run_denied}, {BERTH_STR("/kept"), run_kept},
    {BERTH_STR("/assert"), run_assert}, {BERTH_STR("/deep"), run_deep},
};

/* keep copies a text to where it stays. */
static berth_str keep(berth_str s)
{
	char *kept = berth_alloc(s.n);
	BERTH_ASSERT(kept != NULL);
	memcpy(kept, s.p, s.n);
	return (berth_str){kept, s.n};
}

static berth_err open_driver(berth_call *c, berth_str parameters, uint64_t features, berth_opened *out)
{
	bool loud = false;
	int64_t times = 1;
	(void)features;
	out->max_object = 1;
	berth_str text = BERTH_STR("default");
	if (!berth_param_bool(parameters, "loud", &loud) || !berth_param_int(parameters, "times", &times)) return berth_fail(c, BERTH_KIND_INVALID_ARGUMENT, "want loud and times");
	if (berth_param_str(c, parameters, "absent", &text) || berth_param_int(parameters, "text", &times)) return berth_fail(c, BERTH_KIND_INVALID_ARGUMENT, "want no absent, and text to be none");
	(void)berth_param_str(c, parameters, "text", &text);
	if (!berth_param_str(c, parameters, "endpoint", &endpoint)) return berth_fail(c, BERTH_KIND_INVALID_ARGUMENT, "want an endpoint");
	greeting = keep(BERTH_CAT(c, text, loud ? BERTH_S("! ") : BERTH_S(" "), berth_decimal(c, times)));
	endpoint = keep(endpoint);
	return BERTH_OK;
}

/* stream writes what was answered to a read of /stream, and the body that came with it. */
static berth_err stream(berth_call *c, berth_str path, berth_str state, berth_stream body, berth_handle sink, berth_str *next)
{
	(void)path;
	(void)next;
	berth_err err = berth_write(c, sink, state);
	if (err == BERTH_OK) err = berth_splice(c, sink, body.handle, -1, NULL);
	return err;
}

/* read_stream has stream make content of which the reader leaves the first byte out. */
static berth_err read_stream(berth_call *c, bool made, berth_content *out)
{
	berth_request r = {.method = BERTH_STR("GET"), .url = BERTH_CAT(c, endpoint, BERTH_S("/object"))};
	berth_response response;
	berth_err err = berth_http(c, &r, &response);
	if (err != BERTH_OK) return err;
	*out = (berth_content){.length = response.length, .body = response.body};
	if (made) out->length += 5, out->state = BERTH_S("-made "), out->skip = 1;
	return BERTH_OK;
}

static berth_err read_path(berth_call *c, berth_str path, int64_t offset, int64_t length, berth_content *out)
{
	(void)offset;
	(void)length;
	if (berth_equal(path, BERTH_S("/stream")) || berth_equal(path, BERTH_S("/body"))) return read_stream(c, berth_equal(path, BERTH_S("/stream")), out);
	berth_err err = berth_equal(path, BERTH_S("/greeting")) ? BERTH_OK : BERTH_KIND_NOT_FOUND;
	out->data = greeting;
	for (size_t i = 0; i < sizeof exercises / sizeof exercises[0]; i++) {
		if (berth_equal(path, exercises[i].path)) err = exercises[i].run(c, &out->data);
	}
	out->length = out->data.n;
	return err;
}

static berth_err no_path(berth_call *c, berth_str path) { return (void)c, (void)path, BERTH_KIND_NOT_FOUND; }
static berth_err no_stat(berth_call *c, berth_str path, berth_entry *out) { return (void)out, no_path(c, path); }
static berth_err no_put(berth_call *c, berth_str path, berth_stream body) { return (void)body, no_path(c, path); }
static berth_err no_list(berth_call *c, berth_str path, berth_str cursor, uint32_t limit, berth_page *out) { return (void)cursor, (void)limit, (void)out, no_path(c, path); }

const berth_driver berth_the_driver = {
    .manifest = "{\"name\":\"exercise\",\"version\":\"1.0.0\",\"description\":\"what the host does\",\"stores\":[\"under\"],\"abilities\":[],"
                "\"schema\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"text\":{\"type\":\"string\"},\"loud\":{\"type\":\"boolean\"},\"times\":{\"type\":\"integer\"},\"endpoint\":{\"type\":\"string\"}}},"
                "\"hosts\":[\"{endpoint}\"]}",
    .open = open_driver,
    .stat = no_stat,
    .list = no_list,
    .read = read_path,
    .put = no_put,
    .del = no_path,
    .stream = stream,
};
