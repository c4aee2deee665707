'use strict'
// The error of everything under deploy/, on both sides of the connection.

// code -> what to do about it, where no better hint is at hand.
const hints = {
  __proto__: null,
  UC_DEPLOY_ACCESS: 'give the user of the deployment the right to this file or folder',
  UC_DEPLOY_DISK: 'free space on the host (fewer kept releases: `keep`), then run the same command again',
  UC_DEPLOY_LOST: 'run the same command again: it finishes what was begun',
  UC_DEPLOY_SSH2: 'npm install --save-dev ssh2'
}

/**
 * code: 'UC_DEPLOY_<WORD>'; message: one sentence without host and stage, which
 * are fields of their own. `hint` says what to do, `details` are facts for
 * programs, `lines` the last lines of the program that failed.
 */
class DeployError extends Error {
  constructor (code, message, { host, stage, hint, details, lines, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'DeployError'
    this.code = code
    this.host = host ?? null
    this.stage = stage ?? null
    this.hint = hint ?? hints[code] ?? null
    this.details = details ?? null
    this.lines = lines ?? null
  }

  /** Fills in host and stage where they are not known yet; returns this. */
  at (host, stage) {
    this.host ??= host ?? null
    this.stage ??= stage ?? null
    return this
  }

  /** The whole of it, for people: some lines of text. */
  describe () {
    const where = [this.host, this.stage].filter(Boolean).map(word => `${word}: `).join('')
    return [
      `${where}${this.message} (${this.code})`,
      ...(this.lines || []).map(line => `  | ${line}`),
      ...(this.hint ? this.hint.split('\n').map((line, i) => i === 0 ? `  -> ${line}` : `     ${line}`) : [])
    ].join('\n')
  }

  toJSON () {
    const { code, message, host, stage, hint, details, lines } = this
    return { code, message, host, stage, hint, details, lines }
  }
}

// What the kernel refuses, in words of a deployment.
const kernel = {
  __proto__: null,
  ENOSPC: ['UC_DEPLOY_DISK', 'the disk is full'],
  EDQUOT: ['UC_DEPLOY_DISK', 'the disk quota of the user is used up'],
  EACCES: ['UC_DEPLOY_ACCESS', 'permission denied'],
  EPERM: ['UC_DEPLOY_ACCESS', 'not permitted'],
  EROFS: ['UC_DEPLOY_ACCESS', 'the file system is read-only']
}

/** Any error as a DeployError; an unforeseen one gets UC_DEPLOY_INTERNAL and keeps its stack in details. */
function toDeployError (err) {
  if (err instanceof DeployError) return err
  if (/^UC_DEPLOY_/.test(err?.code)) return new DeployError(err.code, err.message, { ...err, cause: err })
  const known = kernel[err?.code]
  if (known) {
    const [code, text] = known
    const what = [err.syscall, err.path].filter(Boolean).join(' ')
    return new DeployError(code, what ? `${text}: ${what}` : text, { cause: err, details: { errno: err.code, path: err.path ?? null } })
  }
  return new DeployError('UC_DEPLOY_INTERNAL', String(err?.message ?? err), { cause: err, details: { errno: err?.code ?? null, stack: err?.stack ?? null } })
}

module.exports = { DeployError, toDeployError }
