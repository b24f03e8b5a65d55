/* Tensors of a file of operation vectors, and what was computed against them. */
#include "engine/check/golden_internal.h"

#include "engine/check/verdict.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const void *ts_golden_data(const struct ts_golden *golden, const struct ts_gguf_tensor *tensor)
{
    return ts_gguf_tensor_data(golden->gguf, tensor);
}

bool ts_golden_bad(const struct ts_golden *golden, const char *name, const char *what)
{
    const struct ts_gguf_tensor *tensor = ts_gguf_find_tensor(golden->gguf, name);
    return ts_fail(golden->error, TS_ERR_DATA, NULL, "%.300s: offset %llu: tensor %s: %s",
                   golden->gguf->path, tensor ? (unsigned long long)tensor->offset : 0, name, what);
}

const struct ts_gguf_tensor *ts_golden_tensor(const struct ts_golden *golden, const char *name,
                                              uint32_t format, uint64_t columns, uint64_t rows)
{
    const struct ts_gguf_tensor *tensor = ts_gguf_find_tensor(golden->gguf, name);
    if (!tensor) {
        ts_golden_bad(golden, name, "missing");
        return NULL;
    }
    if (tensor->format != format || (columns && tensor->shape[0] != columns) ||
        (rows && tensor->shape[1] != rows) || tensor->shape[2] != 1 || tensor->shape[3] != 1) {
        ts_fail(
            golden->error, TS_ERR_DATA, NULL,
            "%.300s: offset %llu: tensor %s is %s [%llu, %llu], expected %s [%llu, %llu] (0: any)",
            golden->gguf->path, (unsigned long long)tensor->offset, name,
            ts_format_name(tensor->format), (unsigned long long)tensor->shape[0],
            (unsigned long long)tensor->shape[1], ts_format_name(format),
            (unsigned long long)columns, (unsigned long long)rows);
        return NULL;
    }
    return tensor;
}

static struct ts_golden_item *add_item(const struct ts_golden *golden, const char *name)
{
    struct ts_golden_result *result = golden->result;
    if (result->count == TS_GOLDEN_MAX_ITEMS) {
        ts_golden_bad(golden, name, "too many groups");
        return NULL;
    }
    struct ts_golden_item *item = &result->items[result->count++];
    snprintf(item->name, sizeof item->name, "%s", name);
    return item;
}

static bool finish_item(const struct ts_golden *golden, struct ts_golden_item *item, uint64_t rows,
                        uint64_t columns)
{
    item->rows = rows;
    item->elements = rows * columns;
    item->pass = item->elements > 0 && item->worst <= item->bound;
    golden->result->elements += item->elements;
    golden->result->pass = golden->result->pass && item->pass;
    return true;
}

bool ts_golden_compare(const struct ts_golden *golden, const char *name, const double *values,
                       const float *want, uint64_t rows, uint64_t columns, double bound)
{
    struct ts_golden_item *item = add_item(golden, name);
    if (!item) {
        return false;
    }
    item->bound = bound;
    for (uint64_t row = 0; row < rows; row++) {
        double error = ts_relative_l2(values + row * columns, want + row * columns, columns);
        if (row == 0 || !(error <= item->worst)) {
            item->worst = isnan(error) ? INFINITY : error;
            item->worst_at = row;
        }
    }
    return finish_item(golden, item, rows, columns);
}

bool ts_golden_compare_bits(const struct ts_golden *golden, const char *name, const void *values,
                            const void *want, uint64_t rows, uint64_t row_elements,
                            uint64_t row_bytes)
{
    struct ts_golden_item *item = add_item(golden, name);
    if (!item) {
        return false;
    }
    item->exact = true;
    for (uint64_t row = rows; row-- > 0;) {
        const char *a = (const char *)values + row * row_bytes;
        const char *b = (const char *)want + row * row_bytes;
        if (memcmp(a, b, row_bytes) != 0) {
            item->worst = 1;
            item->worst_at = row; /* ends at the first one that differs */
        }
    }
    return finish_item(golden, item, rows, row_elements);
}
