/* The host's side of golden_test: imports that answer with the vector, and a question for each host operation, made of its values. */

static uint32_t asked_op;
static berth_str asked;  /* the message of the last question; the SDK's */
static berth_str answer; /* what the host answers */

int64_t berth__import_call(uint32_t op, const void *p, uint32_t size, void *out, uint32_t room)
{
	asked_op = op;
	asked = (berth_str){p, size};
	if (answer.n <= room) memcpy(out, answer.p, answer.n);
	return answer.n;
}

int64_t berth__import_take(void *out, uint32_t room)
{
	if (room < answer.n) return -1 - (int64_t)BERTH_KIND_LIMIT;
	memcpy(out, answer.p, answer.n);
	return answer.n;
}

int64_t berth__import_read(berth_handle h, void *p, uint32_t size) { return (void)h, (void)p, (void)size, 0; }
int64_t berth__import_write(berth_handle h, const void *p, uint32_t size) { return (void)h, (void)p, size; }
int64_t berth__import_splice(berth_handle to, berth_handle from, int64_t size) { return (void)to, (void)from, size; }
int64_t berth__import_close(berth_handle h) { return (void)h, 0; }
int64_t berth__import_now(void) { return 0; }
int64_t berth__import_random(void *p, uint32_t size) { return memset(p, 0, size), 0; }
int64_t berth__import_log(int32_t level, const void *p, uint32_t size) { return (void)level, (void)p, (void)size, 0; }

int32_t berth__import_fd_write(int32_t fd, const berth__iovec *texts, uint32_t count, size_t *written)
{
	(void)fd;
	(void)written;
	for (uint32_t i = 0; i < count; i++) fwrite(texts[i].p, 1, texts[i].size, stderr);
	return 0;
}

static const berth_stream *streams(uint32_t *count)
{
	static berth_stream list[16];
	*count = (uint32_t)number("body");
	for (uint32_t i = 0; i < *count; i++) list[i] = (berth_stream){number(item("body", i, "")), -1};
	return *count == 0 ? NULL : list;
}

/* kept copies a list into the call's memory. */
static const void *kept(berth_call *c, const void *list, size_t size)
{
	void *own = berth_arena(c, size);
	if (own == NULL) die("no memory for a list");
	berth__copy(own, list, size);
	return own;
}

static berth_request request(berth_call *c)
{
	berth_keyed keyed[BERTH_MAX_KEYED];
	berth_request r = {.method = text("method"), .url = text("url"), .data = text("data"), .max = number("max"), .outlast = number("outlast") != 0, .credential = text("credential"), .sha256 = text("sha256")};
	const berth_str *list = strs("headers", &r.header_count);
	r.headers = kept(c, list, r.header_count * sizeof *list);
	if (look("body") != NULL) r.body = streams(&r.body_count);
	list = strs("want", &r.want_count);
	if (look("want") != NULL) r.want = kept(c, list, r.want_count * sizeof *list);
	r.keyed_count = (uint32_t)number("keyed");
	for (uint32_t i = 0; i < r.keyed_count; i++) {
		keyed[i] = (berth_keyed){.name = text(item("keyed", i, "name"))};
		keyed[i].text = text(item("keyed", i, "text"));
		keyed[i].key = number(item("keyed", i, "key"));
		keyed[i].encoding = text(item("keyed", i, "enc"));
	}
	r.keyed = kept(c, keyed, r.keyed_count * sizeof *keyed);
	return r;
}

static void dump_response(const berth_response *r)
{
	dump_int("status", r->status);
	dump_strs("headers", r->headers, r->header_count);
	dump_int("len", r->length);
	dump_int("body", r->body.handle);
	dump_str("data", r->data);
}

