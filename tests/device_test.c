/* The door between graph and compute: results appear at wait and not before, and every operand is
 * checked before it is encoded. On the reference device; what is tested holds for all. */
#include "engine/device/device.h"
#include "tests/support/operand.h"

enum { ROWS = 3, WIDTH = 8, COUNT = ROWS * WIDTH };

/* y = rms_norm(x, weight), with the weight in memory that was wrapped. */
struct bench {
    struct ts_device *device;
    struct ts_buffer *buffer, *wrapped;
    struct ts_slice slices[3];
    struct ts_rms_norm_args args;
    double expected[COUNT];
    struct ts_error error;
};

static float weights[WIDTH] = {1, 2, 3, 4, 5, 6, 7, 8};
static struct bench bench;

static void open_bench(void)
{
    double x[COUNT];
    bench.args = (struct ts_rms_norm_args){.rows = ROWS, .width = WIDTH, .epsilon = 1e-6f};
    bench.device =
        ts_device_open("reference", &(struct ts_device_options){.threads = 1}, &bench.error);
    cr_assert(bench.device != NULL, "%s", bench.error.message);
    bench.buffer = ts_buffer_alloc(bench.device, 4096, "a test", &bench.error);
    bench.wrapped =
        ts_buffer_wrap(bench.device, weights, sizeof weights, sizeof weights, &bench.error);
    cr_assert(bench.buffer && bench.wrapped, "%s", bench.error.message);
    bench.slices[0] = (struct ts_slice){bench.buffer, 256, sizeof x, TS_F64};
    bench.slices[1] = (struct ts_slice){bench.wrapped, 0, sizeof weights, TS_F32};
    bench.slices[2] = (struct ts_slice){bench.buffer, 1024, sizeof x, TS_F64};
    for (int r = 0; r < ROWS; r++) {
        double squares = 0;
        for (int i = 0; i < WIDTH; i++) {
            x[r * WIDTH + i] = 0.5 * i - r - 0.25;
            squares += x[r * WIDTH + i] * x[r * WIDTH + i];
        }
        for (int i = 0; i < WIDTH; i++) {
            bench.expected[r * WIDTH + i] = x[r * WIDTH + i] * (double)weights[i] /
                                            sqrt(squares / WIDTH + (double)bench.args.epsilon);
        }
    }
    ts_slice_write(bench.slices[0], 0, COUNT, x);
}

static void close_bench(void)
{
    ts_buffer_free(bench.wrapped);
    ts_buffer_free(bench.buffer);
    ts_device_close(bench.device);
    test_free_all();
}

TestSuite(device, .init = open_bench, .fini = close_bench);

static void begin(void)
{
    cr_assert(ts_device_begin(bench.device, &bench.error), "%s", bench.error.message);
}

static void encode(void)
{
    cr_assert(
        ts_device_encode(bench.device, TS_OP_rms_norm, &bench.args, bench.slices, 3, &bench.error),
        "%s", bench.error.message);
}

static void submit(void)
{
    cr_assert(ts_device_submit(bench.device, &bench.error), "%s", bench.error.message);
}

static void finish(void)
{
    cr_assert(ts_device_wait(bench.device, &bench.error), "%s", bench.error.message);
}

/* True where y has the result, false where it is still zero; anything else fails. */
static bool done(void)
{
    double y[COUNT], zero[COUNT] = {0};
    ts_slice_read(bench.slices[2], 0, COUNT, y);
    bool result = test_relative_l2(y, bench.expected, COUNT) < 1e-12;
    cr_assert(result || memcmp(y, zero, sizeof y) == 0, "half a result");
    return result;
}

Test(device, results_appear_at_wait)
{
    begin();
    cr_assert(!done());
    encode();
    cr_assert(!done(), "visible after encode");
    submit();
    cr_assert(!done(), "visible after submit");
    finish();
    cr_assert(done(), "not visible after wait");
}

Test(device, what_is_not_submitted_does_not_run)
{
    begin();
    encode();
    finish();
    cr_assert(!done(), "ran without submit");
    submit();
    finish();
    cr_assert(done(), "lost by a wait before submit");
}

