/* Merging the bytes of a piece into tokens: the adjacent pair of lowest rank first, the leftmost of
 * equal ones, until no pair has a rank. A priority queue makes it O(n log n); what short pieces
 * became is remembered, because text repeats its words. */
#include "engine/tokenizer/internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    NONE = -1,
    CACHE_PIECE = 48,       /* longest piece worth remembering, bytes */
    CACHE_ENTRIES = 1 << 15 /* some 5 MB; a full cache is emptied */
};

static const uint32_t NO_RANK = UINT32_MAX;
static const uint32_t NO_NODE = UINT32_MAX;

/* One slot of the pair table (open addressing, at most half full). */
struct pair {
    int32_t left; /* NONE: free */
    int32_t right;
    uint32_t rank;
};

/* One symbol of the piece at work, in a doubly linked list; its index is its first byte. */
struct node {
    int32_t id;
    uint32_t previous;
    uint32_t next;
    uint32_t rank; /* of the pair that it forms with `next`; a swallowed node has NO_RANK */
};

struct cached {
    UT_hash_handle hh;
    uint32_t count;
    int32_t ids[]; /* then the bytes of the piece */
};

struct ts_bpe {
    int32_t byte_ids[256];
    struct pair *pairs; /* [mask + 1] */
    uint64_t mask;
    int32_t *merged; /* [merge_count]: by rank, what the pair becomes */
    uint32_t merge_count;
    uint32_t added;
    struct node *nodes;
    uint64_t *heap; /* rank << 32 | node: the least is the next merge */
    size_t heap_count;
    size_t capacity; /* nodes; the heap has twice as many */
    struct cached *cache;
    uint64_t work;
};

struct ts_bpe *ts_bpe_open(const int32_t *byte_ids, uint32_t merge_count, struct ts_error *error)
{
    uint64_t slots = 16;
    while (slots / 2 < merge_count) {
        slots *= 2;
    }
    struct ts_bpe *bpe = calloc(1, sizeof *bpe);
    if (bpe) {
        bpe->pairs = slots <= SIZE_MAX / sizeof *bpe->pairs
                         ? malloc((size_t)slots * sizeof *bpe->pairs)
                         : NULL;
        bpe->merged = malloc(((size_t)merge_count + 1) * sizeof *bpe->merged);
    }
    if (!bpe || !bpe->pairs || !bpe->merged) {
        ts_bpe_close(bpe);
        ts_fail_memory(error, "the merge table", slots * sizeof *bpe->pairs);
        return NULL;
    }
    memcpy(bpe->byte_ids, byte_ids, sizeof bpe->byte_ids);
    for (uint64_t i = 0; i < slots; i++) {
        bpe->pairs[i].left = NONE;
    }
    bpe->mask = slots - 1;
    bpe->merge_count = merge_count;
    return bpe;
}

static void clear_cache(struct ts_bpe *bpe)
{
    struct cached *entry = NULL, *next = NULL;
    HASH_ITER(hh, bpe->cache, entry, next)
    {
        HASH_DEL(bpe->cache, entry);
        free(entry);
    }
}

void ts_bpe_close(struct ts_bpe *bpe)
{
    if (!bpe) {
        return;
    }
    clear_cache(bpe);
    free(bpe->pairs);
    free(bpe->merged);
    free(bpe->nodes);
    free(bpe->heap);
    free(bpe);
}

/* The slot of a pair: its own, or the free one where it belongs. */
static struct pair *find_pair(const struct ts_bpe *bpe, int32_t left, int32_t right)
{
    int32_t key[2] = {left, right};
    uint64_t slot = XXH3_64bits(key, sizeof key) & bpe->mask;
    while (bpe->pairs[slot].left != NONE &&
           (bpe->pairs[slot].left != left || bpe->pairs[slot].right != right)) {
        slot = (slot + 1) & bpe->mask;
    }
    return &bpe->pairs[slot];
}

void ts_bpe_add_merge(struct ts_bpe *bpe, int32_t left, int32_t right, int32_t merged)
{
    struct pair *pair = find_pair(bpe, left, right);
    if (bpe->added < bpe->merge_count) {
        if (pair->left == NONE) { /* a pair listed twice keeps its first rank */
            *pair = (struct pair){left, right, bpe->added};
        }
        bpe->merged[bpe->added++] = merged;
    }
}

uint64_t ts_bpe_work(const struct ts_bpe *bpe)
{
    return bpe->work;
}

static void sift_down(uint64_t *heap, size_t count, size_t at)
{
    uint64_t key = heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count) {
            break;
        }
        if (child + 1 < count && heap[child + 1] < heap[child]) {
            child++;
        }
        if (heap[child] >= key) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = key;
}

