#pragma once
#include <cstdint> // finds: standard-header
#define HOST 1
