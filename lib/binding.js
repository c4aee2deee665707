'use strict'

// Finds and loads the native addon: on first use, never at require.

const { existsSync } = require('node:fs')
const path = require('node:path')
const { UndercroftError } = require('./errors')

const root = path.join(__dirname, '..')
const places = [
  `prebuilds/${process.platform}-${process.arch}/undercroft.node`,
  'build/Release/undercroft.node',
  'build/Debug/undercroft.node'
]

let addon = null

/** The addon's exports. Throws UC_NO_ADDON when there is none for this platform. */
function load () {
  if (addon !== null) return addon
  const override = process.env.UNDERCROFT_ADDON
  const found = override !== undefined && override !== ''
    ? path.resolve(override)
    : places.map((place) => path.join(root, place)).find((place) => existsSync(place))
  if (found === undefined) {
    throw new UndercroftError('UC_NO_ADDON',
      `there is no compiled addon for ${process.platform}-${process.arch} in this installation; ` +
      'run npx undercroft build')
  }
  try {
    addon = require(found)
  } catch (cause) {
    throw new UndercroftError('UC_NO_ADDON',
      `the addon ${found} does not load here (${cause.message}); run npx undercroft build`, { cause })
  }
  return addon
}

module.exports = { load }
