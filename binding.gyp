# SQLite, our core, and the two doors that hold both: the addon, and the daemon
# where nng and libuv are installed. What they share is explained in csrc/common.gypi, the warnings our own code must pass in
# csrc/warnings.gypi, SQLite's options in csrc/sqlite.defines.
{
  'includes': ['csrc/common.gypi'],
  'variables': {
    'sqlite_dir': '<!(node csrc/find-lib.js sqlite --dir)',
    'napi_dir': '<!(node csrc/find-lib.js napi --dir)',
    'oldglibc%': 0,
    # What `prepack` has of it already: build/Release/sqlite3.a.
    'sqlite_archive%': '',
    'daemon%': '<!(node csrc/find-lib.js daemon --there)',
    'http%': '<!(node csrc/find-lib.js http --there)',
  },
  'targets': [
    {
      'target_name': 'sqlite3',
      'type': 'none',
      'conditions': [
        ['sqlite_archive==""', {
          'type': 'static_library',
          'sources': ['<(sqlite_dir)/sqlite3.c'],
          # One file already: to optimise it across files once more for each
          # program takes minutes, and saves no instruction of a query.
          'cflags': ['-w', '-fno-lto'],
          'defines': ['<!@(node csrc/find-lib.js sqlite --defines)'],
        }, {
          'link_settings': { 'libraries': ['<(sqlite_archive)'] },
        }],
        # It shifts and reads unaligned on purpose where a platform allows it.
        ['sanitize!=""', { 'cflags': ['-fno-sanitize=undefined'] }],
      ],
    },
    {
      'target_name': 'uc_core',
      'type': 'static_library',
      'includes': ['csrc/warnings.gypi'],
      'dependencies': ['sqlite3'],
      'sources': ['<!@(node csrc/find-lib.js sources csrc/core c)'],
      'include_dirs': ['csrc', 'csrc/core'],
      # Node's headers bring a zlib.h that is not the one we link with; the core
      # needs none of them.
      'include_dirs!': [
        '<(node_root_dir)/include/node', '<(node_root_dir)/deps/zlib',
      ],
      'cflags': [
        '-pthread',
        # -isystem: other people's headers do not have to pass our warnings.
        '-isystem<(module_root_dir)/<(sqlite_dir)',
        '<!@(node csrc/find-lib.js core --cflags)',
      ],
      'link_settings': {
        'libraries': [
          '<!@(node csrc/find-lib.js core --libs)', '-pthread', '-lm',
        ],
      },
    },
    {
      'target_name': 'undercroft',
      'type': 'loadable_module',
      'includes': ['csrc/warnings.gypi'],
      'dependencies': ['uc_core'],
      'sources': [
        '<!@(node csrc/find-lib.js sources csrc/doors/addon cc)',
        'csrc/compat/stdin.c',
      ],
      'include_dirs': ['csrc', 'csrc/core'],
      'cflags': ['-isystem<(module_root_dir)/<(napi_dir)'],
      'defines': [
        'NAPI_VERSION=8',
        'NAPI_DISABLE_CPP_EXCEPTIONS',
        'NODE_ADDON_API_DISABLE_DEPRECATED',
      ],
      'cflags_cc': ['-std=c++17', '-fno-exceptions'],
      'conditions': [
        ['OS=="linux"', {
          'ldflags': [
            # Calls inside the addon stay inside: the process may have a SQLite,
            # a msgpack, a zlib and a zstd of its own.
            '-Wl,-Bsymbolic', '-Wl,--exclude-libs,ALL',
            '-Wl,--version-script=<(module_root_dir)/csrc/exports.map',
            # Nothing but libc at run time, and of libstdc++ only what is used.
            '-static-libstdc++', '-static-libgcc', '-Wl,--gc-sections',
            # A thread that waits for a disk which does not answer outlives the
            # worker that loaded the addon, and comes back to its code.
            '-Wl,-z,nodelete',
          ],
        }],
        ['oldglibc==1', {
          'dependencies': ['uc_compat'],
        }],
      ],
    },
    {
      'target_name': 'undercroftd',
      'type': 'none',
      'conditions': [
        ['daemon==1', {
          'type': 'executable',
          'includes': ['csrc/warnings.gypi'],
          'dependencies': ['uc_core'],
          'sources': [
            '<!@(node csrc/find-lib.js sources csrc/daemon c)',
            '<!@(node csrc/find-lib.js sources csrc/doors/sp c)',
          ],
          'include_dirs': ['csrc', 'csrc/core'],
          'cflags': [
            '<!@(node csrc/find-lib.js nng --cflags)',
            '<!@(node csrc/find-lib.js uv --cflags)',
          ],
          'ldflags!': ['-rdynamic'],
          'ldflags': ['-Wl,--gc-sections'],
          'libraries': [
            '<!@(node csrc/find-lib.js nng --libs)',
            '<!@(node csrc/find-lib.js uv --libs)',
          ],
          'conditions': [
            # Nothing at run time, not even libc: it starts on any Linux. The
            # sanitizers need theirs.
            ['sanitize==""', {
              'sources': ['csrc/compat/static.c'],
              'ldflags': ['-static'],
            }],
            # A daemon without its HTTP door knows that it has none.
            ['http==1', {
              'sources': [
                '<!@(node csrc/find-lib.js sources csrc/doors/http c)',
                '<!@(node csrc/find-lib.js llhttp --sources)',
              ],
              'cflags': ['<!@(node csrc/find-lib.js llhttp --cflags)'],
              'libraries': ['<!@(node csrc/find-lib.js llhttp --libs)'],
            }, {
              'defines': ['UC_NO_HTTP'],
            }],
          ],
        }],
      ],
    },
    {
      # See the file. A target of its own: it has to stay out of LTO, and out of
      # the compiler's knowledge of the functions that it defines.
      'target_name': 'uc_compat',
      'type': 'none',
      'conditions': [
        ['oldglibc==1', {
          'type': 'static_library',
          'sources': ['csrc/compat/glibc.c'],
          'cflags': ['-fno-lto', '-fno-builtin'],
        }],
      ],
    },
  ],
}
