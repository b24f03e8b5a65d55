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

const char *ts_hash_model(const struct ts_gguf *gguf, char text[TS_HASH_TEXT])
{
    if (gguf->size <= WHOLE_FILE) {
        ts_hash_bytes(gguf->data, gguf->size, text);
        return "whole file";
    }
    /* a chain, each hash being the seed of the next: the streaming interface needs an allocation */
    uint64_t hash = XXH3_64bits_withSeed(gguf->data, gguf->data_offset, gguf->size);
    uint64_t space = gguf->size - gguf->data_offset;
    uint64_t block = space < BLOCK ? space : BLOCK;
    uint64_t step = (space - block) / (BLOCKS - 1);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        uint64_t at = i == BLOCKS - 1 ? space - block : i * step;
        hash = XXH3_64bits_withSeed(gguf->data + gguf->data_offset + at, block, hash);
    }
    print_hash(hash, text);
    return "size, directory and 1024 blocks of 65536 bytes";
}
