/* What the two halves of the watch over the host share: see watch.m. */
#ifndef SOFTMETAL_WATCH_H
#define SOFTMETAL_WATCH_H

#import "objects.h"

enum { SMO_NOTES = 1024, SMO_FRAMES = 16 };

/* What a pending command buffer may touch of one memory. */
struct smo_claim {
    struct smo_claim *next, *next_of_buffer; /* of the memory, of the command buffer */
    struct smo_memory *memory;
    char *begin, *end;
    bool writes;
};

/* An access by the host. */
struct smo_note {
    struct smo_memory *memory; /* null: free */
    char *address;
    bool written;
    uint64_t stamp;     /* of smo_watch_clock */
    uint64_t commits;   /* command buffers committed before it */
    unsigned remaining; /* that were pending on the memory */
    int frame_count;
    void *frames[SMO_FRAMES];
};

/* Guards all that follows, and what memories keep for the watch. */
extern pthread_mutex_t smo_watch_lock;
extern struct smo_note smo_notes[SMO_NOTES];
extern unsigned smo_notes_used;
extern uint64_t smo_commits;
extern uint64_t smo_watch_clock; /* grows with each note, commit and signal */

/* Of a queue's thread: whether it runs a command buffer now, whether it is one, and up to which
 * stamp notes come before what it runs now. */
extern __thread bool smo_executing, smo_on_queue;
extern __thread uint64_t smo_ordered;

static inline struct smo_memory *smo_root(struct smo_memory *memory)
{
    return memory->parent ? memory->parent : memory;
}

void smo_watch_install(void);
/* With the lock held: whether the memory can be watched; and its pages as its claims want them. */
bool smo_may_watch(struct smo_memory *memory);
void smo_watch_renew(struct smo_memory *memory);

#endif
