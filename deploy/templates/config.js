'use strict'

// The deploy.config.js that `deploy init` writes: what has to be decided, and as comments what may be.

/** @param {object} site as init.js reads it */
module.exports = ({ app, hosts, folder, user, runtime, start, origins, hasBuild, hasRoutes, isModule }) => `// How ${app} gets to its hosts: npm run deploy:plan says what would happen, npm run deploy does it.
// Every field is explained in node_modules/undercroft/deploy/README.md. Nothing secret belongs here.

/** @type {import('undercroft/deploy').Config} */
${isModule ? 'export default' : 'module.exports ='} {
  app: ${text(app)},

  // One host for each SQLite database: what is written on one is not on the others.
  hosts: ${list(hosts)},
  // ssh: { user: 'deploy', key: '~/.ssh/id_ed25519', jump: 'deploy@bastion.example.com' },

  folder: ${text(folder)}, // on the hosts

  // What is sent: of this folder, all that is not ignored. Never node_modules, .git, .env files and this file.
  // source: '.',
  // include: ['**'],
  ignore: ['test/**', 'deploy/**', '*.md', '**/*.log', '**/*.db', '**/*.db-*'],

  build: ${hasBuild ? "'npm run build', // here" : "null, // 'npm run build': here"}, before anything is sent
  // install: ['npm', 'ci', '--omit=dev'], // on the host, in the release; by default as the lock file wants it
  env: {
    // file: '.env.production', // sent apart from the release, readable by its user alone
    set: { NODE_ENV: 'production' }
  },

  runtime: ${text(runtime)}, // or { name: ${text(runtime)}, path: '/usr/local/bin/${runtime}' }
  start: ${list(start)}, // its arguments; or { command: ['./program', 'argument'] }
  ports: [4000, 4001], // one serves, the next release starts on the other; only 127.0.0.1 may be listened on
  instances: 1, // each has two ports
  launcher: 'auto', // systemd where deploy/${app}@.service is installed, otherwise 'process'
  systemd: { scope: 'system', sudo: ${user !== 'root'} },

  health: { path: '/health', status: 200, timeoutMs: 30_000 },
  watchMs: 10_000, // so long the new release is watched before the old one has to go
  drainMs: 30_000, // so long the old one has for what it has begun

  // migrations: { command: ['node', 'migrate.js'], when: 'before-start' },
${hasRoutes
? `  // undercroftd answers the routes of the release, and owns the file: the service opens process.env.UNDERCROFT_TARGET.
  daemon: { db: '$SHARED/app.db', routes: 'routes', args: ${list(origins.flatMap((origin) => ['--http-origin', origin]))} },`
: "  // daemon: { db: '$SHARED/app.db' }, // undercroftd beside the service: one owner of the file, at deployments too"}

  // Sent when it has changed, and reloaded after nginx has found it right.
  // gateway: { file: 'deploy/nginx.conf', to: '/etc/nginx/conf.d/${app}.conf' },

  keep: 5, // releases; a rollback goes to any of them
  order: 'one', // host after host, or 'all' at once

${hasRoutes ? "  hooks: { beforeUpload: 'npx undercroft routes check' }," : "  // hooks: { beforeUpload: 'npm test', afterStart: async ({ host }) => {} },"}
  logs: { application: 'shared/logs', gateway: '/var/log/nginx/${app}.*.gz', to: './server-logs' }
}
`

function text (value) {
  return `'${value.replace(/[\\']/g, '\\$&')}'`
}

function list (values) {
  return `[${values.map(text).join(', ')}]`
}
