// The Node-API door: moves bytes between JavaScript and the core and knows
// nothing of what they mean. One Handle a session.
//
// Threads: everything here runs on the thread of its environment, except
// on_replies, which the core calls from its own threads. No uv_* anywhere: Bun
// aborts on most of it.
//
// Life: each of a session's functions holds the session object, whose
// finalizer ends the session if nobody called destroy(); an environment that
// goes (exit, a terminated worker) ends its sessions by a cleanup hook.

#include <napi.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "uc.h"
#include "values.h"

namespace
{

struct Handle {
    napi_env env = nullptr;
    uc_session *session = nullptr;
    napi_threadsafe_function wake = nullptr;
    Bytes in, out;             // buffers of sync calls
    napi_ref thrown = nullptr; // by a user function, until sync() returns
    bool referenced = false;
    bool busy = false;   // in a sync call, which may run user functions
    bool ending = false; // destroyed by one of them: end when it is over
};

struct Function {
    Handle *handle;
    napi_ref fn;
    Bytes reply;
    std::string error;
};

// The arguments and the handle of a call. False when the session is gone: its
// functions do nothing then.
bool Enter(napi_env env, napi_callback_info info, size_t *argc,
           napi_value *argv, Handle **h)
{
    void *data;
    napi_get_cb_info(env, info, argc, argv, nullptr, &data);
    *h = static_cast<Handle *>(data);
    return (*h)->session != nullptr && !(*h)->ending;
}

void OnReplies(void *arg)
{
    napi_call_threadsafe_function(static_cast<napi_threadsafe_function>(arg),
                                  nullptr, napi_tsfn_nonblocking);
}

void CallWake(napi_env env, napi_value fn, void *, void *)
{
    if (env != nullptr)
        napi_call_function(env, Undefined(env), fn, 0, nullptr, nullptr);
}

void End(Handle *h)
{
    if (h->session == nullptr)
        return;
    if (h->busy) {
        h->ending = true;
        return;
    }
    uc_session_destroy(h->session);
    h->session = nullptr;
    napi_release_threadsafe_function(h->wake, napi_tsfn_abort);
}

void OnEnvironmentEnd(void *arg)
{
    End(static_cast<Handle *>(arg));
}

void OnCollected(napi_env env, void *data, void *)
{
    Handle *h = static_cast<Handle *>(data);

    napi_remove_env_cleanup_hook(env, OnEnvironmentEnd, h);
    End(h);
    Forget(env, &h->in);
    Forget(env, &h->out);
    delete h;
}

// submit(bytes, length, count, write)
napi_value Submit(napi_env env, napi_callback_info info)
{
    size_t argc = 4, len;
    napi_value argv[4];
    Handle *h;
    uint8_t *p;
    uint32_t n, count;
    bool write = false;
    unsigned hint;

    if (!Enter(env, info, &argc, argv, &h))
        return nullptr;
    if (argc < 3 || !View(env, argv[0], &p, &len) ||
        napi_get_value_uint32(env, argv[1], &n) != napi_ok || n > len ||
        napi_get_value_uint32(env, argv[2], &count) != napi_ok)
        return TypeError(env, "submit(bytes, length, count, write)");
    if (argc > 3)
        napi_get_value_bool(env, argv[3], &write);
    hint = write ? unsigned(UC_HINT_WRITE) : 0u;
    if (!uc_submit(h->session, p, n, count, hint))
        napi_throw_error(env, "UC_MEMORY", "no memory for the request");
    return nullptr;
}

// take(inbox) -> n
napi_value Take(napi_env env, napi_callback_info info)
{
    size_t argc = 1, len, need, n;
    napi_value argv[1];
    Handle *h;
    uint8_t *p;

    if (!Enter(env, info, &argc, argv, &h))
        return Number(env, 0);
    if (argc < 1 || !View(env, argv[0], &p, &len))
        return TypeError(env, "take(inbox)");
    n = uc_take(h->session, p, len, 4, &need);
    return Number(env, n > 0 ? int64_t(n) : -int64_t(need));
}

// attach(in, out): the buffers of sync calls. Their memory does not move: an
// ArrayBuffer's backing store stays where it is until it is detached, and these
// belong to lib/ alone.
napi_value Attach(napi_env env, napi_callback_info info)
{
    size_t argc = 2;
    napi_value argv[2];
    Handle *h;

    if (!Enter(env, info, &argc, argv, &h))
        return nullptr;
    if (argc < 2 || !Hold(env, argv[0], &h->in) || !Hold(env, argv[1], &h->out))
        return TypeError(env, "attach(in, out)");
    return nullptr;
}

// What a user function threw goes on from where its SQL was called.
bool Rethrow(napi_env env, Handle *h)
{
    napi_value box, error;

    if (h->thrown == nullptr)
        return false;
    napi_get_reference_value(env, h->thrown, &box);
    napi_get_element(env, box, 0, &error);
    napi_delete_reference(env, h->thrown);
    h->thrown = nullptr;
    napi_throw(env, error);
    return true;
}

// Of a call whose request is in `in`: its handle and the length. False: *v is
// to be returned.
bool EnterWith(napi_env env, napi_callback_info info, const char *usage,
               Handle **h, uint32_t *len, napi_value *v)
{
    size_t argc = 1;
    napi_value argv[1];

    if (!Enter(env, info, &argc, argv, h)) {
        *v = Number(env, 0);
        return false;
    }
    if (argc < 1 || napi_get_value_uint32(env, argv[0], len) != napi_ok ||
        *len > (*h)->in.len) {
        *v = TypeError(env, usage);
        return false;
    }
    return true;
}

// The length of the reply in `out`; negative: it is larger, and left to be
// taken.
napi_value Replied(napi_env env, const Handle *h, size_t n)
{
    napi_value v;

    if (n > h->out.len)
        return Number(env, -int64_t(n));
    napi_create_uint32(env, uint32_t(n), &v);
    return v;
}

// sync(length) -> n
napi_value Sync(napi_env env, napi_callback_info info)
{
    napi_value v;
    Handle *h;
    uint32_t len;
    size_t n;

    if (!EnterWith(env, info, "sync(length)", &h, &len, &v))
        return v;
    h->busy = true;
    n = uc_sync(h->session, h->in.p, len, h->out.p, h->out.len);
    h->busy = false;
    if (__builtin_expect(h->ending, 0))
        End(h);
    if (__builtin_expect(h->thrown != nullptr, 0) && Rethrow(env, h))
        return nullptr;
    return Replied(env, h, n);
}

// requestNow(length) -> n, 0: submit it; for large replies as sync().
napi_value RequestNow(napi_env env, napi_callback_info info)
{
    napi_value v;
    Handle *h;
    uint32_t len;

    if (!EnterWith(env, info, "requestNow(length)", &h, &len, &v))
        return v;
    return Replied(
        env, h, uc_request_now(h->session, h->in.p, len, h->out.p, h->out.len));
}

// What is left of a reply that was too large: (bytes) -> n
template <size_t take(uc_session *, uint8_t *, size_t)>
napi_value TakeLeft(napi_env env, napi_callback_info info)
{
    size_t argc = 1, len;
    napi_value argv[1];
    Handle *h;
    uint8_t *p;

    if (!Enter(env, info, &argc, argv, &h))
        return Number(env, 0);
    if (argc < 1 || !View(env, argv[0], &p, &len))
        return TypeError(env, "expected the bytes that take the reply");
    return Number(env, int64_t(take(h->session, p, len)));
}

// cacheSync(length) -> n, 0: submit it; for large replies as sync().
napi_value CacheSync(napi_env env, napi_callback_info info)
{
    size_t argc = 1, n;
    napi_value argv[1];
    Handle *h;
    uint32_t len;

    if (!Enter(env, info, &argc, argv, &h))
        return Number(env, 0);
    if (argc < 1 || napi_get_value_uint32(env, argv[0], &len) != napi_ok ||
        len > h->in.len)
        return TypeError(env, "cacheSync(length)");
    n = uc_cache_sync(h->session, h->in.p, len, h->out.p, h->out.len);
    return Number(env, n > h->out.len ? -int64_t(n) : int64_t(n));
}

// cacheGet(length of the key in `in`) -> length of the value in `out`, -1:
// absent, less: so many bytes, negated, are needed.
napi_value CacheGet(napi_env env, napi_callback_info info)
{
    size_t argc = 1;
    napi_value argv[1], v;
    Handle *h;
    uint32_t len;
    int64_t n;

    if (!Enter(env, info, &argc, argv, &h))
        return Number(env, -1);
    if (argc < 1 || napi_get_value_uint32(env, argv[0], &len) != napi_ok ||
        len > h->in.len)
        return TypeError(env, "cacheGet(length)");
    n = uc_cache_peek(h->session, h->in.p, len, h->out.p, h->out.len);
    if (n > INT32_MAX || n < INT32_MIN)
        return Number(env, n);
    napi_create_int32(env, int32_t(n), &v);
    return v;
}

napi_value EndTurn(napi_env env, napi_callback_info info)
{
    size_t argc = 0;
    Handle *h;

    if (Enter(env, info, &argc, nullptr, &h))
        uc_turn_end(h->session);
    return nullptr;
}

napi_value Ref(napi_env env, napi_callback_info info)
{
    size_t argc = 0;
    Handle *h;

    if (Enter(env, info, &argc, nullptr, &h) && !h->referenced) {
        napi_ref_threadsafe_function(env, h->wake);
        h->referenced = true;
    }
    return nullptr;
}

napi_value Unref(napi_env env, napi_callback_info info)
{
    size_t argc = 0;
    Handle *h;

    if (Enter(env, info, &argc, nullptr, &h) && h->referenced) {
        napi_unref_threadsafe_function(env, h->wake);
        h->referenced = false;
    }
    return nullptr;
}

napi_value Destroy(napi_env env, napi_callback_info info)
{
    size_t argc = 0;
    Handle *h;

    if (Enter(env, info, &argc, nullptr, &h))
        End(h);
    return nullptr;
}

// The core calls a user function: fn(step, group, args) gets the arguments as
// msgpack and answers with the result as msgpack.
bool CallFunction(void *arg, int step, uint64_t group, const uint8_t *args,
                  size_t len, const uint8_t **reply, size_t *reply_len)
{
    Function *f = static_cast<Function *>(arg);
    napi_env env = f->handle->env;
    napi_handle_scope scope;
    napi_value fn, argv[3], result;
    bool pending = false, ok = false;

    napi_open_handle_scope(env, &scope);
    napi_get_reference_value(env, f->fn, &fn);
    napi_create_int32(env, step, &argv[0]);
    napi_create_double(env, double(group), &argv[1]);
    napi_create_buffer_copy(env, len, args, nullptr, &argv[2]);
    Forget(env, &f->reply);
    if (napi_call_function(env, Undefined(env), fn, 3, argv, &result) ==
        napi_ok) {
        ok = step == UC_FN_STEP || Hold(env, result, &f->reply);
        f->error = "the function's result could not be read";
    } else {
        napi_is_exception_pending(env, &pending);
        if (pending) {
            napi_value box, error;

            napi_get_and_clear_last_exception(env, &error);
            // In a box: no reference holds a number or a text.
            if (f->handle->thrown == nullptr &&
                napi_create_array_with_length(env, 1, &box) == napi_ok &&
                napi_set_element(env, box, 0, error) == napi_ok)
                napi_create_reference(env, box, 1, &f->handle->thrown);
        }
        f->error = "the user function threw";
    }
    napi_close_handle_scope(env, scope);
    *reply =
        ok ? f->reply.p : reinterpret_cast<const uint8_t *>(f->error.data());
    *reply_len = ok ? f->reply.len : f->error.size();
    return ok;
}

void ReleaseFunction(void *arg)
{
    Function *f = static_cast<Function *>(arg);

    Forget(f->handle->env, &f->reply);
    napi_delete_reference(f->handle->env, f->fn);
    delete f;
}

bool Flag(napi_env env, napi_value options, const char *name)
{
    napi_value v;
    bool b = false;

    napi_get_named_property(env, options, name, &v);
    napi_get_value_bool(env, v, &b);
    return b;
}

// func(name, { deterministic, directOnly, varargs, argc, aggregate }, fn)
napi_value Func(napi_env env, napi_callback_info info)
{
    size_t argc = 3;
    napi_value argv[3], v;
    Handle *h;
    napi_valuetype type;
    const char *error = nullptr;
    uc_fn_spec spec = {};
    int32_t count = 0;
    std::string name;

    if (!Enter(env, info, &argc, argv, &h))
        return nullptr;
    if (argc < 3 || napi_typeof(env, argv[2], &type) != napi_ok ||
        type != napi_function)
        return TypeError(env, "func(name, options, fn)");
    name = Text(env, argv[0]);
    napi_get_named_property(env, argv[1], "argc", &v);
    napi_get_value_int32(env, v, &count);
    spec.name = name.c_str();
    spec.argc = Flag(env, argv[1], "varargs") ? -1 : count;
    spec.deterministic = Flag(env, argv[1], "deterministic");
    spec.direct_only = Flag(env, argv[1], "directOnly");
    spec.aggregate = Flag(env, argv[1], "aggregate");
    Function *f = new Function{h, nullptr, {}, {}};
    napi_create_reference(env, argv[2], 1, &f->fn);
    spec.call = CallFunction;
    spec.release = ReleaseFunction;
    spec.arg = f;
    if (!uc_session_function(h->session, &spec, &error)) {
        ReleaseFunction(f);
        napi_throw_error(env, "UC_OPTION", error);
    }
    return nullptr;
}

// open(path, options, wake) -> session
napi_value Open(napi_env env, napi_callback_info info)
{
    static const Method methods[] = {
        {"submit", Submit},
        {"take", Take},
        {"attach", Attach},
        {"sync", Sync},
        {"syncTake", TakeLeft<uc_sync_take>},
        {"requestNow", RequestNow},
        {"endTurn", EndTurn},
        {"ref", Ref},
        {"unref", Unref},
        {"destroy", Destroy},
        {"func", Func},
        {"cacheGet", CacheGet},
        {"cacheSync", CacheSync},
        {"cacheSyncTake", TakeLeft<uc_cache_sync_take>},
    };
    size_t argc = 3, len;
    napi_value argv[3], self, name;
    napi_valuetype type, wake;
    uint8_t *options;
    std::string path;

    napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr);
    if (argc < 3 || napi_typeof(env, argv[0], &type) != napi_ok ||
        type != napi_string || !View(env, argv[1], &options, &len) ||
        napi_typeof(env, argv[2], &wake) != napi_ok || wake != napi_function)
        return TypeError(env, "open(path, options, wake)");
    path = Text(env, argv[0]);
    Handle *h = new Handle;
    h->env = env;
    napi_create_string_utf8(env, "undercroft", NAPI_AUTO_LENGTH, &name);
    if (napi_create_threadsafe_function(env, argv[2], nullptr, name, 0, 1,
                                        nullptr, nullptr, nullptr, CallWake,
                                        &h->wake) != napi_ok) {
        delete h;
        napi_throw_error(env, "UC_INTERNAL", "no threadsafe function");
        return nullptr;
    }
    napi_unref_threadsafe_function(env, h->wake);
    h->session =
        uc_session_open(path.c_str(), options, len, OnReplies, h->wake);
    if (h->session == nullptr) {
        napi_release_threadsafe_function(h->wake, napi_tsfn_abort);
        delete h;
        napi_throw_error(env, "UC_MEMORY", "no memory or thread for a session");
        return nullptr;
    }
    napi_add_env_cleanup_hook(env, OnEnvironmentEnd, h);
    self = ObjectOf(env, methods, h, "session");
    napi_create_string_utf8(env, uc_session_engine(h->session),
                            NAPI_AUTO_LENGTH, &name);
    napi_set_named_property(env, self, "engine", name);
    napi_add_finalizer(env, self, h, OnCollected, nullptr, nullptr);
    return self;
}

Napi::Object Init(Napi::Env env, Napi::Object exports)
{
    static const Method ways[] = {
        {"open", Open}, {"openLog", OpenLog}, {"recoverLog", RecoverLog}};

    for (const Method &m : ways) {
        napi_value fn;

        napi_create_function(env, m.name, NAPI_AUTO_LENGTH, m.fn, nullptr, &fn);
        exports.Set(m.name, Napi::Value(env, fn));
    }
    exports.Set("version", Napi::String::New(env, uc_version()));
    exports.Set("sqlite", Napi::String::New(env, uc_sqlite_version()));
    return exports;
}

} // namespace

NODE_API_MODULE(undercroft, Init)
