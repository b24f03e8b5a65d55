/* What the objects behind <Metal/Metal.h> share. Manual retain and release; instance variables are
 * public within this folder, because the gcc runtime's are fragile and C reads them.
 *
 * One lock, smo_lock, guards every status, gate, event value and order of command buffers; one
 * condition, smo_changed, is broadcast whenever any of them changes. */
#ifndef SOFTMETAL_OBJECTS_H
#define SOFTMETAL_OBJECTS_H

#import <Metal/Metal.h>
#include <pthread.h>
#include <stdatomic.h>

#include "../../runtime.h"

enum {
    SMO_PAGE = 16384,
    SMO_SET_BYTES = 4096,
    SMO_DEFAULT_QUEUE = 64,   /* command buffers of a queue that have not completed */
    SMO_HANDLER_DELAY = 5,    /* milliseconds after which a completed handler opens the gate */
    SMO_FORGOTTEN_DELAY = 500 /* and without one */
};

/* ---- settings.m ------------------------------------------------------------------------------ */

enum smo_fault { SMO_FAULT_NONE, SMO_FAULT_TIMEOUT, SMO_FAULT_MEMORY };

struct smo_settings {
    bool validate, eager, seeded;
    uint64_t seed;
    uint64_t working_set; /* bytes */
    enum smo_fault fault;
    unsigned long fault_at; /* which commit of the process, from 1; 0: each */
    const char *max_threads;
    NSOperatingSystemVersion os;
};

const struct smo_settings *smo_settings(void);

/* What SOFTMETAL_MAX_THREADS says of a kernel, else 1024. */
NSUInteger smo_max_threads(const char *kernel);
bool smo_os_at_least(NSInteger major, NSInteger minor);

/* Whether the faked system lacks a method. */
bool smo_hidden(SEL selector);

/* Breaking a rule of the interface: with SOFTMETAL_VALIDATE=1 this prints and aborts, otherwise it
 * prints and returns the message (autoreleased), for an error. */
NSString *smo_misuse(NSString *format, ...) NS_FORMAT_FUNCTION(1, 2);

NSError *smo_error(NSErrorDomain domain, NSInteger code, NSString *message);
uint64_t smo_nanoseconds(void);

extern pthread_mutex_t smo_lock;
extern pthread_cond_t smo_changed;

/* Waits for smo_changed with the lock held, until `deadline` of smo_nanoseconds at most; 0: none. */
void smo_wait(uint64_t deadline);

/* Runs a block on a thread of its own, in an autorelease pool. */
void smo_background(void (^block)(void));
void smo_enter_thread(void);
void smo_leave_thread(void);

/* ---- the objects ----------------------------------------------------------------------------- */

/* The part of the device that compiles; device_code.m. */
@interface SMCompiler : NSObject {
  @public
    struct sm_device *runtime_;
}
- (id<MTLLibrary>)newDefaultLibrary NS_RETURNS_RETAINED;
- (id<MTLLibrary>)newLibraryWithFile:(NSString *)path error:(NSError **)error NS_RETURNS_RETAINED;
- (id<MTLLibrary>)newLibraryWithURL:(NSURL *)url error:(NSError **)error NS_RETURNS_RETAINED;
- (id<MTLLibrary>)newLibraryWithSource:(NSString *)source
                               options:(MTLCompileOptions *)options
                                 error:(NSError **)error NS_RETURNS_RETAINED;
- (void)newLibraryWithSource:(NSString *)source
                     options:(MTLCompileOptions *)options
           completionHandler:(MTLNewLibraryCompletionHandler)handler;

- (id<MTLComputePipelineState>)newComputePipelineStateWithFunction:(id<MTLFunction>)function
                                                             error:(NSError **)error
    NS_RETURNS_RETAINED;
- (id<MTLComputePipelineState>)
    newComputePipelineStateWithFunction:(id<MTLFunction>)function
                                options:(MTLPipelineOption)options
                             reflection:(MTLAutoreleasedComputePipelineReflection *)reflection
                                  error:(NSError **)error NS_RETURNS_RETAINED;
- (id<MTLComputePipelineState>)
    newComputePipelineStateWithDescriptor:(MTLComputePipelineDescriptor *)descriptor
                                  options:(MTLPipelineOption)options
                               reflection:(MTLAutoreleasedComputePipelineReflection *)reflection
                                    error:(NSError **)error NS_RETURNS_RETAINED;
