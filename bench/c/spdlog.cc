/*
 * The native mark of the log: spdlog's asynchronous logger, set up as its
 * documentation does, with the lines of lib/log-lines.js.
 *
 *   spdlog PROGRAM FILE
 *
 * A contestant like the others: one JSON command a line on stdin ("setup",
 * "check", "round" with ms, "quit"), each answered by one line. A round ends
 * when all its lines are on the disk.
 */
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

namespace
{

constexpr size_t QUEUE = 8192; /* spdlog's default */
constexpr uint64_t FIRST = 10000000;
constexpr int TURN = 100;

std::shared_ptr<spdlog::logger> logger;
std::string file, host;
int fd = -1;
uint64_t next_line = 0;
size_t line_bytes = 0;

double now_ms(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) * 1e3 +
           static_cast<double>(t.tv_nsec) / 1e6;
}

/* The fields of line i, as lib/log-lines.js has them. */
void put(uint64_t i)
{
    static const char *const methods[] = {"GET", "PUT"};
    static const int statuses[] = {200, 200, 304, 404};

    logger->info("{{\"level\":30,\"time\":{},\"pid\":{},\"hostname\":\"{}\","
                 "\"reqId\":{},\"method\":\"{}\",\"url\":\"/users/{}\","
                 "\"status\":{},\"ms\":{}.{},\"msg\":\"request done\"}}",
                 static_cast<int64_t>(now_ms(CLOCK_REALTIME)), getpid(), host,
                 FIRST + i, methods[i & 1], 100000 + (i & 63), statuses[i & 3],
                 10 + (i & 63), 1 + (i & 7));
}

off_t size()
{
    struct stat st = {};

    return fstat(fd, &st) == 0 ? st.st_size : 0;
}

/* Waits, 30 s at most, until the file has that many bytes. */
bool arrived(off_t bytes)
{
    const struct timespec pause = {0, 200000};

    for (int i = 0; i < 150000; i++) {
        if (size() >= bytes)
            return true;
        nanosleep(&pause, nullptr);
    }
    return false;
}

void setup()
{
    char name[256] = "";

    gethostname(name, sizeof(name) - 1);
    host = name;
    spdlog::init_thread_pool(QUEUE, 1);
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_st>(file);
    logger = std::make_shared<spdlog::async_logger>(
        "bench", sink, spdlog::thread_pool(),
        spdlog::async_overflow_policy::block);
    logger->set_pattern("%v");
    fd = open(file.c_str(), O_RDWR | O_CLOEXEC);
    put(next_line++);
    logger->flush();
    if (!arrived(1))
        fputs("spdlog: the first line does not arrive\n", stderr);
    line_bytes = static_cast<size_t>(size());
}

bool round_of(double ms)
{
    const off_t before = size();
    const double start = now_ms(CLOCK_MONOTONIC);
    uint64_t count = 0;

    do {
        for (int i = 0; i < TURN; i++)
            put(next_line++);
        count += TURN;
    } while (now_ms(CLOCK_MONOTONIC) - start < ms);
    logger->flush();
    if (!arrived(before + static_cast<off_t>(count * line_bytes)))
        return false;
    fsync(fd);
    printf("{\"ok\":{\"rate\":%.1f}}\n", static_cast<double>(count) * 1e3 /
                                             (now_ms(CLOCK_MONOTONIC) - start));
    return true;
}

void answer(const char *line)
{
    const char *ms = strstr(line, "\"ms\":");

    if (strstr(line, "\"check\"")) {
        puts("{\"ok\":{\"digest\":null}}");
    } else if (strstr(line, "\"round\"") && ms) {
        if (!round_of(strtod(ms + 5, nullptr)))
            puts("{\"error\":\"lines are missing in the file\"}");
    } else {
        if (strstr(line, "\"setup\""))
            setup();
        puts("{\"ok\":{}}");
    }
    fflush(stdout);
}

} // namespace

int main(int argc, char **argv)
{
    char line[256];

    if (argc < 3) {
        fputs("usage: spdlog PROGRAM FILE\n", stderr);
        return 2;
    }
    file = std::string(argv[2]) + ".log";
    while (fgets(line, sizeof(line), stdin) != nullptr) {
        answer(line);
        if (strstr(line, "\"quit\""))
            break;
    }
    logger.reset();
    spdlog::shutdown();
    return 0;
}
