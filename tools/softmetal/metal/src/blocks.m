/* The functions that clang calls for blocks, after the published block ABI. libblocksruntime's and
 * GNUstep's do not retain the objects that a block captures, which every host relies on; linked
 * into the program, these take the place of both. Blocks still answer to no message. */
#import "objects.h"
#include <Block.h>
#include <stdlib.h>
#include <string.h>

enum {
    COUNT = 0xffff,
    ON_HEAP = 1 << 24,
    HAS_HELPERS = 1 << 25,
    IS_GLOBAL = 1 << 28,

    FIELD_OBJECT = 3,
    FIELD_BLOCK = 7,
    FIELD_BYREF = 8,
    FIELD_WEAK = 16,
    FIELD_IN_BYREF = 128
};

struct descriptor {
    unsigned long reserved, size;
    void (*copy)(void *to, const void *from);
    void (*dispose)(const void *block);
};

struct block {
    void *isa;
    int flags, reserved;
    void (*invoke)(void *, ...);
    const struct descriptor *descriptor;
};

/* A __block variable; the helpers are there only with HAS_HELPERS. */
struct byref {
    void *isa;
    struct byref *forwarding;
    int flags, size;
    void (*copy)(struct byref *to, struct byref *from);
    void (*dispose)(struct byref *byref);
};

/* Places whose address says what kind of block it is. */
void *_NSConcreteStackBlock[32];
void *_NSConcreteMallocBlock[32];
void *_NSConcreteGlobalBlock[32];

void _Block_object_assign(void *to, const void *object, const int flags);
void _Block_object_dispose(const void *object, const int flags);

static bool is_block(const void *object)
{
    void *isa = *(void *const *)object;
    return isa == _NSConcreteStackBlock || isa == _NSConcreteMallocBlock ||
           isa == _NSConcreteGlobalBlock;
}

void *_Block_copy(const void *argument)
{
    struct block *block = (struct block *)argument;
    if (!block || (block->flags & IS_GLOBAL)) {
        return block;
    }
    if (block->flags & ON_HEAP) {
        __atomic_add_fetch(&block->flags, 1, __ATOMIC_RELAXED);
        return block;
    }
    struct block *copy = malloc(block->descriptor->size);
    if (!copy) {
        return NULL;
    }
    memcpy(copy, block, block->descriptor->size);
    copy->isa = _NSConcreteMallocBlock;
    copy->flags = (block->flags & ~COUNT) | ON_HEAP | 1;
    if (copy->flags & HAS_HELPERS) {
        copy->descriptor->copy(copy, block);
    }
    return copy;
}

void _Block_release(const void *argument)
{
    struct block *block = (struct block *)argument;
    if (!block || (block->flags & IS_GLOBAL) || !(block->flags & ON_HEAP)) {
        return;
    }
    if ((__atomic_sub_fetch(&block->flags, 1, __ATOMIC_ACQ_REL) & COUNT) == 0) {
        if (block->flags & HAS_HELPERS) {
            block->descriptor->dispose(block);
        }
        free(block);
    }
}

/* Two own the first copy: the block on the heap and the stack that it came from. */
static struct byref *copy_byref(struct byref *byref)
{
    struct byref *now = byref->forwarding;
    if (now->flags & ON_HEAP) {
        __atomic_add_fetch(&now->flags, 1, __ATOMIC_RELAXED);
        return now;
    }
    struct byref *copy = malloc((size_t)now->size);
    if (!copy) {
        return now;
    }
    memcpy(copy, now, (size_t)now->size);
    copy->flags = (now->flags & ~COUNT) | ON_HEAP | 2;
    copy->forwarding = copy;
    now->forwarding = copy;
    if (now->flags & HAS_HELPERS) {
        now->copy(copy, now);
    }
    return copy;
}

static void release_byref(struct byref *byref)
{
    struct byref *now = byref->forwarding;
    if ((now->flags & ON_HEAP) &&
        (__atomic_sub_fetch(&now->flags, 1, __ATOMIC_ACQ_REL) & COUNT) == 0) {
        if (now->flags & HAS_HELPERS) {
            now->dispose(now);
        }
        free(now);
    }
}

void _Block_object_assign(void *to, const void *object, const int flags)
{
    const void **slot = to;
    *slot = object;
    if (!object || (flags & FIELD_IN_BYREF)) {
        return;
    }
    switch (flags & ~FIELD_WEAK) {
    case FIELD_BYREF: *slot = copy_byref((struct byref *)object); break;
    case FIELD_BLOCK: *slot = _Block_copy(object); break;
    case FIELD_OBJECT:
        if (is_block(object)) {
            *slot = _Block_copy(object);
        } else {
            [(id)object retain];
        }
        break;
    default: break;
    }
}

void _Block_object_dispose(const void *object, const int flags)
{
    if (!object || (flags & FIELD_IN_BYREF)) {
        return;
    }
    switch (flags & ~FIELD_WEAK) {
    case FIELD_BYREF: release_byref((struct byref *)object); break;
    case FIELD_BLOCK: _Block_release(object); break;
    case FIELD_OBJECT:
        if (is_block(object)) {
            _Block_release(object);
        } else {
            [(id)object release];
        }
        break;
    default: break;
    }
}
