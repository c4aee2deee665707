// The log of a directory for JavaScript: one call puts one line into the ring
// of the process.
//
// Threads: everything on the thread of its environment, except OnFlushed and
// OnClosed, which the log calls from its own. Life: as a session's, see
// addon.cc. Each environment (worker thread) has handles of its own on the one
// log of the process.

#include <napi.h>

#include <cstdlib>
#include <mutex>

#include "values.h"

extern "C" {
#include "common/clock.h"
#include "log/settings.h"
}

namespace
{

struct LogHandle {
    napi_env env = nullptr;
    uc_log *log = nullptr;
    char *line = nullptr; // room for the line that is being put
    size_t room = 0;
    Bytes page; // of JavaScript, for a line as bytes
};

// A flush or an end that somebody waits for.
struct Promise {
    napi_threadsafe_function tell = nullptr;
    napi_deferred deferred = nullptr;
    bool ok = false;
    bool late = false; // its environment is ending
};

enum { CLOSE_MS = 2000 };

bool Enter(napi_env env, napi_callback_info info, size_t *argc,
           napi_value *argv, LogHandle **h)
{
    void *data;

    napi_get_cb_info(env, info, argc, argv, nullptr, &data);
    *h = static_cast<LogHandle *>(data);
    return (*h)->log != nullptr;
}

void End(LogHandle *h)
{
    uc_log *log = h->log;

    h->log = nullptr;
    uc_log_unref(log);
}

void OnEnvironmentEnd(void *arg)
{
    End(static_cast<LogHandle *>(arg));
}

void OnCollected(napi_env env, void *data, void *)
{
    LogHandle *h = static_cast<LogHandle *>(data);

    napi_remove_env_cleanup_hook(env, OnEnvironmentEnd, h);
    // On the event loop, where nobody waits for it.
    uc_log_unref_later(h->log, CLOSE_MS, nullptr, nullptr);
    Forget(env, &h->page);
    free(h->line);
    delete h;
}

enum { FIRST_ROOM = 16 << 10, MOST_ROOM = 64 << 20 };
// A character that is left out because the room has no more takes less, with
// the NUL.
enum { SHORT_OF = 5 };

bool MakeRoom(LogHandle *h, size_t size)
{
    char *line = nullptr;

    if (size <= h->room)
        return true;
    if (size <= MOST_ROOM)
        line = static_cast<char *>(realloc(h->line, size));
    if (line == nullptr)
        return false;
    h->line = line;
    h->room = size;
    return true;
}

// What becomes of a line, as JavaScript is told.
enum { DONE, DROPPED, TOO_LARGE, CLOSED };

uint32_t PutBytes(LogHandle *h, const uint8_t *line, size_t len)
{
    switch (uc_log_put(h->log, line, len, 1, true)) {
    case UC_LOG_DONE:
        return DONE;
    case UC_LOG_TOO_LARGE:
        return TOO_LARGE;
    default:
        return DROPPED;
    }
}

// The line as UTF-8, lone surrogates replaced. Takes half the time of writing
// it into a buffer from JavaScript first.
uint32_t PutLine(napi_env env, LogHandle *h, napi_value line)
{
    size_t len = 0;

    napi_get_value_string_utf8(env, line, h->line, h->room, &len);
    if (len + SHORT_OF > h->room) { // it may have been cut
        napi_get_value_string_utf8(env, line, nullptr, 0, &len);
        if (!MakeRoom(h, len + SHORT_OF)) {
            uc_log_lost(h->log, 1, true);
            return TOO_LARGE;
        }
        napi_get_value_string_utf8(env, line, h->line, h->room, &len);
    }
    return PutBytes(h, reinterpret_cast<uint8_t *>(h->line), len);
}

// put(line) -> 0: done, 1: dropped, 2: too large, 3: closed
napi_value Put(napi_env env, napi_callback_info info)
{
    size_t argc = 1;
    napi_value argv[1], v;
    napi_valuetype type;
    LogHandle *h;
    uint32_t result = CLOSED;

    if (Enter(env, info, &argc, argv, &h)) {
        if (argc < 1 || napi_typeof(env, argv[0], &type) != napi_ok ||
            type != napi_string)
            return TypeError(env, "put(line)");
        result = PutLine(env, h, argv[0]);
    }
    napi_create_uint32(env, result, &v);
    return v;
}

// attach(bytes): where lines are that putBytes() takes
napi_value AttachPage(napi_env env, napi_callback_info info)
{
    size_t argc = 1;
    napi_value argv[1];
    LogHandle *h;

    if (Enter(env, info, &argc, argv, &h) &&
        (argc < 1 || !Hold(env, argv[0], &h->page)))
        return TypeError(env, "attach(bytes)");
    return nullptr;
}

// putBytes(length of the line in what was attached) -> as put()
napi_value PutAttached(napi_env env, napi_callback_info info)
{
    size_t argc = 1;
    napi_value argv[1], v;
    LogHandle *h;
    uint32_t len, result = CLOSED;

    if (Enter(env, info, &argc, argv, &h)) {
        if (argc < 1 || napi_get_value_uint32(env, argv[0], &len) != napi_ok ||
            len > h->page.len)
            return TypeError(env, "putBytes(length)");
        result = PutBytes(h, h->page.p, len);
    }
    napi_create_uint32(env, result, &v);
    return v;
}

// Between threads that settle promises and environments that end: a threadsafe
// function is not touched once its environment has begun to end, whoever holds
// it, since not every Node lets it live until then.
std::mutex settling;

void OnPromiseLate(void *arg)
{
    std::lock_guard<std::mutex> lock(settling);

    static_cast<Promise *>(arg)->late = true;
}

// On the thread of the environment, which is ending where env is nullptr.
void Resolve(napi_env env, napi_value, void *, void *data)
{
    Promise *p = static_cast<Promise *>(data);
    napi_value ok;

    if (env != nullptr) {
        napi_remove_env_cleanup_hook(env, OnPromiseLate, p);
        napi_get_boolean(env, p->ok, &ok);
        napi_resolve_deferred(env, p->deferred, ok);
        // Here and not by who has settled it: nobody waits for that thread, and
        // the environment may end as soon as the promise is resolved.
        napi_release_threadsafe_function(p->tell, napi_tsfn_release);
    }
    delete p;
}

// One that another thread settles; nullptr: an error is thrown.
Promise *NewPromise(napi_env env, napi_value *promise)
{
    Promise *p = new Promise;
    napi_value name;

    napi_create_string_utf8(env, "undercroft log", NAPI_AUTO_LENGTH, &name);
    if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1,
                                        nullptr, nullptr, nullptr, Resolve,
                                        &p->tell) == napi_ok) {
        // What waits for a disk that does not answer does not keep the process:
        // JavaScript has a timer as long as it wants to wait.
        napi_unref_threadsafe_function(env, p->tell);
        // Hooks run in the reverse order: this one before the function's own.
        napi_add_env_cleanup_hook(env, OnPromiseLate, p);
        napi_create_promise(env, &p->deferred, promise);
        return p;
    }
    delete p;
    napi_throw_error(env, "UC_INTERNAL", "no threadsafe function");
    return nullptr;
}

