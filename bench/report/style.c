/* The look of the page, in the light and in the dark. */
#include "bench/report/chart.h"
#include "bench/report/report.h"

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1f2328;--soft:#57606a;--line:#d8dee4;--page:#f6f8fa;"
    "--card:#fff;--warn:#9a3b00;--warnback:#fff3e6;--good:#116329;--bad:#b3261e}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--page);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif}\n"
    "main{max-width:1120px;margin:0 auto;padding:32px 20px 64px}\n"
    "h1{font-size:28px;line-height:1.2;margin:0 0 6px}\n"
    "h2{font-size:20px;margin:40px 0 12px}\n"
    "p{margin:8px 0}\na{color:inherit}\n"
    ".soft,.note,small{color:var(--soft)}\n.note{font-size:13px}\n"
    ".warning{background:var(--warnback);color:var(--warn);border-left:4px solid var(--warn);"
    "border-radius:4px;padding:8px 14px;margin:14px 0}\n"
    /* charts and tables that are wider than the page scroll by themselves */
    "figure{margin:0 0 14px;background:var(--card);border:1px solid var(--line);"
    "border-radius:10px;padding:8px;overflow-x:auto}\n"
    "figure svg{display:block;width:100%;min-width:760px;height:auto}\n"
    ".scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);"
    "border-radius:10px}\n"
    "table{border-collapse:separate;border-spacing:0;width:100%;font-size:14px;"
    "font-variant-numeric:tabular-nums}\n"
    "th,td{padding:7px 9px;text-align:left;border-bottom:1px solid var(--line);"
    "white-space:nowrap}\n"
    "tbody tr:last-child th,tbody tr:last-child td{border-bottom:0}\n"
    "thead th{color:var(--soft);font-weight:600;white-space:normal;vertical-align:bottom}\n"
    /* the verdict stays in view while the rest of its row scrolls */
    "td.verdict,th.verdict{position:sticky;left:0;z-index:1;background:var(--card);"
    "border-right:1px solid var(--line)}\n"
    ".verdict small{display:block}\n"
    ".name{white-space:normal;overflow-wrap:anywhere;min-width:8em}\n"
    ".kernel{min-width:11em}\n.words{white-space:normal;min-width:11em}\n"
    ".n{text-align:right}\n.n "
    "small{margin-left:5px}\n.narrow{display:none}\n.main{font-weight:650}\n"
    ".none{color:var(--soft);white-space:normal}\n"
    ".none div{position:sticky;left:112px;display:inline-block;max-width:min(58em,100vw - 170px)}\n"
    ".doubt,small.doubt{color:var(--warn);font-weight:650}\n"
    ".status{font-weight:600}\n.pass{color:var(--good)}\n.marginal,.skip{color:var(--warn)}\n"
    ".fail,.error,.timeout{color:var(--bad)}\n"
    "details{margin:12px 0}\nsummary{cursor:pointer}\n"
    "details ul{columns:16em;margin:8px 0;padding-left:20px;font-size:14px}\n"
    "details li{overflow-wrap:anywhere}\n"
    ".facts th{color:var(--soft);font-weight:500;width:1%;vertical-align:top}\n"
    ".facts td{white-space:normal;overflow-wrap:anywhere;min-width:10em}\n"
    "pre{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 16px;"
    "overflow-x:auto;font:13px/1.5 ui-monospace,\"DejaVu Sans Mono\",monospace;"
    "white-space:pre-wrap;overflow-wrap:anywhere}\n"
    "@media (max-width:600px){main{padding:20px 10px 48px}.facts th{white-space:normal;width:35%}"
    ".narrow,.n small{display:block}.name{min-width:7em}}"
    "\n";

static const char dark[] =
    "--ink:#e6edf3;--soft:#9aa4af;--line:#30363d;--page:#0d1117;--card:#161b22;--warn:#ffb27a;"
    "--warnback:#3a2413;--good:#56d364;--bad:#ff8a80;";

/* Colours that gnuplot is told, but those of series, by what they are on a dark page. */
static const char *const chart_colours[][2] = {
    {"ffffff", "161b22"}, /* the ground, and halos around points */
    {"1f2328", "e6edf3"}, {"57606a", "9aa4af"}, {"9a3b00", "ffb27a"}, {"8c959f", "6e7781"},
    {"eceff2", "2a3038"}, {"57606b", "9aa4af"}, {"424a53", "b1bac4"}, {"e3e6ea", "30363d"}};

void ts_report_style(FILE *out)
{
    fputs(style, out);
    fprintf(out, "@media (prefers-color-scheme:dark){:root{%s\n", dark);
    for (unsigned i = 0; i < sizeof chart_colours / sizeof *chart_colours; i++) {
        fprintf(out, "--c%s:#%s;", chart_colours[i][0], chart_colours[i][1]);
    }
    for (unsigned i = 0; i < TS_CHART_COLOURS; i++) {
        fprintf(out, "--c%s:#%s;", ts_chart_colour(i, false), ts_chart_colour(i, true));
    }
    fputs("}}\n", out);
}
