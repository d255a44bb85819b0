/* c-memory keeps objects in its own memory: a whole driver in C, on guest-sdk/c. What it keeps is gone with its instance, so that it is for
   tests and for reading. Directories are what the paths of the objects say. */

#define BERTH_IMPLEMENTATION
#include "berth.h"

#define VERSION_BYTES 16u

/* What has to be left for calls when an object is stored: a page of a listing takes most. */
#define PAGE_BYTES (256u << 10)

typedef struct object {
	berth_str path;
	uint8_t *content;
	uint32_t size;
	int64_t time;
	uint8_t version[VERSION_BYTES];
} object;

/* The objects, by path in byte order. That is also the order of List: a directory sorts as its name followed by "/". */
static object **objects;
static uint32_t count, room;

/* How many bytes of content there are, and may be; 0 is no limit. */
static uint64_t kept, most;

/* What versions begin with, by which they differ from those of earlier instances, and how many there were. */
static uint8_t instance[8];
static uint64_t versions;

static const berth_str root = BERTH_STR("/");

/* position returns where path is, or would be. */
static uint32_t position(berth_str path)
{
	uint32_t low = 0, high = count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (berth_compare(objects[middle]->path, path) < 0) low = middle + 1;
		else high = middle;
	}
	return low;
}

static object *find(berth_str path)
{
	uint32_t at = position(path);
	return at < count && berth_equal(objects[at]->path, path) ? objects[at] : NULL;
}

/* prefix_of returns what the paths below a directory begin with. Without memory it is empty. */
static berth_str prefix_of(berth_call *c, berth_str path) { return berth_equal(path, root) ? root : BERTH_CAT(c, path, BERTH_S("/")); }

/* behind returns the position behind all paths that begin with prefix. */
static uint32_t behind(berth_str prefix)
{
	uint32_t low = position(prefix), high = count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (berth_has_prefix(objects[middle]->path, prefix)) low = middle + 1;
		else high = middle;
	}
	return low;
}

/* has_below tells whether there are objects below a directory. */
static bool has_below(berth_str prefix)
{
	uint32_t at = position(prefix);
	return at < count && berth_has_prefix(objects[at]->path, prefix);
}

static berth_err no_memory(berth_call *c) { return berth_fail(c, BERTH_KIND_NO_SPACE, "there is no memory for more objects"); }

static void discard(object *o)
{
	if (o == NULL) return;
	kept -= o->content == NULL ? 0 : o->size;
	berth_free(o->content);
	berth_free(o);
}

/* make returns an object with room for size bytes, which nobody sees yet. */
static berth_err make(berth_call *c, berth_str path, int64_t size, object **out)
{
	if (size < 0 || size > INT32_MAX || (most > 0 && kept + (uint64_t)size > most)) return berth_fail(c, BERTH_KIND_NO_SPACE, "the content is more than the driver may keep");
	object *o = berth_alloc(sizeof *o + path.n);
	uint8_t *content = size == 0 ? NULL : berth_alloc((size_t)size);
	void *left = berth_alloc(PAGE_BYTES);
	berth_free(left);
	if (o == NULL || left == NULL || (content == NULL && size > 0)) {
		berth_free(o);
		berth_free(content);
		return no_memory(c);
	}
	*o = (object){.path = {(const char *)(o + 1), path.n}, .content = content, .size = (uint32_t)size, .time = berth_now()};
	memcpy(o + 1, path.p, path.n);
	versions++;
	memcpy(o->version, instance, sizeof instance);
	memcpy(o->version + sizeof instance, &versions, sizeof versions);
	kept += o->size;
	*out = o;
	return BERTH_OK;
}