- (void)newComputePipelineStateWithFunction:(id<MTLFunction>)function
                          completionHandler:(MTLNewComputePipelineStateCompletionHandler)handler;
@end

@interface SMDevice : SMCompiler <MTLDevice> {
  @public
    NSArray *counterSets_;
    uint64_t working_set_;
}
@end

/* Device and label, which most have. */
@interface SMObject : NSObject {
  @public
    SMDevice *device_;
    NSString *label_;
}
- (instancetype)initWithDevice:(SMDevice *)device;
@property(copy, atomic) NSString *label;
@property(readonly) id<MTLDevice> device;
@end

/* Outlives its buffer while command buffers use it. */
struct smo_memory {
    _Atomic unsigned references, in_flight;
    char *bytes;
    size_t length, mapped;     /* mapped: 0 if not ours */
    struct sm_device *runtime; /* whose memory it is, if ours */
    struct smo_memory *parent;
    void (^deallocator)(void *, NSUInteger);
    /* Of watch.m, under its lock. */
    struct smo_memory *next_watched;
    struct smo_claim *claims;
    unsigned pending, running; /* command buffers */
    bool watched, watchable;
};

struct smo_memory *smo_memory_map(struct sm_device *runtime, size_t length);
struct smo_memory *smo_memory_wrap(void *bytes, size_t length,
                                   void (^deallocator)(void *, NSUInteger));
struct smo_memory *smo_memory_slice(struct smo_memory *parent, size_t offset, size_t length);
void smo_memory_retain(struct smo_memory *memory);
void smo_memory_release(struct smo_memory *memory);
uint64_t smo_memory_total(void);

@interface SMHeap : SMObject <MTLHeap> {
  @public
    struct smo_memory *memory_;
    MTLResourceOptions options_;
    MTLHeapType type_;
    NSRange *ranges_; /* of the buffers, in order */
    size_t count_;
}
/* Takes over the reference to memory. */
- (instancetype)initWithDevice:(SMDevice *)device
                        memory:(struct smo_memory *)memory
                    descriptor:(MTLHeapDescriptor *)descriptor;
- (void)give:(NSRange)range;
@end

MTLSizeAndAlign smo_heap_size(NSUInteger length);

@interface SMBuffer : SMObject <MTLBuffer> {
  @public
    struct smo_memory *memory_;
    MTLResourceOptions options_;
    MTLPurgeableState purgeable_;
    SMHeap *heap_;
    NSUInteger heap_offset_;
}
/* Takes over the reference to memory. */
- (instancetype)initWithDevice:(SMDevice *)device
                        memory:(struct smo_memory *)memory
                       options:(MTLResourceOptions)options;
@end

@interface SMLibrary : SMObject <MTLLibrary> {
  @public
    struct sm_library *runtime_;
    NSUInteger max_threads_;
}
- (instancetype)initWithDevice:(SMDevice *)device
                       runtime:(struct sm_library *)library
                    maxThreads:(NSUInteger)threads;
@end

/* The library if all of it compiled; otherwise frees it and fills the error. */
SMLibrary *smo_library_make(SMDevice *device, struct sm_library *library, NSUInteger max_threads,
                            NSError **error) NS_RETURNS_RETAINED;

/* A kernel with its constants. What runs it is made once: for a function with constant values when
 * the function is made, otherwise with the first pipeline state. */
@interface SMFunction : SMObject <MTLFunction> {
  @public
    SMLibrary *library_;
    const struct sm_function *kernel_;
    MTLFunctionConstantValues *values_;
    NSString *name_;
    struct sm_pipeline *ready_;
}
- (struct sm_pipeline *)specialize:(NSError **)error;
@end

/* MTLDataTypeNone if there is none. */
MTLDataType smo_data_type_of(enum sm_scalar scalar, unsigned components);
/* Of one component, 0 for a type that a function constant cannot have, and how many there are. */
size_t smo_component_bytes(MTLDataType type, unsigned *components);

@interface MTLFunctionConstantValues (SoftMetal)
/* The bytes and the type, by name or else by index; nil if not set. */
- (NSData *)softmetalValueNamed:(NSString *)name orIndex:(NSUInteger)index type:(MTLDataType *)type;
@end

@interface MTLFunctionConstant (SoftMetal)
- (instancetype)initWithInfo:(const struct sm_constant_info *)info;
@end

@interface MTLComputePipelineReflection (SoftMetal)
- (instancetype)initWithFunction:(const struct sm_function *)function;
@end