/* What an error left half encoded must not run with the next pass. */
Test(device, begin_drops_what_was_abandoned)
{
    begin();
    encode();
    begin();
    submit();
    finish();
    cr_assert(!done(), "abandoned work ran");
    begin();
    encode();
    submit();
    begin(); /* submitted work is not abandoned */
    submit();
    finish();
    cr_assert(done(), "submitted work was dropped");
}

/* Two passes before one wait, in order: the second reads what the first wrote. */
Test(device, order)
{
    struct ts_slice next = {bench.buffer, 2048, COUNT * sizeof(double), TS_F64};
    struct ts_slice first = bench.slices[2];
    double y[COUNT];
    begin();
    encode();
    submit();
    begin();
    cr_assert(ts_device_copy(bench.device, next, first, &bench.error));
    submit();
    finish();
    ts_slice_read(next, 0, COUNT, y);
    cr_assert(test_relative_l2(y, bench.expected, COUNT) < 1e-12);
}

static void refused(const char *message)
{
    cr_assert(bench.error.code == TS_ERR_CHECK && strstr(bench.error.message, message) != NULL,
              "expected '%s', got '%s'", message, bench.error.message);
    bench.error = (struct ts_error){0};
}

/* Encodes with one slice replaced; it must be refused. */
static void refuses(unsigned place, struct ts_slice slice, const char *message)
{
    struct ts_slice slices[3];
    memcpy(slices, bench.slices, sizeof slices);
    slices[place] = slice;
    cr_assert(!ts_device_encode(bench.device, TS_OP_rms_norm, &bench.args, slices, 3, &bench.error),
              "not refused: %s", message);
    refused(message);
}

Test(device, operands_are_checked)
{
    const uint64_t bytes = COUNT * sizeof(double);
    struct ts_slice x = bench.slices[0];
    cr_assert(!ts_device_encode(bench.device, TS_OP_rms_norm, &bench.args, bench.slices, 3,
                                &bench.error));
    refused("rms_norm without begin");
    begin();
    for (unsigned count = 0; count < 5; count++) {
        if (count != 3) {
            cr_assert(!ts_device_encode(bench.device, TS_OP_rms_norm, &bench.args, bench.slices,
                                        count, &bench.error));
            refused("operation rms_norm takes 3 operands, got ");
        }
    }
    refuses(0, (struct ts_slice){.format = TS_F64}, "operand x is empty");
    refuses(2, (struct ts_slice){.format = TS_F64}, "operand y is empty");
    x.bytes = bytes - 1;
    refuses(0, x, "operand x has 191 bytes, needs 192");
    refuses(1, (struct ts_slice){bench.wrapped, 0, 28, TS_F32}, "weight has 28 bytes, needs 32");
    x = (struct ts_slice){bench.buffer, 4096 - bytes + 8, bytes, TS_F64};
    refuses(0, x, "operand x ends beyond its buffer of 4096 bytes");
    x = (struct ts_slice){bench.buffer, UINT64_MAX - 7, bytes, TS_F64};
    refuses(2, x, "operand y ends beyond its buffer");
    x = (struct ts_slice){bench.buffer, 8, UINT64_MAX - 7, TS_F64};
    refuses(2, x, "operand y ends beyond its buffer");
    x = (struct ts_slice){bench.buffer, 260, bytes, TS_F64};
    refuses(0, x, "operand x is not aligned");
    x = (struct ts_slice){bench.buffer, 256, bytes, TS_F32};
    refuses(0, x, "operand x cannot be 24 values of format F32");
    x.format = TS_I32;
    refuses(2, x, "operand y cannot be 24 values of format I32");
    refuses(1, (struct ts_slice){bench.wrapped, 0, 32, TS_I32}, "operand weight cannot be 8");
    refuses(1, (struct ts_slice){bench.wrapped, 0, 34, TS_Q8_0}, "weight cannot be 8 values");
    refuses(2, (struct ts_slice){bench.wrapped, 0, bytes, TS_F64}, "ends beyond its buffer of 32");
    submit();
    finish();
    cr_assert(!done(), "a refused operation ran");
    begin(); /* without the optional weight it is another result */
    struct ts_slice slices[3] = {bench.slices[0], {.buffer = NULL}, bench.slices[2]};
    cr_assert(ts_device_encode(bench.device, TS_OP_rms_norm, &bench.args, slices, 3, &bench.error),
              "%s", bench.error.message);
    submit();
    finish();
    double y;
    ts_slice_read(bench.slices[2], 5, 1, &y);
    cr_assert(fabs(y - bench.expected[5] / 6) < 1e-12, "%g", y);
}

