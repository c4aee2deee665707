'use strict'

// The ids of calls. An id is generation << 20 | slot: the slot finds the record of the
// call, the generation tells a late reply from one that is for the slot's present call.

const SLOT_BITS = 20

module.exports = { SLOT_BITS, SLOT_MASK: (1 << SLOT_BITS) - 1, MAX_GENERATION: 0x7ff }
