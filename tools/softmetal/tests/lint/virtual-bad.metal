#include <metal_stdlib>
using namespace metal;

struct shape {
    virtual float area() const; // finds: virtual
};
struct square : virtual shape { // finds: virtual
    float area() const override;
};