/* Memory of the caller is never written, and real numbers are no ids. */
Test(device, read_only_memory_and_indices_are_checked)
{
    double *memory = test_reals(64);
    struct ts_buffer *wrapped =
        ts_buffer_wrap(bench.device, memory, 64 * sizeof *memory, 64 * sizeof *memory, NULL);
    struct ts_slice target = {wrapped, 0, COUNT * sizeof *memory, TS_F64};
    begin();
    refuses(2, target, "operand y is read-only memory");
    struct ts_ring_store_args store = {.tokens = 1, .width = WIDTH, .capacity = 2};
    struct ts_slice ring[2] = {bench.slices[0], target};
    cr_assert(!ts_device_encode(bench.device, TS_OP_ring_store, &store, ring, 2, &bench.error));
    refused("operand ring is read-only memory");
    struct ts_embed_args embed = {.tokens = 2, .width = WIDTH, .streams = 1, .vocab = 1};
    struct ts_slice embedding[3] = {bench.slices[0], bench.slices[1], bench.slices[2]};
    cr_assert(!ts_device_encode(bench.device, TS_OP_embed, &embed, embedding, 3, &bench.error));
    refused("operand tokens cannot be 2 values of format F64");
    ts_buffer_free(wrapped);
}

Test(device, copies_are_checked)
{
    struct ts_slice x = bench.slices[0], y = bench.slices[2], bad = y;
    cr_assert(!ts_device_copy(bench.device, y, x, &bench.error));
    refused("copy without begin");
    cr_assert(!ts_device_submit(bench.device, &bench.error));
    refused("submit without begin");
    begin();
    bad.bytes -= 8;
    cr_assert(!ts_device_copy(bench.device, bad, x, &bench.error));
    refused("copy of 192 bytes into 184");
    bad.buffer = NULL;
    cr_assert(!ts_device_copy(bench.device, bad, x, &bench.error));
    refused("copy: a slice is empty");
    cr_assert(!ts_device_copy(bench.device, y, bad, &bench.error));
    refused("copy: a slice is empty");
    bad = (struct ts_slice){bench.buffer, 4000, 192, TS_F64};
    cr_assert(!ts_device_copy(bench.device, bad, x, &bench.error));
    refused("ends beyond its buffer");
    cr_assert(!ts_device_copy(bench.device, y, bad, &bench.error));
    refused("ends beyond its buffer");
    bad = (struct ts_slice){bench.wrapped, 0, 32, TS_F32};
    x.bytes = 32;
    cr_assert(!ts_device_copy(bench.device, bad, x, &bench.error));
    refused("read-only memory");
}

/* A failure while work runs: what came after it does not run, and the next pass is clean. */
Test(device, failure_at_wait)
{
    static const int32_t token = 7;
    struct ts_buffer *ids = ts_buffer_wrap(bench.device, &token, sizeof token, sizeof token, NULL);
    struct ts_embed_args embed = {.tokens = 1, .width = WIDTH, .streams = 1, .vocab = 1};
    struct ts_slice embedding[3] = {
        {ids, 0, 4, TS_I32}, bench.slices[1], {bench.buffer, 2048, 64, TS_F64}};
    begin();
    cr_assert(ts_device_encode(bench.device, TS_OP_embed, &embed, embedding, 3, &bench.error), "%s",
              bench.error.message);
    encode();
    submit();
    cr_assert(!ts_device_wait(bench.device, &bench.error), "token 7 of a vocabulary of 1");
    cr_assert(!done(), "work ran after a failure");
    begin();
    encode();
    submit();
    finish();
    cr_assert(done());
    ts_buffer_free(ids);
}

Test(device, counters)
{
    struct ts_device_counters counters;
    begin();
    encode();
    encode();
    cr_assert(ts_device_copy(bench.device, bench.slices[2], bench.slices[0], &bench.error));
    submit();
    finish();
    ts_device_counters(bench.device, &counters);
    cr_assert(counters.launches[TS_OP_rms_norm] == 2 && counters.launches[TS_OP_rope] == 0);
    cr_assert(counters.copies == 1 && counters.submits == 1);
    ts_device_reset_counters(bench.device);
    ts_device_counters(bench.device, &counters);
    cr_assert(counters.launches[TS_OP_rms_norm] == 0 && counters.submits == 0);
}

