// Runs the blocks of a launch one after the other. The threads of a block are fibers, which run until they must wait for others.
//
// A thread runs until it waits at a barrier or in an operation of its warp. When every thread waits, the barrier opens. If some
// threads can never reach it, the kernel is wrong, and the message names the lines. A seed determines the order of threads and
// blocks: results that differ between seeds come from a missing barrier. A build with the address or the thread sanitizer tells it
// about fibers. For the thread sanitizer, only barriers order accesses, so that it finds races in any order.
#include "schedule.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
extern "C" {
void* __tsan_create_fiber(unsigned);
void __tsan_switch_to_fiber(void*, unsigned);
void* __tsan_get_current_fiber();
void __tsan_acquire(void*);
void __tsan_release(void*);
}
#define UNSEEN __attribute__((no_sanitize("thread")))
#else
#define UNSEEN
static void __tsan_acquire(void*) {}
static void __tsan_release(void*) {}
#endif

// Begin and end of the shared variables of all kernels, set by the linker. Absent where no kernel has any.
extern "C" char __start_emulated_shared[] __attribute__((weak));
extern "C" char __stop_emulated_shared[] __attribute__((weak));

namespace emulator {

Thread* current;
Place block_index, block_size, grid_size;
char* dynamic_shared;

namespace {

enum State { READY, AT_BARRIER, IN_WARP, DONE };

struct Fiber : Thread {
    void* stack_pointer;
    char* stack;
    State state;
    int line;
    Meeting kind;
    unsigned mask;
    unsigned long long value, result;
    int from;
    // The sanitizer's handles for threads. Creating one is slow, so blocks use two sets alternately: two blocks in a row have
    // different threads, and races between them are found.
    void* thread_sanitizer[2];
    void* address_sanitizer;
};

constexpr size_t STACK = 128 * 1024;
constexpr size_t PAGE = 4096;

std::vector<Fiber> fibers;
void* scheduler_stack_pointer;
const char* running = nullptr;
Entry entry;
void* const* entry_arguments;
// Addresses that stand for points in time, in calls of `__tsan_acquire` and `__tsan_release`.
char launch_mark, block_mark, barrier_mark, warp_marks[32];

#if defined(__SANITIZE_THREAD__)
void* scheduler_fiber;
unsigned turn;  // the set in use, 0 or 1
#endif
#if defined(__SANITIZE_ADDRESS__)
void* scheduler_fake;
const void* scheduler_bottom;
size_t scheduler_size;
#endif

Fiber& self() { return *static_cast<Fiber*>(current); }

}  // namespace

void fail(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (running != nullptr)
        fprintf(stderr, "kernel %s, block (%u, %u, %u): ", running, block_index.x, block_index.y, block_index.z);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    _exit(3);
}

void trap(int line) { fail("an assertion at line %d does not hold", line); }

unsigned char unset_byte(unsigned long seed) { return seed % 2 == 0 ? 0xff : 0x5c; }

// ---- switching between fibers ----

#if defined(__x86_64__)
// Saves the registers that a called function must preserve, changes the stack, and restores the registers from there.
extern "C" void emulator_switch(void** save, void* load);
asm(R"(
.text
.globl emulator_switch
.type emulator_switch, @function
emulator_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
.size emulator_switch, .-emulator_switch
)");

namespace {

// A stack from which `emulator_switch` returns into `begin`.
UNSEEN void* fresh_stack(char* stack, void (*begin)()) {
    void** top = reinterpret_cast<void**>(stack + STACK - 64);
    *--top = nullptr;  // the return address of `begin`, which never returns
    *--top = reinterpret_cast<void*>(begin);
    for (int kept = 0; kept < 6; ++kept) *--top = nullptr;
    return top;
}

UNSEEN void switch_stack(void** save, void* load) { emulator_switch(save, load); }

}  // namespace
#else
#include <ucontext.h>

namespace {

// On any other CPU: contexts of the C library, one at the lower end of each stack.
UNSEEN void* fresh_stack(char* stack, void (*begin)()) {
    ucontext_t* context = reinterpret_cast<ucontext_t*>(stack);
    getcontext(context);
    context->uc_stack.ss_sp = stack + PAGE;
    context->uc_stack.ss_size = STACK - PAGE;
    makecontext(context, begin, 0);
    return context;
}

UNSEEN void switch_stack(void** save, void* load) {
    static ucontext_t scheduler;
    ucontext_t* own = save == &scheduler_stack_pointer ? &scheduler : static_cast<ucontext_t*>(*save);
    *save = own;
    swapcontext(own, static_cast<ucontext_t*>(load));
}

}  // namespace
#endif

namespace {

UNSEEN void to_scheduler(bool forever = false) {
    (void)forever;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(forever ? nullptr : &self().address_sanitizer, scheduler_bottom, scheduler_size);
#endif
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(scheduler_fiber, 1);
#endif
    switch_stack(&self().stack_pointer, scheduler_stack_pointer);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(self().address_sanitizer, &scheduler_bottom, &scheduler_size);
#endif
}

UNSEEN void to_fiber(Fiber& fiber) {
    current = &fiber;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&scheduler_fake, fiber.stack, STACK);
#endif
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(fiber.thread_sanitizer[turn], 1);
#endif
    switch_stack(&scheduler_stack_pointer, fiber.stack_pointer);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(scheduler_fake, nullptr, nullptr);
#endif
}

UNSEEN void begin() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_bottom, &scheduler_size);
#endif
    __tsan_acquire(&launch_mark);
    entry(entry_arguments);
    __tsan_release(&block_mark);
    self().state = DONE;
    to_scheduler(true);
    __builtin_unreachable();
}

}  // namespace

