'use strict'
// Where things are in the folder of an app on its host.

const path = require('node:path')

/** folder: absolute. -> the paths object, `ctx.app`. */
function paths (folder) {
  const deploy = path.join(folder, '.deploy')
  const releases = path.join(folder, 'releases')
  const run = path.join(folder, 'run')
  return {
    folder,
    releases,
    release: id => path.join(releases, id),
    current: path.join(folder, 'current'),
    shared: path.join(folder, 'shared'),
    env: path.join(folder, 'env'),
    run,
    socket: (id, port) => path.join(run, `${id}.${port}.sock`),
    routes: path.join(run, 'routes'),
    upstream: instance => path.join(run, instance === 0 ? 'app.sock' : `app-${instance}.sock`),
    deploy,
    lock: path.join(deploy, 'lock'),
    lockInfo: path.join(deploy, 'lock.json'),
    state: path.join(deploy, 'state.json'),
    audit: path.join(deploy, 'audit.log'),
    agent: path.join(deploy, 'agent'),
    out: path.join(deploy, 'out'),
    slots: path.join(deploy, 'slots'),
    marks: path.join(deploy, 'releases'),
    mark: id => path.join(deploy, 'releases', `${id}.json`),
    manifest: id => path.join(deploy, 'releases', `${id}.manifest.json`)
  }
}

module.exports = { paths }