// Any thread; p is not this thread's any more.
void Settle(Promise *p, bool ok)
{
    std::lock_guard<std::mutex> lock(settling);

    p->ok = ok;
    if (p->late || napi_call_threadsafe_function(
                       p->tell, p, napi_tsfn_nonblocking) != napi_ok)
        delete p;
}

void OnFlushed(void *arg, bool ok)
{
    Settle(static_cast<Promise *>(arg), ok);
}

void OnClosed(void *arg)
{
    Settle(static_cast<Promise *>(arg), true);
}

// The arguments of both flushes: (timeoutMs, sync).
bool FlushArguments(napi_env env, size_t argc, napi_value *argv, int64_t *ms,
                    bool *sync)
{
    if (argc == 2 && napi_get_value_int64(env, argv[0], ms) == napi_ok &&
        napi_get_value_bool(env, argv[1], sync) == napi_ok)
        return true;
    TypeError(env, "flush(timeoutMs, sync)");
    return false;
}

// flush(timeoutMs, sync) -> a promise of whether it is done. It does not keep
// the loop alive, nor does close()'s.
napi_value FlushLater(napi_env env, napi_callback_info info)
{
    size_t argc = 2;
    napi_value argv[2], promise;
    LogHandle *h;
    int64_t ms;
    bool sync;

    if (!Enter(env, info, &argc, argv, &h))
        return nullptr;
    if (!FlushArguments(env, argc, argv, &ms, &sync))
        return nullptr;
    Promise *p = NewPromise(env, &promise);
    if (p == nullptr)
        return nullptr;
    uc_log_on_flushed(h->log, sync, OnFlushed, p, uc_now() + ms * UC_MS);
    return promise;
}

// flushSync(timeoutMs, sync) -> whether it is done
napi_value FlushSync(napi_env env, napi_callback_info info)
{
    size_t argc = 2;
    napi_value argv[2], v;
    LogHandle *h;
    int64_t ms;
    bool sync, ok = false;
    uc_error e;

    uc_error_init(&e);
    if (Enter(env, info, &argc, argv, &h)) {
        if (!FlushArguments(env, argc, argv, &ms, &sync))
            return nullptr;
        ok = uc_log_flush(h->log, ms, sync, &e);
    }
    napi_get_boolean(env, ok, &v);
    return v;
}

// What is only asked for: reopen(), rotate()
template <void ask(uc_log *)>
napi_value Ask(napi_env env, napi_callback_info info)
{
    size_t argc = 0;
    LogHandle *h;

    if (Enter(env, info, &argc, nullptr, &h))
        ask(h->log);
    return nullptr;
}

