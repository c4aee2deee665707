#ifndef UC_ADDON_VALUES_H
#define UC_ADDON_VALUES_H

#include <napi.h>

#include <cstdint>
#include <string>

// Values of Node-API as the addon's files use them. Thread: the environment's.

struct Method {
    const char *name;
    napi_callback fn;
};

// An object with these functions, which get `data` and each hold the object,
// under the name `as`: it is not collected while somebody has one of them.
template <size_t n>
napi_value ObjectOf(napi_env env, const Method (&methods)[n], void *data,
                    const char *as)
{
    napi_value self;

    napi_create_object(env, &self);
    for (const Method &m : methods) {
        napi_value fn;

        napi_create_function(env, m.name, NAPI_AUTO_LENGTH, m.fn, data, &fn);
        napi_set_named_property(env, fn, as, self);
        napi_set_named_property(env, self, m.name, fn);
    }
    return self;
}

inline napi_value Undefined(napi_env env)
{
    napi_value v;
    napi_get_undefined(env, &v);
    return v;
}

inline napi_value Number(napi_env env, int64_t n)
{
    napi_value v;
    napi_create_int64(env, n, &v);
    return v;
}

inline napi_value TypeError(napi_env env, const char *message)
{
    napi_throw_type_error(env, "UC_USAGE", message);
    return nullptr;
}

inline bool View(napi_env env, napi_value v, uint8_t **p, size_t *len)
{
    napi_typedarray_type type;
    void *data;

    if (napi_get_typedarray_info(env, v, &type, len, &data, nullptr, nullptr) !=
            napi_ok ||
        type != napi_uint8_array)
        return false;
    *p = static_cast<uint8_t *>(data);
    return true;
}

// Bytes of a Uint8Array that stay where they are while this holds it: the
// backing store of an ArrayBuffer does not move until it is detached.
struct Bytes {
    uint8_t *p = nullptr;
    size_t len = 0;
    napi_ref ref = nullptr;
};

inline void Forget(napi_env env, Bytes *b)
{
    if (b->ref != nullptr)
        napi_delete_reference(env, b->ref);
    *b = Bytes();
}

inline bool Hold(napi_env env, napi_value v, Bytes *b)
{
    Bytes fresh;

    if (!View(env, v, &fresh.p, &fresh.len))
        return false;
    napi_create_reference(env, v, 1, &fresh.ref);
    Forget(env, b);
    *b = fresh;
    return true;
}

inline std::string Text(napi_env env, napi_value v)
{
    size_t n = 0;
    std::string s;

    if (napi_get_value_string_utf8(env, v, nullptr, 0, &n) != napi_ok)
        return s;
    s.resize(n);
    napi_get_value_string_utf8(env, v, &s[0], n + 1, &n);
    return s;
}

// log.cc: openLog(options) -> a handle on the log of a directory.
napi_value OpenLog(napi_env env, napi_callback_info info);
// recoverLog(options): writes what dead processes left, see uc_log_recover.
napi_value RecoverLog(napi_env env, napi_callback_info info);

#endif
