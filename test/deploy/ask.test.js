'use strict'
// A passphrase asked on a real terminal (a pty of script(1)): it is taken, and
// never shown.

const { spawn } = require('node:child_process')
const t = require('tap')
const { askHidden } = require('../../deploy/ssh/ask')

t.setTimeout(60_000)

// Types each key when the question is there; -> { out, code }.
function onTerminal (keys) {
  const script = `require(${JSON.stringify(require.resolve('../../deploy/ssh/ask'))}).askHidden('Passphrase of key: ')
    .then(text => console.log('got ' + Buffer.from(text).toString('hex')), err => { console.log(err.code); process.exitCode = 3 })`
  const child = spawn('script', ['-qec', `'${process.execPath}' -e "$UC_SCRIPT"`, '/dev/null'],
    { env: { ...process.env, UC_SCRIPT: script, SHELL: '/bin/sh' }, stdio: ['pipe', 'pipe', 'inherit'] })
  let out = ''
  let typed = false
  child.stdout.setEncoding('utf8').on('data', text => {
    out += text
    if (typed || !out.includes('Passphrase of key: ')) return
    typed = true
    child.stdin.write(keys)
  })
  return new Promise(resolve => child.once('close', code => resolve({ out, code })))
}

const hex = text => Buffer.from(text).toString('hex')

t.test('what is typed comes back, and is not shown', async t => {
  const { out, code } = await onTerminal('open sésame\r')
  t.match(out, `got ${hex('open sésame')}`)
  t.notMatch(out, /sésame/)
  t.equal(code, 0)
})

t.test('corrections', async t => {
  t.match((await onTerminal('wrong\u0015rig\u007fght\n')).out, `got ${hex('right')}`)
  t.match((await onTerminal('\r')).out, /got \r?\n/, 'an empty one')
  t.match((await onTerminal('a\u001bb\u0007\r')).out, `got ${hex('ab')}`, 'no control characters')
})

t.test('Ctrl-C', async t => {
  const { out, code } = await onTerminal('half\u0003')
  t.match(out, /UC_DEPLOY_CANCELLED/)
  t.equal(code, 3)
})

t.test('where there is no terminal', async t => {
  await t.rejects(askHidden('Passphrase? ', { input: {}, output: { isTTY: true } }), { code: 'UC_DEPLOY_AUTH', hint: /UNDERCROFT_KEY_PASSPHRASE/ })
})
