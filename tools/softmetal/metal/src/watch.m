/* The checking mode's watch over the host: reads of results before completion, and writes to what
 * pending work uses.
 *
 * From commit until they run, the pages that a command buffer's commands may touch are protected:
 * from reads too where commands may write. An access faults; the handler notes it, opens the page
 * and lets the host go on. When the work runs, a note whose very byte it writes (or reads, if the
 * host wrote it) becomes a report, unless an event that the host signalled afterwards orders the
 * two. So another part of the same page or buffer may be used meanwhile. What is left when the
 * process exits makes the work run then.
 *
 * One lock of its own guards all of this; whoever holds it touches no buffer. */
#define _GNU_SOURCE
#import "watch.h"
#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { PAGE = 4096, EXIT_SECONDS = 5 };

pthread_mutex_t smo_watch_lock = PTHREAD_MUTEX_INITIALIZER;
struct smo_note smo_notes[SMO_NOTES];
unsigned smo_notes_used;
uint64_t smo_commits, smo_watch_clock;
__thread bool smo_executing, smo_on_queue;
__thread uint64_t smo_ordered;

static struct smo_memory *watched; /* that has or had claims */
static struct sigaction former;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- protection, with the lock held ------------------------------------------------------------*/

static void protect(char *begin, char *end, int how)
{
    uintptr_t from = (uintptr_t)begin / PAGE * PAGE;
    uintptr_t to = ((uintptr_t)end + PAGE - 1) / PAGE * PAGE;
    mprotect((void *)from, to - from, how);
}

void smo_watch_renew(struct smo_memory *memory)
{
    protect(memory->bytes, memory->bytes + memory->length, PROT_READ | PROT_WRITE);
    for (int writes = 0; writes < 2 && memory->running == 0; writes++) {
        for (const struct smo_claim *c = memory->claims; c; c = c->next) {
            if (c->writes == writes) {
                protect(c->begin, c->end, writes ? PROT_NONE : PROT_READ);
            }
        }
    }
}

/* Memory of the caller is watched only if all of it could be read and written before. */
static bool is_plain(const struct smo_memory *memory)
{
    FILE *maps = memory->mapped ? NULL : fopen("/proc/self/maps", "r");
    uintptr_t at = (uintptr_t)memory->bytes, end = at + memory->length;
    unsigned long from, to;
    char rights[8], line[512];
    while (maps && at < end && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 && from <= at && at < to) {
            if (strncmp(rights, "rw-", 3) != 0) {
                break;
            }
            at = to;
        }
    }
    if (maps) {
        fclose(maps);
    }
    return memory->mapped || at >= end;
}

bool smo_may_watch(struct smo_memory *memory)
{
    if (!memory->watched) {
        memory->watched = true;
        memory->watchable = is_plain(memory);
        memory->next_watched = watched;
        watched = memory;
    }
    return memory->watchable;
}

void smo_watch_forget(struct smo_memory *memory)
{
    if (!memory->watched) {
        return;
    }
    pthread_mutex_lock(&smo_watch_lock);
    struct smo_memory **at = &watched;
    while (*at && *at != memory) {
        at = &(*at)->next_watched;
    }
    if (*at) {
        *at = memory->next_watched;
    }
    pthread_mutex_unlock(&smo_watch_lock);
}

/* ---- the fault ---------------------------------------------------------------------------------*/

static bool is_write(const ucontext_t *context)
{
#if defined(__x86_64__)
    return context->uc_mcontext.gregs[REG_ERR] & 2;
#else
    /* Records of magic and size; the one of the syndrome has the bit "write not read". */
    const char *at = (const char *)context->uc_mcontext.__reserved;
    for (uint32_t head[2]; memcpy(head, at, sizeof head), head[0]; at += head[1]) {
        if (head[0] == 0x45535201u) {
            uint64_t syndrome;
            memcpy(&syndrome, at + sizeof head, sizeof syndrome);
            return syndrome >> 6 & 1;
        }
    }
    return true;
#endif
}

static void *place_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (void *)context->uc_mcontext.gregs[REG_RIP];
#else
    return (void *)context->uc_mcontext.pc;