/* A fused operation that the device lacks counts, and works, as its parts. */
Test(device, fused_operations_run_as_their_parts)
{
    struct ts_query_row_args args = {
        .tokens = ROWS, .heads = 1, .width = WIDTH, .rotary = 2, .epsilon = 1e-6f};
    struct ts_slice angles = {bench.buffer, 2048, ROWS * 2 * sizeof(double), TS_F64};
    struct ts_slice normed = {bench.buffer, 3072, COUNT * sizeof(double), TS_F64};
    struct ts_slice slices[4] = {bench.slices[0], angles, normed, bench.slices[2]};
    struct ts_device_counters counters;
    double quarter[2 * ROWS] = {0, 1, 0, 1, 0, 1}, y[COUNT];
    cr_assert(!ts_device_supports(bench.device, TS_OP_query_row, NULL, NULL));
    cr_assert(ts_device_supports(bench.device, TS_OP_rope, NULL, NULL));
    ts_slice_write(angles, 0, 2 * ROWS, quarter); /* a quarter turn: (a, b) -> (-b, a) */
    begin();
    cr_assert(ts_device_encode(bench.device, TS_OP_query_row, &args, slices, 4, &bench.error), "%s",
              bench.error.message);
    submit();
    finish();
    ts_device_counters(bench.device, &counters);
    cr_assert(counters.launches[TS_OP_query_row] == 0 && counters.launches[TS_OP_rope] == 1 &&
              counters.launches[TS_OP_rms_norm] == 1);
    ts_slice_read(bench.slices[2], 0, COUNT, y);
    for (int r = 0; r < COUNT; r += WIDTH) {
        cr_assert(fabs(y[r + 6] + bench.expected[r + 7] / 8) < 1e-12);
        cr_assert(fabs(y[r + 7] - bench.expected[r + 6] / 7) < 1e-12);
        cr_assert(fabs(y[r + 5] - bench.expected[r + 5] / 6) < 1e-12);
    }
}

Test(device, names_buffers_and_slices)
{
    uint32_t format = 0;
    struct ts_error error = {0};
    cr_assert(ts_device_real_format("reference", &format, &error) && format == TS_F64);
    cr_assert(!ts_device_real_format("abacus", &format, &error) && error.code == TS_ERR_USAGE &&
              strstr(error.message, ts_device_names()));
    cr_assert(!ts_device_open("abacus", NULL, &error));
    const struct ts_device_limits *limits = ts_device_limits(bench.device);
    cr_assert(strcmp(limits->name, "reference") == 0 && strcmp(limits->provenance, "cpu") == 0);
    cr_assert(!ts_buffer_alloc(bench.device, limits->max_buffer_bytes + 1, "the moon", &error) &&
                  error.code == TS_ERR_ENVIRONMENT && strstr(error.message, "the moon"),
              "%s", error.message);
    struct ts_buffer *nothing = ts_buffer_alloc(bench.device, 0, "nothing", &error);
    cr_assert(nothing != NULL);
    ts_buffer_free(nothing);
    float numbers[4] = {0};
    struct ts_buffer *wrapped =
        ts_buffer_wrap(bench.device, numbers, sizeof numbers, sizeof numbers, &error);
    cr_assert(ts_buffer_contents(wrapped) == numbers, "wrapped memory was copied");
    struct ts_slice floats = {wrapped, 0, sizeof numbers, TS_F32};
    struct ts_slice part = ts_slice_part(floats, 2, 2);
    double values[2] = {1.5, -2.5}, back[2];
    cr_assert(part.offset == 8 && part.bytes == 8 && ts_slice_contents(part) == &numbers[2]);
    ts_slice_write(part, 1, 1, values);
    ts_slice_read(floats, 2, 2, back);
    cr_assert(numbers[3] == 1.5f && back[0] == 0 && back[1] == 1.5);
    ts_buffer_free(wrapped);
    ts_buffer_free(NULL);
    ts_device_close(NULL);
}
