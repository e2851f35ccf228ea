// The interface of the scheduler for the runner.
#pragma once
#include <cstddef>
#include <functional>

#include "thread.h"

namespace emulator {

// The arguments of a launch: pointers to memory, and values as bytes.
struct Argument {
    bool pointer;
    unsigned long long value;
};

// Runs every thread of every block once, then `after`. Faults in `after` count as faults of the kernel. The seed determines the
// order of blocks and threads, and the pattern in memory that was never written.
void launch(const char* name, Place grid, Place block, size_t dynamic, Argument* arguments, unsigned count,
            unsigned long seed, const std::function<void()>& after);

// The byte in memory that was never written. It gives NaN, or a large number, since functions such as a maximum may hide NaN.
unsigned char unset_byte(unsigned long seed);

// Reports a fault of the running kernel, and ends the process with code 3.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace emulator
