#include "bench/run/summary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int widest_label(const struct ts_plan *plan, const struct ts_subject *subjects)
{
    size_t widest = strlen("model");
    for (unsigned i = 0; i < ts_plan_subjects(plan); i++) {
        size_t length = strlen(subjects[i].label);
        widest = length > widest ? length : widest;
    }
    return (int)widest;
}

static void write_devices(const struct ts_plan *plan, const struct ts_subject *subjects, FILE *out)
{
    for (unsigned i = 0; i < plan->device_count; i++) {
        const struct ts_subject *s = &subjects[i];
        bool software = ts_subject_software(s);
        fprintf(out, "device %s (%s)", s->device, s->provenance[0] ? s->provenance : "absent");
        if (software && plan->software_prompt > 0) {
            fprintf(out, ", prompts of at most %" PRIu64 " tokens", plan->software_prompt);
        }
        fprintf(out,
                ": agreement first: %" PRIu64
                " tokens a model, token by token against chunked prefill%s\n",
                ts_plan_agreement(plan, software),
                !ts_subject_has_kernels(s) ? ""
                : plan->all_kernels        ? "; then the check of all its kernels"
                                           : "; then the check of the kernels that ran");
    }
    for (unsigned i = 0; i < ts_plan_subjects(plan); i++) {
        if (!subjects[i].session) {
            fprintf(out, "%s on device %s: %s\n", subjects[i].label, subjects[i].device,
                    subjects[i].reason);
        }
    }
}

bool ts_summary_plan(const struct ts_plan *plan, const struct ts_subject *subjects, FILE *out,
                     struct ts_error *error)
{
    unsigned cells = ts_plan_cells(plan);
    unsigned *order = calloc(cells, sizeof *order);
    if (!order) {
        return ts_fail_memory(error, "a plan", cells * sizeof *order);
    }
    for (unsigned i = 0; i < plan->models; i++) {
        const struct ts_subject *s = &subjects[i * plan->device_count];
        fprintf(out, "model %s: %s, %s, %s, %" PRIu64 " bytes, XXH3 %s of the %s\n", s->label,
                s->path, s->quant, ts_subject_provenance(s), ts_gguf_file_bytes(s->model->gguf),
                s->hash, s->hashed);
    }
    write_devices(plan, subjects, out);
    fprintf(out, "chunks of %" PRIu32 " tokens, seed %" PRIu64 "\n", plan->chunk, plan->seed);
    fprintf(out,
            "%" PRIu64 " rounds of %u trials (prefill, %" PRIu64
            " tokens generated), in at most %g s in all but the check of kernels\n"
            "the first round:\n",
            plan->reps, cells, plan->gen, plan->max_seconds);
    ts_plan_round(plan, 0, order);
    for (unsigned i = 0; i < cells; i++) {
        const struct ts_subject *s = &subjects[ts_plan_subject(plan, order[i])];
        uint64_t prompt = ts_plan_prompt(plan, order[i]);
        fprintf(out, "  %-*s  %-10s  prompt %6" PRIu64 "%s\n", widest_label(plan, subjects),
                s->label, s->device, prompt,
                ts_plan_too_long(plan, ts_subject_software(s), prompt) ? "  left out" : "");
    }
    free(order);
    return true;
}

void ts_summary_agreement(const struct ts_plan *plan, const struct ts_subject *subjects, FILE *out)
{
    for (unsigned i = 0; i < ts_plan_subjects(plan); i++) {
        const struct ts_subject *s = &subjects[i];
        const char *on = plan->device_count > 1 ? " on " : "";
        const char *device = plan->device_count > 1 ? s->device : "";
        if (s->status != TS_STATUS_PASS) {
            fprintf(out, "%s%s%s: %s: %s\n", s->label, on, device, ts_status_name(s->status),
                    s->reason);
        } else {
            fprintf(out,
                    "%s%s%s: token by token and chunked prefill agree at %" PRIu64
                    " positions, worst relative L2 %.3g%s\n",
                    s->label, on, device, s->agreement.compared, s->agreement.rel_l2_worst,
                    s->agreement.exact ? " (the same to the bit)" : "");
        }
        if (s->against) {
            fprintf(out,
                    "%s%s%s: against %s %s: median relative L2 %.3g (its own two passes: %.3g), "
                    "mean KL %.3g, same top token %" PRIu64 " of %" PRIu64 ", top ten %.1f %%\n",
                    s->label, on, device, s->against, s->crossed_reason[0] ? "disagrees" : "agrees",
                    s->crossed.rel_l2_median, s->agreement.rel_l2_median, s->crossed.kl_mean,
                    s->crossed.argmax_equal, s->crossed.compared, 100 * s->crossed.top_ten);
        }
    }
}

void ts_summary_kernels(const struct ts_sweep *sweep, FILE *out)
{
    for (unsigned d = 0; d < sweep->plan->device_count; d++) {
        const struct ts_subject *s = &sweep->subjects[d];
        unsigned counts[4] = {0}, checked = 0;
        double seconds = 0;
        for (unsigned i = 0; i < TS_KERNEL_COUNT; i++) {
            size_t place = (size_t)d * TS_KERNEL_COUNT + i;
            const struct ts_kernel_result *result = &sweep->kernels.results[place];
            if (!sweep->kernels.checked[place]) {
                continue;
            }
            checked++;
            counts[result->verdict]++;
            seconds += result->seconds;
            if (result->verdict == TS_KERNEL_FAIL || result->verdict == TS_KERNEL_MARGINAL) {
                fprintf(out, "%s on %s (%s): %s: %s\n", result->kernel->function, s->device,
                        s->provenance, ts_kernel_verdict_name(result->verdict),
                        result->reason[0] ? result->reason : result->score.worst);
            }
        }
        if (ts_subject_has_kernels(s)) {
            fprintf(out,
                    "%s (%s): %u of %u kernels checked in %.1f s: %u exact, %u pass, %u marginal, "
                    "%u fail\n",
                    s->device, s->provenance, checked, (unsigned)TS_KERNEL_COUNT, seconds,
                    counts[TS_KERNEL_EXACT], counts[TS_KERNEL_PASS], counts[TS_KERNEL_MARGINAL],
                    counts[TS_KERNEL_FAIL]);
        }
    }
}
