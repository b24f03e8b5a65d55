/* The watch over the host, where work is committed and run: what it may touch, and whether that
 * conflicts with what the host touched. */
#import "watch.h"
#include <stdlib.h>
#include <string.h>

/* ---- commit ------------------------------------------------------------------------------------*/

static struct smo_memory *memory_at(const SMCommandBuffer *buffer, const void *at)
{
    for (size_t i = 0; i < buffer->memory_count_; i++) {
        const struct smo_memory *m = buffer->memories_[i];
        if ((uintptr_t)at - (uintptr_t)m->bytes < m->length) {
            return smo_root(buffer->memories_[i]);
        }
    }
    return NULL; /* bytes of setBytes */
}

/* One claim for a memory and a way of access: the hull. */
static void claim(SMCommandBuffer *buffer, const void *begin, size_t bytes, bool writes)
{
    struct smo_memory *memory = memory_at(buffer, begin);
    if (!memory || !smo_may_watch(memory)) {
        return;
    }
    char *from = (char *)(uintptr_t)begin, *to = from + bytes;
    for (struct smo_claim *c = buffer->claims_; c; c = c->next_of_buffer) {
        if (c->memory == memory && c->writes == writes) {
            c->begin = from < c->begin ? from : c->begin;
            c->end = to > c->end ? to : c->end;
            return;
        }
    }
    struct smo_claim *c = calloc(1, sizeof *c);
    if (c) {
        *c = (struct smo_claim){memory->claims, buffer->claims_, memory, from, to, writes};
        memory->claims = c;
        buffer->claims_ = c;
    }
}

/* A reference is to one object; what a pointer leads to may go on to the end. */
static void claim_dispatch(SMCommandBuffer *buffer, const struct sm_dispatch *d)
{
    const struct sm_function *kernel = sm_pipeline_function(d->pipeline);
    for (size_t i = 0; i < kernel->argument_count; i++) {
        const struct sm_argument *a = &kernel->arguments[i];
        if (a->kind == SM_ARGUMENT_BUFFER && d->buffers[a->index]) {
            claim(buffer, d->buffers[a->index], a->bytes ? a->bytes : d->buffer_bytes[a->index],
                  a->writable);
        }
    }
    for (size_t i = 0; d->follows_pointers && i < buffer->memory_count_; i++) {
        claim(buffer, buffer->memories_[i]->bytes, buffer->memories_[i]->length, true);
    }
}

static void claim_command(SMCommandBuffer *buffer, const struct smo_command *command)
{
    switch (command->kind) {
    case SMO_INDIRECT:
        claim(buffer, command->from, sizeof command->dispatch.groups, false); /* fall through */
    case SMO_DISPATCH: claim_dispatch(buffer, &command->dispatch); break;
    case SMO_COPY: claim(buffer, command->from, command->bytes, false); /* fall through */
    case SMO_FILL: claim(buffer, command->to, command->bytes, true); break;
    case SMO_RESOLVE:
        claim(buffer, command->to, command->range.length * sizeof(uint64_t), true);
        break;
    case SMO_SIGNAL:
    case SMO_WAIT:
    case SMO_SAMPLE: break;
    }
}

/* Whether no claim further down the list is for the same memory: each memory once. */
static bool is_last(const struct smo_claim *c)
{
    const struct smo_claim *other = c->next_of_buffer;
    while (other && other->memory != c->memory) {
        other = other->next_of_buffer;
    }
    return !other;
}

void smo_watch_commit(SMCommandBuffer *buffer)
{
    if (!sm_device_checks(buffer->device_->runtime_)) {
        return;
    }
    smo_watch_install();
    pthread_mutex_lock(&smo_watch_lock);
    buffer->watch_number_ = ++smo_commits;
    buffer->watch_stamp_ = ++smo_watch_clock;
    for (size_t i = 0; i < buffer->command_count_; i++) {
        claim_command(buffer, &buffer->commands_[i]);
    }
    for (const struct smo_claim *c = buffer->claims_; c; c = c->next_of_buffer) {
        if (is_last(c)) {
            c->memory->pending++;
            smo_watch_renew(c->memory);
        }
    }
    pthread_mutex_unlock(&smo_watch_lock);
}

/* ---- the run -----------------------------------------------------------------------------------*/

/* Notes that this command buffer has to answer for. */
static bool concerns(const struct smo_note *n, const SMCommandBuffer *buffer)
{
    const struct smo_claim *c = buffer->claims_;
    while (c && c->memory != n->memory) {
        c = c->next_of_buffer;
    }
    return n->memory && c && n->commits >= buffer->watch_number_;
}

static void run_all(SMCommandBuffer *buffer, int step)
{
    for (size_t i = 0; i < buffer->memory_count_; i++) {
        struct smo_memory *memory = smo_root(buffer->memories_[i]);
        memory->running += (unsigned)step;
        if (memory->watched && memory->watchable) {
            smo_watch_renew(memory);
        }
    }
}

