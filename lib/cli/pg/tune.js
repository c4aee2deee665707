'use strict'
// Settings of a PostgreSQL server for a machine and a kind of work: the rules of pgtune
// (github.com/le0pard/pgtune, its README and assets/selectors/configuration), each with its reason.
// Numbers are in KiB where they are memory.

const KiB = 1
const MiB = 1024
const GiB = 1024 * 1024

const WORKS = {
  web: { about: 'many short requests', connections: 200 },
  oltp: { about: 'many short transactions that write', connections: 300 },
  dw: { about: 'few long queries over much data', connections: 40 },
  desktop: { about: 'a machine that does other things too', connections: 20 },
  mixed: { about: 'short requests and long queries', connections: 100 }
}

const DISKS = ['ssd', 'hdd', 'san']

const WAL = {
  web: [GiB, 4 * GiB],
  oltp: [2 * GiB, 8 * GiB],
  dw: [4 * GiB, 16 * GiB],
  desktop: [100 * MiB, 2 * GiB],
  mixed: [GiB, 4 * GiB]
}

/**
 * @param {{ memory: number, cores: number, disk: 'ssd'|'hdd'|'san', work: string, connections?: number }} machine
 *   memory in bytes, all that the server may use
 * @returns {{ name: string, value: string, why: string }[]}
 */
function settingsFor ({ memory, cores, disk, work, connections = WORKS[work].connections }) {
  const ram = Math.floor(memory / 1024)
  const shared = Math.floor(ram / (work === 'desktop' ? 16 : 4))
  const gather = Math.min(work === 'dw' ? cores : 4, Math.ceil(cores / 2))
  const [least, most] = WAL[work]
  const out = [
    one('max_connections', String(connections), `what ${WORKS[work].about} wants; a daemon of Undercroft takes ten a host, and each idle one costs memory`),
    one('shared_buffers', size(shared), work === 'desktop' ? 'a sixteenth of the memory: others want theirs' : 'a quarter of the memory; beyond that the cache of the system does as well'),
    one('effective_cache_size', size(Math.floor(ram * (work === 'desktop' ? 1 / 4 : 3 / 4))), 'what the planner may expect in the caches of server and system together; nothing is taken'),
    one('maintenance_work_mem', size(Math.min(Math.floor(ram / (work === 'dw' ? 8 : 16)), 2 * GiB)), 'VACUUM and CREATE INDEX: few at once, so each may have much'),
    one('checkpoint_completion_target', '0.9', 'a checkpoint spread over its time does not stop the writes'),
    one('wal_buffers', size(walBuffers(shared)), 'three hundredths of shared_buffers, at most a segment'),
    one('default_statistics_target', work === 'dw' ? '500' : '100', work === 'dw' ? 'better plans of large queries are worth a longer ANALYZE' : 'the usual; more makes planning slower'),
    one('random_page_cost', disk === 'hdd' ? '4' : '1.1', disk === 'hdd' ? 'a head has to move' : 'a page from anywhere costs hardly more than the next one'),
    one('effective_io_concurrency', { ssd: '200', hdd: '2', san: '300' }[disk], 'how many reads such a disk serves at once'),
    one('work_mem', size(workMem({ ram, shared, connections, gather, work })), 'of each sort and hash of each connection: what is left, when all work at once'),
    one('huge_pages', ram >= 32 * GiB ? 'try' : 'off', ram >= 32 * GiB ? 'page tables of so much memory cost themselves' : 'nothing to win with so little memory'),
    one('min_wal_size', size(least), 'segments that are kept and used again'),
    one('max_wal_size', size(most), 'a checkpoint that comes by time and not by size')
  ]
  if (cores >= 4) out.push(...parallel(cores, gather))
  return out
}

function parallel (cores, gather) {
  return [
    one('max_worker_processes', String(cores), 'one a core'),
    one('max_parallel_workers_per_gather', String(gather), 'half of the cores for one query'),
    one('max_parallel_workers', String(cores), 'of all queries'),
    one('max_parallel_maintenance_workers', String(Math.min(4, Math.ceil(cores / 2))), 'of one CREATE INDEX')
  ]
}

function one (name, value, why) {
  return { name, value, why }
}

function walBuffers (shared) {
  const wanted = Math.floor(shared * 3 / 100)
  // Close to a segment it is one.
  if (wanted > 14 * MiB) return 16 * MiB
  return Math.max(wanted, 32 * KiB)
}

function workMem ({ ram, shared, connections, gather, work }) {
  const each = (ram - shared) / (connections * 3) / gather
  const part = work === 'desktop' ? 6 : work === 'dw' || work === 'mixed' ? 2 : 1
  return Math.max(Math.floor(each / part), 64)
}

// As the server writes it, in the largest unit that it fits.
function size (kib) {
  for (const [unit, factor] of [['GB', GiB], ['MB', MiB]]) if (kib >= factor && kib % factor === 0) return `${kib / factor}${unit}`
  return kib > 100 * MiB ? `${Math.floor(kib / MiB)}MB` : `${kib}kB`
}

/**
 * '16GB', '512MB', '8' GiB as people write memory.
 *
 * @returns {number|null} bytes
 */
function readMemory (text) {
  const match = /^(\d+(?:\.\d+)?)\s*(K|M|G|T)?(i?B)?$/i.exec(text)
  if (match === null) return null
  const power = { K: 1, M: 2, G: 3, T: 4 }[(match[2] ?? (match[3] === undefined ? 'G' : 'K')).toUpperCase()]
  return Math.round(Number(match[1]) * 1024 ** power)
}

module.exports = { DISKS, WORKS, readMemory, settingsFor }
