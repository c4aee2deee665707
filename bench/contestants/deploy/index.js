'use strict'

// Who brings a service to its host. Families: 'ours'; 'copy' those that copy
// files over the same kind of connection; 'pm2' who restarts what is there already.

module.exports = [require('./undercroft'), ...require('./copy'), require('./pm2')]
