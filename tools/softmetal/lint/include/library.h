// MSL's library for the address-space check.
#pragma clang system_header
#include "types.h"
#include "functions.h"
#include "simdgroup.h"