#endif
}

/* The frames from the faulting instruction on, all as return addresses. */
static void take_frames(struct smo_note *n, const ucontext_t *context)
{
    void *all[SMO_FRAMES + 8], *place = place_of(context);
    int count = backtrace(all, SMO_FRAMES + 8), first = 0;
    while (first < count && all[first] != place) {
        first++;
    }
    n->frames[0] = (char *)place + 1;
    n->frame_count = 1;
    for (int i = first + 1; i < count && n->frame_count < SMO_FRAMES; i++) {
        n->frames[n->frame_count++] = all[i];
    }
}

static void take_note(struct smo_memory *memory, char *address, const ucontext_t *context)
{
    for (size_t i = 0; i < SMO_NOTES; i++) {
        struct smo_note *n = &smo_notes[i];
        if (!n->memory) {
            n->memory = memory;
            n->address = address;
            n->written = is_write(context);
            n->stamp = ++smo_watch_clock;
            n->commits = smo_commits;
            n->remaining = memory->pending;
            take_frames(n, context);
            smo_notes_used++;
            return;
        }
    }
}

/* Whether the fault is of our making. Only one page is opened, and to whoever comes. */
static bool open_page(char *address, const ucontext_t *context)
{
    bool ours = false;
    pthread_mutex_lock(&smo_watch_lock);
    for (struct smo_memory *m = watched; m; m = m->next_watched) {
        uintptr_t first = (uintptr_t)m->bytes / PAGE * PAGE;
        uintptr_t pages = ((uintptr_t)m->bytes + m->length + PAGE - 1) / PAGE * PAGE - first;
        if (!m->claims || (uintptr_t)address - first >= pages) {
            continue;
        }
        ours = true;
        protect(address, address + 1, PROT_READ | PROT_WRITE);
        if (!smo_executing && m->running == 0) {
            take_note(m, address, context);
        }
    }
    pthread_mutex_unlock(&smo_watch_lock);
    return ours;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    int kept = errno;
    bool ours = info->si_code == SEGV_ACCERR && open_page(info->si_addr, context);
    errno = kept;
    if (ours) {
        return;
    }
    if (former.sa_flags & SA_SIGINFO) {
        former.sa_sigaction(number, info, context);
    } else if (former.sa_handler == SIG_DFL || former.sa_handler == SIG_IGN) {
        /* The instruction runs again, and the default action follows. */
        sigaction(SIGSEGV, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    } else {
        former.sa_handler(number);
    }
}

static bool open_notes(void)
{
    pthread_mutex_lock(&smo_watch_lock);
    bool open = smo_notes_used > 0;
    pthread_mutex_unlock(&smo_watch_lock);
    return open;
}

/* Work that nobody waited for still has to be asked whether it conflicts. */
static void at_exit(void)
{
    uint64_t deadline = smo_nanoseconds() + (uint64_t)EXIT_SECONDS * 1000000000u;
    pthread_mutex_lock(&smo_lock);
    while (!smo_on_queue && open_notes() && smo_nanoseconds() < deadline) {
        smo_demand_everything();
        smo_wait(deadline);
    }
    pthread_mutex_unlock(&smo_lock);
}

static void set_up(void)
{
    void *frame;
    backtrace(&frame, 1); /* loads what it needs now, and not in the handler */
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    action.sa_sigaction = on_fault;
    sigaction(SIGSEGV, &action, &former);
    atexit(at_exit);
}

void smo_watch_install(void)
{
    pthread_once(&once, set_up);
}

/* ---- events ------------------------------------------------------------------------------------*/

uint64_t smo_watch_signal(uint64_t stamp)
{
    if (smo_executing) {
        return smo_ordered > stamp ? smo_ordered : stamp;
    }
    pthread_mutex_lock(&smo_watch_lock);
    stamp = ++smo_watch_clock;
    pthread_mutex_unlock(&smo_watch_lock);
    return stamp;
}

void smo_watch_wait(uint64_t stamp)
{
    smo_ordered = smo_executing && stamp > smo_ordered ? stamp : smo_ordered;
}
