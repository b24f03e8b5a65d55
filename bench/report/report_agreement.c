/* The tables of agreement: of models, and of single kernels. */
#include "bench/report/html.h"
#include "bench/report/report.h"
#include "bench/report/report_cells.h"

#include <math.h>
#include <string.h>

void ts_cell_text(FILE *out, const char *text)
{
    fputs("<td>", out);
    ts_html_text(out, text);
    fputs("</td>", out);
}

void ts_cell_number(FILE *out, const char *text)
{
    fputs("<td class=\"n\">", out);
    ts_html_text(out, text);
    fputs("</td>", out);
}

void ts_cell_count(FILE *out, uint64_t count)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)count);
    ts_cell_number(out, text);
}

void ts_cell_real(FILE *out, double value)
{
    char text[48];
    snprintf(text, sizeof text, "%.2e", value);
    ts_cell_number(out, isnan(value) ? "\xe2\x80\x93" : value == 0 ? "0" : text);
}

void ts_cell_state(FILE *out, enum ts_result_status status, const char *word, const char *beside)
{
    fprintf(out, "<td class=\"verdict\"><span class=\"status %s\">%s</span>",
            ts_status_name(status), word);
    if (beside) {
        fputs("<small class=\"doubt\">", out);
        ts_html_text(out, beside);
        fputs("</small>", out);
    }
    fputs("</td>", out);
}

void ts_cell_name(FILE *out, const char *text)
{
    fputs("<td class=\"name\">", out);
    ts_html_text(out, text);
    fputs("</td>", out);
}

void ts_row_reason(FILE *out, unsigned columns, const char *reason)
{
    fprintf(out, "<tr><td class=\"verdict\"></td><td class=\"none\" colspan=\"%u\"><div>",
            columns - 1);
    ts_html_text(out, reason);
    fputs("</div></td></tr>\n", out);
}

/* ---- models ---- */

static void write_agreement(FILE *out, const struct ts_result *r)
{
    const struct ts_result_agreement *a = &r->agreement;
    char text[64];
    fputs("<tr>", out);
    ts_cell_state(out, r->status, ts_status_name(r->status), NULL);
    ts_cell_name(out, r->model);
    ts_cell_text(out, r->device[0] ? r->device : "not stated");
    ts_cell_text(out, r->against[0] ? r->against : "itself");
    if (!r->has_agreement) {
        fputs("<td class=\"none\" colspan=\"9\"></td>", out);
    } else {
        snprintf(text, sizeof text, "%llu of %llu", (unsigned long long)a->argmax_equal,
                 (unsigned long long)a->compared);
        ts_cell_number(out, text);
        snprintf(text, sizeof text, "%.1f %%", 100 * a->top_ten);
        ts_cell_number(out, isnan(a->top_ten) ? "\xe2\x80\x93" : text);
        ts_cell_real(out, a->rel_l2_worst);
        ts_cell_real(out, a->rel_l2_median);
        ts_cell_real(out, a->noise_rel_l2_median);
        ts_cell_real(out, a->kl_mean);
        ts_cell_real(out, a->kl_max);
        ts_cell_real(out, a->bound);
        ts_cell_text(out, a->exact ? "yes" : "no");
    }
    fputs("</tr>\n", out);
    if (!r->has_agreement || r->reason[0]) {
        ts_row_reason(out, 13, r->reason[0] ? r->reason : "no reason given");
    }
}

