'use strict'
// bun --preload test/lite-preload.js FILE, or node --require …: require('tap') answers with test/lite.js.

const path = require.resolve('tap')

require.cache[path] = { id: path, filename: path, loaded: true, exports: require('./lite') }