static void heap_push(struct ts_bpe *bpe, uint64_t key)
{
    size_t at = bpe->heap_count++;
    while (at > 0 && bpe->heap[(at - 1) / 2] > key) {
        bpe->heap[at] = bpe->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    bpe->heap[at] = key;
}

static uint64_t heap_pop(struct ts_bpe *bpe)
{
    uint64_t key = bpe->heap[0];
    bpe->heap[0] = bpe->heap[--bpe->heap_count];
    if (bpe->heap_count > 1) {
        sift_down(bpe->heap, bpe->heap_count, 0);
    }
    bpe->work++;
    return key;
}

static uint32_t rank_of(const struct ts_bpe *bpe, uint32_t index)
{
    const struct node *node = &bpe->nodes[index];
    if (node->next == NO_NODE) {
        return NO_RANK;
    }
    const struct pair *pair = find_pair(bpe, node->id, bpe->nodes[node->next].id);
    return pair->left == NONE ? NO_RANK : pair->rank;
}

static bool reserve(struct ts_bpe *bpe, size_t length, struct ts_error *error)
{
    if (length <= bpe->capacity) {
        return true;
    }
    size_t capacity = length < 256 ? 256 : length + length / 2;
    free(bpe->nodes);
    free(bpe->heap);
    bpe->nodes = malloc(capacity * sizeof *bpe->nodes);
    bpe->heap = malloc(capacity * 2 * sizeof *bpe->heap);
    bpe->capacity = bpe->nodes && bpe->heap ? capacity : 0;
    return bpe->capacity ||
           ts_fail_memory(error, "the merge queue", capacity * 2 * sizeof *bpe->heap);
}

/* Links the bytes of a piece and queues their pairs. */
static void start(struct ts_bpe *bpe, const uint8_t *piece, uint32_t length)
{
    struct node *nodes = bpe->nodes;
    for (uint32_t i = 0; i < length; i++) {
        nodes[i].id = bpe->byte_ids[piece[i]];
        nodes[i].previous = i == 0 ? NO_NODE : i - 1;
        nodes[i].next = i + 1 == length ? NO_NODE : i + 1;
    }
    bpe->heap_count = 0;
    for (uint32_t i = 0; i < length; i++) {
        nodes[i].rank = rank_of(bpe, i);
        if (nodes[i].rank != NO_RANK) {
            bpe->heap[bpe->heap_count++] = (uint64_t)nodes[i].rank << 32 | i;
        }
    }
    for (size_t i = bpe->heap_count / 2; i-- > 0;) {
        sift_down(bpe->heap, bpe->heap_count, i);
    }
}

/* Ranks the pair that begins at a node anew, because one of its two ids changed. */
static void renew(struct ts_bpe *bpe, uint32_t index)
{
    if (index == NO_NODE) {
        return;
    }
    uint32_t rank = rank_of(bpe, index);
    bpe->nodes[index].rank = rank;
    if (rank != NO_RANK) {
        heap_push(bpe, (uint64_t)rank << 32 | index);
    }
}

/* A merge takes one entry off the queue and adds at most two, and there are fewer merges than
 * bytes: the queue never holds more than 2 * length entries. */
static void merge(struct ts_bpe *bpe, const uint8_t *piece, uint32_t length)
{
    struct node *nodes = bpe->nodes;
    start(bpe, piece, length);
    while (bpe->heap_count > 0) {
        uint64_t key = heap_pop(bpe);
        uint32_t rank = (uint32_t)(key >> 32);
        uint32_t left = (uint32_t)key;
        if (nodes[left].rank != rank) {
            continue; /* the pair changed since it was queued */
        }
        uint32_t right = nodes[left].next;
        nodes[left].id = bpe->merged[rank];
        nodes[left].next = nodes[right].next;
        nodes[right].rank = NO_RANK;
        if (nodes[left].next != NO_NODE) {
            nodes[nodes[left].next].previous = left;
        }
        renew(bpe, nodes[left].previous);
        renew(bpe, left);
    }
}

/* Remembering is an optimisation: without memory for it nothing is lost. */
static void remember(struct ts_bpe *bpe, const uint8_t *piece, size_t length, const int32_t *ids,
                     size_t count)
{
    if (HASH_COUNT(bpe->cache) >= CACHE_ENTRIES) {
        clear_cache(bpe);
    }
    struct cached *entry = malloc(sizeof *entry + count * sizeof *ids + length);
    if (!entry) {
        return;
    }
    entry->count = (uint32_t)count;
    memcpy(entry->ids, ids, count * sizeof *ids);
    uint8_t *key = (uint8_t *)(entry->ids + count);
    memcpy(key, piece, length);
    HASH_ADD_KEYPTR(hh, bpe->cache, key, (unsigned)length, entry);
    if (!entry->hh.tbl) {
        free(entry);
    }
}

bool ts_bpe_encode(struct ts_bpe *bpe, const uint8_t *piece, size_t length, struct ts_ids *ids,
                   struct ts_error *error)
{
    if (length == 1) {
        return ts_ids_append(ids, bpe->byte_ids[piece[0]], error);
    }
    if (length <= CACHE_PIECE) {
        struct cached *entry = NULL;
        HASH_FIND(hh, bpe->cache, piece, (unsigned)length, entry);
        if (entry) {
            for (uint32_t i = 0; i < entry->count; i++) {
                if (!ts_ids_append(ids, entry->ids[i], error)) {
                    return false;
                }
            }
            return true;
        }
    }
    if (!reserve(bpe, length, error)) {
        return false;
    }
    merge(bpe, piece, (uint32_t)length);
    size_t first = ids->count;
    for (uint32_t i = 0; i != NO_NODE; i = bpe->nodes[i].next) {
        if (!ts_ids_append(ids, bpe->nodes[i].id, error)) {
            return false;
        }
    }
    if (length <= CACHE_PIECE) {
        remember(bpe, piece, length, ids->data + first, ids->count - first);
    }
    return true;
}
