/** A list of arguments, run without a shell, or a line for `sh -c`, exactly as it stands. */
export type Command = string | readonly string[]

/** Milliseconds. */
type Ms = number

export interface CommandOptions {
  command: Command
  timeoutMs?: Ms
}

/** What a hook that is a function is told. */
export interface HookFacts {
  app: string
  /** The folder of the configuration. */
  dir: string
  /** The names of all hosts. */
  hosts: string[]
  /** Aborted when the deployment is stopped, and after ten minutes, when the hook has failed: pass it to what you wait for. */
  signal: AbortSignal
  action?: string
  /** The host that it is about, where it is called for each. */
  host?: string
  /** The release that it is about, where it is called for each host. */
  release?: string
  /** Of afterUpload: the name of each host and the release that it has now. */
  releases?: Record<string, string>
}

/** A command runs here, unless `where` says otherwise; a function always does. Default of `timeoutMs`, and the time of a function: ten minutes. */
export type Hook = Command | (CommandOptions & { where?: 'here' | 'there' }) | ((facts: HookFacts) => unknown) | null

/** How a host on the way is reached; what it does not say is as for the host behind it. */
export interface Jump {
  host: string
  user?: string
  port?: number
  key?: string | null
  hostKey?: string | readonly string[] | null
}

export interface Ssh {
  /** Default: yours. */
  user?: string
  /** Default: 22. */
  port?: number
  /** The file of a private key; '~/' is your home. */
  key?: string | null
  /** Default true: the agent of SSH_AUTH_SOCK. A path is its socket. */
  agent?: boolean | string
  /** Default: '~/.ssh/known_hosts'. */
  knownHosts?: string
  /** A pinned key in place of known_hosts: 'SHA256:…' or 'ssh-ed25519 AAAA…'; several while one is replaced by another. */
  hostKey?: string | readonly string[] | null
  /** 'user@bastion:22', several with commas, or objects. */
  jump?: string | Jump | ReadonlyArray<string | Jump> | null
  /** Default: 10,000. */
  connectTimeoutMs?: Ms
  /** Default: 10,000. */
  keepaliveMs?: Ms
}

/** What is the same for all hosts, unless a host says otherwise. */
export interface PerHost {
  /** The application's folder on the host, absolute, at most 64 bytes. Default: '/srv/<app>'. */
  folder?: string
  env?: {
    /** Sent apart from the release, readable by its user alone. */
    file?: string | null
    set?: Record<string, string | number | boolean>
  }
  /** Two for each instance. Default: 4000 and the next ones. */
  ports?: readonly number[]
  /** Default: 1. */
  instances?: number
  /** The arguments of the runtime, or another program with its own. */
  start?: readonly string[] | { command: readonly string[] }
  /** Default: 'node', as the PATH of an SSH command has it. */
  runtime?: 'node' | 'bun' | { name: 'node' | 'bun', path?: string }
  /** Default: 'auto'. */
  launcher?: 'auto' | 'systemd' | 'process'
  systemd?: { scope?: 'user' | 'system', sudo?: boolean, unit?: string | null }
  health?: {
    /** Default: '/health'. */
    path?: string
    /** Default: 200. */
    status?: number
    /** Default: 30,000. */
    timeoutMs?: Ms
    /** Default: 250. */
    everyMs?: Ms
    /** In a row. Default: 2. */
    successes?: number
  }
  /** Default: 'socket', which loses nothing. */
  switch?: 'socket' | 'ports'
  /** Of the unix socket. Default: '0666'. */
  socketMode?: number | string
  /** So long the new release is watched before the old one has to go. Default: 10,000. */
  watchMs?: Ms
  /** So long the old release has for what it has begun. Default: 30,000. */
  drainMs?: Ms
  /** So long it has to end after that. Default: 5,000. */
  killMs?: Ms
  /** The gateway's configuration, brought there when it has changed. */
  gateway?: { file: string, to: string, test?: Command, reload?: Command } | null
  /**
   * undercroftd beside the service. `routes`: a folder of the release, whose routes it answers over HTTP at the
   * socket `http` (default: run/http.sock), from the switch on.
   */
  daemon?: { db: string, args?: readonly string[], socket?: string, routes?: string | null, http?: string } | null
  /** Complete releases on the host. Default: 5. */
  keep?: number
  logs?: {
    application?: string | readonly string[] | null
    gateway?: string | readonly string[] | null
    /** Default: './server-logs'. */
    to?: string
  }
}

export interface Host extends Ssh, PerHost {
  host: string
  /** Default: that of the host. */
  name?: string
}

/** deploy.config.js; deploy/README.md says more of each field. */
export interface Config extends PerHost {
  /** Small letters, digits and '-'. */
  app: string
  /** 'user@host:port', or what is different there. One host for each SQLite database. */
  hosts: ReadonlyArray<string | Host>
  start: readonly string[] | { command: readonly string[] }
  ssh?: Ssh
  /** What is sent. Default: the folder of the configuration. */
  source?: string
  /** Patterns. Default: ['**']. */
  include?: readonly string[]
  /** Patterns. Never sent anyway: node_modules, .git, .env files, the configuration, env.file, private keys of ssh. */
  ignore?: readonly string[]
  /** Before the files are looked at, or ('there') in the release. */
  build?: Command | (CommandOptions & { where?: 'here' | 'there' }) | null
  /** In the release. Default: as the lock file wants it. */
  install?: Command | CommandOptions | null
  /** once: 'first-host' is the first of `hosts`, also where --host chooses others; not with order 'all'. */
  migrations?: Command | (CommandOptions & { when?: 'before-start' | 'before-switch', once?: 'per-host' | 'first-host' }) | null
  /** Default: 'one' after the other. */
  order?: 'one' | 'all'
  hooks?: {
    beforeUpload?: Hook
    afterUpload?: Hook
    beforeStart?: Hook
    afterSwitch?: Hook
    afterStart?: Hook
  }
}

/** Returns the configuration as it is; an editor knows its fields. */
export function defineConfig<T extends Config | ((facts: { action: string | null }) => Config | Promise<Config>)> (config: T): T
