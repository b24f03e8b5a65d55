/* The compute half of Metal's Objective-C interface for hosts on Linux: Apple's names and
 * semantics, this project's code. What is missing here is missing in tools/softmetal: rendering,
 * textures, indirect command buffers, argument encoders, binary archives, MetalKit.
 * The README beside it says what the device behind it does differently from a GPU. */
#ifndef SOFTMETAL_METAL_H
#define SOFTMETAL_METAL_H

#import <Metal/MTLDefines.h>
#import <Metal/MTLTypes.h>
#import <Metal/MTLAllocation.h>
#import <Metal/MTLResource.h>
#import <Metal/MTLBuffer.h>
#import <Metal/MTLHeap.h>
#import <Metal/MTLArgument.h>
#import <Metal/MTLFunctionConstantValues.h>
#import <Metal/MTLLibrary.h>
#import <Metal/MTLComputePipeline.h>
#import <Metal/MTLEvent.h>
#import <Metal/MTLFence.h>
#import <Metal/MTLCounters.h>
#import <Metal/MTLResidencySet.h>
#import <Metal/MTLComputePass.h>
#import <Metal/MTLBlitPass.h>
#import <Metal/MTLCommandEncoder.h>
#import <Metal/MTLComputeCommandEncoder.h>
#import <Metal/MTLBlitCommandEncoder.h>
#import <Metal/MTLCommandBuffer.h>
#import <Metal/MTLCommandQueue.h>
#import <Metal/MTLDevice.h>

#endif
