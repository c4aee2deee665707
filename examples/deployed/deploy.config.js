'use strict'

// How this service gets to its host. npm run deploy:plan says what would happen,
// npm run deploy does it. Every field is explained in the package's deploy/README.md.

/** @type {import('undercroft/deploy').Config} */
module.exports = {
  app: 'shop',

  // One host: its SQLite database is the only one. An entry per host otherwise.
  hosts: ['deploy@203.0.113.10'],
  folder: '/srv/shop',

  // Of this folder, all that is not ignored. Never node_modules, .git, .env files and this file.
  ignore: ['test/**', '*.md', '**/*.log', '**/*.db', '**/*.db-*'],
  // install: on the host, in the new release, before it counts as complete. By default what the lock file
  // wants: npm ci --omit=dev for the package-lock.json that npm install writes.

  runtime: 'node', // or 'bun': the service runs on both
  start: ['server.js'],
  ports: [4000, 4001], // one serves, the next release starts on the other
  env: { set: { NODE_ENV: 'production' } },

  health: { path: '/health', timeoutMs: 30_000 }, // answered by graceful(): the database is well
  watchMs: 10_000, // so long the new release is watched before the old one has to go
  drainMs: 30_000, // so long the old one has for what it has begun
  keep: 5 // releases to roll back to

  // One owner of the database at deployments too: the service then gets UNDERCROFT_TARGET.
  // daemon: { db: '$SHARED/shop.db' }
}
