#ifndef SOFTMETAL_MTL_FUNCTION_CONSTANT_VALUES_H
#define SOFTMETAL_MTL_FUNCTION_CONSTANT_VALUES_H

#import <Metal/MTLArgument.h>

@interface MTLFunctionConstantValues : NSObject <NSCopying> {
  @private
    NSMutableDictionary *byIndex_, *byName_;
}
- (void)setConstantValue:(const void *)value type:(MTLDataType)type atIndex:(NSUInteger)index;
- (void)setConstantValues:(const void *)values type:(MTLDataType)type withRange:(NSRange)range;
- (void)setConstantValue:(const void *)value type:(MTLDataType)type withName:(NSString *)name;
- (void)reset;
@end

#endif
