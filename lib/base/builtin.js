'use strict'

// Node's own modules, for all of lib. A bundler that writes an ES module has no require to put in
// the place of ours (esbuild's throws), and getBuiltinModule needs none. Nodes before 20.16 lack
// it; there the names have to be literal, so that a bundler sees them.

const older = {
  'node:async_hooks': () => require('node:async_hooks'),
  'node:child_process': () => require('node:child_process'),
  'node:crypto': () => require('node:crypto'),
  'node:events': () => require('node:events'),
  'node:fs': () => require('node:fs'),
  'node:fs/promises': () => require('node:fs/promises'),
  'node:http': () => require('node:http'),
  'node:module': () => require('node:module'),
  'node:net': () => require('node:net'),
  'node:os': () => require('node:os'),
  'node:path': () => require('node:path'),
  'node:stream': () => require('node:stream'),
  'node:string_decoder': () => require('node:string_decoder'),
  'node:timers/promises': () => require('node:timers/promises'),
  'node:tty': () => require('node:tty'),
  'node:url': () => require('node:url'),
  'node:util': () => require('node:util'),
  'node:zlib': () => require('node:zlib')
}

/** The built-in module of that name, node:fs. */
function builtin (name) {
  return process.getBuiltinModule?.(name) ?? older[name]()
}

module.exports = { builtin }
