/* What a sequence leaves behind (spec section 3): one versioned list of named blocks, so that it
 * can be saved, restored and, later, written to disk.
 *
 * Two kinds of block. A ring holds the rows of the last `rows` tokens, slot = position mod rows:
 * window KV rows, and the compressors' frontiers. A log holds one row a compressed block and only
 * grows. Slots that a sequence of a given length has not written are never read. */
#ifndef TS_ENGINE_KV_KV_H
#define TS_ENGINE_KV_KV_H

#include "engine/model/config.h"
#include "engine/device/device.h"

/* Of the list of blocks and their layout: snapshots of another version are refused. */
enum { TS_KV_VERSION = 1 };

enum ts_kv_kind {
    TS_KV_WINDOW,        /* ring [window, head_width] */
    TS_KV_ROWS,          /* log [context / ratio, head_width] */
    TS_KV_FRONTIER_K,    /* ring [(1 + overlap) * ratio, (1 + overlap) * head_width] */
    TS_KV_FRONTIER_GATE, /* the same shape */
    TS_KV_INDEX_ROWS,    /* log [context / 4, index_width]; ratio 4 only, as what follows */
    TS_KV_INDEX_FRONTIER_K,
    TS_KV_INDEX_FRONTIER_GATE,
    TS_KV_KIND_COUNT
};

struct ts_kv_block {
    char name[48]; /* "blk.3.compressor.rows" */
    uint32_t layer;
    enum ts_kv_kind kind;
    uint64_t rows; /* capacity */
    uint64_t width;
    uint32_t ratio; /* of a log: tokens a row; 0: a ring */
    struct ts_slice slice;
};

struct ts_kv {
    struct ts_device *device;
    struct ts_buffer *buffer;
    uint64_t context; /* tokens that fit */
    uint64_t bytes;
    unsigned count;
    struct ts_kv_block *blocks;
    struct ts_kv_block *(*layers)[TS_KV_KIND_COUNT]; /* [layer][kind]; NULL where there is none */
};

/* Bytes that ts_kv_open will allocate on a device that stores reals in real_format. */
uint64_t ts_kv_bytes(const struct ts_config *config, uint64_t context, uint32_t real_format);

/* Allocates all blocks for `context` tokens. NULL with *error; the caller closes it. */
struct ts_kv *ts_kv_open(const struct ts_config *config, struct ts_device *device, uint64_t context,
                         struct ts_error *error);
void ts_kv_close(struct ts_kv *kv); /* NULL is allowed */

/* Rows of a block that a sequence of `length` tokens has written. */
uint64_t ts_kv_rows_used(const struct ts_kv_block *block, uint64_t length);

/* The used rows of all blocks after `length` tokens, in host memory. */
struct ts_kv_snapshot {
    uint32_t version;
    uint64_t length;
    uint64_t bytes;
    unsigned char *data;
};

/* Copies; the device must be idle. The caller frees the snapshot with ts_kv_snapshot_free. */
bool ts_kv_save(const struct ts_kv *kv, uint64_t length, struct ts_kv_snapshot *snapshot,
                struct ts_error *error);
/* Brings back a snapshot that was saved from a KV state of the same model and device kind. Fails
 * (TS_ERR_INPUT) if version or sizes do not agree; then nothing was changed. */
bool ts_kv_restore(struct ts_kv *kv, const struct ts_kv_snapshot *snapshot, struct ts_error *error);
void ts_kv_snapshot_free(struct ts_kv_snapshot *snapshot);

#endif
