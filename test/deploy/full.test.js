'use strict'

// A disk that is full: told before anything is sent where that is foreseen, and
// in the middle of it otherwise; with room the same command goes on.

const crypto = require('node:crypto')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const t = require('tap')
const { execFileSync } = require('node:child_process')
const releases = require('../../deploy/agent/host/releases')
const { scene, contentOf } = require('./parts/upload')

t.setTimeout(60_000)

// A small file system for the host, or the reason why there is none.
function disk (t, megabytes) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'uc-'))
  t.teardown(() => fs.rmSync(dir, { recursive: true, force: true }))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dir], { stdio: 'pipe' })
  } catch (err) {
    return { reason: `no tmpfs can be mounted: ${String(err.stderr ?? err.message).trim()}` }
  }
  t.teardown(() => execFileSync('umount', ['-l', dir]))
  return { dir, ballast: path.join(dir, 'ballast') }
}

t.test('told before anything is sent', async t => {
  const { dir, reason } = disk(t, 24)
  if (reason) return t.comment(`skipped: ${reason}`)
  const { app, put, upload } = scene(t, { folder: path.join(dir, 'app') })
  put('large', crypto.randomBytes(12_000_000))
  const stages = []
  await t.rejects(upload({ onEvent: ({ stage }) => { if (stage) stages.push(stage) } }), {
    code: 'UC_DEPLOY_DISK', host: 'one', stage: 'compare', message: /needs \d+ MiB more .* \d+ MiB are free/, hint: /free space/
  })
  t.same(stages, ['compare'], 'nothing was sent')
  t.equal(releases.newest(app), null)
})

t.test('in the middle of it', async t => {
  const { dir, ballast, reason } = disk(t, 48)
  if (reason) return t.comment(`skipped: ${reason}`)
  const { app, put, source, upload } = scene(t, { folder: path.join(dir, 'app') })
  put('a')
  const old = await upload()
  for (let i = 0; i < 40; i++) put(`f${String(i).padStart(2, '0')}`, crypto.randomBytes(500_000))
  put('large', crypto.randomBytes(5_000_000))
  await t.rejects(upload({
    onEvent: ({ stage }) => {
      if (stage === 'transfer') fs.writeFileSync(ballast, Buffer.alloc(38_000_000))
    }
  }), { code: 'UC_DEPLOY_DISK', host: 'one', stage: 'transfer' })
  t.equal(releases.newest(app).id, old.id, 'the release before is the newest one')
  t.same((await releases.verify(app, old.id)).bad, [])

  fs.rmSync(ballast)
  const again = await upload()
  t.equal(again.resumed, true)
  t.ok(again.sent.files > 0 && again.sent.files < 41, `${41 - again.sent.files} of 41 files had arrived`)
  t.same(contentOf(app.release(again.id)), contentOf(source))
})
