const { start } = require('./start');

start({ name: 'ssekify with Egg', baseDir: __dirname, ownPort: 7001 });
