/* The hostile part of golden_test: messages that nobody should send. */

/* refused tells whether a reply is the error of that kind. */
static bool refused(berth_str reply, berth_err kind)
{
	static const char head[] = "\x81\xa3" "err";
	berth__reader r = {(const uint8_t *)reply.p, (const uint8_t *)reply.p + reply.n, NULL};
	if (!berth_has_prefix(reply, BERTH_S(head))) return false;
	r.p += sizeof head - 1;
	return berth__error_map(&berth__the_call, &r) == kind;
}

/* dice is a random number below n, the same ones in every run. */
static uint32_t dice(uint32_t n)
{
	static uint64_t state = 0x9e3779b97f4a7c15u;
	state ^= state << 13, state ^= state >> 7, state ^= state << 17;
	return (uint32_t)(state >> 32) % n;
}

/* shuffled feeds a message in which bytes are replaced, left out and repeated, several at a time. */
static void shuffled(const unsigned char *changes, size_t count)
{
	for (int round = 0; round < 500; round++, fed++) {
		char copy[1024];
		uint32_t n = vector.message.n < sizeof copy / 2 ? vector.message.n : (uint32_t)sizeof copy / 2;
		memcpy(copy, vector.message.p, n);
		for (uint32_t times = 2 + dice(4); times > 0 && n > 0; times--) {
			uint32_t at = dice(n), length = 1 + dice(n - at);
			switch (dice(4)) {
			case 0:
				copy[at] = (char)changes[dice((uint32_t)count)];
				break;
			case 1:
				copy[at] = (char)dice(256);
				break;
			case 2:
				memmove(copy + at, copy + at + length, n - at - length);
				n -= length;
				break;
			default:
				if (n + length > sizeof copy) break;
				memmove(copy + at + length, copy + at, n - at);
				n += length;
			}
		}
		if (exact(dice(OPERATIONS), copy, n).n == 0) die("a request that was changed has no reply");
	}
}

/* hostile feeds a vector cut off at each byte, and with each byte changed. */
static void hostile(void)
{
	static const unsigned char changes[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc4, 0xc6, 0xc9, 0xcb, 0xcf, 0xd3, 0xd8, 0xdb, 0xdd, 0xdf, 0xff};
	uint32_t op = operation();
	silent = true;
	if (op == UINT32_MAX) {
		host_hostile(changes, sizeof changes);
		return;
	}
	if (strcmp(vector.dir, "request") != 0) return;
	char *copy = malloc(vector.message.n);
	for (uint32_t i = 0; i < vector.message.n; i++) {
		if (!refused(exact(op, vector.message.p, i), BERTH_KIND_INVALID_ARGUMENT)) die("a request that was cut off is not an invalid argument");
		for (size_t k = 0; k < sizeof changes; k++, fed++) {
			memcpy(copy, vector.message.p, vector.message.n);
			copy[i] = (char)changes[k];
			for (uint32_t other = 0; other < OPERATIONS; other++) {
				if (exact(other, copy, vector.message.n).n == 0) die("a request that was changed has no reply");
			}
		}
	}
	free(copy);
	shuffled(changes, sizeof changes);
}

/* skipped feeds values of every format under a key that nobody knows, whole and cut off at each byte. */
static void skipped(void)
{
	static const char *const values[] = {
	    "c0", "c2", "c403010203", "c50003010203", "c600000003010203", "c7020a0102", "c800020a0102", "c9000000020a0102", "ca01020304", "cb0102030405060708", "cc01", "cd0102",
	    "ce01020304", "cf0102030405060708", "d001", "d10102", "d201020304", "d30102030405060708", "d40a01", "d50a0102", "d60a01020304", "d70a0102030405060708",
	    "d80a0102030405060708090a0b0c0d0e0f10", "d90161", "da000161", "db0000000161", "dc0002c00a", "dd00000002c00a", "de0001a16101", "df00000001a16101", "93010203", "82a16101a16293c0c3ff",
	};
	for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
		char message[80] = "\x82\xa1x";
		berth_str value = unhex(values[k]);
		memcpy(message + 3, value.p, value.n);
		memcpy(message + 3 + value.n, "\xa4" "path\xa2/a", 8);
		uint32_t n = 3 + value.n + 8;
		if (refused(exact(BERTH_OP_DELETE, message, n), BERTH_KIND_INVALID_ARGUMENT)) die("a key that nobody knows is not ignored");
		for (uint32_t i = 0; i < n; i++) {
			if (!refused(exact(BERTH_OP_DELETE, message, i), BERTH_KIND_INVALID_ARGUMENT)) die("a value that was cut off is not an invalid argument");
		}
		message[0] = '\x81';
		if (!refused(exact(BERTH_OP_DELETE, message, n), BERTH_KIND_INVALID_ARGUMENT)) die("bytes behind a message are not an invalid argument");
		free((void *)(uintptr_t)value.p);
	}
}