static berth_err ask_http(berth_call *c, uint32_t op)
{
	berth_request r = request(c);
	berth_response out = {0};
	berth_handle sink = 0;
	berth_err err;
	if (op == BERTH_HOST_HTTP_BEGIN) {
		err = berth_http_begin(c, &r, number("size"), &sink);
		dump_int("sink", sink);
		return err;
	}
	if (op == BERTH_HOST_HTTP) err = berth_http(c, &r, &out);
	else err = berth_http_finish(c, number("sink"), r.max, r.want, r.want_count, &out);
	dump_response(&out);
	return err;
}

static void dump_exchange(const berth_exchange *x, uint32_t i)
{
	snprintf(within, sizeof within, "replies.%u.", i);
	dump_response(&x->response);
	snprintf(within, sizeof within, "replies.%u.err.", i);
	dump_int("kind", x->failure.kind);
	dump_int("tmp", x->failure.temporary);
	dump_int("after", x->failure.retry_after);
	dump_int("status", x->failure.status);
	dump_str("msg", x->failure.message);
	within[0] = '\0';
	if (x->failure.kind != BERTH_OK && (x->response.status != 0 || x->response.data.n > 0)) die("one of several requests has both a response and a failure");
}

static berth_err ask_http_all(berth_call *c, uint32_t op)
{
	(void)op;
	berth_request requests[BERTH_MAX_HTTP_ALL] = {0};
	berth_exchange out[BERTH_MAX_HTTP_ALL];
	uint32_t count = (uint32_t)number("requests");
	for (uint32_t i = 0; i < count; i++) {
		snprintf(within, sizeof within, "requests.%u.", i);
		requests[i] = request(c);
		within[0] = '\0';
	}
	if (count == 0) count = 3; /* the question for a reply, which has so many */
	berth_err err = berth_http_all(c, requests, count, out);
	if (err == BERTH_OK) dump_int("replies", count);
	for (uint32_t i = 0; i < count && err == BERTH_OK; i++) dump_exchange(&out[i], i);
	return err;
}

static berth_err ask_receipts(berth_call *c, uint32_t op)
{
	berth_receipt list[16], *page;
	uint32_t count = (uint32_t)number("page");
	if (op == BERTH_HOST_RECEIPTS_SET) {
		for (uint32_t i = 0; i < count; i++) {
			list[i] = (berth_receipt){.number = number(item("page", i, "num"))};
			list[i].offset = number(item("page", i, "off"));
			list[i].size = number(item("page", i, "size"));
			list[i].data = text(item("page", i, "data"));
		}
		if (count == 0) list[count++] = (berth_receipt){.number = 1}; /* the question for a reply */
		return berth_receipts_set(c, number("receipts") + (number("receipts") == 0), list, count);
	}
	berth_err err = berth_receipts_get(c, number("receipts") + (number("receipts") == 0), number("after"), (uint32_t)number("limit"), &page, &count);
	dump_int("page", count);
	for (uint32_t i = 0; i < count; i++) {
		dump_int(item("page", i, "num"), page[i].number);
		dump_int(item("page", i, "off"), page[i].offset);
		dump_int(item("page", i, "size"), page[i].size);
		dump_str(item("page", i, "data"), page[i].data);
	}
	return err;
}

static berth_err ask_content(berth_call *c, uint32_t op)
{
	berth_hashes hashes = {0};
	uint32_t alg_count, count;
	const berth_str *algs = strs("algs", &alg_count);
	berth_handle sink = 0;
	berth_err err;
	if (op == BERTH_HOST_HASH_BEGIN) {
		err = berth_hash_begin(c, algs, alg_count, &sink);
		dump_int("sink", sink);
		return err;
	}
	if (op == BERTH_HOST_COMPRESS) {
		berth_compression how = {.alg = text("alg"), .undo = number("undo") != 0, .level = (int32_t)number("level"), .max = number("max")};
		berth_stream out;
		const berth_stream *list = strcmp(vector.dir, "request") == 0 ? streams(&count) : (count = 0, NULL);
		err = berth_compress(c, &how, list, count, &out);
		dump_int("body", out.handle);
		return err;
	}
	const berth_stream *list = streams(&count);
	if (op == BERTH_HOST_HASH) err = berth_hash(c, algs, alg_count, text("data"), list, count, &hashes);
	else err = berth_hash_finish(c, number("sink"), &hashes);
	dump_digests(hashes.digests, hashes.count);
	dump_int("size", hashes.size);
	return err;
}

