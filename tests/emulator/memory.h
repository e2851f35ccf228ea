// Memory that detects accesses outside its bounds.
#pragma once
#include <cstddef>
#include <map>
#include <vector>

namespace emulator {

// The memory ends at a page whose access ends the process. The bytes left over on both sides hold a pattern. With a sanitizer,
// memory comes from the sanitizer, which has red zones of its own.
struct Guarded {
    char* start;
    size_t bytes;
    char* mapped;  // pattern, memory, pattern: whole pages between two guard pages
    size_t room;
};

// Memories for single launches. They are used again, since there are many launches but few sizes.
class Pool {
  public:
    Guarded take(size_t bytes);
    void give_back(Guarded memory);

  private:
    std::map<size_t, std::vector<char*>> free;  // by room
};

// Ends the run if the pattern beside a memory has changed.
void check(const Guarded& memory, unsigned argument);

}  // namespace emulator
