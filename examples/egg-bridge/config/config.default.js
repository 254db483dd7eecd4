module.exports = require('../../egg/config/config.default');