static berth_err ask_text(berth_call *c, uint32_t op)
{
	berth_str out = {0};
	berth_err err;
	const char *key = "url";
	if (op == BERTH_HOST_PRESIGN) {
		berth_request r = request(c);
		err = berth_presign(c, &r, number("seconds"), &out);
	} else if (op == BERTH_HOST_SECRET) {
		err = berth_secret(c, text("name"), &out);
		key = "data";
	} else if (op == BERTH_HOST_TIME_FORMAT) {
		err = berth_time_format(c, number("time"), text("format"), &out);
		key = "text";
	} else {
		berth_redirect who = {text("method"), text("remote"), text("forwarded")};
		err = berth_store_redirect(c, text("store"), text("path"), &who, &out);
	}
	dump_str(key, out);
	return err;
}

static berth_err ask_number(berth_call *c, uint32_t op)
{
	int64_t out = 0;
	berth_err err;
	const char *key = "key";
	if (op == BERTH_HOST_HMAC) {
		err = berth_hmac(c, text("secret"), number("key"), text("alg"), text("data"), &out);
	} else if (op == BERTH_HOST_TIME_PARSE) {
		err = berth_time_parse(c, text("text"), text("format"), &out);
		key = "time";
	} else {
		err = berth_store_begin(c, text("store"), text("path"), &out);
		key = "sink";
	}
	dump_int(key, out);
	return err;
}

static berth_err ask_store(berth_call *c, uint32_t op)
{
	berth_str store = text("store"), path = text("path");
	berth_opened info = {0};
	berth_entry entry = {0};
	berth_page page = {0};
	berth_content content = {0};
	uint32_t count;
	berth_err err;
	switch (op) {
	case BERTH_HOST_STORE_INFO:
		err = berth_store_info(c, store, &info);
		dump_int("caps", (int64_t)info.abilities);
		dump_int("maxobj", info.max_object);
		return err;
	case BERTH_HOST_STORE_STAT:
		err = berth_store_stat(c, store, path, &entry);
		dump_entry(&entry);
		return err;
	case BERTH_HOST_STORE_LIST:
		err = berth_store_list(c, store, path, text("cursor"), (uint32_t)number("limit"), &page);
		dump_page(&page);
		return err;
	case BERTH_HOST_STORE_READ:
		err = berth_store_read(c, store, path, number("off"), number("len"), &content);
		dump_int("len", content.length);
		dump_int("body", content.body.handle);
		return err;
	case BERTH_HOST_STORE_PUT: {
		const berth_stream *list = streams(&count);
		return berth_store_put(c, store, path, text("data"), list, count);
	}
	case BERTH_HOST_STORE_FINISH: return berth_store_finish(c, number("sink"));
	case BERTH_HOST_STORE_DELETE: return berth_store_delete(c, store, path);
	case BERTH_HOST_STORE_DELETE_TREE: return berth_store_delete_tree(c, store, path);
	case BERTH_HOST_STORE_MOVE: return berth_store_move(c, store, path, text("dest"));
	default: return berth_store_abort(c, store, path);
	}
}

static berth_err ask_metric(berth_call *c, uint32_t op)
{
	(void)op;
	bool counter = berth_equal(text("type"), BERTH_S("counter"));
	return counter ? berth_count(c, text("name"), number("value")) : berth_gauge(c, text("name"), number("value"));
}

