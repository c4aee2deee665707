import { expectAssignable, expectError, expectType } from 'tsd'
import { Config, defineConfig, HookFacts } from '../../lib/types/deploy'

const least = { app: 'shop', hosts: ['deploy@10.0.0.1'], start: ['server.js'] }

expectAssignable<Config>(least)
expectAssignable<Config>({
  ...least,
  hosts: ['deploy@10.0.0.1', { host: '10.0.0.2', name: 'two', port: 23, jump: 'a,b', health: { timeoutMs: 60_000 } }],
  ssh: { key: '~/.ssh/id', agent: false, hostKey: ['SHA256:x', 'SHA256:y'], jump: ['a', { host: 'b' }] },
  build: { command: ['npm', 'run', 'build'], where: 'there' },
  env: { file: '.env', set: { NODE_ENV: 'production', N: 1, ON: true } },
  runtime: { name: 'bun', path: '/usr/local/bin/bun' },
  start: { command: ['./server', '--quiet'] },
  migrations: { command: 'node migrate.js', when: 'before-switch', once: 'first-host' },
  gateway: null,
  switch: 'ports',
  socketMode: '0660'
} as const)

expectError<Config>({ ...least, app: undefined })
expectError<Config>({ app: 'shop', hosts: ['a'] })
expectError<Config>({ ...least, switch: 'reload' })
expectError(defineConfig({ ...least, hosts: [{ name: 'x' }] }))
expectError<Config>({ ...least, kep: 3 })

const config = defineConfig({
  ...least,
  hooks: {
    beforeUpload: 'npm test',
    afterStart: async (facts) => {
      expectType<HookFacts>(facts)
      expectType<string | undefined>(facts.host)
      expectType<AbortSignal>(facts.signal)
    }
  }
})
expectAssignable<Config>(config)
defineConfig(async ({ action }) => {
  expectType<string | null>(action)
  return least
})