@interface SMPipeline : SMObject <MTLComputePipelineState> {
  @public
    SMFunction *function_;
    const struct sm_pipeline *runtime_; /* the function's */
    NSUInteger max_threads_;
    BOOL whole_simdgroups_, indirect_;
}
@end

SMPipeline *smo_pipeline_make(SMDevice *device, MTLComputePipelineDescriptor *descriptor,
                              MTLAutoreleasedComputePipelineReflection *reflection,
                              NSError **error) NS_RETURNS_RETAINED;

@interface SMEvent : SMObject <MTLEvent> {
  @public
    uint64_t value_; /* under smo_lock */
    uint64_t stamp_; /* of watch.m: what comes before whoever waits */
}
/* Sets the value, never back, and starts what waits for it. Without the lock. */
- (void)signal:(uint64_t)value;
/* Waits, as a queue's thread does. Without the lock. */
- (void)waitFor:(uint64_t)value;
@end

@interface SMSharedEvent : SMEvent <MTLSharedEvent> {
  @public
    struct smo_notification *notifications_;
}
@end

@interface SMFence : SMObject <MTLFence>
@end

@interface SMResidencySet : SMObject <MTLResidencySet> {
  @public
    NSMutableSet *pending_, *current_;
}
@end

@interface SMCounterSampleBuffer : SMObject <MTLCounterSampleBuffer> {
  @public
    uint64_t *samples_;
    NSUInteger count_;
    MTLStorageMode storage_;
}
@end

NSArray *smo_counter_sets(void) NS_RETURNS_RETAINED;

/* ---- queue.m --------------------------------------------------------------------------------- */

/* The part of a queue that its thread needs; the thread frees it, or the queue if none started. */
struct smo_queue {
    NSMutableArray *order; /* enqueued and not finished */
    NSUInteger alive, limit;
    bool started, stop;
    pthread_t thread;
};

@class SMCommandBuffer;

@interface SMCommandQueue : SMObject <MTLCommandQueue> {
  @public
    struct smo_queue *state_;
    NSMutableArray *sets_;
}
- (instancetype)initWithDevice:(SMDevice *)device limit:(NSUInteger)limit;
/* With the lock held: puts it last in the order, unless it is there. False: no thread. */
- (bool)enqueue:(SMCommandBuffer *)buffer;
@end

uint64_t smo_next_sequence(void);

/* With the lock held: all that was committed so far may start. */
void smo_demand_everything(void);
/* With the lock held: while more than zero, every gate is open. */
extern unsigned smo_event_waiters;
/* Blocks that wait for a shared event. */
extern unsigned smo_listeners;

/* ---- command_buffer.m, execute.m ------------------------------------------------------------- */

enum smo_kind {
    SMO_DISPATCH,
    SMO_INDIRECT, /* threadgroups come from memory */
    SMO_COPY,
    SMO_FILL,
    SMO_SIGNAL,
    SMO_WAIT,
    SMO_SAMPLE,
    SMO_RESOLVE
};

struct smo_command {
    enum smo_kind kind;
    unsigned encoder; /* index into encoders_ */
    unsigned group;   /* dispatches with the same number that is not 0 may run in any order */
    const void *from; /* copy, indirect */
    void *to;         /* copy, fill, resolve */
    size_t bytes;     /* copy, fill */
    uint8_t value;    /* fill */
    uint64_t number;  /* of an event; index of a sample */
    NSRange range;    /* resolve */
    id object;        /* event or sample buffer, retained by the command buffer */
    struct sm_dispatch dispatch;
};

struct smo_chunk;

struct smo_handlers {
    MTLCommandBufferHandler *blocks;
    size_t count;
};

@interface SMEncoderInfo : SMObject <MTLCommandBufferEncoderInfo> {
  @public
    NSMutableArray *signposts_;
    MTLCommandEncoderErrorState state_;
}
@end

@interface SMCommandBuffer : SMObject <MTLCommandBuffer> {
  @public
    SMCommandQueue *queue_;
    BOOL retains_;
    MTLCommandBufferErrorOption options_;

    /* While encoding: of one thread. */
    struct smo_command *commands_;
    size_t command_count_, command_room_;
    struct smo_chunk *chunks_;
    struct smo_memory **memories_;
    size_t memory_count_, memory_room_;
    NSMutableArray *objects_, *encoders_, *sets_;
    struct smo_handlers scheduled_, completed_;
    id encoder_; /* the open one, not retained */
    unsigned groups_, debug_depth_;

