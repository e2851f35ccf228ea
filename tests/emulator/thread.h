// What a running thread of an emulated block sees of itself and may ask of the scheduler; shared by kernels and scheduler.
#pragma once

namespace emulator {

struct Place {
    unsigned x, y, z;
};

// What a running thread sees of itself; the rest of a fiber is the scheduler's.
struct Thread {
    Place index;
    unsigned lane, warp;
};

extern Thread* current;
extern Place block_index, block_size, grid_size;
extern char* dynamic_shared;

enum Meeting { SHUFFLE = 1, BALLOT, WARP_BARRIER };

void barrier(int line);
// Meets the lanes of `mask`: a shuffle gives the value of lane `from`, a ballot the lanes whose value is not 0.
unsigned long long meet(Meeting kind, unsigned mask, unsigned long long value, int from, int line);
// Ends the run: an assertion of the kernel failed.
[[noreturn]] void trap(int line);

// Parameters of a kernel, so that a launch plan that passes something else is found out.
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
