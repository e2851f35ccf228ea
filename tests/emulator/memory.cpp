#include "memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "schedule.h"

namespace emulator {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

Guarded Pool::take(size_t bytes) {
    void* place = nullptr;
    if (posix_memalign(&place, 256, bytes) != 0) fail("there is no room for %zu bytes", bytes);
    return {static_cast<char*>(place), bytes, nullptr, 0};
}

void Pool::give_back(Guarded memory) { ::free(memory.start); }

void check(const Guarded&, unsigned) {}

#else

namespace {

constexpr size_t PAGE = 4096, GRAIN = 16;
constexpr unsigned char RED = 0xa5;

char* map(size_t room) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    char* all = static_cast<char*>(mmap(nullptr, room + 2 * PAGE, PROT_NONE, flags, -1, 0));
    if (all == MAP_FAILED || mprotect(all + PAGE, room, PROT_READ | PROT_WRITE) != 0)
        fail("there is no room for %zu bytes", room);
    return all + PAGE;
}

}  // namespace

Guarded Pool::take(size_t bytes) {
    const size_t room = (bytes + PAGE - 1) / PAGE * PAGE, used = (bytes + GRAIN - 1) / GRAIN * GRAIN;
    std::vector<char*>& known = free[room];
    if (known.empty()) known.push_back(map(room));
    char* mapped = known.back();
    known.pop_back();
    memset(mapped, RED, room - used);
    memset(mapped + room - used + bytes, RED, used - bytes);
    return {mapped + room - used, bytes, mapped, room};
}

void Pool::give_back(Guarded memory) { free[memory.room].push_back(memory.mapped); }

void check(const Guarded& memory, unsigned argument) {
    for (const char* at = memory.mapped; at < memory.mapped + memory.room; ++at) {
        if (at == memory.start && memory.bytes > 0) at += memory.bytes - 1;
        else if (static_cast<unsigned char>(*at) != RED && at < memory.start)
            fail("it stored %td bytes before argument %u", memory.start - at, argument);
        else if (static_cast<unsigned char>(*at) != RED)
            fail("it stored %td bytes past the end of argument %u", at - memory.start - (ptrdiff_t)memory.bytes, argument);
    }
}

#endif

}  // namespace emulator
