// Compiles CUDA C++ with NVRTC, without a GPU: nvrtc LIBRARIES FOLDER FILE... -- OPTION...
//
// LIBRARIES holds libnvrtc.so.13 and its builtins. For each FILE.cu, the machine code goes to FOLDER/FILE.cubin. The messages of the
// compiler, with the assembler's report on registers and memory, go to FOLDER/FILE.log. Ends with 1 if a text is wrong.
#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using Program = struct Opaque*;

// The functions of nvrtc.h that are needed here; 0 is success.
struct Nvrtc {
    int (*create)(Program*, const char* text, const char* name, int, const char* const*, const char* const*);
    int (*compile)(Program, int count, const char* const* options);
    int (*log_size)(Program, size_t*);
    int (*log)(Program, char*);
    int (*cubin_size)(Program, size_t*);
    int (*cubin)(Program, char*);
    int (*destroy)(Program*);
};

[[noreturn]] void give_up(const std::string& why) {
    fprintf(stderr, "%s\n", why.c_str());
    exit(2);
}

void* open(const std::string& path) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (library == nullptr) give_up(dlerror());
    return library;
}

template <class F> void find(void* library, const char* name, F& function) {
    function = reinterpret_cast<F>(dlsym(library, name));
    if (function == nullptr) give_up(std::string("NVRTC has no ") + name);
}

Nvrtc load(const std::string& folder) {
    open(folder + "/libnvrtc-builtins.so.13.0");  // otherwise NVRTC searches for it in other folders
    void* library = open(folder + "/libnvrtc.so.13");
    Nvrtc nvrtc;
    find(library, "nvrtcCreateProgram", nvrtc.create);
    find(library, "nvrtcCompileProgram", nvrtc.compile);
    find(library, "nvrtcGetProgramLogSize", nvrtc.log_size);
    find(library, "nvrtcGetProgramLog", nvrtc.log);
    find(library, "nvrtcGetCUBINSize", nvrtc.cubin_size);
    find(library, "nvrtcGetCUBIN", nvrtc.cubin);
    find(library, "nvrtcDestroyProgram", nvrtc.destroy);
    return nvrtc;
}

std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) give_up("cannot read " + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(bytes.data(), bytes.size());
    if (!file) give_up("cannot write " + path);
}

std::string stem(const std::string& path) {
    const size_t slash = path.rfind('/') + 1, dot = path.rfind('.');
    return path.substr(slash, dot - slash);
}

bool compile(const Nvrtc& nvrtc, const std::string& file, const std::string& to, const std::vector<const char*>& options) {
    Program program = nullptr;
    if (nvrtc.create(&program, read(file).c_str(), (stem(file) + ".cu").c_str(), 0, nullptr, nullptr) != 0)
        give_up("NVRTC makes no program of " + file);
    const bool good = nvrtc.compile(program, options.size(), options.data()) == 0;
    size_t size = 0;
    nvrtc.log_size(program, &size);
    std::string log(size, 0);
    nvrtc.log(program, log.data());
    while (!log.empty() && log.back() == 0) log.pop_back();
    write(to + "/" + stem(file) + ".log", log);
    if (good) {
        nvrtc.cubin_size(program, &size);
        std::string cubin(size, 0);
        nvrtc.cubin(program, cubin.data());
        write(to + "/" + stem(file) + ".cubin", cubin);
    } else {
        fprintf(stderr, "%s\n", log.c_str());
    }
    nvrtc.destroy(&program);
    return good;
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 3) give_up("usage: nvrtc LIBRARIES FOLDER FILE... -- OPTION...");
    const Nvrtc nvrtc = load(arguments[1]);
    int next = 3;
    std::vector<std::string> files;
    for (; next < count && arguments[next] != std::string("--"); ++next) files.push_back(arguments[next]);
    const std::vector<const char*> options(arguments + std::min(next + 1, count), arguments + count);
    bool good = true;
    for (const std::string& file : files) good &= compile(nvrtc, file, arguments[2], options);
    return good ? 0 : 1;
}
