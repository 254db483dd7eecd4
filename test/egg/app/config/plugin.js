exports.static = false;
exports.sse = { enable: true, package: 'ssekify/egg' };
