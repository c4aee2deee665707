import { Server } from 'node:http'
import { Server as SecureServer } from 'node:https'

/** Closed when nothing is under way any more. What open() returns is one. */
export interface Closable {
  close (): Promise<unknown> | unknown
}

export interface GracefulOptions {
  /** Closed last, after the last answer; several of them in this order. */
  store?: Closable | readonly Closable[] | null
  /** Is told of the start, of signals, and of what had to be cut off: store.log, or pino. */
  log?: { info: (...args: any[]) => void, warn: (...args: any[]) => void } | null
  /** Default: the environment's PORT, else 4000. 0: any that is free. */
  port?: number
  /** Default: the environment's HOST, else 127.0.0.1. */
  host?: string
  /** A unix socket to listen on as well. Default: the environment's UNDERCROFT_SOCKET, else none. */
  socket?: string | null
  /**
   * Who may connect to it. Default: the environment's UNDERCROFT_SOCKET_MODE, octal as '0660', else 0o666: whoever may
   * connect to the port.
   */
  socketMode?: number
  /** What is not done by then is cut off. Default: the environment's UNDERCROFT_DRAIN_MS, else 30,000. */
  drainMs?: number
  /** So long at most is the listener left open when requests keep coming. Default: half of drainMs. */
  acceptMs?: number
  /** A connection that has been idle for longer is not waited for: more than the gateway keeps one. Default 6,000. */
  idleMs?: number
  /** A path that is answered with 200 while the stores are well: '/health'. Default: none. */
  health?: string | null
  /** Default SIGTERM and SIGINT. false: none, only close() ends the service. */
  signals?: ReadonlyArray<'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGUSR2' | 'SIGQUIT'> | false
  /** Whether a signal ends the process: 0, or 1 when something was cut off. Default true. */
  exit?: boolean
}

export interface Service {
  readonly port: number
  readonly host: string
  readonly socket: string | null
  readonly url: string
  readonly draining: boolean
  /** Aborted when draining begins: for what would not end by itself, such as event streams and WebSockets. */
  readonly signal: AbortSignal
  /** What a signal does, but the process lives. */
  close: () => Promise<{ ms: number, cut: string[] }>
  [Symbol.asyncDispose]: () => Promise<void>
}

/** An instance of fastify. */
export interface FastifyLike {
  ready: () => PromiseLike<unknown>
  listen: (options: any) => Promise<string>
  close: () => PromiseLike<unknown>
  server: unknown
}

/** An application of Express or Connect: a listener of requests with a listen() of its own. */
export interface ExpressLike {
  (req: any, res: any, next?: any): unknown
  listen: (...args: any[]) => unknown
}

/** An application of Hono, options of Bun.serve. */
export interface FetchLike {
  fetch: (request: Request, ...more: any[]) => Response | Promise<Response> | undefined | Promise<Response | undefined>
}

export type FetchHandler = FetchLike['fetch']

/**
 * Listens on 127.0.0.1 and, where one is named, on a unix socket; lets what is under way end when a signal comes,
 * then closes the stores and ends the process. Rejects with EADDRINUSE when the port or the socket is taken:
 * the stores are then still yours.
 */
export function graceful (target: Server | SecureServer | FastifyLike | ExpressLike | FetchLike | FetchHandler, options?: GracefulOptions): Promise<Service>
