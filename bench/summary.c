#include "bench/summary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *device_provenance(const struct ts_subject *subject)
{
    return ts_device_limits(ts_session_device(subject->session))->provenance;
}

static int widest_label(const struct ts_plan *plan, const struct ts_subject *subjects)
{
    size_t widest = strlen("model");
    for (unsigned i = 0; i < plan->models; i++) {
        size_t length = strlen(subjects[i].label);
        widest = length > widest ? length : widest;
    }
    return (int)widest;
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
        const struct ts_subject *s = &subjects[i];
        fprintf(out, "model %s: %s, %s, %s, %" PRIu64 " bytes, XXH3 %s of the %s\n", s->label,
                s->path, s->quant, ts_subject_provenance(s), s->model->gguf->size, s->hash,
                s->hashed);
    }
    fprintf(out, "device %s (%s), chunks of %" PRIu32 " tokens, seed %" PRIu64 "\n", plan->device,
            device_provenance(&subjects[0]), plan->chunk, plan->seed);
    fprintf(out,
            "agreement first: %" PRIu64 " tokens a model, token by token against chunked prefill\n",
            ts_plan_agreement(plan));
    fprintf(out,
            "then %" PRIu64 " rounds of %u trials (prefill, %" PRIu64
            " tokens generated), in at most %g s in all\nthe first round:\n",
            plan->reps, cells, plan->gen, plan->max_seconds);
    ts_plan_round(plan, 0, order);
    for (unsigned i = 0; i < cells; i++) {
        fprintf(out, "  %-*s  prompt %6" PRIu64 "\n", widest_label(plan, subjects),
                subjects[ts_plan_model(plan, order[i])].label, ts_plan_prompt(plan, order[i]));
    }
    free(order);
    return true;
}

void ts_summary_agreement(const struct ts_plan *plan, const struct ts_subject *subjects, FILE *out)
{
    for (unsigned i = 0; i < plan->models; i++) {
        const struct ts_subject *s = &subjects[i];
        if (s->status != TS_STATUS_PASS) {
            fprintf(out, "%s: %s: %s\n", s->label, ts_status_name(s->status), s->reason);
            continue;
        }
        fprintf(out,
                "%s: token by token and chunked prefill agree at %" PRIu64
                " positions, worst relative L2 %.3g%s\n",
                s->label, s->agreement.compared, s->agreement.rel_l2_worst,
                s->agreement.exact ? " (the same to the bit)" : "");
    }
}
