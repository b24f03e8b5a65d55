#include "reference/dot.h"

#include "base/thread_sanitizer.h"
#include "reference/budget.h"
#include "reference/spread.h"

#include <string.h>

enum {
    LANES = 8,               /* partial sums: enough that additions need not wait for each other */
    PIECE = TS_SPREAD_PIECE, /* weights decoded at a time; a multiple of LANES and of every block */
};

static double total(const double *s)
{
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/* Named sums stay in registers, two to a vector, where an array of them would go through memory
 * (gcc 12, -O2). Of all this only a token's vector is shared: those who make tiles name it. */
TS_UNWATCHED static void add_piece(const double *w, const double *x, uint64_t count, double *sums)
{
    double s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
    double s4 = sums[4], s5 = sums[5], s6 = sums[6], s7 = sums[7];
    uint64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        s0 += w[i + 0] * x[i + 0];
        s1 += w[i + 1] * x[i + 1];
        s2 += w[i + 2] * x[i + 2];
        s3 += w[i + 3] * x[i + 3];
        s4 += w[i + 4] * x[i + 4];
        s5 += w[i + 5] * x[i + 5];
        s6 += w[i + 6] * x[i + 6];
        s7 += w[i + 7] * x[i + 7];
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
    sums[4] = s4;
    sums[5] = s5;
    sums[6] = s6;
    sums[7] = s7;
    for (int k = 0; i < count; i++, k++) {
        sums[k] += w[i] * x[i];
    }
}

static void to_magnitudes(double *values, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        values[i] = fabs(values[i]);
    }
}

static void decode_piece(const struct ts_dot_tile *tile, uint32_t row, uint64_t first,
                         uint64_t count, double *w)
{
    const uint8_t *bytes = (const uint8_t *)tile->rows + row * tile->row_bytes;
    ts_decode_range(tile->format, bytes, first, count, w);
    if (tile->magnitude) {
        to_magnitudes(w, count);
    }
}

/* A piece of a token's vector: where it is, or converted into `values` [PIECE]. */
static const double *token_piece(const struct ts_dot_tile *tile, uint32_t token, uint64_t first,
                                 uint64_t count, double *values)
{
    if (tile->x_format == TS_F64 && !tile->magnitude) {
        return (const double *)tile->x[token] + first;
    }
    ts_decode_range(tile->x_format, tile->x[token], first, count, values);
    if (tile->magnitude) {
        to_magnitudes(values, count);
    }
    return values;
}

void ts_ref_dot_rows(const struct ts_dot_tile *tile, double *sums)
{
    double partial[TS_DOT_TOKENS][TS_DOT_ROWS][LANES];
    double w[TS_DOT_ROWS][PIECE], values[PIECE];
    memset(partial, 0, tile->tokens * sizeof partial[0]);
    for (uint64_t first = 0; first < tile->columns; first += PIECE) {
        uint64_t rest = tile->columns - first;
        uint64_t count = rest < PIECE ? rest : PIECE;
        for (uint32_t r = 0; r < tile->row_count; r++) {
            decode_piece(tile, r, first, count, w[r]);
        }
        for (uint32_t t = 0; t < tile->tokens; t++) {
            const double *x = token_piece(tile, t, first, count, values);
            for (uint32_t r = 0; r < tile->row_count; r++) {
                add_piece(w[r], x, count, partial[t][r]);
            }
        }
    }
    for (uint32_t t = 0; t < tile->tokens; t++) {
        for (uint32_t r = 0; r < tile->row_count; r++) {
            sums[t * TS_DOT_ROWS + r] = total(partial[t][r]);
        }
    }
}

/* Tokens of one row at a time: their spreads are on the stack. */
enum { SPREADS = 8 };

TS_UNWATCHED static void spread_piece(const double *w, const double *x, uint64_t count,
                                      struct ts_spread *spread)
{
    double products[TS_SPREAD_PIECE];
    for (uint64_t i = 0; i < count; i++) {
        products[i] = w[i] * x[i];
    }
    ts_spread_add(spread, products, count);
}

static void bound_tokens(const struct ts_dot_tile *tile, uint32_t row, uint32_t token,
                         uint32_t tokens, const struct ts_budget *budget, double chain,
                         double *bounds)
{
    struct ts_spread spreads[SPREADS];
    double w[PIECE], values[PIECE];
    memset(spreads, 0, tokens * sizeof spreads[0]);
    for (uint64_t first = 0; first < tile->columns; first += PIECE) {
        uint64_t rest = tile->columns - first;
        uint64_t count = rest < PIECE ? rest : PIECE;
        decode_piece(tile, row, first, count, w);
        for (uint32_t t = 0; t < tokens; t++) {
            const double *x = token_piece(tile, token + t, first, count, values);
            spread_piece(w, x, count, &spreads[t]);
        }
    }
    for (uint32_t t = 0; t < tokens; t++) {
        double S = spreads[t].S, T = ts_spread_largest(&spreads[t]);
        bounds[(token + t) * TS_DOT_ROWS + row] =
            budget->u_in * S + ts_budget_sum(budget, chain, S, T);
    }
}