    /* Under smo_lock. */
    NSString *fault_; /* the first rule that was broken */
    MTLCommandBufferStatus status_;
    bool demanded_, scheduled_done_, finished_;
    uint64_t sequence_, committed_at_;
    NSError *error_;
    double kernel_start_, kernel_end_, gpu_start_, gpu_end_;

    /* Of watch.m. */
    struct smo_claim *claims_;
    uint64_t watch_number_; /* 0: not in checking mode, or not committed */
    uint64_t watch_stamp_;
    struct sm_touched *touched_;
    unsigned *touched_notes_;
    size_t touched_count_;
}
- (instancetype)initWithQueue:(SMCommandQueue *)queue
                      retains:(BOOL)retains
                      options:(MTLCommandBufferErrorOption)options;
/* Notes a broken rule; the command buffer will end in an error and run nothing. */
- (void)refuse:(NSString *)message;
- (bool)isOpenFor:(const char *)method;
/* A cleared command at the end; NULL after noting that memory ran out. */
- (struct smo_command *)append:(enum smo_kind)kind;
/* Memory until completion, 16-byte aligned; NULL as above. */
- (void *)scratch:(size_t)bytes;
/* Notes the use of a buffer until completion. */
- (void)use:(SMBuffer *)buffer;
- (void)use:(struct smo_memory *)memory of:(id)owner;
- (void)finishReferences;
- (void)keep:(id)object;
@end

/* Runs the commands on the calling thread; an error or nil. */
NSError *smo_execute(SMCommandBuffer *buffer);

/* ---- watch.m: the host's accesses, in checking mode ---------------------------------------------- */

void smo_watch_commit(SMCommandBuffer *buffer);
/* Around the run, on the queue's thread. After the end the host may touch all again. */
void smo_watch_begin(SMCommandBuffer *buffer);
void smo_watch_end(SMCommandBuffer *buffer);
/* After each command. */
void smo_watch_judge(SMCommandBuffer *buffer, const struct smo_command *command);
/* With smo_lock held: the stamp of an event that this thread signals, and that it has waited for. */
uint64_t smo_watch_signal(uint64_t stamp);
void smo_watch_wait(uint64_t stamp);
void smo_watch_forget(struct smo_memory *memory);

/* ---- encoder.m ------------------------------------------------------------------------------- */

@interface SMEncoder : NSObject {
  @public
    SMCommandBuffer *buffer_;
    SMEncoderInfo *info_;
    unsigned depth_;
    bool ended_;
    id<MTLCounterSampleBuffer> end_samples_[4]; /* retained by the command buffer */
    NSUInteger end_index_[4];
}
@property(copy, atomic) NSString *label;
@property(readonly) id<MTLDevice> device;
- (instancetype)initWithBuffer:(SMCommandBuffer *)buffer;
/* Reports calls after endEncoding. */
- (bool)isOpenFor:(const char *)method;
- (void)refuse:(NSString *)format, ... NS_FORMAT_FUNCTION(1, 2);
- (struct smo_command *)append:(enum smo_kind)kind;
- (void)sampleInto:(SMPassAttachmentArray *)attachments;
- (void)endEncoding;
- (void)insertDebugSignpost:(NSString *)string;
- (void)pushDebugGroup:(NSString *)string;
- (void)popDebugGroup;
- (void)updateFence:(id<MTLFence>)fence;
- (void)waitForFence:(id<MTLFence>)fence;
- (void)sampleCountersInBuffer:(id<MTLCounterSampleBuffer>)samples
                 atSampleIndex:(NSUInteger)index
                   withBarrier:(BOOL)barrier;
@end

@interface SMBlitEncoder : SMEncoder <MTLBlitCommandEncoder>
@end

struct smo_binding {
    char *bytes;               /* with the offset */
    size_t length;             /* from there on */
    struct smo_memory *memory; /* null for setBytes */
};

@interface SMComputeEncoder : SMEncoder <MTLComputeCommandEncoder> {
  @public
    MTLDispatchType type_;
    SMPipeline *pipeline_; /* retained by the command buffer */
    struct smo_binding bindings_[SM_MAX_BUFFERS];
    size_t threadgroup_[SM_MAX_BUFFERS];
    unsigned group_;
    bool follows_pointers_; /* resources are used that no index binds */
}
- (instancetype)initWithBuffer:(SMCommandBuffer *)buffer type:(MTLDispatchType)type;
@end

#endif
