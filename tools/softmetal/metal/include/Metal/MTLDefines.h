#ifndef SOFTMETAL_MTL_DEFINES_H
#define SOFTMETAL_MTL_DEFINES_H

#import <Foundation/Foundation.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MTL_EXTERN FOUNDATION_EXPORT
#define MTL_EXPORT

/* Availability is a matter of SOFTMETAL_OS at run time: objects do not answer to what the faked
 * system lacks. */
#ifndef API_AVAILABLE
#define API_AVAILABLE(...)
#define API_UNAVAILABLE(...)
#define API_DEPRECATED(...)
#define API_DEPRECATED_WITH_REPLACEMENT(...)
#endif

#ifndef NS_RETURNS_INNER_POINTER
#define NS_RETURNS_INNER_POINTER __attribute__((objc_returns_inner_pointer))
#endif
#ifndef NS_SWIFT_NAME
#define NS_SWIFT_NAME(...)
#endif

#ifdef GNUSTEP
typedef double CFTimeInterval;

typedef struct {
    NSInteger majorVersion;
    NSInteger minorVersion;
    NSInteger patchVersion;
} NSOperatingSystemVersion;

/* GNUstep's lacks these. They tell the version in SOFTMETAL_OS. */
@interface NSProcessInfo (SoftMetal)
- (NSOperatingSystemVersion)operatingSystemVersion;
- (BOOL)isOperatingSystemAtLeastVersion:(NSOperatingSystemVersion)version;
@end
#endif

#endif