/* insert makes an object visible, in place of the one at its path. */
static berth_err insert(berth_call *c, object *o)
{
	if (o->path.n == 1) return berth_fail(c, BERTH_KIND_INVALID_PATH, "that is the root");
	for (uint32_t i = 1; i < o->path.n; i++) {
		if (o->path.p[i] == '/' && find(berth_slice(o->path, 0, i)) != NULL) return berth_fail(c, BERTH_KIND_INVALID_PATH, "a file is above it");
	}
	berth_str below = prefix_of(c, o->path);
	if (below.n == 0) return no_memory(c);
	if (has_below(below)) return berth_fail(c, BERTH_KIND_INVALID_PATH, "there is a directory");
	uint32_t at = position(o->path);
	if (at < count && berth_equal(objects[at]->path, o->path)) {
		discard(objects[at]);
		objects[at] = o;
		return BERTH_OK;
	}
	if (count == room) {
		uint32_t more = room == 0 ? 64 : 2 * room;
		object **larger = berth_realloc(objects, more * sizeof(object *));
		if (larger == NULL) return no_memory(c);
		objects = larger;
		room = more;
	}
	memmove(objects + at + 1, objects + at, (count - at) * sizeof(object *));
	objects[at] = o;
	count++;
	return BERTH_OK;
}

/* visible is insert of an object that made, if it was; it is discarded when it cannot be. */
static berth_err visible(berth_call *c, object *o, berth_err err)
{
	if (err == BERTH_OK) err = insert(c, o);
	if (err != BERTH_OK) discard(o);
	return err;
}

/* cut removes the objects from one position to another. */
static void cut(uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) discard(objects[i]);
	memmove(objects + from, objects + to, (count - to) * sizeof(object *));
	count -= to - from;
}

static berth_err open_driver(berth_call *c, berth_str parameters, uint64_t features, berth_opened *out)
{
	(void)c;
	(void)features;
	int64_t bytes = 0;
	if (berth_param_int(parameters, "most", &bytes)) most = (uint64_t)bytes;
	berth_random(instance, sizeof instance);
	out->abilities = BERTH_ABILITY_COPY | BERTH_ABILITY_MOVE | BERTH_ABILITY_CONCAT | BERTH_ABILITY_LIST_TREE | BERTH_ABILITY_DELETE_TREE;
	return BERTH_OK;
}

static berth_err stat_path(berth_call *c, berth_str path, berth_entry *out)
{
	const object *o = find(path);
	if (o != NULL) {
		*out = (berth_entry){.size = o->size, .time = o->time};
		return BERTH_OK;
	}
	berth_str below = prefix_of(c, path);
	if (below.n == 0) return no_memory(c);
	out->dir = true;
	return path.n == root.n || has_below(below) ? BERTH_OK : BERTH_KIND_NOT_FOUND;
}

/* list_below fills a page with what is below prefix, after the entry that after names: whole relative paths, or with deep false the direct
   children, directories among them. */
static berth_err list_below(berth_call *c, berth_str prefix, berth_str after, bool deep, uint32_t limit, berth_page *out)
{
	berth_str begin = BERTH_CAT(c, prefix, after);
	if (begin.n == 0) return no_memory(c);
	uint32_t at = position(begin), end = behind(prefix);
	if (after.n > 0 && !deep && after.p[after.n - 1] == '/') at = behind(begin);
	else if (after.n > 0 && at < end && berth_equal(objects[at]->path, begin)) at++;
	while (at < end && out->count < limit) {
		const object *o = objects[at];
		berth_str name = berth_slice(o->path, prefix.n, o->path.n);
		uint32_t slash = deep ? name.n : berth_find(name, '/');
		berth_entry entry = {.name = berth_slice(name, 0, slash), .size = o->size, .time = o->time};
		if (slash < name.n) entry = (berth_entry){.name = entry.name, .dir = true};
		berth_err err = berth_page_add(c, out, &entry);
		if (err != BERTH_OK) return err;
		at = entry.dir ? behind(berth_slice(o->path, 0, prefix.n + slash + 1)) : at + 1;
		out->cursor = entry.dir ? berth_slice(name, 0, slash + 1) : name;
	}
	if (at >= end) out->cursor = (berth_str){0};
	return BERTH_OK;
}

static berth_err list(berth_call *c, berth_str path, berth_str cursor, uint32_t limit, berth_page *out)
{
	berth_str prefix = prefix_of(c, path);
	if (prefix.n == 0) return no_memory(c);
	if (path.n > root.n && !has_below(prefix)) return BERTH_KIND_NOT_FOUND;
	return list_below(c, prefix, cursor, false, limit, out);
}

static berth_err list_tree(berth_call *c, berth_str path, berth_str after, berth_str cursor, uint32_t limit, berth_page *out)
{
	berth_str prefix = prefix_of(c, path);
	if (prefix.n == 0) return no_memory(c);
	return list_below(c, prefix, cursor.n > 0 ? cursor : after, true, limit, out);
}

