/* Function constants: their types, the values a host sets, what a library declares. */
#import "objects.h"
#include <string.h>

struct data_type {
    MTLDataType first; /* of one component; the next three are its vectors */
    enum sm_scalar scalar;
    size_t bytes;
};

static const struct data_type data_types[] = {
    {MTLDataTypeBool, SM_BOOL, 1},     {MTLDataTypeChar, SM_CHAR, 1},
    {MTLDataTypeUChar, SM_UCHAR, 1},   {MTLDataTypeShort, SM_SHORT, 2},
    {MTLDataTypeUShort, SM_USHORT, 2}, {MTLDataTypeInt, SM_INT, 4},
    {MTLDataTypeUInt, SM_UINT, 4},     {MTLDataTypeLong, SM_LONG, 8},
    {MTLDataTypeULong, SM_ULONG, 8},   {MTLDataTypeHalf, SM_HALF, 2},
    {MTLDataTypeFloat, SM_FLOAT, 4},   {MTLDataTypeBFloat, SM_BFLOAT, 2},
};

enum { DATA_TYPES = sizeof data_types / sizeof *data_types };

MTLDataType smo_data_type_of(enum sm_scalar scalar, unsigned components)
{
    for (size_t i = 0; i < DATA_TYPES; i++) {
        if (data_types[i].scalar == scalar && components >= 1 && components <= 4) {
            return (MTLDataType)(data_types[i].first + components - 1);
        }
    }
    return MTLDataTypeNone;
}

size_t smo_component_bytes(MTLDataType type, unsigned *components)
{
    for (size_t i = 0; i < DATA_TYPES; i++) {
        if (type >= data_types[i].first && type <= data_types[i].first + 3) {
            *components = (unsigned)(type - data_types[i].first) + 1;
            return data_types[i].bytes;
        }
    }
    *components = 0;
    return 0;
}

@implementation MTLFunctionConstantValues

- (instancetype)init
{
    if ((self = [super init])) {
        byIndex_ = [NSMutableDictionary new];
        byName_ = [NSMutableDictionary new];
    }
    return self;
}

- (void)dealloc
{
    [byIndex_ release];
    [byName_ release];
    [super dealloc];
}

- (id)copyWithZone:(NSZone *)zone
{
    MTLFunctionConstantValues *copy = [[MTLFunctionConstantValues allocWithZone:zone] init];
    [copy->byIndex_ setDictionary:byIndex_];
    [copy->byName_ setDictionary:byName_];
    return copy;
}

/* A vector of three takes the place of four, of which the host need not own the last. */
- (void)set:(const char *)value type:(MTLDataType)type in:(NSMutableDictionary *)table key:(id)key
{
    unsigned components = 0;
    size_t bytes = smo_component_bytes(type, &components);
    if (bytes == 0 || !value || !key) {
        smo_misuse(@"function constant %@: no value, or type %lu, which a constant cannot have",
                   key, (unsigned long)type);
        return;
    }
    NSMutableData *data = [NSMutableData dataWithLength:bytes * (components == 3 ? 4 : components)];
    memcpy([data mutableBytes], value, bytes * components);
    [table setObject:@[ @(type), data ] forKey:key];
}

- (void)setConstantValue:(const void *)value type:(MTLDataType)type atIndex:(NSUInteger)index
{
    [self set:value type:type in:byIndex_ key:@(index)];
}

- (void)setConstantValues:(const void *)values type:(MTLDataType)type withRange:(NSRange)range
{
    unsigned components = 0;
    size_t bytes = smo_component_bytes(type, &components) * (components == 3 ? 4 : components);
    for (NSUInteger i = 0; i < range.length; i++) {
        [self setConstantValue:values ? (const char *)values + i * bytes : NULL
                          type:type
                       atIndex:range.location + i];
    }
}

- (void)setConstantValue:(const void *)value type:(MTLDataType)type withName:(NSString *)name
{
    [self set:value type:type in:byName_ key:name];
}

- (void)reset
{
    [byIndex_ removeAllObjects];
    [byName_ removeAllObjects];
}

- (NSData *)softmetalValueNamed:(NSString *)name orIndex:(NSUInteger)index type:(MTLDataType *)type
{
    NSArray *found = [byName_ objectForKey:name];
    if (!found) {
        found = [byIndex_ objectForKey:@(index)];
    }
    *type = (MTLDataType)[[found objectAtIndex:0] unsignedIntegerValue];
    return [found objectAtIndex:1];
}

@end

@implementation MTLFunctionConstant

@synthesize name = name_, type = type_, index = index_, required = required_;

/* Whether a kernel can do without is known only when it is specialised. */
- (instancetype)initWithInfo:(const struct sm_constant_info *)info
{
    if ((self = [super init])) {
        name_ = [[NSString alloc] initWithUTF8String:info->name];
        type_ = smo_data_type_of(info->type, info->components);
        index_ = info->index;
        required_ = YES;
    }
    return self;
}

- (void)dealloc
{
    [name_ release];
    [super dealloc];
}

@end