void ts_ref_dot_bounds(const struct ts_dot_tile *tile, const struct ts_budget *budget, double chain,
                       double *bounds)
{
    for (uint32_t r = 0; r < tile->row_count; r++) {
        for (uint32_t t = 0; t < tile->tokens; t += SPREADS) {
            uint32_t rest = tile->tokens - t;
            bound_tokens(tile, r, t, rest < SPREADS ? rest : SPREADS, budget, chain, bounds);
        }
    }
}

static void start_tile(const struct ts_dot_product *p, uint64_t row, uint32_t row_count,
                       struct ts_dot_tile *tile)
{
    uint64_t row_bytes = 0;
    ts_format_row_bytes(p->w->format, p->columns, &row_bytes);
    tile->rows = (const uint8_t *)p->w->data + row * row_bytes;
    tile->row_bytes = row_bytes;
    tile->columns = p->columns;
    tile->format = p->w->format;
    tile->x_format = p->x_format;
    tile->row_count = row_count;
    tile->magnitude = p->magnitude;
}

static uint64_t x_size(const struct ts_dot_product *p)
{
    return p->x_format == TS_F64 ? sizeof(double) : sizeof(float);
}

static const void *x_of(const struct ts_dot_product *p, uint64_t token, uint64_t group)
{
    return (const uint8_t *)p->x + (token * p->groups + group) * p->columns * x_size(p);
}

static void store(const struct ts_dot_product *p, uint64_t element, double sum)
{
    p->result[element] = p->add ? p->result[element] + sum : sum;
}

static void run_tile(const struct ts_dot_product *p, const struct ts_dot_tile *tile, double *sums)
{
    if (p->budget) {
        ts_ref_dot_bounds(tile, p->budget, p->chain, sums);
    } else {
        ts_ref_dot_rows(tile, sums);
    }
}

/* All tokens against up to TS_DOT_ROWS rows of one group. */
static void product_rows(const struct ts_dot_product *p, uint64_t group, uint64_t row,
                         uint32_t row_count)
{
    struct ts_dot_tile tile;
    const void *x[TS_DOT_TOKENS];
    double sums[TS_DOT_TOKENS * TS_DOT_ROWS];
    start_tile(p, group * p->rows + row, row_count, &tile);
    tile.x = x;
    for (uint64_t first = 0; first < p->tokens; first += TS_DOT_TOKENS) {
        uint64_t rest = p->tokens - first;
        tile.tokens = (uint32_t)(rest < TS_DOT_TOKENS ? rest : TS_DOT_TOKENS);
        for (uint32_t t = 0; t < tile.tokens; t++) {
            x[t] = x_of(p, first + t, group);
        }
        run_tile(p, &tile, sums);
        for (uint32_t t = 0; t < tile.tokens; t++) {
            uint64_t element = ((first + t) * p->groups + group) * p->rows + row;
            for (uint32_t r = 0; r < row_count; r++) {
                store(p, element + r, sums[t * TS_DOT_ROWS + r]);
            }
        }
    }
}

static void product_all(void *context, uint64_t begin, uint64_t end)
{
    const struct ts_dot_product *p = context;
    ts_will_read(p->x, p->tokens * p->groups * p->columns * x_size(p));
    uint64_t bands = (p->rows + TS_DOT_ROWS - 1) / TS_DOT_ROWS; /* in a group */
    for (uint64_t i = begin; i < end; i++) {
        uint64_t row = i % bands * TS_DOT_ROWS, rest = p->rows - row;
        product_rows(p, i / bands, row, (uint32_t)(rest < TS_DOT_ROWS ? rest : TS_DOT_ROWS));
    }
}

static void product_wanted(void *context, uint64_t begin, uint64_t end)
{
    const struct ts_dot_product *p = context;
    for (uint64_t i = begin; i < end; i++) {
        uint64_t element = ts_want_at(p->out, i);
        uint64_t group = element / p->rows % p->groups;
        uint64_t token = element / p->rows / p->groups;
        const void *x = x_of(p, token, group);
        struct ts_dot_tile tile;
        double sums[TS_DOT_ROWS];
        ts_will_read(x, p->columns * x_size(p));
        start_tile(p, group * p->rows + element % p->rows, 1, &tile);
        tile.x = &x;
        tile.tokens = 1;
        run_tile(p, &tile, sums);
        store(p, element, sums[0]);
    }
}

void ts_ref_product(const struct ts_dot_product *product, struct ts_pool *pool)
{
    struct ts_dot_product p = *product;
    uint64_t bands = p.groups * ((p.rows + TS_DOT_ROWS - 1) / TS_DOT_ROWS);
    if (p.out->want) {
        ts_pool_run(pool, p.out->want_count, 1 + 65536 / (p.columns + 1), product_wanted, &p);
    } else {
        ts_pool_run(pool, bands, 1 + 16384 / (p.columns * p.tokens + 1), product_all, &p);
    }
}

double ts_ref_sum_squares(const struct ts_ref_in *in, uint64_t first, uint64_t count)
{
    double s[LANES] = {0.0};
    double values[PIECE];
    for (uint64_t done = 0; done < count; done += PIECE) {
        uint64_t step = count - done < PIECE ? count - done : PIECE;
        ts_ref_load(in, first + done, step, values);
        add_piece(values, values, step, s);
    }
    return total(s);
}
