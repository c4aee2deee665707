'use strict'

// Places where a file may be read but not written, seen by a process without privileges.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const undercroft = require('../..')
const { exact, fileTimeoutMs, runs, tmpdir, whyNoOtherUser } = require('../helper')

t.setTimeout(fileTimeoutMs)

const nobody = 65534
const skip = whyNoOtherUser()

t.test('without the right to write', { skip }, async (t) => {
  const dir = tmpdir(t)
  fs.chmodSync(dir, 0o755)
  const file = path.join(dir, 'app.db')
  const store = undercroft.open(file)
  await store.db.exec('create table t(a); insert into t values (1)')
  await store.close()
  fs.chmodSync(file, 0o644)
  const result = await runs(t, async ({ undercroft, args, say }) => {
    const tell = async (work) => { say(await work.then((v) => JSON.stringify(v), (err) => `${err.code} ${err.kind} ${err.message}`)) }
    const fresh = undercroft.open(`${args.dir}/new.db`)
    await tell(fresh.ready.then(() => 'opened'))
    const whole = undercroft.open(args.file)
    await tell(whole.db.run('insert into t values (2)'))
    await whole.close()
    const store = undercroft.open(args.file, { readonly: true })
    await tell(store.db.values('select a from t'))
    await tell(store.db.run('insert into t values (2)'))
    await tell(store.db.backup(`${args.dir}/copy.db`))
  }, { args: { dir, file }, uid: nobody })
  const [create, write, read, refused, backup] = result.lines
  t.match(create, /^SQLITE_CANTOPEN cant-open cannot make \S+new\.db: the directory cannot be written by this user: Permission denied/, 'a new file in a directory that is not writable')
  t.match(write, /^(SQLITE_READONLY\w*|SQLITE_CANTOPEN\w*|SQLITE_PERM) (readonly|cant-open|permission) /, 'a write into a file that is not')
  t.match(read, /^(\[\[1\]\]|SQLITE_(CANTOPEN|READONLY)\w* (cant-open|readonly) .* directory .*)$/, `reading it (a WAL needs its directory): ${read}`)
  t.notMatch(read, /attempt to write/, 'who reads is not told of a write')
  t.match(refused, /^(UC_SQL_READONLY|SQLITE_(CANTOPEN|READONLY)\w*) /, 'a read-only handle does not write')
  t.match(backup, /^(SQLITE_CANTOPEN\w*|UC_BACKUP|SQLITE_READONLY\w*) /, 'nor is a copy made there')
  exact(t, fs.readdirSync(dir).filter((name) => !name.startsWith('child')).sort(), ['app.db'], 'nothing is left behind')
  const again = undercroft.open(file)
  exact(t, await again.db.values('select a from t'), [[1]], 'the file is as it was')
  await again.close()
})
