/* One answer on all devices: every format that the loader takes for a tensor has a kernel in every
 * operation that reads it, or the expansion of that operation has. Walks all tensors, all formats. */
#include "engine/model/tensors.h"
#include "tests/support/golden.h"

#include "base/format.h"

TestSuite(roles, .fini = test_free_all);

struct walk {
    const struct ts_model *model;
    uint64_t pairs; /* of operand and format, tried */
    bool seen[TS_TENSOR_COUNT][TS_FORMAT_IDS];
};

/* Whether the table's kernels run it, whole or expanded. */
static bool has_kernels(enum ts_op op, const void *args, const struct ts_slice *slices)
{
    const struct ts_op_info *info = ts_op_info(op);
    uint32_t formats[TS_MAX_OPERANDS];
    struct ts_expansion expansion = {.count = 0};
    for (unsigned i = 0; i < info->operand_count; i++) {
        formats[i] = slices[i].buffer ? slices[i].format : TS_ANY_FORMAT;
    }
    if (ts_kernel_find(op, args, formats)) {
        return true;
    }
    if (!info->expand) {
        return false;
    }
    info->expand(args, &expansion);
    for (unsigned i = 0; i < expansion.count; i++) {
        struct ts_slice parts[TS_MAX_OPERANDS];
        ts_step_slices(&expansion.steps[i], slices, parts);
        if (!has_kernels(expansion.steps[i].op, expansion.steps[i].args.bytes, parts)) {
            return false;
        }
    }
    return true;
}

/* The tensor that a slice of the mapped file is; false if it is none. */
static bool find_spec(const struct ts_model *model, struct ts_slice slice,
                      struct ts_tensor_spec *spec)
{
    for (int layer = TS_GLOBAL_TENSORS; layer < (int)model->config.layers; layer++) {
        struct ts_tensor_spec specs[TS_TENSOR_COUNT];
        unsigned count = ts_tensor_specs(&model->config, layer, specs);
        for (unsigned i = 0; i < count; i++) {
            const struct ts_gguf_tensor *tensor = layer == TS_GLOBAL_TENSORS
                                                      ? model->global[specs[i].id]
                                                      : model->layers[layer][specs[i].id];
            if (tensor->offset == slice.offset && tensor->bytes == slice.bytes) {
                *spec = specs[i];
                return true;
            }
        }
    }
    return false;
}

static bool try_formats(void *context, enum ts_op op, const void *args,
                        const struct ts_slice *slices, struct ts_error *error)
{
    struct walk *walk = context;
    const struct ts_op_info *info = ts_op_info(op);
    (void)error;
    for (unsigned i = 0; i < info->operand_count; i++) {
        struct ts_slice changed[TS_MAX_OPERANDS];
        struct ts_tensor_spec spec;
        memcpy(changed, slices, info->operand_count * sizeof *changed);
        if (!ts_operand_is_weight(info->operands[i].kind) || !slices[i].buffer) {
            continue;
        }
        cr_assert(find_spec(walk->model, slices[i], &spec), "%s: operand %u is no tensor",
                  info->name, i);
        for (uint32_t format = 0; format < TS_FORMAT_IDS; format++) {
            uint64_t bytes;
            if (!ts_tensor_takes(&spec, format) ||
                !ts_format_row_bytes(format, spec.shape[0], &bytes)) {
                continue;
            }
            changed[i].format = format;
            cr_expect(has_kernels(op, args, changed), "%s: no kernel for %s in %s", info->name,
                      spec.name, ts_format_name(format));
            cr_expect(ts_format_is_weight(format));
            walk->seen[spec.id][format] = true;
            walk->pairs++;
        }
    }
    return true;
}

Test(roles, every_accepted_format_has_kernels)
{
    /* prefill, small batch, decode; behind 64 tokens the indexer selects */
    static const uint32_t steps[] = {40, 1, 5, 60, 5, 1};
    struct test_golden golden = test_golden_open("topk-q2", "topk-q2");
    struct walk walk = {.model = golden.model};
    struct ts_session_options options = {.context = 128};
    struct ts_session *session = test_session_open(golden.model, options);
    ts_device_set_observer(ts_session_device(session), try_formats, &walk);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        test_feed(session, golden.tokens, steps[i]);
    }
    ts_session_close(session);
    for (int layer = TS_GLOBAL_TENSORS; layer < (int)golden.model->config.layers; layer++) {
        struct ts_tensor_spec specs[TS_TENSOR_COUNT];
        unsigned count = ts_tensor_specs(&golden.model->config, layer, specs);
        for (unsigned i = 0; i < count; i++) {
            cr_expect(specs[i].role == TS_ROLE_EXPERT_IDS || walk.seen[specs[i].id][TS_BF16],
                      "%s was never tried", specs[i].name);
        }
    }
    cr_expect(walk.pairs > 1000, "%llu pairs", (unsigned long long)walk.pairs);
    test_golden_close(&golden);
}

/* The walk finds what the loader must refuse: hyper-connections in blocks have no kernel. */
Test(roles, what_has_no_kernel_is_not_taken)
{
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    const struct ts_config *c = &golden.model->config;
    struct ts_hc_pre_norm_args args = {
        .tokens = 1, .width = c->width, .streams = c->streams, .iterations = 20};
    const struct ts_op_info *info = ts_op_info(TS_OP_hc_pre_norm);
    struct ts_tensor_spec specs[TS_TENSOR_COUNT];
    struct ts_slice slices[TS_MAX_OPERANDS];
    for (unsigned i = 0; i < info->operand_count; i++) {
        slices[i] = (struct ts_slice){(struct ts_buffer *)&golden, 0, 0, TS_F32};
    }
    cr_expect(has_kernels(TS_OP_hc_pre_norm, &args, slices));
    slices[1].format = TS_Q8_0;
    cr_expect(!has_kernels(TS_OP_hc_pre_norm, &args, slices));
    unsigned count = ts_tensor_specs(c, 1, specs), small = 0;
    for (unsigned i = 0; i < count; i++) {
        bool blocks = ts_tensor_takes(&specs[i], TS_Q8_0);
        small += !blocks;
        cr_expect(!ts_tensor_takes(&specs[i], TS_F64) && !ts_tensor_takes(&specs[i], 13));
        cr_expect(blocks == (strstr(ts_tensor_formats(&specs[i]), "Q8_0") != NULL));
    }
    cr_expect(small == 16, "%u", small);
    test_golden_close(&golden);
}
