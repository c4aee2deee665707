# Settings that every target of ours shares: language, warnings, hardening,
# sanitizers. Third-party code (binding.gyp: sqlite3) brings its own.
#
#   node-gyp rebuild -- -Dsanitize=address,undefined   a sanitized build
#   node-gyp rebuild -- -Dwerror=1                     warnings are errors (CI)
#   node-gyp rebuild -- -Dlto=1                        link-time optimisation
#   node-gyp rebuild -- -Doldglibc=1                   see csrc/compat/glibc.c
{
  'variables': {
    'sanitize%': '',
    'werror%': 0,
    'lto%': 0,
  },
  'target_defaults': {
    'cflags': ['-fvisibility=hidden', '-fno-semantic-interposition'],
    'cflags_c': ['-std=gnu11'],
    # -g1 keeps function names and lines for a profiler; `prepack` strips them.
    'configurations': {
      'Release': {
        'cflags': ['-O3', '-g1'],
      },
    },
    'conditions': [
      ['sanitize!=""', {
        'cflags': ['-fsanitize=<(sanitize)', '-fno-omit-frame-pointer', '-g'],
        'ldflags': ['-fsanitize=<(sanitize)'],
      }, {
        # FORTIFY replaces the very functions that a sanitizer wants to watch.
        'configurations': {
          'Release': {
            'cflags': ['-U_FORTIFY_SOURCE', '-D_FORTIFY_SOURCE=2',
                       '-fstack-protector-strong'],
          },
        },
      }],
      ['lto==1', {
        # Fat objects: a plain `ar`, which has no plugin, can still index them.
        'cflags': ['-flto=auto', '-ffat-lto-objects'],
        # -w: each file has said its warnings already.
        'ldflags': ['-flto=auto', '-O3', '-w'],
      }],
      ['OS=="linux"', {
        'ldflags': ['-Wl,-z,relro', '-Wl,-z,now'],
      }],
    ],
  },
}