/* refusing asks what cannot be answered. */
static void refusing(void)
{
	for (uint32_t op = 0; op < OPERATIONS; op++) {
		berth__the_call.opened = false;
		bool early = op == BERTH_OP_DESCRIBE || op == BERTH_OP_OPEN;
		if (refused(exact(op, "\x80", 1), BERTH_KIND_INVALID_ARGUMENT) == early) die("want describe and open, and nothing else, to be answered before the driver is open");
	}
	berth__the_call.opened = true;
	if (!refused(exact(OPERATIONS, "\x80", 1), BERTH_KIND_UNSUPPORTED) || !refused(exact(UINT32_MAX, "\x80", 1), BERTH_KIND_UNSUPPORTED)) die("an operation that nobody knows is not unsupported");
}

/* several has the host answer three requests wrongly. */
static void several(void)
{
	static const char *const wrong[] = {
	    "\x80", "\x81\xa7replies\x90", "\x81\xa7replies\x92\x80\x80", "\x81\xa7replies\x94\x80\x80\x80\x80", "\x82\xa7replies\x94\x80\x80\x80\xa1x\x80",
	    "\x81\xa7replies\xdd\xff\xff\xff\xff", "\x81\xa7replies\x93\x80\x80\xc2",
	};
	berth_request requests[3] = {0};
	berth_exchange out[3];
	berth_call *c = &berth__the_call;
	for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
		answer = berth_text(wrong[k]);
		if (berth_http_all(c, requests, 3, out) != BERTH_KIND_CORRUPT) die("a reply that does not answer each of several requests is not corrupt");
	}
	/* An error of a kind that nobody knows, with a response beside it. */
	answer = BERTH_S("\x81\xa7replies\x93\x80\x83\xa6status\x64\xa3" "err\x82\xa4kind\x7f\xa3msg\xa1?\xa4" "data\xc4\x01x\x80");
	bool answered = berth_http_all(c, requests, 3, out) == BERTH_OK && out[0].failure.kind == BERTH_OK && out[2].failure.kind == BERTH_OK;
	if (!answered) die("want the answers to three requests, of which one failed");
	bool failed = out[1].failure.kind == BERTH_FAILED && berth_equal(out[1].failure.message, BERTH_S("?"));
	if (!failed || out[1].response.status != 0 || out[1].response.data.n != 0) die("want a failure of no known kind, and no response");
	berth_stream body = {1, 1};
	requests[2] = (berth_request){.data = BERTH_STR("x"), .body = &body, .body_count = 1};
	bool refused_all = berth_http_all(c, requests, 3, out) == BERTH_KIND_INVALID_ARGUMENT && out[1].failure.kind == BERTH_OK;
	if (!refused_all) die("want a request with both data and body to be refused, and nothing in the answers");
}

/* nested feeds values that are nested as deeply as a message is long. */
static void nested(void)
{
	static char deep[1 << 20];
	static const unsigned char heads[] = {0x81, 0x91, 0xdd, 0xdf, 0xc9, 0xdb};
	for (size_t k = 0; k < sizeof heads; k++) {
		memset(deep, heads[k], sizeof deep);
		memcpy(deep, "\x81\xa1x", 3);
		if (!refused(exact(BERTH_OP_STAT, deep, sizeof deep), BERTH_KIND_INVALID_ARGUMENT)) die("a message that is nested without end is not an invalid argument");
	}
}
