// What the scheduler offers the runner.
#pragma once
#include <cstddef>
#include <functional>

#include "thread.h"

namespace emulator {

// What a launch names: pointers already resolved, values by their bytes.
struct Argument {
    bool pointer;
    unsigned long long value;
};

// Runs every thread of every block once, then `after`, whose faults are the kernel's too. The seed chooses the order of blocks
// and threads and the pattern in unset memory.
void launch(const char* name, Place grid, Place block, size_t dynamic, Argument* arguments, unsigned count,
            unsigned long seed, const std::function<void()>& after);

// What memory holds that nothing has been written to: NaN, or a large number that no NaN-blind function hides.
unsigned char unset_byte(unsigned long seed);

// Tells what is wrong with the kernel that runs, and ends the process with code 3.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace emulator
