'use strict'

// Everyone who takes part beside the cache. Families: 'lru' a map in the heap;
// 'store' a database of keys and values in the process; 'kv' clients of a Redis
// server.

module.exports = [
  require('./undercroft'),
  require('./lru-cache'),
  require('./lmdb'),
  require('./better-sqlite3'),
  require('../ipc/ioredis'),
  require('../ipc/redis')
]
