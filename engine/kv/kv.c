#include "engine/kv/kv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_ALIGNMENT = 256 };

static uint64_t align(uint64_t bytes)
{
    return (bytes + BLOCK_ALIGNMENT - 1) / BLOCK_ALIGNMENT * BLOCK_ALIGNMENT;
}

static void add(struct ts_kv_block *blocks, unsigned *count, uint32_t layer, enum ts_kv_kind kind,
                uint64_t rows, uint64_t width, uint32_t ratio)
{
    static const char *const names[TS_KV_KIND_COUNT] = {
        "attn.window",  "compressor.rows",    "compressor.frontier_k", "compressor.frontier_gate",
        "indexer.rows", "indexer.frontier_k", "indexer.frontier_gate"};
    struct ts_kv_block *block = &blocks[(*count)++];
    snprintf(block->name, sizeof block->name, "blk.%u.%s", layer, names[kind]);
    block->layer = layer;
    block->kind = kind;
    block->rows = rows;
    block->width = width;
    block->ratio = ratio;
}

/* The blocks of one layer, without slices; returns how many. */
static unsigned layer_blocks(const struct ts_config *c, uint64_t context, uint32_t layer,
                             struct ts_kv_block *blocks)
{
    unsigned count = 0;
    uint32_t ratio = c->ratio[layer];
    add(blocks, &count, layer, TS_KV_WINDOW, c->window, c->head_width, 0);
    if (ratio == 0) {
        return count;
    }
    bool indexed = ts_config_indexed(c, layer);
    uint64_t parts = indexed ? 2 : 1; /* overlapping blocks have two halves */
    uint64_t ring = parts * ratio;
    add(blocks, &count, layer, TS_KV_ROWS, context / ratio, c->head_width, ratio);
    add(blocks, &count, layer, TS_KV_FRONTIER_K, ring, parts * c->head_width, 0);
    add(blocks, &count, layer, TS_KV_FRONTIER_GATE, ring, parts * c->head_width, 0);
    if (indexed) {
        add(blocks, &count, layer, TS_KV_INDEX_ROWS, context / ratio, c->index_width, ratio);
        add(blocks, &count, layer, TS_KV_INDEX_FRONTIER_K, ring, parts * c->index_width, 0);
        add(blocks, &count, layer, TS_KV_INDEX_FRONTIER_GATE, ring, parts * c->index_width, 0);
    }
    return count;
}

uint64_t ts_kv_bytes(const struct ts_config *config, uint64_t context, uint32_t real_format)
{
    uint64_t bytes = 0;
    for (uint32_t layer = 0; layer < config->layers; layer++) {
        struct ts_kv_block blocks[TS_KV_KIND_COUNT];
        unsigned count = layer_blocks(config, context, layer, blocks);
        for (unsigned i = 0; i < count; i++) {
            bytes += align(blocks[i].rows * blocks[i].width * ts_format_block_bytes(real_format));
        }
    }
    return bytes;
}

struct ts_kv *ts_kv_open(const struct ts_config *config, struct ts_device *device, uint64_t context,
                         struct ts_error *error)
{
    uint32_t real = ts_device_limits(device)->real_format;
    struct ts_kv *kv = calloc(1, sizeof *kv);
    uint64_t entries = (uint64_t)config->layers * TS_KV_KIND_COUNT;
    if (kv) {
        kv->blocks = calloc(entries, sizeof *kv->blocks);
        kv->layers = calloc(config->layers, sizeof *kv->layers);
    }
    if (!kv || !kv->blocks || !kv->layers) {
        ts_kv_close(kv);
        ts_fail_memory(error, "the list of KV blocks", entries * sizeof(struct ts_kv_block));
        return NULL;
    }
    kv->device = device;
    kv->context = context;
    kv->bytes = ts_kv_bytes(config, context, real);
    kv->buffer = ts_buffer_alloc(device, kv->bytes, "the KV state", error);
    if (!kv->buffer) {
        ts_kv_close(kv);
        return NULL;
    }
    uint64_t offset = 0;
    for (uint32_t layer = 0; layer < config->layers; layer++) {
        unsigned first = kv->count;
        kv->count += layer_blocks(config, context, layer, kv->blocks + first);
        for (unsigned i = first; i < kv->count; i++) {
            struct ts_kv_block *block = &kv->blocks[i];
            uint64_t bytes = block->rows * block->width * ts_format_block_bytes(real);
            block->slice = (struct ts_slice){kv->buffer, offset, bytes, real};
            kv->layers[layer][block->kind] = block;
            ts_buffer_name(kv->buffer, offset, bytes, block->name);
            offset += align(bytes);
        }
    }
    return kv;
}

void ts_kv_close(struct ts_kv *kv)
{
    if (kv) {
        ts_buffer_free(kv->buffer);
        free(kv->blocks);
        free(kv->layers);
        free(kv);
    }
}

uint64_t ts_kv_rows_used(const struct ts_kv_block *block, uint64_t length)
{
    uint64_t rows = block->ratio ? length / block->ratio : length;
    return rows < block->rows ? rows : block->rows;
}

static uint64_t used_bytes(const struct ts_kv_block *block, uint64_t length)
{
    return ts_kv_rows_used(block, length) * block->width *
           ts_format_block_bytes(block->slice.format);
}

static uint64_t snapshot_bytes(const struct ts_kv *kv, uint64_t length)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < kv->count; i++) {
        bytes += used_bytes(&kv->blocks[i], length);
    }
    return bytes;
}

bool ts_kv_save(const struct ts_kv *kv, uint64_t length, struct ts_kv_snapshot *snapshot,
                struct ts_error *error)
{
    uint64_t bytes = snapshot_bytes(kv, length);
    unsigned char *data = malloc(bytes ? bytes : 1);
    if (!data) {
        return ts_fail_memory(error, "a snapshot of the KV state", bytes);
    }
    *snapshot = (struct ts_kv_snapshot){TS_KV_VERSION, length, bytes, data};
    for (unsigned i = 0; i < kv->count; i++) {
        uint64_t part = used_bytes(&kv->blocks[i], length);
        memcpy(data, ts_slice_contents(kv->blocks[i].slice), part);
        data += part;
    }
    return true;
}

bool ts_kv_restore(struct ts_kv *kv, const struct ts_kv_snapshot *snapshot, struct ts_error *error)
{
    if (snapshot->version != TS_KV_VERSION || snapshot->length > kv->context ||
        snapshot->bytes != snapshot_bytes(kv, snapshot->length)) {
        return ts_fail(error, TS_ERR_INPUT, "restore a snapshot only into the model that it is of",
                       "snapshot of version %u, %llu tokens and %llu bytes does not fit this KV "
                       "state (version %d, %llu tokens)",
                       snapshot->version, (unsigned long long)snapshot->length,
                       (unsigned long long)snapshot->bytes, TS_KV_VERSION,
                       (unsigned long long)kv->context);
    }
    const unsigned char *data = snapshot->data;
    for (unsigned i = 0; i < kv->count; i++) {
        uint64_t part = used_bytes(&kv->blocks[i], snapshot->length);
        memcpy(ts_slice_contents(kv->blocks[i].slice), data, part);
        data += part;
    }
    return true;
}

void ts_kv_snapshot_free(struct ts_kv_snapshot *snapshot)
{
    free(snapshot->data);
    *snapshot = (struct ts_kv_snapshot){.data = NULL};
}
