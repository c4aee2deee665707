'use strict'

// Deployments in a row under a constant load, and what is to hold of them.

const { startLoad } = require('./load')
const { startSite } = require('./site')

/**
 * @param {object} options see startSite
 * @param {number} count deployments after the first one, before which there is no load
 * @param {(site, i: number) => Promise} [between] before each of them
 * @returns {Promise<object>} what the checker has seen
 */
async function deployUnderLoad (t, options, count, between = async () => {}) {
  const site = await startSite(options)
  let load = null
  t.teardown(async () => {
    load?.kill()
    await site.stop()
  })
  await site.deploy()
  load = await startLoad({ url: site.url })
  await load.goOn()
  for (let i = 0; i < count; i++) {
    await between(site, i)
    await site.deploy()
    await load.goOn()
  }
  const seen = await load.stop(site.numbers)
  t.comment(`${count} deployments: ${JSON.stringify({ ...seen, releases: Object.keys(seen.releases).length })}`)
  if (seen.failed > 0) t.comment(site.nginx.errors().split('\n').slice(0, 20).join('\n'))
  return seen
}

function nothingLost (t, seen, count) {
  t.same(seen.failures, [], 'no request failed')
  t.equal(seen.failed, 0)
  t.equal(seen.twice, 0, 'none was answered twice')
  t.equal(seen.lost, 0, 'every order that was answered is there')
  t.equal(seen.double, 0, 'and is there once')
  t.equal(Object.keys(seen.releases).length, count + 1, 'every release has answered')
  t.ok(seen.requests > 20 * count, `${seen.requests} requests`)
}

module.exports = { deployUnderLoad, nothingLost }
