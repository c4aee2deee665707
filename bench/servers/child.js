'use strict'

// Answers what its parent sends; ends when the parent goes.

process.on('message', message => process.send(message))
process.on('disconnect', () => process.exit(0))