void smo_watch_begin(SMCommandBuffer *buffer)
{
    smo_on_queue = true;
    if (buffer->watch_number_ == 0) {
        return;
    }
    smo_executing = true;
    /* What the host did before it committed this comes before what others wait for from it. */
    smo_watch_wait(buffer->watch_stamp_);
    pthread_mutex_lock(&smo_watch_lock);
    run_all(buffer, 1);
    buffer->touched_ = calloc(smo_notes_used + 1, sizeof *buffer->touched_);
    buffer->touched_notes_ = calloc(smo_notes_used + 1, sizeof *buffer->touched_notes_);
    for (unsigned i = 0; i < SMO_NOTES && buffer->touched_ && buffer->touched_notes_; i++) {
        if (concerns(&smo_notes[i], buffer)) {
            buffer->touched_[buffer->touched_count_] =
                (struct sm_touched){smo_notes[i].address, smo_notes[i].written, false};
            buffer->touched_notes_[buffer->touched_count_++] = i;
        }
    }
    pthread_mutex_unlock(&smo_watch_lock);
}

void smo_watch_end(SMCommandBuffer *buffer)
{
    if (buffer->watch_number_ == 0) {
        return;
    }
    smo_executing = false;
    pthread_mutex_lock(&smo_watch_lock);
    for (size_t i = 0; i < SMO_NOTES; i++) {
        if (concerns(&smo_notes[i], buffer) && --smo_notes[i].remaining == 0) {
            smo_notes[i].memory = NULL;
            smo_notes_used--;
        }
    }
    while (buffer->claims_) {
        struct smo_claim *c = buffer->claims_, **at = &c->memory->claims;
        while (*at != c) {
            at = &(*at)->next;
        }
        *at = c->next;
        c->memory->pending -= is_last(c);
        buffer->claims_ = c->next_of_buffer;
        free(c);
    }
    run_all(buffer, -1);
    pthread_mutex_unlock(&smo_watch_lock);
    free(buffer->touched_);
    free(buffer->touched_notes_);
    buffer->touched_ = NULL;
    buffer->touched_notes_ = NULL;
    buffer->touched_count_ = 0;
}

/* ---- reports -----------------------------------------------------------------------------------*/

static void touch(SMCommandBuffer *buffer, const void *begin, size_t bytes, bool writes)
{
    for (size_t i = 0; i < buffer->touched_count_; i++) {
        struct sm_touched *t = &buffer->touched_[i];
        t->conflicts |= (uintptr_t)t->address - (uintptr_t)begin < bytes && (writes || t->written);
    }
}

static SMBuffer *buffer_at(const SMCommandBuffer *buffer, const char *address)
{
    for (id object in buffer->objects_) {
        SMBuffer *b = [object isKindOfClass:[SMBuffer class]] ? object : nil;
        if (b && (uintptr_t)address - (uintptr_t)b->memory_->bytes < b->memory_->length) {
            return b;
        }
    }
    return nil;
}

static void report(SMCommandBuffer *buffer, const struct smo_command *command,
                   const struct smo_note *n)
{
    static __thread char file[512];
    static __thread struct smo_note last; /* many notes come from one place */
    static __thread int line;
    if (last.frame_count != n->frame_count ||
        memcmp(last.frames, n->frames, sizeof last.frames) != 0) {
        last = *n;
        line = sm_host_line((const void *const *)n->frames, (size_t)n->frame_count,
                            "softmetal/metal/src/", file, sizeof file);
    }
    SMBuffer *b = buffer_at(buffer, n->address);
    const char *kernel = command->kind == SMO_DISPATCH || command->kind == SMO_INDIRECT
                             ? sm_pipeline_function(command->dispatch.pipeline)->name
                             : "";
    const char *base = b ? b->memory_->bytes : n->memory->bytes;
    NSString *text = [NSString
        stringWithFormat:@"%s:%d: host %s before completion: buffer '%@' at byte %zu, which %s%s%s "
                         @"of command buffer '%@' %s",
                         file, line, n->written ? "write" : "read", [b label] ?: @"",
                         (size_t)(n->address - base), *kernel ? "kernel '" : "a blit", kernel,
                         *kernel ? "'" : "", [buffer label] ?: @"",
                         n->written ? "uses after it" : "writes after it"];
    struct sm_report r = {.kind = n->written ? SM_REPORT_HOST_WRITE : SM_REPORT_HOST_READ,
                          .kernel = kernel,
                          .file = file,
                          .line = line,
                          .buffer = -1,
                          .threadgroup = -1,
                          .offset = n->address - base,
                          .message = [text UTF8String]};
    sm_report_add(buffer->device_->runtime_, &r);
}

void smo_watch_judge(SMCommandBuffer *buffer, const struct smo_command *command)
{
    if (buffer->touched_count_ == 0) {
        return;
    }
    switch (command->kind) {
    case SMO_INDIRECT: touch(buffer, command->from, sizeof command->dispatch.groups, false); break;
    case SMO_COPY: touch(buffer, command->from, command->bytes, false); /* fall through */
    case SMO_FILL: touch(buffer, command->to, command->bytes, true); break;
    case SMO_RESOLVE:
        touch(buffer, command->to, command->range.length * sizeof(uint64_t), true);
        break;
    default: break;
    }
    for (size_t i = 0; i < buffer->touched_count_; i++) {
        if (buffer->touched_[i].conflicts) {
            pthread_mutex_lock(&smo_watch_lock);
            struct smo_note n = smo_notes[buffer->touched_notes_[i]];
            pthread_mutex_unlock(&smo_watch_lock);
            if (n.stamp > smo_ordered) {
                report(buffer, command, &n);
            }
            buffer->touched_[i].conflicts = false;
        }
    }
}
