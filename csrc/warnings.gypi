# The warnings our own code has to pass without one.
{
  'variables': {
    'werror%': 0,
  },
  # Node's common.gypi hides these; in our code they are mistakes.
  'cflags!': ['-Wno-unused-parameter'],
  'cflags': [
    '-Wall', '-Wextra', '-Wshadow', '-Wpointer-arith', '-Wcast-qual',
    '-Wwrite-strings', '-Wvla', '-Wformat=2', '-Wundef',
  ],
  'cflags_c': ['-Wstrict-prototypes', '-Wmissing-prototypes'],
  'conditions': [
    ['werror==1', { 'cflags': ['-Werror'] }],
  ],
}
