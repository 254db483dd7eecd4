// It serves app/public, of which there is none.
exports.static = false;