void SetFlag(napi_env env, napi_value object, const char *name, bool b)
{
    napi_value v;

    napi_get_boolean(env, b, &v);
    napi_set_named_property(env, object, name, v);
}

void SetNumber(napi_env env, napi_value object, const char *name, uint64_t n)
{
    napi_value v;

    napi_create_double(env, double(n), &v);
    napi_set_named_property(env, object, name, v);
}

// stats() -> an object, undefined when it is closed
napi_value Stats(napi_env env, napi_callback_info info)
{
    size_t argc = 0;
    napi_value out, error;
    uc_log_stats s = {};
    LogHandle *h;

    if (!Enter(env, info, &argc, nullptr, &h))
        return Undefined(env);
    uc_log_stats_get(h->log, &s);
    napi_create_object(env, &out);
    SetFlag(env, out, "owner", s.owner);
    SetFlag(env, out, "volatileRing", s.volatile_ring);
    SetFlag(env, out, "stalled", s.stalled);
    SetNumber(env, out, "lines", s.lines);
    SetNumber(env, out, "bytes", s.bytes);
    SetNumber(env, out, "dropped", s.dropped);
    SetNumber(env, out, "blocked", s.blocked);
    SetNumber(env, out, "ringBytes", s.ring_bytes);
    SetNumber(env, out, "ringUsed", s.ring_used);
    SetNumber(env, out, "files", s.files);
    SetNumber(env, out, "archived", s.archived);
    SetNumber(env, out, "deleted", s.deleted);
    SetNumber(env, out, "unreadable", s.unreadable);
    napi_create_string_utf8(env, s.error, NAPI_AUTO_LENGTH, &error);
    napi_set_named_property(env, out, "error", error);
    return out;
}

// close(timeoutMs) -> a promise, undefined when it is closed: the end waits for
// the disk, and the event loop does not
napi_value Close(napi_env env, napi_callback_info info)
{
    size_t argc = 1;
    napi_value argv[1], promise;
    LogHandle *h;
    int64_t ms;

    if (!Enter(env, info, &argc, argv, &h))
        return nullptr;
    if (argc < 1 || napi_get_value_int64(env, argv[0], &ms) != napi_ok)
        return TypeError(env, "close(timeoutMs)");
    Promise *p = NewPromise(env, &promise);
    if (p == nullptr)
        return nullptr;
    uc_log *log = h->log;
    h->log = nullptr;
    uc_log_unref_later(log, ms, OnClosed, p);
    return promise;
}

// The settings of one argument, a msgpack map. False: an error is thrown.
bool Settings(napi_env env, napi_callback_info info, uc_log_settings *settings)
{
    size_t argc = 1, len;
    napi_value argv[1];
    uint8_t *map;
    uc_error e;

    napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr);
    if (argc < 1 || !View(env, argv[0], &map, &len)) {
        TypeError(env, "expected the options of a log");
        return false;
    }
    uc_error_init(&e);
    uc_log_settings_init(settings);
    if (uc_log_settings_read(settings, {map, len}, &e))
        return true;
    napi_throw_error(env, e.code, e.message);
    return false;
}

} // namespace

napi_value OpenLog(napi_env env, napi_callback_info info)
{
    static const Method methods[] = {
        {"put", Put},
        {"attach", AttachPage},
        {"putBytes", PutAttached},
        {"flush", FlushLater},
        {"flushSync", FlushSync},
        {"reopen", Ask<uc_log_reopen>},
        {"rotate", Ask<uc_log_rotate>},
        {"stats", Stats},
        {"close", Close},
    };
    uc_log_settings settings;
    napi_value self;
    uc_error e;

    if (!Settings(env, info, &settings))
        return nullptr;
    uc_error_init(&e);
    uc_log *log = uc_log_open(&settings.o, &e);
    if (log == nullptr) {
        napi_throw_error(env, e.code, e.message);
        return nullptr;
    }
    LogHandle *h = new LogHandle;
    h->env = env;
    h->log = log;
    if (!MakeRoom(h, FIRST_ROOM)) {
        End(h);
        delete h;
        napi_throw_error(env, "UC_MEMORY", "no memory for a log");
        return nullptr;
    }
    napi_add_env_cleanup_hook(env, OnEnvironmentEnd, h);
    self = ObjectOf(env, methods, h, "log");
    napi_add_finalizer(env, self, h, OnCollected, nullptr, nullptr);
    return self;
}

napi_value RecoverLog(napi_env env, napi_callback_info info)
{
    uc_log_settings settings;
    uc_error e;

    if (!Settings(env, info, &settings))
        return nullptr;
    uc_error_init(&e);
    if (!uc_log_recover(&settings.o, &e))
        napi_throw_error(env, e.code, e.message);
    return nullptr;
}
