const { start } = require('../egg/start');

start({ name: 'ssekify bridge with Egg', baseDir: __dirname, ownPort: 7002 });