// ---- where threads meet ----

UNSEEN void barrier(int line) {
    __tsan_release(&barrier_mark);
    self().state = AT_BARRIER;
    self().line = line;
    to_scheduler();
    __tsan_acquire(&barrier_mark);
}

namespace {

// Do all lanes of the mask wait in the same operation? Fails where they never can.
UNSEEN bool complete(const Fiber& fiber) {
    const unsigned first = fiber.warp * 32;
    bool all = true;
    for (unsigned lane = 0; lane < 32; ++lane) {
        if (!(fiber.mask >> lane & 1)) continue;
        if (first + lane >= block_size.x * block_size.y * block_size.z)
            fail("line %d: mask 0x%08x names lane %u, which the block has not", fiber.line, fiber.mask, lane);
        const Fiber& other = fibers[first + lane];
        if (other.state == DONE)
            fail("line %d: mask 0x%08x names lane %u, which has ended", fiber.line, fiber.mask, lane);
        if (other.state != IN_WARP)
            all = false;
        else if (other.mask != fiber.mask || other.kind != fiber.kind || other.line != fiber.line)
            fail("warp %u: lanes meet in different operations, lines %d and %d", fiber.warp, other.line, fiber.line);
    }
    return all;
}

UNSEEN void exchange(const Fiber& fiber) {
    Fiber* warp = &fibers[fiber.warp * 32];
    unsigned long long ballot = 0;
    for (unsigned lane = 0; lane < 32; ++lane)
        if ((fiber.mask >> lane & 1) && warp[lane].value != 0) ballot |= 1ull << lane;
    for (unsigned lane = 0; lane < 32; ++lane) {
        if (!(fiber.mask >> lane & 1)) continue;
        Fiber& other = warp[lane];
        if (fiber.kind == SHUFFLE && !(fiber.mask >> other.from & 1))
            fail("line %d: lane %u wants the value of lane %d, which mask 0x%08x lacks", fiber.line, lane, other.from,
                 fiber.mask);
        other.result = fiber.kind == SHUFFLE ? warp[other.from].value : ballot;
        other.state = READY;
    }
}

}  // namespace

