/* Merges by rank, on pairs that no file of the original has: listed twice, equal, overlapping. */
#include "engine/tokenizer/internal.h"

#include "base/rng.h"

#include <criterion/criterion.h>

/* Tokens of single bytes are the bytes themselves; what merges make begins at 256. */
struct merge {
    int32_t left, right, merged;
};

static struct ts_bpe *open_bpe(const struct merge *merges, uint32_t count, uint32_t declared)
{
    int32_t bytes[256];
    struct ts_error error = {0};
    for (int i = 0; i < 256; i++) {
        bytes[i] = i;
    }
    struct ts_bpe *bpe = ts_bpe_open(bytes, declared, &error);
    cr_assert(bpe != NULL, "%s", error.message);
    for (uint32_t i = 0; i < count; i++) {
        ts_bpe_add_merge(bpe, merges[i].left, merges[i].right, merges[i].merged);
    }
    return bpe;
}

/* expected ends with -1. */
static void expect(struct ts_bpe *bpe, const char *piece, const int32_t *expected)
{
    for (int again = 0; again < 2; again++) { /* anew, and as it was remembered */
        struct ts_ids ids = {0};
        struct ts_error error = {0};
        uint64_t count = 0;
        cr_assert(ts_bpe_encode(bpe, (const uint8_t *)piece, strlen(piece), &ids, &error));
        while (expected[count] >= 0) {
            count++;
        }
        cr_assert((uint64_t)ids.count == count, "'%s': %llu tokens, expected %llu", piece,
                  (unsigned long long)ids.count, (unsigned long long)count);
        for (uint64_t i = 0; i < count; i++) {
            cr_expect(ids.data[i] == expected[i], "'%s', token %llu: %d, expected %d", piece,
                      (unsigned long long)i, ids.data[i], expected[i]);
        }
        ts_ids_free(&ids);
    }
}

#define IDS(...) ((const int32_t[]){__VA_ARGS__, -1})
#define COUNT(list) ((uint32_t)(sizeof(list) / sizeof *(list)))

enum { AB = 256, BC, ABC, CD, AA, AAAA, OTHER };

/* A pair that is listed again keeps the rank, and the token, that it had first. */
Test(tokenizer_bpe, a_pair_listed_twice_keeps_its_first_rank)
{
    const struct merge twice[] = {{'a', 'b', AB}, {'b', 'c', BC}, {'a', 'b', OTHER}};
    struct ts_bpe *bpe = open_bpe(twice, COUNT(twice), COUNT(twice));
    expect(bpe, "abc", IDS(AB, 'c'));
    expect(bpe, "ab", IDS(AB));
    expect(bpe, "bc", IDS(BC));
    ts_bpe_close(bpe);
    const struct merge later[] = {{'b', 'c', BC}, {'a', 'b', AB}, {'b', 'c', OTHER}};
    bpe = open_bpe(later, COUNT(later), COUNT(later));
    expect(bpe, "abc", IDS('a', BC));
    ts_bpe_close(bpe);
    const struct merge counted[] = {{'a', 'b', AB}, {'a', 'b', AB}, {'c', 'd', CD}, {'b', 'c', BC}};
    bpe = open_bpe(counted, COUNT(counted), COUNT(counted)); /* those behind it keep their tokens */
    expect(bpe, "abcd", IDS(AB, CD));
    expect(bpe, "bcd", IDS('b', CD));
    expect(bpe, "bc", IDS(BC));
    ts_bpe_close(bpe);
}

Test(tokenizer_bpe, lowest_rank_then_leftmost)
{
    const struct merge merges[] = {
        {'b', 'c', BC}, {'a', BC, ABC}, {'a', 'b', AB}, {'a', 'a', AA}, {AA, AA, AAAA}};
    struct ts_bpe *bpe = open_bpe(merges, COUNT(merges), COUNT(merges));
    expect(bpe, "abc", IDS(ABC));
    expect(bpe, "ab", IDS(AB));
    expect(bpe, "aaa", IDS(AA, 'a'));
    expect(bpe, "aaaa", IDS(AAAA));
    expect(bpe, "aaaaa", IDS(AAAA, 'a'));
    expect(bpe, "aaabc", IDS(AA, ABC));
    expect(bpe, "aabc", IDS('a', ABC));
    expect(bpe, "xyz", IDS('x', 'y', 'z'));
    expect(bpe, "a", IDS('a'));
    ts_bpe_close(bpe);
}

/* The same by searching all pairs again after each merge. */
static size_t merge_slowly(const struct merge *merges, uint32_t count, int32_t *ids, size_t length)
{
    for (;;) {
        uint32_t best = count;
        size_t at = 0;
        for (size_t i = 0; i + 1 < length; i++) {
            for (uint32_t rank = 0; rank < best; rank++) {
                if (merges[rank].left == ids[i] && merges[rank].right == ids[i + 1]) {
                    best = rank;
                    at = i;
                }
            }
        }
        if (best == count) {
            return length;
        }
        ids[at] = merges[best].merged;
        memmove(&ids[at + 1], &ids[at + 2], (length - at - 2) * sizeof *ids);
        length--;
    }
}

/* Random merges of few letters and of what merges made, some listed twice, on random pieces. */
Test(tokenizer_bpe, random_merges_as_by_search)
{
    enum { MERGES = 60, LENGTH = 70, LETTERS = 4 };
    struct ts_rng rng;
    ts_rng_seed(&rng, 5);
    for (int trial = 0; trial < 60; trial++) {
        struct merge merges[MERGES];
        for (int i = 0; i < MERGES; i++) {
            int32_t side[2];
            for (int k = 0; k < 2; k++) {
                uint64_t which = ts_rng_below(&rng, (uint64_t)(LETTERS + (i < 12 ? i : 12)));
                side[k] = (int32_t)(which < LETTERS ? 'a' + which : 256 + which - LETTERS);
            }
            merges[i] = (struct merge){side[0], side[1], 256 + i};
        }
        struct ts_bpe *bpe = open_bpe(merges, MERGES, MERGES);
        for (int piece = 0; piece < 10; piece++) {
            char text[LENGTH + 1] = "";
            int32_t ids[LENGTH + 1];
            size_t length = 2 + (size_t)ts_rng_below(&rng, LENGTH - 1);
            for (size_t i = 0; i < length; i++) {
                text[i] = (char)('a' + ts_rng_below(&rng, LETTERS));
                ids[i] = text[i];
            }
            ids[merge_slowly(merges, MERGES, ids, length)] = -1;
            expect(bpe, text, ids);
        }
        ts_bpe_close(bpe);
    }
}

/* More merges than were declared are left out. */
Test(tokenizer_bpe, no_more_than_declared)
{
    const struct merge merges[] = {{'a', 'b', AB}, {'b', 'c', BC}, {'c', 'd', CD}};
    struct ts_bpe *bpe = open_bpe(merges, COUNT(merges), 2);
    expect(bpe, "ab", IDS(AB));
    expect(bpe, "bc", IDS(BC));
    expect(bpe, "cd", IDS('c', 'd'));
    ts_bpe_close(bpe);
    bpe = open_bpe(merges, 0, 0);
    expect(bpe, "ab", IDS('a', 'b'));
    ts_bpe_close(bpe);
}