static berth_err read_path(berth_call *c, berth_str path, int64_t offset, int64_t length, berth_content *out)
{
	const object *o = find(path);
	if (o == NULL) return BERTH_KIND_NOT_FOUND;
	if (offset < 0 || offset > (int64_t)o->size) return berth_fail(c, BERTH_KIND_INVALID_OFFSET, "the offset is beyond the object's end");
	int64_t left = (int64_t)o->size - offset;
	out->length = length < 0 || length > left ? left : length;
	if (out->length == 0) return BERTH_OK;
	out->data = (berth_str){(const char *)o->content + offset, (uint32_t)out->length};
	out->version = (berth_str){(const char *)o->version, VERSION_BYTES};
	return BERTH_OK;
}

static berth_err put(berth_call *c, berth_str path, berth_stream body)
{
	object *o = NULL;
	berth_err err = make(c, path, body.size, &o);
	if (err != BERTH_OK) return err;
	return visible(c, o, berth_read_full(c, body.handle, o->content, o->size));
}

static berth_err delete_path(berth_call *c, berth_str path)
{
	berth_str below = prefix_of(c, path);
	if (below.n == 0) return no_memory(c);
	if (has_below(below)) return berth_fail(c, BERTH_KIND_INVALID_PATH, "the directory is not empty");
	if (find(path) == NULL) return BERTH_KIND_NOT_FOUND;
	uint32_t at = position(path);
	cut(at, at + 1);
	return BERTH_OK;
}

static berth_err delete_tree(berth_call *c, berth_str path)
{
	berth_str below = prefix_of(c, path);
	if (below.n == 0) return no_memory(c);
	uint32_t before = count, at = position(path);
	if (find(path) != NULL) cut(at, at + 1);
	cut(position(below), behind(below));
	return count < before ? BERTH_OK : BERTH_KIND_NOT_FOUND;
}

static berth_err concat(berth_call *c, berth_str dest, const berth_str *sources, uint32_t source_count)
{
	int64_t size = 0;
	for (uint32_t i = 0; i < source_count; i++) {
		const object *source = find(sources[i]);
		if (source == NULL) return BERTH_KIND_NOT_FOUND;
		size += source->size;
	}
	object *o = NULL;
	berth_err err = make(c, dest, size, &o);
	if (err != BERTH_OK) return err;
	uint32_t at = 0;
	for (uint32_t i = 0; i < source_count; i++) {
		const object *source = find(sources[i]);
		if (source->size == 0) continue;
		memcpy(o->content + at, source->content, source->size);
		at += source->size;
	}
	return visible(c, o, BERTH_OK);
}

static berth_err copy(berth_call *c, berth_str source, berth_str dest) { return concat(c, dest, &source, 1); }

static berth_err move(berth_call *c, berth_str source, berth_str dest)
{
	object *from = find(source), *to = NULL;
	if (from == NULL) return BERTH_KIND_NOT_FOUND;
	if (berth_equal(source, dest)) return BERTH_OK;
	berth_err err = make(c, dest, 0, &to);
	if (err != BERTH_OK) return err;
	to->time = from->time;
	err = insert(c, to);
	if (err != BERTH_OK) {
		discard(to);
		return err;
	}
	to->content = from->content; /* kept counts it once */
	to->size = from->size;
	from->content = NULL;
	uint32_t at = position(source);
	cut(at, at + 1);
	return BERTH_OK;
}

const berth_driver berth_the_driver = {
    .manifest = "{\"name\":\"c-memory\",\"version\":\"1.0.0\",\"description\":\"keeps objects in memory, in C\","
                "\"schema\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
                "\"most\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9223372036854775807,\"description\":\"most bytes of content that it keeps\"}}},"
                "\"memory\":201326592,\"instances\":1,"
                "\"abilities\":[\"copy\",\"move\",\"concat\",\"list-tree\",\"delete-tree\"]}",
    .open = open_driver,
    .stat = stat_path,
    .list = list,
    .read = read_path,
    .put = put,
    .del = delete_path,
    .delete_tree = delete_tree,
    .copy = copy,
    .move = move,
    .concat = concat,
    .list_tree = list_tree,
};
