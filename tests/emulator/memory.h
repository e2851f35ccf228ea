// Memory that tells when something beside it is touched.
#pragma once
#include <cstddef>
#include <map>
#include <vector>

namespace emulator {

// Ends at a page that must not be touched; the bytes left over on either side hold a pattern. With a sanitizer, memory is
// the sanitizer's, with its own red zones.
struct Guarded {
    char* start;
    size_t bytes;
    char* mapped;  // pattern, memory, pattern: whole pages between two guard pages
    size_t room;
};

// Memories for the time of a launch, of which there are few sizes and many launches.
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
