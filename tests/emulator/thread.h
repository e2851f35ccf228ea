// The part of a running thread that kernels can see, and the functions of the scheduler that they can call.
#pragma once

namespace emulator {

struct Place {
    unsigned x, y, z;
};

// The part of a running thread that kernels can see. Only the scheduler knows the rest of a fiber.
struct Thread {
    Place index;
    unsigned lane, warp;
};

extern Thread* current;
extern Place block_index, block_size, grid_size;
extern char* dynamic_shared;

enum Meeting { SHUFFLE = 1, BALLOT, WARP_BARRIER };

void barrier(int line);
// Waits for the lanes of `mask`. A shuffle returns the value of lane `from`, a ballot the lanes whose value is not 0.
unsigned long long meet(Meeting kind, unsigned mask, unsigned long long value, int from, int line);
// Ends the process because an assertion of the kernel failed.
[[noreturn]] void trap(int line);

// The parameters of a kernel, to detect a launch plan that passes other arguments.
struct Parameter {
    bool pointer;
    unsigned bytes;
};

using Entry = void (*)(void* const* arguments);

struct Kernel {
    const char* name;
    Entry entry;
    const Parameter* parameters;
    unsigned count;
    Kernel* next;
    Kernel(const char* name, Entry entry, const Parameter* parameters, unsigned count);
};

}  // namespace emulator
