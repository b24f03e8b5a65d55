#ifndef SOFTMETAL_MTL_LIBRARY_H
#define SOFTMETAL_MTL_LIBRARY_H

#import <Metal/MTLFunctionConstantValues.h>

@protocol MTLDevice;
@protocol MTLFunction;

typedef NS_ENUM(NSUInteger, MTLFunctionType) {
    MTLFunctionTypeVertex = 1,
    MTLFunctionTypeFragment = 2,
    MTLFunctionTypeKernel = 3,
};

typedef NS_OPTIONS(NSUInteger, MTLFunctionOptions) {
    MTLFunctionOptionNone = 0,
    MTLFunctionOptionCompileToBinary = 1 << 0,
};

typedef NS_ENUM(NSUInteger, MTLLanguageVersion) {
    MTLLanguageVersion1_1 = (1 << 16) + 1,
    MTLLanguageVersion1_2 = (1 << 16) + 2,
    MTLLanguageVersion2_0 = (2 << 16),
    MTLLanguageVersion2_1 = (2 << 16) + 1,
    MTLLanguageVersion2_2 = (2 << 16) + 2,
    MTLLanguageVersion2_3 = (2 << 16) + 3,
    MTLLanguageVersion2_4 = (2 << 16) + 4,
    MTLLanguageVersion3_0 = (3 << 16),
    MTLLanguageVersion3_1 = (3 << 16) + 1,
    MTLLanguageVersion3_2 = (3 << 16) + 2,
};

typedef NS_ENUM(NSInteger, MTLLibraryType) {
    MTLLibraryTypeExecutable = 0,
    MTLLibraryTypeDynamic = 1,
};

typedef NS_ENUM(NSInteger, MTLLibraryOptimizationLevel) {
    MTLLibraryOptimizationLevelDefault = 0,
    MTLLibraryOptimizationLevelSize = 1,
};

typedef NS_ENUM(NSInteger, MTLMathMode) {
    MTLMathModeSafe = 0,
    MTLMathModeRelaxed = 1,
    MTLMathModeFast = 2,
};

typedef NS_ENUM(NSInteger, MTLMathFloatingPointFunctions) {
    MTLMathFloatingPointFunctionsFast = 0,
    MTLMathFloatingPointFunctionsPrecise = 1,
};

MTL_EXTERN NSErrorDomain const MTLLibraryErrorDomain;

typedef NS_ENUM(NSUInteger, MTLLibraryError) {
    MTLLibraryErrorUnsupported = 1,
    MTLLibraryErrorInternal = 2,
    MTLLibraryErrorCompileFailure = 3,
    MTLLibraryErrorCompileWarning = 4,
    MTLLibraryErrorFunctionNotFound = 5,
    MTLLibraryErrorFileNotFound = 6,
};

/* Only preprocessorMacros reaches the compiler; the rest is kept and told. */
@interface MTLCompileOptions : NSObject <NSCopying> {
  @private
    NSDictionary *preprocessorMacros_;
    BOOL fastMathEnabled_, preserveInvariance_;
    MTLMathMode mathMode_;
    MTLMathFloatingPointFunctions mathFloatingPointFunctions_;
    MTLLanguageVersion languageVersion_;
    MTLLibraryType libraryType_;
    MTLLibraryOptimizationLevel optimizationLevel_;
    NSString *installName_;
    NSUInteger maxTotalThreadsPerThreadgroup_;
}
@property(copy, nonatomic) NSDictionary *preprocessorMacros;
@property(nonatomic) BOOL fastMathEnabled;
@property(nonatomic) MTLMathMode mathMode;
@property(nonatomic) MTLMathFloatingPointFunctions mathFloatingPointFunctions;
@property(nonatomic) MTLLanguageVersion languageVersion;
@property(nonatomic) MTLLibraryType libraryType;
@property(nonatomic) MTLLibraryOptimizationLevel optimizationLevel;
@property(copy, nonatomic) NSString *installName;
@property(nonatomic) BOOL preserveInvariance;
@property(nonatomic) NSUInteger maxTotalThreadsPerThreadgroup;
@end

@interface MTLFunctionDescriptor : NSObject <NSCopying> {
  @private
    NSString *name_, *specializedName_;
    MTLFunctionConstantValues *constantValues_;
    MTLFunctionOptions options_;
}
+ (MTLFunctionDescriptor *)functionDescriptor;
@property(copy, nonatomic) NSString *name;
@property(copy, nonatomic) NSString *specializedName;
@property(copy, nonatomic) MTLFunctionConstantValues *constantValues;
@property(nonatomic) MTLFunctionOptions options;
@end

/* A constant that a library declares. */
@interface MTLFunctionConstant : NSObject {
  @private
    NSString *name_;
    MTLDataType type_;
    NSUInteger index_;
    BOOL required_;
}
@property(readonly, nonatomic) NSString *name;
@property(readonly, nonatomic) MTLDataType type;
@property(readonly, nonatomic) NSUInteger index;
@property(readonly, nonatomic) BOOL required;
@end

@protocol MTLFunction <NSObject>
@property(copy, atomic) NSString *label;
@property(readonly) id<MTLDevice> device;
@property(readonly) MTLFunctionType functionType;
@property(readonly) NSString *name;
@property(readonly) NSDictionary *functionConstantsDictionary;
@property(readonly) MTLFunctionOptions options;
@end

typedef void (^MTLFunctionCompletionHandler)(id<MTLFunction> function, NSError *error);

@protocol MTLLibrary <NSObject>
@property(copy, atomic) NSString *label;
@property(readonly) id<MTLDevice> device;
@property(readonly) NSArray *functionNames;
@property(readonly) MTLLibraryType type;
@property(readonly) NSString *installName;
- (id<MTLFunction>)newFunctionWithName:(NSString *)name NS_RETURNS_RETAINED;
- (id<MTLFunction>)newFunctionWithName:(NSString *)name
                        constantValues:(MTLFunctionConstantValues *)values
                                 error:(NSError **)error NS_RETURNS_RETAINED;
- (void)newFunctionWithName:(NSString *)name
             constantValues:(MTLFunctionConstantValues *)values
          completionHandler:(MTLFunctionCompletionHandler)handler;
- (id<MTLFunction>)newFunctionWithDescriptor:(MTLFunctionDescriptor *)descriptor
                                       error:(NSError **)error NS_RETURNS_RETAINED;
@end

#endif