UNSEEN unsigned long long meet(Meeting kind, unsigned mask, unsigned long long value, int from, int line) {
    Fiber& fiber = self();
    if (!(mask >> fiber.lane & 1)) fail("line %d: lane %u is not in its own mask 0x%08x", line, fiber.lane, mask);
    fiber.kind = kind;
    fiber.mask = mask;
    fiber.value = value;
    fiber.from = from;
    fiber.line = line;
    fiber.state = IN_WARP;
    if (kind == WARP_BARRIER) __tsan_release(&warp_marks[fiber.warp]);
    if (complete(fiber))
        exchange(fiber);
    else
        to_scheduler();
    if (kind == WARP_BARRIER) __tsan_acquire(&warp_marks[fiber.warp]);
    return fiber.result;
}

// ---- a launch ----

namespace {

Kernel*& kernels() {
    static Kernel* first = nullptr;
    return first;
}

const Kernel& find(const char* name) {
    for (const Kernel* kernel = kernels(); kernel != nullptr; kernel = kernel->next)
        if (strcmp(kernel->name, name) == 0) return *kernel;
    fail("no kernel has this name");
}

void check_arguments(const Kernel& kernel, const Argument* arguments, unsigned count) {
    if (count != kernel.count) fail("it has %u parameters, the launch passes %u", kernel.count, count);
    for (unsigned i = 0; i < count; ++i) {
        const bool null = !arguments[i].pointer && arguments[i].value == 0;
        if (arguments[i].pointer != kernel.parameters[i].pointer && !(null && kernel.parameters[i].pointer))
            fail("parameter %u is %s pointer", i, kernel.parameters[i].pointer ? "a" : "no");
    }
}

UNSEEN void prepare(Fiber& fiber, unsigned index) {
    if (fiber.stack == nullptr) {
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        char* memory = static_cast<char*>(mmap(nullptr, STACK + PAGE, PROT_READ | PROT_WRITE, flags, -1, 0));
        if (memory == MAP_FAILED) fail("no memory for the stack of thread %u", index);
        mprotect(memory, PAGE, PROT_NONE);  // a stack overflow ends the process
        fiber.stack = memory + PAGE;
    }
    fiber.index = {index % block_size.x, index / block_size.x % block_size.y, index / block_size.x / block_size.y};
    fiber.lane = index % 32;
    fiber.warp = index / 32;
    fiber.state = READY;
    fiber.address_sanitizer = nullptr;
    fiber.stack_pointer = fresh_stack(fiber.stack, begin);
#if defined(__SANITIZE_THREAD__)
    if (fiber.thread_sanitizer[turn] == nullptr) fiber.thread_sanitizer[turn] = __tsan_create_fiber(0);
#endif
}

// Called when every thread waits or is done. Returns true if all are done. Otherwise opens the barrier, or fails with the reason.
UNSEEN bool all_done_or_open_barrier(unsigned count) {
    unsigned done = 0, waiting = 0;
    int line = -1;
    const Fiber* stuck = nullptr;
    for (unsigned i = 0; i < count; ++i) {
        const Fiber& fiber = fibers[i];
        if (fiber.state == DONE) {
            ++done;
        } else if (fiber.state == IN_WARP) {
            stuck = stuck != nullptr ? stuck : &fiber;
        } else {
            ++waiting;
            if (line >= 0 && line != fiber.line) fail("divergent barrier: threads wait at lines %d and %d", line, fiber.line);
            line = fiber.line;
        }
    }
    if (stuck != nullptr)
        fail("warp %u is stuck at line %d with mask 0x%08x; %u threads at a barrier, %u ended", stuck->warp, stuck->line,
             stuck->mask, waiting, done);
    if (done == count) return true;
    if (waiting != count) fail("divergent barrier: %u of %u threads wait at line %d, %u have ended", waiting, count, line, done);
    for (unsigned i = 0; i < count; ++i) fibers[i].state = READY;
    return false;
}

// The order by seed: 0 as numbered, 1 backwards, otherwise shuffled.
template <class T> void arrange(std::vector<T>& order, unsigned long seed, std::mt19937_64& random) {
    if (seed == 1) std::reverse(order.begin(), order.end());
    if (seed > 1) std::shuffle(order.begin(), order.end(), random);
}

// Has the block stored something there? The loop is hidden from the sanitizer, which would see the reads of `memcmp`.
UNSEEN bool used(const char* memory, size_t bytes, unsigned long seed) {
    for (size_t i = 0; i < bytes; ++i)
        if (static_cast<unsigned char>(memory[i]) != unset_byte(seed)) return true;
    return false;
}

UNSEEN void run_block(unsigned count, unsigned long seed, std::mt19937_64& random) {
    for (unsigned i = 0; i < count; ++i) prepare(fibers[i], i);
    std::vector<unsigned> order(count);
    for (unsigned i = 0; i < count; ++i) order[i] = i;
    arrange(order, seed, random);
    do {
        bool ran = true;
        while (ran) {
            ran = false;
            for (unsigned i : order)
                if (fibers[i].state == READY) {
                    to_fiber(fibers[i]);
                    ran = true;
                }
            if (seed > 1 && ran) std::shuffle(order.begin(), order.end(), random);
        }
    } while (!all_done_or_open_barrier(count));
#if defined(__SANITIZE_THREAD__)
    turn = 1 - turn;
#endif
}

}  // namespace

