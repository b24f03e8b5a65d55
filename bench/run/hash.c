#include "bench/run/hash.h"

#include "engine/gguf/gguf.h"

#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

static const uint64_t WHOLE_FILE = 1u << 30, BLOCK = 1u << 16, BLOCKS = 1024;

static void print_hash(uint64_t hash, char text[TS_HASH_TEXT])
{
    snprintf(text, TS_HASH_TEXT, "%016" PRIx64, hash);
}

void ts_hash_bytes(const void *data, uint64_t size, char text[TS_HASH_TEXT])
{
    print_hash(XXH3_64bits(data, size), text);
}

/* Hashes are a chain, each being the seed of the next: the streaming interface needs an allocation. */
static uint64_t hash_sampled(const struct ts_gguf *part, uint64_t blocks, uint64_t hash)
{
    uint64_t space = part->size - part->data_offset;
    uint64_t block = space < BLOCK ? space : BLOCK;
    uint64_t step = (space - block) / (blocks - 1);
    for (uint64_t i = 0; i < blocks; i++) {
        uint64_t at = i == blocks - 1 ? space - block : i * step;
        hash = XXH3_64bits_withSeed(part->data + part->data_offset + at, block, hash);
    }
    return hash;
}

const char *ts_hash_model(const struct ts_gguf *gguf, char text[TS_HASH_TEXT])
{
    bool whole = ts_gguf_file_bytes(gguf) <= WHOLE_FILE;
    uint64_t hash = 0, blocks = BLOCKS / gguf->part_count > 2 ? BLOCKS / gguf->part_count : 2;
    for (uint32_t i = 0; i < gguf->part_count; i++) {
        const struct ts_gguf *part = ts_gguf_part(gguf, i);
        if (whole) {
            hash = XXH3_64bits_withSeed(part->data, part->size, hash);
        } else {
            hash = XXH3_64bits_withSeed(part->data, part->data_offset, hash ^ part->size);
            hash = hash_sampled(part, blocks, hash);
        }
    }
    print_hash(hash, text);
    return whole ? "whole file" : "size, directory and 1024 blocks of 65536 bytes";
}
