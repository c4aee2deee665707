import { EventEmitter } from 'node:events'
import { IncomingMessage, Server, ServerResponse, createServer } from 'node:http'
import { expectError, expectType } from 'tsd'
import { Service, graceful, open } from '../..'
import { graceful as alone } from '../../lib/types/graceful'

const store = open('app.db')
const server = createServer()
const service = graceful(server, { store, log: store.log, port: 0, socket: '/run/app.sock', drainMs: 5, health: '/health' })
expectType<Promise<Service>>(service)
expectType<Promise<Service>>(alone(server))
service.then((running) => {
  expectType<number>(running.port)
  expectType<AbortSignal>(running.signal)
  expectType<Promise<{ ms: number, cut: string[] }>>(running.close())
})
graceful({ fetch: async () => new Response('x') }, { store: [store, store], signals: false, exit: false })
graceful((request: Request) => new Response(request.url))
// As @types/express has its Application, in short.
interface Application extends EventEmitter {
  (req: IncomingMessage, res: ServerResponse): any
  listen (port: number, hostname: string, callback?: (error?: Error) => void): Server
  listen (callback?: (error?: Error) => void): Server
  get: ((name: string) => any) & ((path: string, ...handlers: Array<(req: IncomingMessage, res: ServerResponse, next: () => void) => void>) => Application)
}
graceful({} as Application, { store })
expectError(graceful(server, { store: 5 }))
expectError(graceful(server, { drain: 5 }))
expectError(graceful(5))
