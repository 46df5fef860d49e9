"""A server's clock that tests set: a small library, loaded into the server, that adds to what the system's clock says."""

import mmap
import struct
import subprocess

SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static volatile long long *added_seconds;

__attribute__((constructor)) static void map_offset(void) {
    int file = open(getenv("CLOCK_OFFSET"), O_RDONLY | O_CLOEXEC);
    void *page = mmap(0, sizeof *added_seconds, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) added_seconds = page;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*system_clock)(clockid_t, struct timespec *);
    if (!system_clock) *(void **)&system_clock = dlsym(RTLD_NEXT, "clock_gettime");
    int result = system_clock(clock, time);
    if (!result && clock == CLOCK_REALTIME && added_seconds) time->tv_sec += *added_seconds;
    return result;
}
"""


class SteppedClock:
    """The wall clock of servers that are started with `environment`."""

    def __init__(self, directory):
        library, offset = directory / "clock.so", directory / "offset"
        compiler = ["cc", "-shared", "-fPIC", "-O1", "-x", "c", "-", "-o", library, "-ldl"]
        subprocess.run(compiler, input=SOURCE, text=True, check=True)
        offset.write_bytes(bytes(8))
        with offset.open("r+b") as file:
            self.page = mmap.mmap(file.fileno(), 8)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)}

    def set(self, hours):
        """Sets it, from now on, so many hours before or after the system's."""
        self.page[:] = struct.pack("q", hours * 3600)
