#include "tools/mutate/mutate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_line(char *line, struct mu_explanation *e)
{
    line[strcspn(line, "\r\n")] = '\0';
    size_t id = strcspn(line, " \t");
    const char *reason = line + id + strspn(line + id, " \t");
    if (id >= sizeof e->id || !*reason || strlen(reason) >= sizeof e->reason) {
        return false;
    }
    memset(e, 0, sizeof *e);
    memcpy(e->id, line, id);
    snprintf(e->reason, sizeof e->reason, "%s", reason);
    return true;
}

bool mu_explained_read(const char *path, struct mu_explained *explained, struct ts_error *error)
{
    char line[MU_ID + MU_REASON + 64];
    unsigned number = 0;
    memset(explained, 0, sizeof *explained);
    FILE *file = fopen(path, "r");
    if (!file) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%s: %s", path, strerror(errno));
    }
    while (fgets(line, sizeof line, file)) {
        struct mu_explanation e;
        number++;
        if (line[0] == '#' || line[strspn(line, " \t\r\n")] == '\0') {
            continue;
        }
        if (!read_line(line, &e) || mu_explained_find(explained, e.id)) {
            fclose(file);
            return ts_fail(
                error, TS_ERR_INPUT, NULL,
                "%s:%u: expected the id of a mutant, once, and the reason why it survives", path,
                number);
        }
        explained->list = mu_grow(explained->list, explained->count, sizeof *explained->list);
        explained->list[explained->count++] = e;
    }
    fclose(file);
    return true;
}

struct mu_explanation *mu_explained_find(const struct mu_explained *explained, const char *id)
{
    for (size_t i = 0; i < explained->count; i++) {
        if (strcmp(explained->list[i].id, id) == 0) {
            return &explained->list[i];
        }
    }
    return NULL;
}