static const struct {
	const char *name;
	uint32_t op;
	berth_err (*ask)(berth_call *c, uint32_t op);
} questions[] = {
    {"http", BERTH_HOST_HTTP, ask_http}, {"http_all", BERTH_HOST_HTTP_ALL, ask_http_all}, {"http_begin", BERTH_HOST_HTTP_BEGIN, ask_http}, {"http_finish", BERTH_HOST_HTTP_FINISH, ask_http},
    {"receipts_get", BERTH_HOST_RECEIPTS_GET, ask_receipts}, {"receipts_set", BERTH_HOST_RECEIPTS_SET, ask_receipts}, {"presign", BERTH_HOST_PRESIGN, ask_text},
    {"hmac", BERTH_HOST_HMAC, ask_number}, {"secret", BERTH_HOST_SECRET, ask_text}, {"hash", BERTH_HOST_HASH, ask_content},
    {"hash_begin", BERTH_HOST_HASH_BEGIN, ask_content}, {"hash_finish", BERTH_HOST_HASH_FINISH, ask_content}, {"compress", BERTH_HOST_COMPRESS, ask_content},
    {"time_format", BERTH_HOST_TIME_FORMAT, ask_text}, {"time_parse", BERTH_HOST_TIME_PARSE, ask_number}, {"metric", BERTH_HOST_METRIC, ask_metric},
    {"store_info", BERTH_HOST_STORE_INFO, ask_store}, {"store_stat", BERTH_HOST_STORE_STAT, ask_store}, {"store_list", BERTH_HOST_STORE_LIST, ask_store},
    {"store_read", BERTH_HOST_STORE_READ, ask_store}, {"store_put", BERTH_HOST_STORE_PUT, ask_store}, {"store_begin", BERTH_HOST_STORE_BEGIN, ask_number},
    {"store_finish", BERTH_HOST_STORE_FINISH, ask_store}, {"store_delete", BERTH_HOST_STORE_DELETE, ask_store},
    {"store_delete_tree", BERTH_HOST_STORE_DELETE_TREE, ask_store}, {"store_move", BERTH_HOST_STORE_MOVE, ask_store},
    {"store_redirect", BERTH_HOST_STORE_REDIRECT, ask_text}, {"store_abort", BERTH_HOST_STORE_ABORT, ask_store},
};

#define QUESTIONS (sizeof questions / sizeof questions[0])

static size_t question(void)
{
	for (size_t i = 0; i < QUESTIONS; i++) {
		if (strcmp(questions[i].name, vector.op) == 0) return i;
	}
	die("there is no such operation");
	return 0;
}

static berth_err ask(size_t i)
{
	berth__empty_call(&berth__the_call);
	return questions[i].ask(&berth__the_call, questions[i].op);
}

/* host_golden prints the message of a question, or what its reply is decoded to. */
static void host_golden(void)
{
	size_t i = question();
	bool questioned = strcmp(vector.dir, "request") == 0;
	answer = questioned ? BERTH_S("\x80") : vector.message;
	silent = questioned;
	size_t count = vector.count;
	if (!questioned) vector.count = 0; /* the values are what is to be found out */
	berth_err err = ask(i);
	vector.count = count;
	silent = false;
	bool unanswered = questioned && strcmp(vector.op, "http_all") == 0;
	if (err != (unanswered ? BERTH_KIND_CORRUPT : BERTH_OK)) die("the host's reply is an error, or none of one that has to have something");
	dump_int("op", asked_op);
	if (questioned) dump_str("hex", asked);
}

/* host_hostile has the host answer each question with replies that are cut off or changed. */
static void host_hostile(const unsigned char *changes, size_t count)
{
	if (strcmp(vector.dir, "request") == 0) return;
	char *copy = malloc(vector.message.n);
	size_t values = vector.count;
	vector.count = 0;
	for (uint32_t at = 0; at < vector.message.n; at++) {
		answer = (berth_str){vector.message.p, at};
		if (ask(question()) != BERTH_KIND_CORRUPT) die("a reply that was cut off is not corrupt");
		for (size_t k = 0; k < count; k++, fed++) {
			memcpy(copy, vector.message.p, vector.message.n);
			copy[at] = (char)changes[k];
			answer = (berth_str){copy, vector.message.n};
			for (size_t i = 0; i < QUESTIONS; i++) (void)ask(i);
		}
	}
	vector.count = values;
	free(copy);
}