void ts_report_agreement(FILE *out, const struct ts_results *results)
{
    size_t count = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        if (r->kind != TS_RESULT_AGREEMENT || r->superseded) {
            continue;
        }
        if (count++ == 0) {
            fputs(
                "<p>Before timing, each model's token-by-token pass is compared with its chunked "
                "prefill of the same prompt (itself), and a device's pass with the reference "
                "device's, position by position, each fed the same tokens, without the round trips "
                "of KV rows, which single kernels are judged by. A model that disagrees "
                "has no speed. Noise is the median between the device's own two passes, which add "
                "the same sums in other orders.</p>\n<div class=\"scroll\" "
                "tabindex=\"0\"><table>\n<thead><tr>"
                "<th class=\"verdict\">verdict</th><th>model</th><th>device</th><th>with</th>"
                "<th class=\"n\">same top token</th><th class=\"n\">top ten</th>"
                "<th class=\"n\">worst rel. L2</th><th class=\"n\">median</th>"
                "<th class=\"n\">noise</th><th class=\"n\">mean KL</th>"
                "<th class=\"n\">worst KL</th><th class=\"n\">bound</th><th>exact</th>"
                "</tr></thead>\n<tbody>\n",
                out);
        }
        write_agreement(out, r);
    }
    fputs(count > 0 ? "</tbody></table></div>\n"
                    : "<p class=\"warning\">No comparison is in the records: nothing shows that "
                      "what was timed was right.</p>\n",
          out);
}

/* ---- kernels ---- */

static void write_kernel(FILE *out, const struct ts_result *r)
{
    static const char *const words[TS_HEAT_VERDICTS] = {"",     "not checked", "exact",
                                                        "pass", "marginal",    "fail"};
    const struct ts_result_kernel *k = &r->kernel;
    enum ts_heat_verdict verdict = ts_heat_verdict_of(r);
    fputs("<tr>", out);
    ts_cell_state(out, r->status, words[verdict], k->over_claimed ? "over-claimed" : NULL);
    ts_cell_name(out, k->name);
    ts_cell_real(out, verdict == TS_HEAT_FAIL && isnan(k->rho) ? INFINITY : k->rho);
    ts_cell_real(out, k->nmse);
    ts_cell_number(out, k->max_ulp);
    ts_cell_count(out, k->compared);
    ts_cell_count(out, k->cases);
    ts_cell_text(out, r->device);
    ts_cell_text(out, r->provenance.device);
    fputs("</tr>\n", out);
    if (r->reason[0]) {
        ts_row_reason(out, 9, r->reason);
    }
}

/* Kernels that were not checked, folded away, with the reason where it is one for all of them. */
static void write_unchecked(FILE *out, const struct ts_heatmap *map)
{
    const struct ts_results *results = map->results;
    size_t left = map->kernels[TS_HEAT_UNCHECKED];
    const char *reason = NULL;
    bool same = true;
    if (left == 0) {
        return;
    }
    fprintf(out, "<details><summary>Not checked: %zu kernel%s</summary>\n<ul>\n", left,
            left == 1 ? "" : "s");
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        if (r->kind == TS_RESULT_KERNEL && !r->superseded &&
            ts_heat_verdict_of(r) == TS_HEAT_UNCHECKED) {
            fputs("<li>", out);
            ts_html_text(out, r->kernel.name);
            fputs("</li>\n", out);
            same = same && (!reason || strcmp(reason, r->reason) == 0);
            reason = r->reason;
        }
    }
    fputs("</ul>\n", out);
    if (same && reason && reason[0]) {
        fputs("<p class=\"note\">The reason: ", out);
        ts_html_text(out, reason);
        fputs("</p>\n", out);
    }
    fputs("</details>\n", out);
}

/* In the order of the records, which is that of the table of operations. */
void ts_report_kernels(FILE *out, const struct ts_heatmap *map)
{
    const struct ts_results *results = map->results;
    size_t checked = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        if (r->kind != TS_RESULT_KERNEL || r->superseded ||
            ts_heat_verdict_of(r) == TS_HEAT_UNCHECKED) {
            continue;
        }
        if (checked++ == 0) {
            fputs("<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>"
                  "<th class=\"verdict\">verdict</th><th class=\"kernel\">kernel</th>"
                  "<th class=\"n\">rho</th><th class=\"n\">NMSE</th>"
                  "<th class=\"n\">worst ulp</th><th class=\"n\">compared</th>"
                  "<th class=\"n\">cases</th><th>device</th><th>what it "
                  "is</th></tr></thead>\n<tbody>\n",
                  out);
        }
        write_kernel(out, r);
    }
    fputs(checked > 0 ? "</tbody></table></div>\n<p class=\"note\">NMSE and ulp are reported and "
                        "judge nothing.</p>\n"
                      : "",
          out);
    write_unchecked(out, map);
}
