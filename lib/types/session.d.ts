import { IncomingMessage } from 'node:http'
import { Store } from './store'
import { UndercroftError } from './errors'

/** Sessions of the store, whose database has the table of `session.migration`. */
declare function session (store: Store, options?: session.SessionOptions): session.Sessions

declare namespace session {
  /** The table, as text for a file in migrations/. */
  const migration: { readonly sqlite: string }

  /** hash() and verify() without a store. */
  function passwords (options?: PasswordOptions): Passwords

  /** node:http's (Express's and fastify's have the same fields), a Request of fetch, or what routes give to their option user. */
  type RequestLike = IncomingMessage | Request | { headers: object } | { header: (name: string) => string | undefined }

  type User = string | number

  interface SessionOptions {
    /** Of the cookie: 'sid'. Behind https it is __Host-sid. */
    name?: string
    /** Whether the cookie is for https alone. Default: of each request, whether it came by it. Say true in production. */
    secure?: boolean | null
    /**
     * Whose X-Forwarded-For and X-Forwarded-Proto are believed, as the option of routes: 'unix', the default, 'loopback',
     * addresses and networks such as '10.0.0.0/8'; false: nobody's.
     */
    trustProxy?: false | string | readonly string[]
    /** The other end of a request's connection, '' of a unix socket: fetch has no such thing. Bun: req => server.requestIP(req)?.address */
    peer?: ((req: any) => string | null | undefined) | null
    /** How long a session lives without a request. Default 7 days. */
    idleMs?: number
    /** How long it lives at most. Default 30 days. */
    absoluteMs?: number
    /** How often a request moves the end: a write. Default 5 minutes, or a tenth of idleMs. */
    touchMs?: number
    /** Sessions of a user; the one that was not used for longest gives way. Default 100. */
    perUser?: number
    /** Default true: rows are read through store.cache, tied to them. false: each time from the database. */
    cache?: boolean
    /** How often a password may be guessed. false: as often as one likes. */
    limit?: LimitOptions | false
    passwords?: PasswordOptions
    /** Is told what could not be written: store.log. */
    log?: { warn: (...args: any[]) => void } | null
    /** The clock, in milliseconds; for tests. */
    now?: () => number
  }

  interface LimitOptions {
    /** Of one name from one network, before the pauses begin. Default 5. */
    tries?: number
    /** Of one name from anywhere. Default 50. */
    triesOfName?: number
    /** Of one network: an IPv4 address, or an IPv6 /64. Default 50. */
    triesOfIp?: number
    /** After so long a count begins anew. Default an hour. */
    perMs?: number
    /** The first pause; each further one is twice as long. Default 1 second. */
    pauseMs?: number
    /** The longest. Default 15 minutes. */
    maxPauseMs?: number
  }

  interface PasswordOptions {
    /** Default: argon2id where the runtime has it (Node 24.7), otherwise scrypt. */
    algorithm?: 'argon2id' | 'scrypt'
    /** Memory in KiB, passes, lanes. Default m=19456, t=2, p=1. */
    argon2id?: { m?: number, t?: number, p?: number }
    /** N = 2^ln. Default ln=17, r=8, p=1. */
    scrypt?: { ln?: number, r?: number, p?: number }
    /** Characters of a new password. Default 8. */
    minLength?: number
    /** Hashes that are computed at once. Default 2. */
    running?: number
    /** Those that wait; beyond them UC_BUSY. Default 100. */
    waiting?: number
    /** How long they wait; then UC_TIMEOUT. Default 10,000. */
    timeoutMs?: number
    /** Takes parameters that are weaker than OWASP recommends; not where NODE_ENV is production. */
    weakForTests?: boolean
  }

  interface Passwords {
    /** A PHC string. */
    hash (password: string): Promise<string>
    /** `rehash`: it is right, and its hash is weaker than those that are made now. */
    verify (password: unknown, phc: string): Promise<{ ok: boolean, rehash: boolean }>
  }

  /** What `find` gives of a name. */
  interface Account {
    user: User
    roles?: readonly string[]
    /** Absent: he cannot log in with a password. */
    hash?: string | null
    /** Is given a stronger hash of the same password. */
    save?: (phc: string) => unknown
  }

  interface LoggedIn {
    user: User
    roles: readonly string[]
    /** Of the session: no secret. */
    id: string
  }

  interface NewSession extends LoggedIn {
    /** The secret that the cookie holds. */
    token: string
    /** The Set-Cookie header. */
    cookie: string
    /** When it ends if nothing is asked meanwhile. */
    expires: number
  }

  interface ListedSession {
    id: string
    created: number
    seen: number
    expires: number
    ip: string | null
    agent: string | null
  }

  /** UC_RATE. */
  interface RateError extends UndercroftError {
    readonly retryAfterMs: number
  }

  interface Try {
    /** It was right: the name's counts begin anew. */
    succeed (): Promise<void>
    /** It was none. */
    undo (): Promise<void>
  }

  interface Limit {
    /** Counts a try that is about to be made; rejects with UC_RATE during a pause. */
    take (who: { name?: string | null, ip?: string | null }): Promise<Try>
  }

  interface Sessions extends Passwords {
    readonly limit: Limit | null
    /** A new session; null: the name or the password is wrong. */
    login (
      req: RequestLike, credentials: { name?: unknown, password?: unknown } | null | undefined,
      find: (name: string) => Account | null | undefined | Promise<Account | null | undefined>
    ): Promise<NewSession | null>
    /** A new session; that of the request ends. */
    create (who: { user: User, roles?: readonly string[] }, req?: RequestLike | null): Promise<NewSession>
    /** Ends the session of the request; the Set-Cookie header that deletes its cookie. */
    logout (req: RequestLike): Promise<string>
    /** Who is logged in. It may be passed on by itself. */
    readonly of: (req: RequestLike) => Promise<LoggedIn | null>
    list (user: User): Promise<ListedSession[]>
    /** With `user` only if it is his; whether it was there. */
    end (id: string, user?: User): Promise<boolean>
    /** All of the user's but this one; how many. */
    endOthers (session: { user: User, id: string }): Promise<number>
    endAll (user: User): Promise<number>
    /** Other roles for all sessions of the user; how many. */
    setRoles (user: User, roles: readonly string[]): Promise<number>
    /** Deletes what is over, 500 rows a transaction; how many. */
    sweep (): Promise<number>
    cookie (token: string, req?: RequestLike | null): string
    clearing (req?: RequestLike | null): string
  }
}

export = session