Kernel::Kernel(const char* name, Entry entry, const Parameter* parameters, unsigned count)
    : name(name), entry(entry), parameters(parameters), count(count), next(kernels()) {
    kernels() = this;
}

UNSEEN void launch(const char* name, Place grid, Place block, size_t dynamic, Argument* arguments, unsigned count,
                   unsigned long seed, const std::function<void()>& after) {
    running = name;
    const Kernel& kernel = find(name);
    check_arguments(kernel, arguments, count);
    const size_t threads = (size_t)block.x * block.y * block.z, blocks = (size_t)grid.x * grid.y * grid.z;
    if (threads == 0 || threads > 1024) fail("a block of %zu threads", threads);
    if (blocks == 0 || grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535) fail("a grid of %zu blocks", blocks);
    const size_t shared = __start_emulated_shared ? __stop_emulated_shared - __start_emulated_shared : 0;
    std::vector<void*> addresses(count);
    for (unsigned i = 0; i < count; ++i) addresses[i] = &arguments[i].value;
    std::vector<char> room(dynamic + 128);
    entry = kernel.entry;
    entry_arguments = addresses.data();
    grid_size = grid;
    block_size = block;
    dynamic_shared = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(room.data()) + 127) & ~uintptr_t{127});
    if (fibers.size() < threads) fibers.resize(threads);
    std::mt19937_64 random(seed);
    std::vector<size_t> order(blocks);
    for (size_t i = 0; i < blocks; ++i) order[i] = i;
    arrange(order, seed, random);
#if defined(__SANITIZE_THREAD__)
    scheduler_fiber = __tsan_get_current_fiber();
#endif
    for (size_t index : order) {
        block_index = {unsigned(index % grid.x), unsigned(index / grid.x % grid.y), unsigned(index / grid.x / grid.y)};
        if (shared > 0) memset(__start_emulated_shared, unset_byte(seed), shared);
        memset(dynamic_shared, unset_byte(seed), dynamic);
        __tsan_release(&launch_mark);
        run_block(threads, seed, random);
        // Blocks have no order for the sanitizer. The exception is a block that used shared memory: the next block uses the same bytes,
        // which is no race.
        if (used(__start_emulated_shared, shared, seed) || used(dynamic_shared, dynamic, seed))
            __tsan_acquire(&block_mark);
    }
    __tsan_acquire(&block_mark);
    after();
    running = nullptr;
}

}  // namespace emulator
