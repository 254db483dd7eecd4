module.exports = require('../../egg/config/plugin');
